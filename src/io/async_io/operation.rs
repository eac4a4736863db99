//! Operations as sequences of steps, which either engine can carry out.
//!
//! An operation says what it needs next (`next`): one read, one write, one sync, or a call that has
//! no asynchronous form. The engine has the kernel do it and reports the result (`answer`). So the
//! handling of short results, signals and lengths beyond one call is written once, and stands apart
//! from the threads and rings that wait.

use super::buffer::{Buffer, BufferSet};
use super::copy::Copy;
use super::file::SharedFile;
use super::open::Open;
use super::replace::Replace;
use super::step::{Next, Outcome, Step, SyncKind, cut, position, wrote};
use crate::sys::trying;
use crate::zero_copy::copy_file_range::Durability;
use std::fs::OpenOptions;
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

/// An operation on files, with everything that the kernel needs for it: it owns its buffer and its
/// files until the kernel has answered.
#[derive(Debug)]
pub struct Operation {
    kind: Kind,
    /// The error that ends the operation.
    failed: Option<io::Error>,
}

#[derive(Debug)]
enum Kind {
    Open(Box<Open>),
    Read(Transfer),
    Write(Transfer),
    Sync(SyncFile),
    Copy(Box<Copy>),
    Replace(Box<Replace>),
}

impl Operation {
    /// Opens the file at `path`. The completion has it.
    ///
    /// Opening a FIFO waits for its other end, unless `options` say `O_NONBLOCK`, and nothing can
    /// cancel that.
    pub fn open(path: impl Into<PathBuf>, options: &OpenOptions) -> Self {
        Self::of(Kind::Open(Box::new(Open::new(path.into(), options.clone()))))
    }

    /// Reads from `file` at position `at` until `buffer` is full or the file ends.
    pub fn read_at(file: &SharedFile, buffer: impl Into<Buffer>, at: u64) -> Self {
        Self::of(Kind::Read(Transfer::new(file, buffer.into(), at)))
    }

    /// Writes all of `buffer` to `file` at position `at`.
    pub fn write_at(file: &SharedFile, buffer: impl Into<Buffer>, at: u64) -> Self {
        Self::of(Kind::Write(Transfer::new(file, buffer.into(), at)))
    }

    /// Waits until everything that was written to `file` is on the disk. It covers the writes whose
    /// completions have come before this operation is submitted; for others, it may be too early.
    ///
    /// Fails if an earlier write or sync of this [`SharedFile`] has failed.
    pub fn sync(file: &SharedFile, kind: SyncKind) -> Self {
        Self::of(Kind::Sync(SyncFile { file: file.clone(), kind, checked: false, done: false }))
    }

    /// Copies the bytes of `range` from `from` to `to`, starting at `to_at`. The copy ends early at
    /// the end of `from`: `0..u64::MAX` copies all of it.
    ///
    /// Fails if both are the same file, under one name or two: a copy onto itself may read what it
    /// has already overwritten.
    pub fn copy(from: &SharedFile, range: Range<u64>, to: &SharedFile, to_at: u64) -> Self {
        Self::of(Kind::Copy(Box::new(Copy::new(from.clone(), range, to.clone(), to_at))))
    }

    /// Replaces the file `target` by one with the bytes of `buffer`: every program that opens it
    /// finds the old content or the new one, never a mixture, and a failure leaves the old one.
    ///
    /// The new file is written beside the target, and renamed when it is whole. It gets the
    /// target's permission bits; owner, extended attributes and access lists are not kept, and
    /// other hard links keep the old content. If `target` is a symbolic link, the file that it
    /// leads to is replaced and the link stays, as if the file were written in place.
    ///
    /// Fails if `target` is anything but a regular file or nothing. With [`Durability::OnDisk`],
    /// the file and then its directory are synced; if that last sync fails, the target has been
    /// replaced, but a crash may undo it.
    pub fn replace(
        target: impl Into<PathBuf>,
        buffer: impl Into<Buffer>,
        durability: Durability,
    ) -> Self {
        let replace = Replace::new(target.into(), buffer.into(), durability);
        Self::of(Kind::Replace(Box::new(replace)))
    }

    fn of(kind: Kind) -> Self {
        Self { kind, failed: None }
    }

    /// Returns the number of bytes that have been read, written or copied so far.
    pub fn bytes(&self) -> u64 {
        match &self.kind {
            Kind::Read(transfer) | Kind::Write(transfer) => transfer.moved as u64,
            Kind::Open(_) | Kind::Sync(_) => 0,
            Kind::Copy(copy) => copy.bytes(),
            Kind::Replace(replace) => replace.bytes(),
        }
    }

    /// Returns the buffer, if the operation has one.
    pub fn into_buffer(self) -> Option<Buffer> {
        self.into_parts().0
    }

    /// Returns the buffer, and the file that has been opened.
    pub(super) fn into_parts(self) -> (Option<Buffer>, Option<SharedFile>) {
        match self.kind {
            Kind::Open(open) => (None, open.into_file()),
            Kind::Read(transfer) | Kind::Write(transfer) => (Some(transfer.buffer), None),
            Kind::Replace(replace) => (Some(replace.into_buffer()), None),
            Kind::Sync(_) | Kind::Copy(_) => (None, None),
        }
    }

    /// Returns the number of the buffer in `set`, if it is one of those.
    pub(super) fn index_in(&self, set: &Arc<BufferSet>) -> Option<u16> {
        match &self.kind {
            Kind::Read(transfer) | Kind::Write(transfer) => transfer.buffer.index_in(set),
            Kind::Replace(replace) => replace.buffer().index_in(set),
            Kind::Open(_) | Kind::Sync(_) | Kind::Copy(_) => None,
        }
    }

    // ANCHOR: next
    /// Returns the next step. If `stop` is true, ends the operation instead, unless it has
    /// done its work or can no longer be undone.
    pub(super) fn next(&mut self, stop: bool) -> Next<'_> {
        if let Some(error) = self.failed.take() {
            return Next::End(Outcome::Failed(error));
        }
        if stop && self.may_stop() {
            return Next::End(Outcome::Canceled);
        }
        let step = match &mut self.kind {
            Kind::Open(open) => Ok(open.next()),
            Kind::Read(transfer) => transfer.read(),
            Kind::Write(transfer) => transfer.write(),
            Kind::Sync(sync) => sync.next(),
            Kind::Copy(copy) => copy.next(),
            Kind::Replace(replace) => Ok(replace.next()),
        };
        match step {
            Ok(Some(step)) => Next::Step(step),
            Ok(None) => Next::End(Outcome::Done),
            Err(refused) => Next::End(Outcome::Failed(refused)),
        }
    }
    // ANCHOR_END: next

    // ANCHOR: answer
    /// Takes the kernel's answer to the last step: the number of bytes moved, or an error.
    pub(super) fn answer(&mut self, result: io::Result<usize>) {
        let result = match result {
            // Nothing was done: the next step is the same one.
            Err(error) if error.kind() == ErrorKind::Interrupted => return,
            Ok(count) => match &mut self.kind {
                Kind::Open(_) => unreachable!("it makes a call"),
                Kind::Read(transfer) => {
                    transfer.read_some(count);
                    Ok(())
                }
                Kind::Write(transfer) => transfer.wrote_some(count),
                Kind::Sync(sync) => sync.synced(),
                Kind::Copy(copy) => copy.moved(count),
                Kind::Replace(replace) => replace.moved(count),
            },
            Err(error) => Err(error),
        };
        self.take(result);
    }
    // ANCHOR_END: answer

    /// Makes the blocking calls of [`Step::Call`], in place of an answer.
    pub(super) fn call(&mut self) {
        let result = match &mut self.kind {
            Kind::Open(open) => open.call(),
            Kind::Replace(replace) => replace.call(),
            _ => unreachable!("the others make no calls"),
        };
        self.take(result);
    }

    /// Takes the result of a step: an error ends the operation, and its file remembers it even if
    /// the program has dropped the handle.
    fn take(&mut self, result: io::Result<()>) {
        if result.is_err() {
            let error = trying(self.what(), result).expect_err("an error stays one");
            if let Some(file) = self.modified() {
                file.keep(&error);
            }
            self.failed = Some(error);
        }
    }

    /// Ends the operation by an error that is no answer of the kernel.
    pub(super) fn abandon(&mut self, error: io::Error) -> Outcome {
        self.take(Err(error));
        Outcome::Failed(self.failed.take().expect("it has just been set"))
    }

    fn may_stop(&self) -> bool {
        match &self.kind {
            Kind::Open(open) => !open.is_done(),
            Kind::Read(transfer) | Kind::Write(transfer) => !transfer.is_done(),
            Kind::Sync(sync) => !sync.done,
            Kind::Copy(copy) => !copy.is_done(),
            Kind::Replace(replace) => replace.may_stop(),
        }
    }

    /// Returns the file whose data this operation is responsible for.
    fn modified(&self) -> Option<&SharedFile> {
        match &self.kind {
            Kind::Write(transfer) => Some(&transfer.file),
            Kind::Sync(sync) => Some(&sync.file),
            Kind::Copy(copy) => Some(copy.target()),
            Kind::Open(_) | Kind::Read(_) | Kind::Replace(_) => None, // a new file is removed
        }
    }

    /// Describes the operation and how far it has come, for an error.
    fn what(&self) -> String {
        let of = |verb: &str, Transfer { buffer, at, moved, .. }: &Transfer| {
            format!("{verb} {} bytes at {at}, after {moved} of them", buffer.len())
        };
        match &self.kind {
            Kind::Open(open) => open.what(),
            Kind::Read(transfer) => of("reading", transfer),
            Kind::Write(transfer) => of("writing", transfer),
            Kind::Sync(SyncFile { kind: SyncKind::Data, .. }) => "fdatasync".to_owned(),
            Kind::Sync(SyncFile { kind: SyncKind::All, .. }) => "fsync".to_owned(),
            Kind::Copy(copy) => format!("copying, after {} bytes", copy.bytes()),
            Kind::Replace(replace) => replace.what(),
        }
    }
}

/// A read or a write.
#[derive(Debug)]
struct Transfer {
    file: SharedFile,
    buffer: Buffer,
    at: u64,
    moved: usize,
    /// The file ended before the buffer was full.
    ended: bool,
}

impl Transfer {
    fn new(file: &SharedFile, buffer: Buffer, at: u64) -> Self {
        Self { file: file.clone(), buffer, at, moved: 0, ended: false }
    }

    fn is_done(&self) -> bool {
        self.ended || self.moved == self.buffer.len()
    }

    fn read(&mut self) -> io::Result<Option<Step<'_>>> {
        if self.is_done() {
            return Ok(None);
        }
        let at = position(self.at, self.buffer.len() as u64)? + self.moved as u64;
        let rest = &mut self.buffer[self.moved..];
        let length = cut(rest.len());
        Ok(Some(Step::Read { file: self.file.positioned()?, into: &mut rest[..length], at }))
    }

    fn write(&mut self) -> io::Result<Option<Step<'_>>> {
        if self.is_done() {
            return Ok(None);
        }
        let at = position(self.at, self.buffer.len() as u64)? + self.moved as u64;
        let rest = &self.buffer[self.moved..];
        let from = &rest[..cut(rest.len())];
        Ok(Some(Step::Write { file: self.file.positioned()?, from, at }))
    }

    fn read_some(&mut self, count: usize) {
        let asked = cut(self.buffer.len() - self.moved);
        self.moved += count;
        // A short read may be followed by more, except where the file is known to end. With
        // `O_DIRECT`, the kernel would refuse to read from a position in the middle of a block.
        let end = self.at + self.moved as u64;
        self.ended = count == 0 || (count < asked && self.file.is_end(end));
    }

    fn wrote_some(&mut self, count: usize) -> io::Result<()> {
        self.moved += count;
        wrote(count)
    }
}

/// An `fsync` or `fdatasync`.
#[derive(Debug)]
struct SyncFile {
    file: SharedFile,
    kind: SyncKind,
    checked: bool,
    done: bool,
}

impl SyncFile {
    fn next(&mut self) -> io::Result<Option<Step<'_>>> {
        if !self.checked {
            self.file.check()?; // what is lost already needs no disk to say so
            self.checked = true;
        }
        let step = Step::Sync { file: self.file.file(), kind: self.kind };
        Ok((!self.done).then_some(step))
    }

    fn synced(&mut self) -> io::Result<()> {
        self.done = true;
        self.file.check() // a write may have failed meanwhile
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zero_copy::sendfile::MAX_PER_CALL;
    use std::fs::File;

    /// A step, as a fake kernel sees it.
    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Seen {
        Read(u64, usize),
        Write(u64, usize),
        Sync,
        Call,
    }

    fn some_file() -> SharedFile {
        SharedFile::from(File::open("/dev/null").unwrap())
    }

    /// Returns the next step, or the way in which the operation ended.
    fn next(operation: &mut Operation, stop: bool) -> Result<Seen, Outcome> {
        match operation.next(stop) {
            Next::End(outcome) => Err(outcome),
            Next::Step(Step::Read { into, at, .. }) => Ok(Seen::Read(at, into.len())),
            Next::Step(Step::Write { from, at, .. }) => Ok(Seen::Write(at, from.len())),
            Next::Step(Step::Sync { .. }) => Ok(Seen::Sync),
            Next::Step(Step::Call) => Ok(Seen::Call),
        }
    }

    /// Answers the steps by `answers`, and returns them with the way in which the operation ended.
    fn drive(
        operation: &mut Operation,
        answers: impl IntoIterator<Item = Result<usize, i32>>,
    ) -> (Vec<Seen>, Outcome) {
        let (mut steps, mut answers) = (vec![], answers.into_iter());
        loop {
            match next(operation, false) {
                Err(outcome) => {
                    assert!(answers.next().is_none(), "{outcome:?} came early, after {steps:?}");
                    return (steps, outcome);
                }
                Ok(step) => {
                    steps.push(step);
                    let answer = answers.next().unwrap_or_else(|| panic!("one more: {steps:?}"));
                    operation.answer(answer.map_err(io::Error::from_raw_os_error));
                }
            }
        }
    }

    /// A second call would find nothing, and direct I/O cannot start in the middle of a block.
    #[test]
    fn a_short_read_that_ends_with_its_file_is_the_last() {
        let file = SharedFile::from(File::open("/proc/self/exe").unwrap());
        let length = file.file().metadata().unwrap().len();
        let mut read = Operation::read_at(&file, vec![0; 100], length - 10);
        let (steps, outcome) = drive(&mut read, [Ok(10)]);
        assert_eq!(steps, [Seen::Read(length - 10, 100)]);
        assert!(matches!(outcome, Outcome::Done) && read.bytes() == 10);
    }

    #[test]
    fn short_results_are_continued_and_interrupted_ones_repeated() {
        let answers =
            || [Ok(3), Err(libc::EINTR), Ok(1), Err(libc::EINTR), Err(libc::EINTR), Ok(6)];
        let places = [(70, 10), (73, 7), (73, 7), (74, 6), (74, 6), (74, 6)];
        let mut read = Operation::read_at(&some_file(), vec![0; 10], 70);
        let (steps, outcome) = drive(&mut read, answers());
        assert!(steps.into_iter().eq(places.map(|(at, length)| Seen::Read(at, length))));
        assert!(matches!((outcome, read.bytes()), (Outcome::Done, 10)));

        let mut write = Operation::write_at(&some_file(), vec![0; 10], 70);
        let (steps, outcome) = drive(&mut write, answers());
        assert!(steps.into_iter().eq(places.map(|(at, length)| Seen::Write(at, length))));
        assert!(matches!((outcome, write.bytes()), (Outcome::Done, 10)));
    }

    #[test]
    fn a_read_ends_at_the_end_of_the_file_and_a_write_of_nothing_fails() {
        let mut read = Operation::read_at(&some_file(), vec![0; 10], 0);
        let (steps, outcome) = drive(&mut read, [Ok(4), Ok(0)]);
        assert_eq!(steps, [Seen::Read(0, 10), Seen::Read(4, 6)]);
        assert!(matches!((outcome, read.bytes()), (Outcome::Done, 4)));

        let mut write = Operation::write_at(&some_file(), vec![0; 10], 0);
        let (_, outcome) = drive(&mut write, [Ok(4), Ok(0)]);
        let Outcome::Failed(error) = outcome else { panic!("{outcome:?}") };
        assert_eq!((error.kind(), write.bytes()), (ErrorKind::WriteZero, 4));
    }

    #[test]
    fn nothing_to_do_is_done_without_a_step() {
        let file = some_file();
        for mut operation in
            [Operation::read_at(&file, vec![], 5), Operation::write_at(&file, vec![], 5)]
        {
            assert!(
                matches!(drive(&mut operation, []), (steps, Outcome::Done) if steps.is_empty())
            );
        }
    }

    #[test]
    fn positions_beyond_the_last_are_refused_without_a_step() {
        for at in [u64::MAX, i64::MAX as u64 - 8] {
            let mut write = Operation::write_at(&some_file(), vec![0; 10], at);
            let (steps, outcome) = drive(&mut write, []);
            let Outcome::Failed(error) = outcome else { panic!("{outcome:?}") };
            assert!(steps.is_empty() && error.kind() == ErrorKind::InvalidInput, "{error}");
        }
        let mut write = Operation::write_at(&some_file(), vec![0; 10], i64::MAX as u64 - 10);
        assert!(matches!(drive(&mut write, [Ok(10)]).1, Outcome::Done));
    }

    #[test]
    fn lengths_beyond_one_call_are_cut_and_continued() {
        const REST: usize = 5000;
        let whole = MAX_PER_CALL + REST; // zeroed memory that no one touches is not there
        let places = [(7, MAX_PER_CALL), (7 + MAX_PER_CALL as u64, REST)];
        let mut read = Operation::read_at(&some_file(), vec![0; whole], 7);
        let (steps, outcome) = drive(&mut read, [Ok(MAX_PER_CALL), Ok(REST)]);
        assert!(steps.into_iter().eq(places.map(|(at, length)| Seen::Read(at, length))));
        assert!(matches!((outcome, read.bytes()), (Outcome::Done, bytes) if bytes == whole as u64));
        let mut write = Operation::write_at(&some_file(), vec![0; whole], 7);
        let (steps, _) = drive(&mut write, [Ok(MAX_PER_CALL), Ok(REST)]);
        assert!(steps.into_iter().eq(places.map(|(at, length)| Seen::Write(at, length))));
    }

    #[test]
    fn a_failed_write_counts_its_bytes_and_no_later_sync_succeeds() {
        for code in [libc::EIO, libc::ENOSPC, libc::EDQUOT] {
            let (file, other) = (some_file(), some_file());
            let mut write = Operation::write_at(&file, vec![0; 10], 70);
            let (_, outcome) = drive(&mut write, [Ok(4), Err(code)]);
            let Outcome::Failed(error) = outcome else { panic!("{outcome:?}") };
            assert_eq!((crate::sys::raw_code(&error), write.bytes()), (Some(code), 4));
            let said = error.to_string();
            assert!(said.starts_with("writing 10 bytes at 70, after 4 of them: "), "{said}");

            // A later write succeeds, and a sync still does not: it asks no disk.
            let mut again = Operation::write_at(&file.clone(), vec![0; 10], 70);
            assert!(matches!(drive(&mut again, [Ok(10)]).1, Outcome::Done));
            for kind in [SyncKind::Data, SyncKind::All] {
                let (steps, outcome) = drive(&mut Operation::sync(&file, kind), []);
                let Outcome::Failed(error) = outcome else { panic!("{outcome:?}") };
                assert!(steps.is_empty() && crate::sys::raw_code(&error) == Some(code));
                assert!(error.to_string().contains(&said), "{error}");
                assert!(matches!(
                    drive(&mut Operation::sync(&other, kind), [Ok(0)]).1,
                    Outcome::Done
                ));
            }
        }
    }

    #[test]
    fn a_failed_sync_is_kept_and_so_is_a_write_that_fails_meanwhile() {
        let file = some_file();
        let mut sync = Operation::sync(&file, SyncKind::Data);
        assert!(matches!(drive(&mut sync, [Err(libc::EIO)]).1, Outcome::Failed(_)));
        let mut sync = Operation::sync(&file, SyncKind::Data);
        assert!(
            matches!(drive(&mut sync, []).1, Outcome::Failed(_)),
            "the kernel would say Ok now"
        );

        let file = some_file();
        let mut sync = Operation::sync(&file, SyncKind::All);
        assert_eq!(next(&mut sync, false).unwrap(), Seen::Sync);
        let mut write = Operation::write_at(&file, vec![0], 0);
        assert!(matches!(drive(&mut write, [Err(libc::EIO)]).1, Outcome::Failed(_)));
        sync.answer(Ok(0));
        assert!(matches!(next(&mut sync, false), Err(Outcome::Failed(_))));
    }

    #[test]
    fn a_failed_read_says_nothing_of_the_files_data() {
        let file = some_file();
        let mut read = Operation::read_at(&file, vec![0; 10], 0);
        assert!(matches!(drive(&mut read, [Ok(1), Err(libc::EIO)]).1, Outcome::Failed(_)));
        assert_eq!(read.bytes(), 1);
        assert!(matches!(
            drive(&mut Operation::sync(&file, SyncKind::All), [Ok(0)]).1,
            Outcome::Done
        ));
    }

    #[test]
    fn a_stop_counts_until_the_last_byte() {
        for (answers, canceled) in [(&[][..], true), (&[4][..], true), (&[4, 6][..], false)] {
            let mut write = Operation::write_at(&some_file(), vec![0; 10], 0);
            for count in answers {
                next(&mut write, false).unwrap();
                write.answer(Ok(*count));
            }
            let outcome = next(&mut write, true).unwrap_err();
            assert_eq!(matches!(outcome, Outcome::Canceled), canceled, "{answers:?}");
            assert_eq!(write.bytes(), answers.iter().sum::<usize>() as u64);
            assert_eq!(write.into_buffer().unwrap().len(), 10);
        }
    }

    #[test]
    fn a_copy_alternates_and_ends_where_its_source_does() {
        let scratch = crate::harness::scratch::Scratch::new().unwrap();
        let from = SharedFile::from(File::open(scratch.file("from", 1).unwrap()).unwrap());
        let mut copy = Operation::copy(&from, 5..u64::MAX, &some_file(), 90);
        let piece = 256 << 10;
        let (steps, outcome) =
            drive(&mut copy, [Ok(100), Ok(30), Err(libc::EINTR), Ok(70), Ok(7), Ok(7), Ok(0)]);
        assert_eq!(
            steps,
            [
                Seen::Read(5, piece),
                Seen::Write(90, 100),
                Seen::Write(120, 70),
                Seen::Write(120, 70),
                Seen::Read(105, piece),
                Seen::Write(190, 7),
                Seen::Read(112, piece),
            ]
        );
        assert!(matches!((outcome, copy.bytes()), (Outcome::Done, 107)));

        let target = some_file();
        let mut copy = Operation::copy(&from, 5..50, &target, 0);
        let (steps, outcome) = drive(&mut copy, [Ok(45), Ok(5), Err(libc::ENOSPC)]);
        assert_eq!(steps, [Seen::Read(5, 45), Seen::Write(0, 45), Seen::Write(5, 40)]);
        assert!(matches!((outcome, copy.bytes()), (Outcome::Failed(_), 5)));
        assert!(target.first_error().is_some() && from.first_error().is_none());
    }

    #[test]
    fn a_replacement_cannot_be_stopped_once_the_target_is_replaced() {
        let scratch = crate::harness::scratch::Scratch::new().unwrap();
        let target = scratch.file("target", 3).unwrap();
        let replace = || Operation::replace(&target, vec![7; 5], Durability::OnDisk);
        let steps = [Seen::Call, Seen::Write(0, 5), Seen::Sync, Seen::Call, Seen::Sync];
        for made in 0..=steps.len() {
            let mut operation = replace();
            for step in &steps[..made] {
                assert_eq!(next(&mut operation, false).unwrap(), *step);
                match step {
                    Seen::Call => operation.call(),
                    Seen::Write(..) => operation.answer(Ok(5)), // pretends
                    _ => operation.answer(Ok(0)),
                }
            }
            let stopped = next(&mut operation, true);
            assert_eq!(
                matches!(stopped, Err(Outcome::Canceled)),
                made < 4,
                "{stopped:?} after {made} steps"
            );
            drop(operation);
            let names = std::fs::read_dir(scratch.path()).unwrap().count();
            assert_eq!(names, 1, "{made} steps leave no other file");
        }
    }
}

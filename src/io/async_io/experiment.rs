//! The experiments of the example, the bench and the tests.

use super::naive::{BorrowingRing, Callback, Processor, QUEUE, Task};
use super::variants::{BLOCK, Variant, no_ring};
use super::{AsyncIo, Engine, Handle, Operation, Outcome, Settings, SharedFile, SyncKind, direct};
use crate::harness::report::Report;
use crate::harness::scratch::{Scratch, pattern};
use crate::harness::shuffle::Random;
use crate::proof::syscalls::{Calls, trace};
use crate::sys::denial::Denial;
use crate::sys::{trying, uring};
use crate::zero_copy::mmap::page_cache;
use std::fs::{self, File, OpenOptions};
use std::hint::black_box;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

/// A file of blocks in a directory of its own, in the page cache and on the disk.
pub struct Blocks {
    path: PathBuf,
    blocks: usize,
    _scratch: Scratch,
}

impl Blocks {
    /// Writes a file of `blocks` blocks in `folder`.
    ///
    /// # Errors
    ///
    /// The errors of the file.
    pub fn new(folder: &Path, blocks: usize) -> io::Result<Self> {
        let scratch = Scratch::within(folder)?;
        let path = scratch.file("blocks", blocks * BLOCK)?;
        trying(path.display(), File::open(&path)?.sync_all())?; // nothing is written meanwhile
        Ok(Self { path, blocks, _scratch: scratch })
    }

    /// Returns its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the file.
    ///
    /// # Errors
    ///
    /// The errors of `open(2)`.
    pub fn open(&self) -> io::Result<SharedFile> {
        let file = OpenOptions::new().read(true).write(true).open(&self.path);
        trying(self.path.display(), file).map(SharedFile::from)
    }

    /// Opens the file for direct I/O.
    ///
    /// # Errors
    ///
    /// As [`direct::open`].
    pub fn open_direct(&self) -> io::Result<SharedFile> {
        direct::open(&self.path, OpenOptions::new().read(true).write(true)).map(|(file, _)| file)
    }

    /// Returns `count` places of blocks that look random, the same in every run.
    pub fn places(&self, count: usize) -> Vec<u64> {
        let mut random = Random(1);
        (0..count).map(|_| (random.below(self.blocks) * BLOCK) as u64).collect()
    }

    /// Returns `true` if `bytes` are the block at `at`.
    pub fn is_block(at: u64, bytes: &[u8]) -> bool {
        let start = (at % 251) as usize;
        bytes == &pattern(start + BLOCK)[start..]
    }

    /// Reads blocks by the variant `name`, and returns `true` if each of them came once, and right.
    ///
    /// # Errors
    ///
    /// The errors of the variant.
    pub fn is_right(&self, name: &str, file: &SharedFile, depth: usize) -> io::Result<bool> {
        let places = self.places(100);
        let (mut seen, mut right) = (vec![], true);
        Variant::new(name, file, depth)?.read(&places, |at, bytes| {
            seen.push(at);
            right &= Self::is_block(at, bytes);
        })?;
        let mut expected = places;
        expected.sort_unstable();
        seen.sort_unstable();
        Ok(right && seen == expected)
    }

    /// Returns the calls of `reads` reads by the variant `name`, without those of its start and
    /// end: what twice as many make more.
    ///
    /// # Errors
    ///
    /// The errors of the variant, and of tracing.
    pub fn calls(&self, name: &str, depth: usize, reads: usize) -> io::Result<More> {
        let file = self.open()?;
        let traced = |reads: usize| {
            let places = self.places(reads);
            let (result, calls) = trace(|| {
                let mut variant = Variant::new(name, &file, depth)?;
                variant.read(&places, |_, bytes| _ = black_box(bytes[0]))
            })?;
            result.map(|()| calls)
        };
        Ok(More(traced(reads)?, traced(2 * reads)?))
    }

    /// Returns the pages of the file that are in the page cache after the variant `name` has read
    /// each block once, beginning with none.
    ///
    /// # Errors
    ///
    /// `Unsupported` where the file stays in memory; the errors of the variant.
    pub fn pages_left(&self, name: &str, file: &SharedFile, depth: usize) -> io::Result<u64> {
        let looking = File::open(&self.path)?;
        page_cache::evict(&looking)?;
        let places: Vec<u64> = (0..self.blocks as u64).map(|at| at * BLOCK as u64).collect();
        Variant::new(name, file, depth)?.read(&places, |_, bytes| _ = black_box(bytes[0]))?;
        page_cache::resident(&looking)
    }

    /// Returns the calls of reading blocks that are not in the page cache, far from each other, by
    /// the variant `name`, and the number of blocks.
    ///
    /// # Errors
    ///
    /// `Unsupported` where the file stays in memory; the errors of the variant and of tracing.
    pub fn cold_calls(&self, name: &str, depth: usize) -> io::Result<(Calls, u64)> {
        const APART: usize = 256; // beyond what the kernel reads ahead
        let file = self.open()?;
        page_cache::evict(file.file())?;
        let places: Vec<u64> =
            (0..self.blocks).step_by(APART).map(|block| (block * BLOCK) as u64).collect();
        let (result, calls) = trace(|| {
            let mut variant = Variant::new(name, &file, depth)?;
            variant.read(&places, |_, bytes| _ = black_box(bytes[0]))
        })?;
        result.map(|()| (calls, places.len() as u64))
    }
}

/// Returns the share of a core, in percent, that the kernel's thread takes to look for the requests
/// of a ring while there are none.
///
/// # Errors
///
/// The errors of the variant `local_ring_sqpoll`, and of `/proc`.
pub fn idle_share(blocks: &Blocks) -> io::Result<u64> {
    let file = blocks.open()?;
    let mut variant = Variant::new("local_ring_sqpoll", &file, 1)?;
    variant.read(&blocks.places(16), |_, bytes| _ = black_box(bytes[0]))?; // now it is awake
    let (before, began) = (uring::pollers_time()?, Instant::now());
    thread::sleep(Duration::from_millis(300));
    let taken = uring::pollers_time()?.saturating_sub(before);
    Ok((100.0 * taken.as_secs_f64() / began.elapsed().as_secs_f64()).round() as u64)
}

/// The calls of one run, and of one that does twice as much.
pub struct More(Calls, Calls);

impl More {
    /// Returns the calls named `name` that the second run has made more.
    pub fn of(&self, name: &str) -> u64 {
        self.1.of(name).made.saturating_sub(self.0.of(name).made)
    }

    /// Returns all calls that the second run has made more.
    pub fn total(&self) -> u64 {
        self.1.total().saturating_sub(self.0.total())
    }

    /// Returns the bytes that they have returned.
    pub fn returned(&self, name: &str) -> u64 {
        self.1.of(name).returned.saturating_sub(self.0.of(name).returned)
    }
}

/// The errors by which containers, kernels and administrators deny io_uring.
pub const CODES: [i32; 5] =
    [libc::EPERM, libc::ENOSYS, libc::EOPNOTSUPP, libc::EINVAL, libc::EACCES];

/// The outcome of reading a file where a call of io_uring is denied.
pub struct Denied {
    /// The reads by `pread(2)`, as the kernel counts them.
    pub preads: u64,
    /// The times that the ring was entered, denied ones included.
    pub enters: u64,
    /// The reason that the engine keeps.
    pub reason: String,
    /// The read was right.
    pub right: bool,
}

/// Starts an engine where `call` is answered by `code`, in a thread of its own, and reads 100
/// bytes.
///
/// # Errors
///
/// The errors of the filter, of the engine, of the read and of tracing.
pub fn denied(file: &Path, call: libc::c_long, code: i32) -> io::Result<Denied> {
    let read = || -> io::Result<Denied> {
        Denial { call, code }.install()?;
        let file = SharedFile::from(File::open(file)?);
        let settings = Settings { buffers: 1, buffer_length: 4096, ..Settings::default() };
        let (result, calls) = trace(|| {
            let io = AsyncIo::start(&settings)?;
            let reason = io.no_ring().or(io.not_registered()).map(ToString::to_string);
            let read = Operation::read_at(&file, vec![0; 100], 0);
            let end = io.submit(read).map_err(io::Error::other)?.wait().done()?;
            let right = end.buffer.is_some_and(|buffer| buffer[..] == pattern(100));
            io::Result::Ok((reason.unwrap_or_default(), right))
        })?;
        let (reason, right) = result?;
        let (preads, enters) = (calls.of("pread64").made, calls.of("io_uring_enter").made);
        Ok(Denied { preads, enters, reason, right })
    };
    thread::scope(|scope| scope.spawn(read).join().expect("it does not panic"))
}

/// The ends of many operations, as the program has seen them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ends {
    /// Operations that were accepted.
    pub submitted: u64,
    /// Those that were done.
    pub completed: u64,
    /// Those that failed.
    pub failed: u64,
    /// Those that were canceled.
    pub canceled: u64,
    /// Buffers of reads and writes that did not come back.
    pub buffers_lost: u64,
}

/// Submits `operations` reads, writes and syncs to `engine`, and cancels some of them at random
/// moments.
///
/// # Errors
///
/// The errors of the engine and of the files.
pub fn cancel_at_random(blocks: &Blocks, engine: Engine, operations: u64) -> io::Result<Ends> {
    let settings = Settings { engine: Some(engine), depth: 32, ..Settings::default() };
    let io = AsyncIo::start(&settings).map_err(no_ring)?;
    let (file, read_only) = (blocks.open()?, SharedFile::from(File::open(&blocks.path)?));
    let (mut random, mut ends) = (Random(1), Ends::default());
    let mut waiting: Vec<(Handle, bool)> = vec![];
    let note = |ends: &mut Ends, (handle, has_buffer): (Handle, bool), cancel: bool| {
        let end = if cancel { handle.cancel().1 } else { handle.wait() };
        ends.buffers_lost += u64::from(has_buffer && end.buffer.is_none());
        *match end.outcome {
            Outcome::Done => &mut ends.completed,
            Outcome::Failed(_) => &mut ends.failed,
            Outcome::Canceled => &mut ends.canceled,
        } += 1;
    };
    for _ in 0..operations {
        let (at, length) = (random.below(1 << 20) as u64, random.below(16 << 10));
        let (operation, has_buffer) = match random.below(20) {
            0 => (Operation::sync(&file, SyncKind::Data), false),
            // Fails. `read_only` keeps that, so the syncs are of the other file.
            1 => (Operation::write_at(&read_only, vec![0; length + 1], at), true),
            2..6 => (Operation::write_at(&file, vec![0; length], at), true),
            _ => (Operation::read_at(&read_only, vec![0; length], at), true),
        };
        let handle = io.submit(operation).map_err(io::Error::other)?;
        ends.submitted += 1;
        if random.below(4) == 0 {
            handle.canceler().cancel();
        }
        waiting.push((handle, has_buffer));
        if waiting.len() > 20 {
            let one = waiting.swap_remove(random.below(20));
            note(&mut ends, one, random.below(4) == 0);
        }
    }
    waiting.into_iter().for_each(|one| note(&mut ends, one, false));
    io.shutdown();
    Ok(ends)
}

// ---------------------------------------------------------------- rows of the report

/// The calls that the JSON names for each variant, even if there are none.
const CALLS: [&str; 3] = ["pread64", "preadv2", "io_uring_enter"];

/// Counts the calls of `reads` reads by the variant `name`, `depth` of them in flight.
pub fn count_calls(report: &mut Report, blocks: &Blocks, name: &str, depth: usize, reads: usize) {
    let quantity = |call: &str| format!("{call}_{depth}");
    let (all, [a, b, c]) = (quantity("calls"), CALLS.map(quantity));
    report.heading(&all, &format!("calls, {depth} in flight"));
    report.attempt(name, &[&all, &a, &b, &c], |report| {
        let more = blocks.calls(name, depth, reads)?;
        report.set(name, &all, more.total());
        CALLS.iter().for_each(|call| report.detail(name, &quantity(call), more.of(call)));
        Ok(())
    });
}

/// Counts the calls of reads that find nothing in the page cache.
pub fn count_cold_calls(report: &mut Report, blocks: &Blocks, name: &str) {
    report.attempt(name, &["cold_reads", "cold_pread64", "cold_preadv2"], |report| {
        let (calls, reads) = blocks.cold_calls(name, 4)?;
        report.detail(name, "cold_reads", reads);
        report.detail(name, "cold_pread64", calls.of("pread64").made);
        report.detail(name, "cold_preadv2", calls.of("preadv2").made);
        Ok(())
    });
}

/// Counts the pages that stay in the page cache, without and with direct I/O.
pub fn count_pages(report: &mut Report, blocks: &Blocks, name: &str) {
    report.attempt(name, &["pages_left", "pages_left_direct"], |report| {
        report.detail(name, "pages_left", blocks.pages_left(name, &blocks.open()?, 32)?);
        let left = blocks.pages_left(name, &blocks.open_direct()?, 32)?;
        report.detail(name, "pages_left_direct", left);
        Ok(())
    });
}

/// Measures the time that the kernel's thread takes to look for requests while there are none.
pub fn watch_a_poller(report: &mut Report, blocks: &Blocks) {
    let row = "local_ring_sqpoll";
    report.attempt(row, &["idle_percent"], |report| {
        let share = idle_share(blocks)?;
        report.detail(row, "idle_percent", share);
        report.note(&format!("{row}: the kernel's thread takes {share} % of a core for nothing"));
        Ok(())
    });
}

/// Denies `call` by each of [`CODES`], and counts the reads that are right all the same, those that
/// the pool makes, and the engines that say why.
pub fn deny(report: &mut Report, row: &str, blocks: &Blocks, call: libc::c_long) {
    report.attempt(row, &["right", "by_pread", "reasons"], |report| {
        let all = CODES.iter().map(|code| denied(&blocks.path, call, *code));
        let all = all.collect::<io::Result<Vec<_>>>()?;
        let count = |is: fn(&Denied) -> bool| all.iter().filter(|denied| is(denied)).count() as u64;
        report.detail(row, "right", count(|denied| denied.right));
        report.detail(row, "by_pread", count(|denied| denied.preads > 0));
        report.detail(row, "reasons", count(|denied| !denied.reason.is_empty()));
        report.note(&format!("{row}: {}", all[0].reason));
        Ok(())
    });
}

/// Cancels some of 10,000 operations, and adds up their ends.
pub fn cancel(report: &mut Report, row: &str, blocks: &Blocks, engine: Engine) {
    let quantities = ["submitted", "ended", "canceled", "buffers_lost"];
    report.attempt(row, &quantities, |report| {
        let ends = cancel_at_random(blocks, engine, 10_000)?;
        let ended = ends.completed + ends.failed + ends.canceled;
        let values = [ends.submitted, ended, ends.canceled, ends.buffers_lost];
        quantities.iter().zip(values).for_each(|(name, value)| report.detail(row, name, value));
        let Ends { completed, failed, canceled, .. } = ends;
        report.note(&format!("{row}: {completed} done, {failed} failed, {canceled} canceled"));
        Ok(())
    });
}

// ---------------------------------------------------------------- the naive versions

/// Fills the naive processor's queue, cancels it, and returns the number of tasks that never ended.
///
/// # Errors
///
/// If its threads cannot be started.
pub fn naive_lost() -> io::Result<u64> {
    let (open, closed) = channel::<()>();
    let mut first = Some(Box::new(move |_: &_| _ = closed.recv()) as Callback);
    let processor = Processor::start(1, QUEUE)?;
    let mut task = || Task {
        kind: "read".to_owned(),
        source: "/dev/null".into(),
        callback: first.take(), // it holds the worker until all are in the queue
        ..Task::default()
    };
    let accepted = (0..QUEUE).filter(|_| processor.try_submit(task())).count();
    processor.cancel();
    drop(open);
    let (_, delivered) = processor.end();
    Ok((accepted - delivered) as u64)
}

/// Runs one task of the naive processor, and returns the size that it reports.
fn naive_size(kind: &str, source: &Path, target: &Path, data: &[u8]) -> io::Result<u64> {
    let (kind, data) = (kind.to_owned(), data.to_owned());
    let (source, target) = (source.to_owned(), target.to_owned());
    let processor = Processor::start(1, QUEUE)?;
    processor.try_submit(Task { kind, source, target, data, ..Task::default() });
    let result = processor.result(Duration::from_secs(30));
    processor.end();
    result.map(|result| result.size).ok_or_else(|| io::ErrorKind::TimedOut.into())
}

/// Copies a file of 5,000 bytes onto itself, by the naive processor or by the engine, and returns
/// the number of bytes that are left.
///
/// # Errors
///
/// The errors of the file and of the engine.
pub fn left_of_itself(folder: &Path, naive: bool) -> io::Result<u64> {
    let scratch = Scratch::within(folder)?;
    let path = scratch.file("file", 5000)?;
    if naive {
        naive_size("copy", &path, &path, &[])?;
    } else {
        let io = AsyncIo::start(&Settings::default())?;
        let file = SharedFile::from(OpenOptions::new().read(true).write(true).open(&path)?);
        let copy = Operation::copy(&file, 0..u64::MAX, &file, 0);
        let _refused = io.submit(copy).map_err(io::Error::other)?.wait().done();
    }
    fs::metadata(path).map(|left| left.len())
}

/// Writes 5,000 bytes to a full device, by the naive processor or by the engine, and returns the
/// number of bytes that it says it has written.
///
/// # Errors
///
/// If there is no `/dev/full`; the errors of the engine.
pub fn written_to_full(naive: bool) -> io::Result<u64> {
    let full = Path::new("/dev/full");
    if naive {
        return naive_size("write", full, full, &[7; 5000]);
    }
    let io = AsyncIo::start(&Settings::default())?;
    let file = SharedFile::from(trying("/dev/full", OpenOptions::new().write(true).open(full))?);
    let write = Operation::write_at(&file, vec![7; 5000], 0);
    Ok(io.submit(write).map_err(io::Error::other)?.wait().bytes)
}

// ANCHOR: overwritten
/// Frees a buffer in which the kernel still waits for 100 bytes, allocates others, and
/// returns the number of bytes that change in these.
///
/// # Errors
///
/// The reason why there is no ring.
pub fn overwritten() -> io::Result<u64> {
    const SMALL: usize = 600;
    let mut ring = BorrowingRing::new().map_err(no_ring)?;
    let (output, mut input) = io::pipe()?;
    let mut buffer = vec![0_u8; SMALL];
    ring.read(&output, &mut buffer)?;
    drop(buffer);
    let others: Vec<Vec<u8>> = (0..10).map(|_| vec![b'o'; SMALL]).collect();
    input.write_all(&[b'k'; 100])?;
    ring.wait()?;
    let changed = |other: &Vec<u8>| other.iter().filter(|byte| **byte != b'o').count();
    Ok(black_box(others).iter().map(changed).sum::<usize>() as u64)
}
// ANCHOR_END: overwritten

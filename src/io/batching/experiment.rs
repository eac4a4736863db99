//! The experiments of the example, the bench and the tests.

use super::gather;
use super::naive::{WaitsForCompany, write_once};
use super::queue::Answer;
use super::settings::Settings;
use super::variants::{BATCH, Schedule, Sink, Variant};
use super::{BatchWriter, Handle};
use crate::harness::report::Report;
use crate::harness::scratch::{Scratch, pattern};
use crate::proof::syscalls::{Calls, trace};
use crate::sys::{rlimit, trying};
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::slice;
use std::thread;
use std::time::{Duration, Instant};

/// The length of the items that the experiments write, in bytes.
pub const LENGTH: usize = 100;

/// Returns `count` items of `length` bytes. One after the other, they are the [`pattern`].
pub fn items(count: usize, length: usize) -> Vec<Vec<u8>> {
    pattern(count * length).chunks(length).map(<[u8]>::to_vec).collect()
}

/// A new file in a directory of its own.
struct Target {
    path: PathBuf,
    file: File,
    _scratch: Scratch,
}

impl Target {
    fn new(folder: &Path) -> io::Result<Self> {
        let scratch = Scratch::within(folder)?;
        let path = scratch.path().join("written");
        let file = trying(path.display(), File::create_new(&path))?;
        Ok(Self { path, file, _scratch: scratch })
    }

    /// Returns the number of items of [`LENGTH`] bytes that the file begins with. The rest of an
    /// item is none.
    fn items(&self) -> io::Result<u64> {
        Ok(self.length()? / LENGTH as u64)
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }
}

/// Writes `count` items by the variant `name`, and returns `true` if the file has them all.
///
/// # Errors
///
/// The errors of the variant.
pub fn is_right(folder: &Path, name: &str, count: usize) -> io::Result<bool> {
    let target = Target::new(folder)?;
    let mut variant = Variant::new(name, Sink::new(target.file.try_clone()?))?;
    variant.write(&items(count, LENGTH))?;
    variant.end()?;
    Ok(fs::read(&target.path)? == pattern(count * LENGTH))
}

/// Returns the calls by which the variant `name` writes `count` items, with those of its start and
/// its end.
///
/// # Errors
///
/// The errors of the variant, and of tracing.
pub fn calls(folder: &Path, name: &str, count: usize) -> io::Result<Calls> {
    let (target, items) = (Target::new(folder)?, items(count, LENGTH));
    let sink = Sink::new(target.file.try_clone()?);
    let (result, calls) = trace(|| {
        let mut variant = Variant::new(name, sink)?;
        variant.write(&items)?;
        variant.end().map(drop)
    })?;
    result.map(|()| calls)
}

/// The items of one experiment, by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ends {
    /// Items that were accepted without an error.
    pub accepted: u64,
    /// Errors that the program was told of, by a push or by the answer to an item.
    pub errors: u64,
    /// Items whose answer says that they were written.
    pub written: u64,
    /// Items whose answer says that they failed.
    pub failed: u64,
    /// The bytes of those that were written all the same.
    pub bytes_of_failed: u64,
    /// Items whose answer says that they were not attempted.
    pub not_attempted: u64,
    /// Items that `close` returned.
    pub returned: u64,
    /// Whole items in the file.
    pub in_file: u64,
}

impl Ends {
    fn note(&mut self, handles: &[Handle]) {
        for handle in handles {
            match handle.wait() {
                Answer::Written => self.written += 1,
                Answer::NotAttempted(_) => self.not_attempted += 1,
                Answer::Failed { bytes, .. } => {
                    self.failed += 1;
                    self.bytes_of_failed += bytes as u64;
                }
            }
        }
        self.errors = self.failed + self.not_attempted;
    }
}

/// Writes `count` items into a `BufWriter`, whose file may have `limit` bytes, and drops it.
///
/// # Errors
///
/// The errors of the file and of the limit.
// ANCHOR: dropped
pub fn buf_writer_dropped(folder: &Path, count: usize, limit: u64) -> io::Result<Ends> {
    let target = Target::new(folder)?;
    let mut ends = Ends::default();
    rlimit::file_size(limit, || {
        let mut writer = BufWriter::new(&target.file);
        for item in items(count, LENGTH) {
            match writer.write_all(&item) {
                Ok(()) => ends.accepted += 1,
                Err(_) => ends.errors += 1,
            }
        }
        drop(writer);
    })?;
    Ok(Ends { in_file: target.items()?, ..ends })
}
// ANCHOR_END: dropped

/// Pushes `count` items to a batch writer, whose file may have `limit` bytes, and drops it before
/// it has written any.
///
/// # Errors
///
/// The errors of the file, of the limit and of starting the thread.
pub fn batch_writer_dropped(folder: &Path, count: usize, limit: u64) -> io::Result<Ends> {
    let target = Target::new(folder)?;
    let settings = Settings { items: count + 1, delay: Duration::MAX, ..Settings::default() };
    let mut ends = Ends::default();
    let file = target.file.try_clone()?;
    let handles = rlimit::file_size(limit, || {
        let writer = BatchWriter::start(file, &settings)?;
        let pushed = items(count, LENGTH).into_iter().map(|item| writer.push(item));
        let handles = pushed.collect::<Result<Vec<_>, _>>().map_err(io::Error::other)?;
        drop(writer);
        io::Result::Ok(handles)
    })??;
    ends.accepted = handles.len() as u64;
    ends.note(&handles);
    Ok(Ends { in_file: target.items()?, ..ends })
}

/// Pushes `count` items to a batch writer, whose file may have `limit` bytes, and closes it. Each
/// item is accepted or refused, and each accepted one has its answer.
///
/// # Errors
///
/// The errors of the file, of the limit and of starting the thread.
pub fn batch_writer_closed(folder: &Path, count: usize, limit: u64) -> io::Result<Ends> {
    let target = Target::new(folder)?;
    let settings = Settings { delay: Duration::MAX, ..Settings::default() };
    let file = target.file.try_clone()?;
    let (handles, refused, returned) = rlimit::file_size(limit, || {
        let writer = BatchWriter::start(file, &settings)?;
        let (mut handles, mut refused) = (vec![], 0);
        for item in items(count, LENGTH) {
            match writer.push(item) {
                Ok(handle) => handles.push(handle),
                Err(_) => refused += 1,
            }
        }
        let returned = writer.close().err().map_or(0, |unwritten| unwritten.items.len());
        io::Result::Ok((handles, refused, returned as u64))
    })??;
    let mut ends = Ends { accepted: handles.len() as u64, returned, ..Ends::default() };
    ends.note(&handles);
    ends.errors += refused;
    Ok(Ends { in_file: target.items()?, ..ends })
}

/// Writes 2,000 items by one gathered write, continued or not, and returns the number of items in
/// the file.
///
/// # Errors
///
/// The errors of the file.
pub fn gathered(folder: &Path, once: bool) -> io::Result<u64> {
    let target = Target::new(folder)?;
    let items = items(2000, LENGTH);
    match once {
        true => write_once(&mut &target.file, &items)?,
        false => gather::write_all(&mut &target.file, &items, &mut 0)?,
    }
    target.items()
}

/// Writes a lone item by a batch writer, waits for its answer, and returns the number of items in
/// the file.
///
/// # Errors
///
/// The errors of the file and of starting the thread.
pub fn lone(folder: &Path) -> io::Result<u64> {
    let target = Target::new(folder)?;
    let writer = BatchWriter::start(target.file.try_clone()?, &Settings::default())?;
    let handle = writer.push(vec![0; LENGTH]).map_err(io::Error::other)?;
    match handle.wait().error() {
        None => target.items(),
        Some(error) => Err(io::Error::other(error.clone())),
    }
}

/// Writes a lone item by batches that wait for company, waits for a second, and returns the number
/// of items in the file.
///
/// # Errors
///
/// The errors of the file.
pub fn lone_without_company(folder: &Path) -> io::Result<u64> {
    let target = Target::new(folder)?;
    let mut writer = WaitsForCompany::new(&target.file, BATCH);
    writer.push(vec![0; LENGTH])?;
    thread::sleep(Duration::from_secs(1));
    target.items()
}

// ---------------------------------------------------------------- latency

/// Items that are due at regular times.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// The number of items.
    pub items: usize,
    /// The time between two.
    pub interval: Duration,
}

/// The times of a [`Load`].
#[derive(Clone, Debug)]
pub struct Latencies {
    /// The times from which the items were due until they were written, in order.
    pub latencies: Vec<Duration>,
    /// The times from which the items were due until they were handed to the variant: how late the
    /// generator of the load is, by itself or because a write held it up.
    pub lateness: Vec<Duration>,
}

/// Has items written to `file` when they are due, whether or not the ones before are
/// written, and returns the times.
///
/// # Errors
///
/// The errors of the variant.
pub fn open_loop(
    file: File,
    load: Load,
    make: impl FnOnce(Sink) -> io::Result<Variant>,
) -> io::Result<Latencies> {
    let start = Instant::now() + Duration::from_millis(1);
    let schedule = Schedule { start, interval: load.interval };
    let mut variant = make(Sink::new(file).timed(LENGTH, schedule, load.items))?;
    let (item, mut lateness) = (vec![7; LENGTH], Vec::with_capacity(load.items));
    for number in 0..load.items {
        while Instant::now() < schedule.due(number) {
            thread::yield_now();
        }
        lateness.push(schedule.due(number).elapsed());
        variant.write(slice::from_ref(&item))?;
    }
    let stamps = variant.end()?.into_stamps().expect("a timed sink has stamps");
    Ok(Latencies { latencies: stamps.latencies, lateness })
}

/// Runs a load with a new file in `folder`: see [`open_loop`].
///
/// # Errors
///
/// The errors of the file and of the variant.
pub fn latencies(
    folder: &Path,
    load: Load,
    make: impl FnOnce(Sink) -> io::Result<Variant>,
) -> io::Result<Latencies> {
    let target = Target::new(folder)?;
    open_loop(target.file.try_clone()?, load, make)
}

// ---------------------------------------------------------------- rows of the report

/// Counts the calls of `count` items by the variant `name`.
pub fn count_calls(report: &mut Report, folder: &Path, name: &str, count: usize) {
    let quantities = ["write", "writev", "io_uring_enter", "futex"];
    report.attempt(name, &quantities, |report| {
        let calls = calls(folder, name, count)?;
        quantities.iter().for_each(|call| report.set(name, call, calls.of(call).made));
        Ok(())
    });
}

/// Reports what became of the items of an experiment, as `name`.
pub fn ends(
    report: &mut Report,
    name: &str,
    experiment: impl FnOnce() -> io::Result<Ends>,
) -> Option<Ends> {
    let quantities = ["accepted", "errors", "in_file"];
    report.attempt(name, &quantities, |report| {
        let ends = experiment()?;
        let Ends { accepted, errors, in_file, .. } = ends;
        let values = [accepted, errors, in_file];
        quantities.iter().zip(values).for_each(|(what, value)| report.detail(name, what, value));
        report.note(&format!(
            "{name}: of {accepted} accepted items, {in_file} are in the file, and {errors} errors were reported"
        ));
        Ok(ends)
    })
}

/// Reports the number of items, of `all`, that are written, as `name`.
pub fn written(
    report: &mut Report,
    name: &str,
    all: u64,
    experiment: impl FnOnce() -> io::Result<u64>,
) {
    report.attempt(name, &["written"], |report| {
        let written = experiment()?;
        report.detail(name, "written", written);
        report.note(&format!("{name}: {written} of {all} items written"));
        Ok(())
    });
}

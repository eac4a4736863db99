//! The experiments of the example, the bench and the tests.

pub mod crash;

use super::variants::{self, Appender, SEGMENT};
use super::{Ahead, Durability, Log, Settings, read};
use crate::harness::scratch::{Scratch, pattern};
use crate::proof::power_loss::{Call, Twin};
use crate::proof::syscalls::{Calls, trace};
use crate::sys::storage::{Directory, Storage, StoredFile};
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use std::{fs, thread};

/// The length of the records that the experiments append, in bytes.
pub const LENGTH: usize = 100;

/// Returns a record of [`LENGTH`] bytes that begins with `number`.
pub fn record(number: u64) -> Vec<u8> {
    let mut record = pattern(LENGTH);
    record[..8].copy_from_slice(&number.to_le_bytes());
    record
}

/// Has as many threads as `appenders` append `count` records, the next one each time that one is
/// durable.
///
/// # Errors
///
/// The first error of the log, or of starting a thread.
pub fn append_all(log: &dyn Appender, appenders: usize, count: u64) -> io::Result<()> {
    let next = AtomicU64::new(0);
    on_threads(appenders, "appender", || {
        loop {
            // Relaxed: the numbers only have to differ.
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                return Ok(());
            }
            log.append(&record(number), Durability::Durable)?;
        }
    })
}

/// Runs `work` on each of `count` threads of this name.
fn on_threads(
    count: usize,
    name: &str,
    work: impl Fn() -> io::Result<()> + Sync,
) -> io::Result<()> {
    thread::scope(|scope| {
        let start = |_| {
            let thread = thread::Builder::new().name(name.to_owned());
            thread.spawn_scoped(scope, &work)
        };
        let threads = (0..count).map(start).collect::<io::Result<Vec<_>>>()?;
        let ends = threads.into_iter().map(|thread| thread.join().expect("no appender panics"));
        ends.collect::<Vec<_>>().into_iter().collect()
    })
}

/// Appends `count` records to the variant `name`, and returns `true` if its files have each of them
/// once.
///
/// # Errors
///
/// The errors of the variant.
pub fn is_right(folder: &Path, name: &str, appenders: usize, count: u64) -> io::Result<bool> {
    let scratch = Scratch::within(folder)?;
    let log = variants::open(name, scratch.path(), SEGMENT)?;
    append_all(&*log, appenders, count)?;
    drop(log);
    let mut found = vec![];
    let storage = Directory::open(scratch.path())?;
    match name {
        "sync_each" | "sync_apart" => {
            let file = storage.open("log")?;
            let mut framed = vec![0; file.len()? as usize];
            file.read_at(&mut framed, 0)?;
            found.extend(framed.chunks(4 + LENGTH).map(|framed| framed[4..].to_vec()));
        }
        _ => {
            let read = read(&storage, |_, record| found.push(record.to_vec()));
            read.map_err(variants::opening)?;
        }
    }
    found.sort_by_key(|record| u64::from_le_bytes(record[..8].try_into().expect("eight bytes")));
    Ok(found.into_iter().eq((0..count).map(record)))
}

/// Returns the calls by which `appenders` threads append `count` records to the variant `name`,
/// without those of its start.
///
/// # Errors
///
/// The errors of the variant, and of tracing.
pub fn calls(folder: &Path, name: &str, appenders: usize, count: u64) -> io::Result<Calls> {
    let scratch = Scratch::within(folder)?;
    let log = variants::open(name, scratch.path(), SEGMENT)?;
    let (result, calls) = trace(|| append_all(&*log, appenders, count))?;
    result.map(|()| calls)
}

/// The records and the syncs of an experiment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shared {
    /// Records that were appended.
    pub records: u64,
    /// Syncs that they took.
    pub syncs: u64,
}

/// Has as many threads as `appenders` append one record each, all but the first of them while the
/// first is synced.
///
/// # Errors
///
/// The errors of the log.
pub fn while_syncing(appenders: usize) -> io::Result<Shared> {
    let twin = Twin::new();
    let settings = Settings { ahead: Ahead::Grow, ..Settings::default() };
    let (log, _) = Log::open(twin.clone(), &settings).map_err(variants::opening)?;
    let before = twin.calls(Call::Sync);
    let name = thread_name();
    twin.during_sync({
        let (name, end) = (name.clone(), Instant::now() + Duration::from_secs(2));
        move |number| {
            let waits = |now| number == before + 1 && now < end;
            while waits(Instant::now()) && asleep(&name) < appenders - 1 {
                thread::sleep(Duration::from_millis(1));
            }
        }
    });
    on_threads(appenders, &name, || {
        Appender::append(&log, &record(0), Durability::Durable).map(drop)
    })?;
    Ok(Shared { records: appenders as u64, syncs: twin.calls(Call::Sync) - before })
}

/// Returns a name that no other thread has.
fn thread_name() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    // Relaxed: the names only have to differ.
    format!("appender-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Returns the number of threads of this process that are called `name` and sleep, by `proc(5)`.
/// Without such a directory, none seems to, and the caller waits for its time.
fn asleep(name: &str) -> usize {
    let states = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let states = states.filter_map(|task| fs::read_to_string(task.path().join("stat")).ok());
    states.filter(|stat| stat.contains(&format!("({name}) S "))).count()
}

// ---------------------------------------------------------------- latency

/// Records that are due at regular times.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// The number of records.
    pub records: u64,
    /// The time between two.
    pub interval: Duration,
    /// The threads that append them, which is as many as may be under way at once.
    pub appenders: usize,
}

/// The times of a [`Load`].
#[derive(Clone, Debug, Default)]
pub struct Latencies {
    /// The times from which the records were due until they were durable.
    pub latencies: Vec<Duration>,
    /// The times from which the records were due until an appender began with them: how late the
    /// load is, because of the machine or because all appenders were still waiting.
    pub lateness: Vec<Duration>,
}

/// Appends records when they are due, whether or not the ones before are durable, and returns the
/// times.
///
/// # Errors
///
/// The errors of the log.
pub fn open_loop(log: &dyn Appender, load: Load) -> io::Result<Latencies> {
    let start = Instant::now() + Duration::from_millis(2);
    let (next, times) = (Mutex::new(0), Mutex::new(Latencies::default()));
    on_threads(load.appenders, "appender", || {
        loop {
            // The thread with the lock waits for the next record; the others, for the lock.
            let mut number = next.lock().unwrap_or_else(PoisonError::into_inner);
            if *number >= load.records {
                return Ok(());
            }
            let due = start + load.interval.mul_f64(*number as f64);
            let record = record(*number);
            wait_until(due);
            *number += 1;
            drop(number);
            let late = due.elapsed();
            log.append(&record, Durability::Durable)?;
            let latency = due.elapsed();
            let mut times = times.lock().unwrap_or_else(PoisonError::into_inner);
            times.latencies.push(latency);
            times.lateness.push(late);
        }
    })?;
    Ok(times.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// Sleeps for as long as the timer allows, and then yields: a sleep ends late.
fn wait_until(due: Instant) {
    const LATE: Duration = Duration::from_micros(100);
    loop {
        match due.saturating_duration_since(Instant::now()) {
            Duration::ZERO => return,
            left if left > LATE => thread::sleep(left - LATE),
            _ => thread::yield_now(),
        }
    }
}

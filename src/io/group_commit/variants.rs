//! Ways to have a record on the disk before its append returns.

use super::sync_each::SyncEach;
use super::{Ahead, AppendError, Durability, Log, OpenError, Settings};
use crate::sys::storage::{Directory, DirectoryFile, Storage};
use std::io;
use std::path::Path;
use std::time::Duration;

/// A log that many threads append to, as the experiments drive it.
pub trait Appender: Send + Sync {
    /// Appends a record, and returns its number once `durability` holds. Later records have larger
    /// numbers.
    ///
    /// # Errors
    ///
    /// Those of the log.
    fn append(&self, record: &[u8], durability: Durability) -> io::Result<u64>;
}

impl<S: Storage> Appender for Log<S> {
    fn append(&self, record: &[u8], durability: Durability) -> io::Result<u64> {
        Self::append(self, record, durability).map_err(appending)
    }
}

/// All of its records are durable.
impl Appender for SyncEach<DirectoryFile> {
    fn append(&self, record: &[u8], _: Durability) -> io::Result<u64> {
        Self::append(self, record)
    }
}

/// Converts an error, whose kind tells what this machine lacks.
pub(super) fn opening(error: OpenError) -> io::Error {
    match error {
        OpenError::Io(error) => error,
        error => io::Error::other(error),
    }
}

/// Converts an error, whose kind tells what this machine lacks.
fn appending(error: AppendError) -> io::Error {
    let kind = match &error {
        AppendError::Failed(error) | AppendError::Poisoned(error) => error.kind(),
        AppendError::TooLong { .. } => io::ErrorKind::InvalidInput,
        AppendError::Full => io::ErrorKind::StorageFull,
    };
    io::Error::new(kind, error)
}

/// The bytes of a segment in which the experiments never get to the end.
pub const SEGMENT: u64 = 16 << 20;

/// The time for which the leader of `log_delay` waits for company.
pub const DELAY: Duration = Duration::from_millis(1);

/// The names of the variants.
///
/// `sync_each` syncs for each record, under a lock; `sync_apart` for each record, and at the same
/// time. The others are a [`Log`], whose segments grow, have reserved blocks, or were written with
/// zeros before. `log_delay` is the last of these with a leader that waits for company.
pub const NAMES: [&str; 6] =
    ["sync_each", "sync_apart", "log_grow", "log_reserve", "log_zeros", "log_delay"];

/// Makes the variant `name` in the empty directory `folder`, with segments of `segment_bytes`.
///
/// # Errors
///
/// If there is no such variant; the errors of the file system.
pub fn open(name: &str, folder: &Path, segment_bytes: u64) -> io::Result<Box<dyn Appender>> {
    let storage = Directory::open(folder)?;
    let (ahead, delay) = match name {
        "sync_each" | "sync_apart" => {
            let under_lock = name == "sync_each";
            return Ok(Box::new(SyncEach::create(&storage, "log", under_lock)?));
        }
        "log_grow" => (Ahead::Grow, Duration::ZERO),
        "log_reserve" => (Ahead::Reserve, Duration::ZERO),
        "log_zeros" => (Ahead::Zeros, Duration::ZERO),
        "log_delay" => (Ahead::Zeros, DELAY),
        _ => return Err(crate::harness::unknown(name, &NAMES)),
    };
    let settings = Settings { segment_bytes, ahead, delay, ..Settings::default() };
    let (log, _) = Log::open(storage, &settings).map_err(opening)?;
    Ok(Box::new(log))
}

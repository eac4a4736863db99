//! A log whose concurrent appenders share an fsync, and that keeps its word through a power cut.
//!
//! [`Log::append`] returns when its record is as safe as was asked, and not before. While one group
//! of records is written and synced, the next one gathers. Any failed write or sync ends the log:
//! opening it again finds every record that was acknowledged, and no torn one.
//!
//! | module | provides |
//! | --- | --- |
//! | [`group`] | groups of records, and the threads that wait for them |
//! | `format` | the bytes of segments and records |
//! | `segment` | the file that records are written to, and the next one |
//! | `reader`, `recovery` | the records of a log, and its torn or damaged end |
//! | [`naive`] | logs that break their word, one way each |
//! | `variants`, `experiment` | what the chapter compares, and how |
//!
//! The book's chapter: [group_commit](../../../../io/group-commit.html).

mod error;
#[cfg(unix)]
pub mod experiment;
mod format;
pub mod group;
pub mod naive;
mod reader;
mod recovery;
mod segment;
mod settings;
pub mod sync_each;
#[cfg(unix)]
pub mod variants;

pub use error::{AppendError, OpenError};
pub use format::LARGEST;
pub use reader::{Recovery, read};
pub use settings::{Ahead, Durability, Settings};

use crate::concurrency::sync::Mutex;
use crate::sys::storage::Storage;
use group::Groups;
use segment::Segment;
use std::fmt;
use std::sync::{Arc, PoisonError};

/// A log that any number of threads append to. Only one at a time may be open in a directory.
///
/// ```
/// # let folder = perf_proved::harness::scratch::Scratch::new()?;
/// # #[cfg(unix)]
/// # {
/// use perf_proved::io::group_commit::{Durability, Log, Settings, read};
/// use perf_proved::sys::storage::Directory;
/// use std::thread;
///
/// let (log, _) = Log::open(Directory::open(folder.path())?, &Settings::default())?;
/// thread::scope(|scope| {
///     for record in ["one", "two", "three"] {
///         let log = &log;
///         // Returns once the record is durable. The three may share an fsync.
///         scope.spawn(move || log.append(record.as_bytes(), Durability::Durable).unwrap());
///     }
/// });
/// log.close()?;
///
/// let found = read(&Directory::open(folder.path())?, |sequence, record| {
///     println!("{sequence}: {} bytes", record.len());
/// })?;
/// assert_eq!((found.records, found.next), (3, 4));
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Log<S: Storage> {
    groups: Groups,
    /// Locked by the thread that leads, and by no other.
    segment: Mutex<Segment<S>>,
    record_bytes: usize,
}

impl<S: Storage> Log<S> {
    /// Opens the log in `storage`, or begins one. A torn end is cut off, durably; all records that
    /// are found are durable when this returns. Leaves other files alone.
    ///
    /// # Errors
    ///
    /// Those of [`read`], and those of writing.
    pub fn open(storage: S, settings: &Settings) -> Result<(Self, Recovery), OpenError> {
        let (segment, recovery) = recovery::recover(storage, settings)?;
        Ok((Self::with(segment), recovery))
    }

    /// Goes on in `segment`.
    fn with(segment: Segment<S>) -> Self {
        let Settings { record_bytes, delay, .. } = segment.settings;
        let groups = Groups::new(segment.written + 1, delay);
        Self { groups, segment: Mutex::new(segment), record_bytes }
    }

    // ANCHOR: append
    /// Appends a record, and returns its sequence number once the promise holds. Concurrent calls
    /// share a write, and the sync if one of them wants it.
    ///
    /// # Errors
    ///
    /// [`AppendError::TooLong`]; [`AppendError::Full`] after 2^64 - 2 records; the first error of
    /// the storage, now and for all later calls.
    pub fn append(&self, record: &[u8], durability: Durability) -> Result<u64, AppendError> {
        let (bytes, most) = (record.len(), self.record_bytes);
        if bytes > most {
            return Err(AppendError::TooLong { bytes, most });
        }
        let checksum = crc32c::crc32c(record); // outside of any lock
        self.groups.append(
            durability,
            |group, sequence| format::push(group, sequence, record, checksum),
            |group| self.segment.lock().unwrap_or_else(PoisonError::into_inner).commit(group),
        )
    }
    // ANCHOR_END: append

    /// Makes durable what is only written, and ends the log. Dropping it leaves that to the
    /// kernel.
    ///
    /// # Errors
    ///
    /// The first error of the storage.
    pub fn close(self) -> Result<(), AppendError> {
        if let Some(error) = self.groups.failure() {
            return Err(AppendError::Poisoned(error));
        }
        let synced = self.segment.lock().unwrap_or_else(PoisonError::into_inner).sync();
        synced.map_err(|error| AppendError::Failed(Arc::new(error)))
    }
}

impl<S: Storage> fmt::Debug for Log<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log").field("record_bytes", &self.record_bytes).finish_non_exhaustive()
    }
}

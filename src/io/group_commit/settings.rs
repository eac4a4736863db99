//! The promise of an append, and the shape of a log's files.

use super::format::LARGEST;
use std::io;
use std::time::Duration;

/// The promise that an append waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Durability {
    /// The record survives the end of the process, and nothing else.
    Written,
    /// The record survives a power cut.
    Durable,
}

/// The space that a segment takes before there are records for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ahead {
    /// None: each write makes the file longer, and each sync has to note its size.
    Grow,
    /// Reserved blocks (`fallocate`), which the file system still marks as unwritten.
    Reserve,
    /// Zeros, written and synced, so that a sync writes data and nothing else.
    Zeros,
}

/// Configuration of a [`Log`](super::Log).
#[derive(Clone, Debug)]
pub struct Settings {
    /// The bytes of a segment. A group of records that does not fit begins the next one; a group
    /// that is larger than this has a segment of its own, as large as it needs.
    pub segment_bytes: u64,
    /// The most bytes of a record, at most [`LARGEST`].
    pub record_bytes: usize,
    /// The space that a new segment takes.
    pub ahead: Ahead,
    /// The time for which a leader waits for company before it takes the group.
    pub delay: Duration,
}

impl Default for Settings {
    /// Returns segments of 16 MiB, zeros ahead, records of up to 1 MiB, and no delay.
    fn default() -> Self {
        Self {
            segment_bytes: 16 << 20,
            record_bytes: 1 << 20,
            ahead: Ahead::Zeros,
            delay: Duration::ZERO,
        }
    }
}

impl Settings {
    pub(super) fn check(&self) -> io::Result<()> {
        if self.record_bytes > LARGEST {
            let what = format!("record_bytes = {} is more than {LARGEST}", self.record_bytes);
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        }
        Ok(())
    }
}

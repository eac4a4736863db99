//! The errors of a log.

use std::sync::Arc;
use std::{error, fmt, io};

/// The error of opening or reading a log.
#[derive(Debug)]
pub enum OpenError {
    /// A call failed.
    Io(io::Error),
    /// A record or a header that was durable is not what it was, and no power cut explains it.
    Corrupt {
        /// The name of the segment.
        segment: String,
        /// The offset in it, in bytes, at which the damage begins.
        offset: u64,
        /// The reason for this verdict.
        reason: &'static str,
    },
    /// The segment has a format of another version.
    Version {
        /// The name of the segment.
        segment: String,
        /// Its version.
        version: u32,
    },
    /// The segment belongs to another log than the first one.
    Foreign {
        /// The name of the segment.
        segment: String,
    },
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Corrupt { segment, offset, reason } => {
                write!(f, "{segment} is corrupt at byte {offset}: {reason}")
            }
            Self::Version { segment, version } => write!(f, "{segment} has version {version}"),
            Self::Foreign { segment } => write!(f, "{segment} belongs to another log"),
        }
    }
}

impl error::Error for OpenError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl From<io::Error> for OpenError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// The error of an append.
#[derive(Clone, Debug)]
pub enum AppendError {
    /// The record is longer than the settings allow. The log goes on.
    TooLong {
        /// The bytes of the record.
        bytes: usize,
        /// The most that it may have.
        most: usize,
    },
    /// Writing or syncing the record's group failed. The next open finds the record whole or
    /// not at all.
    Failed(Arc<io::Error>),
    /// An earlier write or sync failed. The record is not in the log.
    Poisoned(Arc<io::Error>),
    /// The log has no number left. The record is not in it.
    Full,
}

impl fmt::Display for AppendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { bytes, most } => {
                write!(f, "a record of {bytes} bytes, where {most} are allowed")
            }
            Self::Failed(error) => write!(f, "the record may be lost: {error}"),
            Self::Poisoned(error) => write!(f, "refused after a failure: {error}"),
            Self::Full => write!(f, "the log has used its last sequence number"),
        }
    }
}

impl error::Error for AppendError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::TooLong { .. } | Self::Full => None,
            Self::Failed(error) | Self::Poisoned(error) => Some(&**error),
        }
    }
}

//! The steps of an operation, and the ways in which it ends.

use crate::zero_copy::sendfile::MAX_PER_CALL;
use std::fs::File;
use std::io::{self, ErrorKind};

/// The kind of a sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncKind {
    /// The bytes, and what is needed to find them again, such as the length (`fdatasync(2)`).
    Data,
    /// The bytes and all metadata (`fsync(2)`).
    All,
}

// ANCHOR: step
/// One request to the kernel. It borrows from the operation, which stays where it is
/// until the answer is here.
pub(super) enum Step<'a> {
    Read {
        file: &'a File,
        into: &'a mut [u8],
        at: u64,
    },
    Write {
        file: &'a File,
        from: &'a [u8],
        at: u64,
    },
    Sync {
        file: &'a File,
        kind: SyncKind,
    },
    /// Some blocking calls that no ring offers: [`Operation::call`].
    Call,
}
// ANCHOR_END: step

impl Step<'_> {
    /// Returns the file that the request is about.
    pub(super) fn file(&self) -> Option<&File> {
        match self {
            Self::Read { file, .. } | Self::Write { file, .. } | Self::Sync { file, .. } => {
                Some(file)
            }
            Self::Call => None,
        }
    }
}

/// The next step of an operation, or its end.
pub(super) enum Next<'a> {
    Step(Step<'a>),
    End(Outcome),
}

/// The way in which an operation ended.
#[derive(Debug)]
pub enum Outcome {
    /// It did all that it was asked for. A read or a copy also ends like that at the end of the
    /// file, with fewer bytes.
    Done,
    /// The kernel refused a step, after the bytes that the completion counts.
    Failed(io::Error),
    /// It was canceled, after the bytes that the completion counts.
    Canceled,
}

/// Returns the length of the next request for `left` bytes: no call moves more than
/// [`MAX_PER_CALL`].
pub(super) fn cut(left: usize) -> usize {
    left.min(MAX_PER_CALL)
}

/// Returns `at`, if `length` bytes from there on have positions that the kernel can express.
pub(super) fn position(at: u64, length: u64) -> io::Result<u64> {
    match at.checked_add(length) {
        Some(end) if i64::try_from(end).is_ok() => Ok(at),
        _ => Err(io::Error::new(
            ErrorKind::InvalidInput,
            format!("{length} bytes at {at} end beyond the last position of a file"),
        )),
    }
}

/// Refuses a write of nothing: to try again could go on forever.
pub(super) fn wrote(count: usize) -> io::Result<()> {
    if count == 0 { Err(ErrorKind::WriteZero.into()) } else { Ok(()) }
}

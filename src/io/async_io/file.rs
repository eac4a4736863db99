//! A file that operations share, and that remembers the first error of its data.

use crate::sys::{raw_code, trying};
use std::fs::File;
use std::io::{self, ErrorKind, Seek};
use std::sync::{Arc, OnceLock};

/// An open file. Each operation on it holds a clone, so the descriptor stays open until the kernel
/// has answered the last of them, whatever the program has dropped meanwhile.
///
/// The kernel reports a failed write-back to one `fsync(2)` and then considers it reported, and a
/// write whose handle was dropped reports its error to no one. So a `SharedFile` keeps the first
/// error of a write or a sync, and every later sync fails with it: what has once been lost is never
/// reported as safe. To go on, open the file again and write again.
///
/// Clones share that error. Another `SharedFile` of the same path does not.
#[derive(Clone, Debug)]
pub struct SharedFile(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    file: File,
    first_error: OnceLock<Kept>,
    /// False for a pipe, a socket and a terminal, which have no positions.
    has_positions: OnceLock<bool>,
}

/// A copy of an error, which [`io::Error`] itself does not allow.
#[derive(Debug)]
struct Kept {
    kind: ErrorKind,
    code: Option<i32>,
    text: String,
}

impl SharedFile {
    /// Returns the file, for calls that no operation covers.
    pub fn file(&self) -> &File {
        &self.0.file
    }

    /// Returns the file, if it has positions.
    ///
    /// `pread(2)` fails for a pipe, and a ring's read ignores the position. One of the two would
    /// surprise; both engines fail.
    pub(super) fn positioned(&self) -> io::Result<&File> {
        let has_positions = || self.file().stream_position().is_ok();
        match self.0.has_positions.get_or_init(has_positions) {
            true => Ok(self.file()),
            false => {
                trying("a file without positions", Err(io::Error::from_raw_os_error(libc::ESPIPE)))
            }
        }
    }

    /// Returns `true` if the file is known to end at `at`. Of files such as those in `/proc`, the
    /// kernel does not know where they end.
    pub(super) fn is_end(&self, at: u64) -> bool {
        self.file().metadata().is_ok_and(|it| it.is_file() && it.len() == at)
    }

    /// Returns the first error of a write, a copy or a sync, if there has been one.
    pub fn first_error(&self) -> Option<io::Error> {
        let Kept { kind, code, text } = self.0.first_error.get()?;
        let cause = code.map_or_else(|| (*kind).into(), io::Error::from_raw_os_error);
        trying::<()>(format_args!("an earlier error on this file: {text}"), Err(cause)).err()
    }

    /// Keeps `error`, unless there has been one before.
    pub(super) fn keep(&self, error: &io::Error) {
        self.0.first_error.get_or_init(|| Kept {
            kind: error.kind(),
            code: raw_code(error),
            text: error.to_string(),
        });
    }

    /// Fails if there has been an error.
    pub(super) fn check(&self) -> io::Result<()> {
        self.first_error().map_or(Ok(()), Err)
    }
}

impl From<File> for SharedFile {
    fn from(file: File) -> Self {
        let (first_error, has_positions) = (OnceLock::new(), OnceLock::new());
        Self(Arc::new(Inner { file, first_error, has_positions }))
    }
}

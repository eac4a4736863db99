//! Cancellation that interrupts a thread waiting for a socket.

use crate::sys::poll::wait;
use std::io::{self, PipeReader, PipeWriter};
use std::os::fd::{AsRawFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// A flag that is set once, and wakes every thread that waits with it: the flag, and a pipe whose
/// writing end is then closed.
pub(super) struct CancelToken {
    cancelled: AtomicBool,
    writer: Mutex<Option<PipeWriter>>,
    reader: PipeReader,
}

impl CancelToken {
    pub(super) fn new() -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        Ok(Self { cancelled: AtomicBool::new(false), writer: Mutex::new(Some(writer)), reader })
    }

    pub(super) fn cancel(&self) {
        // Before the pipe, so that a thread that the pipe wakes sees it.
        self.cancelled.store(true, Ordering::Release); // pairs with the load in `is_cancelled`
        drop(self.writer.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Acquire) // pairs with the store in `cancel`
    }

    /// Returns `ConnectionAborted` once cancelled.
    pub(super) fn check(&self) -> io::Result<()> {
        let aborted =
            || io::Error::new(io::ErrorKind::ConnectionAborted, "the server is shutting down");
        if self.is_cancelled() { Err(aborted()) } else { Ok(()) }
    }

    /// Waits for `events` of `other`. Cancellation is an error, as in [`check`](Self::check); so is
    /// a `deadline` that passes, `TimedOut`.
    pub(super) fn wait(
        &self,
        other: &impl AsRawFd,
        events: libc::c_short,
        deadline: Instant,
    ) -> io::Result<()> {
        let one = |fd: RawFd, events| libc::pollfd { fd, events, revents: 0 };
        wait(&mut [one(other.as_raw_fd(), events), one(self.reader.as_raw_fd(), 0)], deadline)?;
        self.check()
    }
}

/// Returns `true` if a wait ended because its deadline passed or the server shuts down.
pub(super) fn is_cut_off(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::ConnectionAborted)
}

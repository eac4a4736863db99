//! Waking a thread that waits for descriptors:
//! [`eventfd(2)`](https://man7.org/linux/man-pages/man2/eventfd.2.html).

use super::{cvt, moved};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// A counter in the kernel that is readable while it is not 0.
///
/// Watched edge-triggered, it never has to be read: each [`signal`](Self::signal) is an edge.
pub struct EventFd(OwnedFd);

impl EventFd {
    /// Makes a counter of 0, non-blocking.
    ///
    /// # Errors
    ///
    /// The errors of `eventfd(2)`.
    pub fn new() -> io::Result<Self> {
        // SAFETY: no pointers.
        let fd = cvt(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) })?;
        // SAFETY: a new descriptor that nothing else owns.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Adds 1. A thread that waits for the counter to become readable wakes up, and sees what
    /// happened before this call.
    ///
    /// # Errors
    ///
    /// The errors of `write(2)`, except `EINTR`: `WouldBlock` at a count of `u64::MAX - 1`.
    pub fn signal(&self) -> io::Result<()> {
        let one = 1_u64.to_ne_bytes();
        loop {
            // SAFETY: the descriptor is open, and `one` is live and of the length that is given.
            match moved(unsafe { libc::write(self.0.as_raw_fd(), one.as_ptr().cast(), one.len()) })
            {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result.map(drop),
            }
        }
    }
}

impl AsFd for EventFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

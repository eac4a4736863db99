//! Moving bytes between a socket or a file and another socket through a pipe that stays inside the kernel: `splice(2)`.
//!
//! One end of a `splice` must be a pipe, so every transfer takes two: [`Pipe::fill`] and [`Pipe::drain`]. Neither moves all
//! that it is asked for, and what was filled and not yet drained stays in the pipe. [`relay()`](relay::relay) is the loop of a
//! proxy around the two; [`pool::PipePool`] keeps pipes for the next connection, and [`naive`] is the version that everybody
//! writes first.
#![cfg(target_os = "linux")]

pub mod naive;
pub mod pool;
pub mod relay;

use crate::proof::cvt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;

/// A pipe whose ends belong to this process only, neither of which blocks, and how many bytes are in it.
///
/// Dropping it discards those bytes.
#[derive(Debug)]
pub struct Pipe {
    output: OwnedFd,
    input: OwnedFd,
    capacity: usize,
    /// Filled and not yet drained. Nobody else has the descriptors, so this is what the kernel holds.
    held: usize,
}

impl Pipe {
    /// A pipe of the kernel's own size: 64 KiB, unless the user has so many pipes that the kernel makes them smaller
    /// ([pipe(7)](https://man7.org/linux/man-pages/man7/pipe.7.html)).
    ///
    /// # Errors
    ///
    /// What `pipe2(2)` reports: too many open descriptors.
    pub fn new() -> io::Result<Self> {
        let mut ends = [-1; 2];
        // SAFETY: `ends` has room for the two descriptors.
        cvt(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC | libc::O_NONBLOCK) })?;
        // SAFETY: both are new, open, and nobody else's.
        let [output, input] = ends.map(|end| unsafe { OwnedFd::from_raw_fd(end) });
        // SAFETY: an open descriptor and a command without an argument.
        let capacity = cvt(unsafe { libc::fcntl(input.as_raw_fd(), libc::F_GETPIPE_SZ) })? as usize;
        Ok(Self { output, input, capacity, held: 0 })
    }

    /// A pipe that holds at least `bytes`; the kernel rounds up to a power of two.
    ///
    /// # Errors
    ///
    /// `PermissionDenied` without privileges for more than `/proc/sys/fs/pipe-max-size`, or when the user's pipes already
    /// hold what `/proc/sys/fs/pipe-user-pages-soft` allows; `InvalidInput` for more than the kernel can count.
    pub fn with_capacity(bytes: usize) -> io::Result<Self> {
        let mut pipe = Self::new()?;
        let asked = libc::c_int::try_from(bytes).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
        // SAFETY: an open descriptor and a command that takes an integer.
        pipe.capacity = cvt(unsafe { libc::fcntl(pipe.input.as_raw_fd(), libc::F_SETPIPE_SZ, asked) })? as usize;
        Ok(pipe)
    }

    /// Bytes that it can hold, if they come in whole pages. It holds a reference a page, so parts of pages fill it with less.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Bytes that are in it.
    pub fn held(&self) -> usize {
        self.held
    }

    /// Moves up to `count` bytes of `from` into the pipe: from `offset`, which is advanced, or from the descriptor's own position.
    ///
    /// Returns how many moved, 0 at the end of the file or of the stream.
    ///
    /// # Errors
    ///
    /// What `splice(2)` reports, except `EINTR`. `WouldBlock`: a non-blocking `from` has nothing to read, or the pipe is full; only
    /// an empty pipe tells which.
    pub fn fill(&mut self, from: impl AsFd, offset: Option<&mut u64>, count: usize) -> io::Result<usize> {
        let moved = splice(from.as_fd().as_raw_fd(), offset, self.input.as_raw_fd(), count, libc::SPLICE_F_NONBLOCK)?;
        self.held += moved;
        Ok(moved)
    }

    /// Moves up to all that is in the pipe into `to`. `more` says that more will follow at once, so that a socket may wait for
    /// it instead of sending a small segment.
    ///
    /// # Errors
    ///
    /// What `splice(2)` reports, except `EINTR`. `WouldBlock`: a non-blocking `to` has no room, and the bytes stay here.
    pub fn drain(&mut self, to: impl AsFd, more: bool) -> io::Result<usize> {
        let flags = libc::SPLICE_F_NONBLOCK | if more { libc::SPLICE_F_MORE } else { 0 };
        let moved = splice(self.output.as_raw_fd(), None, to.as_fd().as_raw_fd(), self.held, flags)?;
        self.held -= moved;
        Ok(moved)
    }
}

/// One call of `splice(2)`, and one more for each signal that interrupts it.
fn splice(from: RawFd, offset: Option<&mut u64>, to: RawFd, count: usize, flags: libc::c_uint) -> io::Result<usize> {
    let mut at = match &offset {
        Some(offset) => Some(i64::try_from(**offset).map_err(|_| io::Error::from_raw_os_error(libc::EOVERFLOW))?),
        None => None,
    };
    let at_pointer = at.as_mut().map_or(ptr::null_mut(), ptr::from_mut);
    loop {
        // SAFETY: the callers borrow both descriptors; `at_pointer` is null or points to `at`, which is live and writable.
        let moved = unsafe { libc::splice(from, at_pointer, to, ptr::null_mut(), count, flags) };
        if let Ok(moved) = usize::try_from(moved) {
            if let Some(offset) = offset {
                *offset += moved as u64;
            }
            return Ok(moved);
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error); // interrupted with nothing moved is no failure: ask again
        }
    }
}

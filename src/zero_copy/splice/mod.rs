//! Moving bytes between a socket or a file and another socket through a pipe that stays inside the
//! kernel: `splice(2)`.
//!
//! One end of a `splice` must be a pipe, so every transfer takes two: [`Pipe::fill`] and
//! [`Pipe::drain`]. Neither moves all that it is asked for, and what was filled and not yet drained
//! stays in the pipe. [`send_range_with`] is the loop that sends a file, [`relay()`](relay::relay)
//! that of a proxy, and [`proxy::Proxy`] the proxy around it. [`carrier`] has the ways of relaying
//! that the chapter compares, [`pool::PipePool`] keeps pipes for the next connection, and [`naive`]
//! is the version that everybody writes first.
//!
//! `splice` to a socket has no `MSG_NOSIGNAL`. A peer that has gone away is an error here only
//! because Rust's runtime ignores `SIGPIPE`.
#![cfg(target_os = "linux")]

pub mod carrier;
pub mod naive;
pub mod pool;
pub mod proxy;
pub mod relay;

use super::sendfile::SendError;
use crate::sys::{cvt, moved};
use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::sync::atomic::AtomicU8;

/// A pipe whose ends belong to this process only, neither of which blocks, and how many bytes are
/// in it.
///
/// Dropping it discards those bytes.
#[derive(Debug)]
pub struct Pipe {
    output: OwnedFd,
    input: OwnedFd,
    capacity: usize,
    /// Filled and not yet drained. Nobody else has the descriptors, so this is what the kernel
    /// holds.
    held: usize,
}

impl Pipe {
    /// A pipe of the kernel's own size: 64 KiB, unless the user has so many pipes that the kernel
    /// makes them smaller ([pipe(7)](https://man7.org/linux/man-pages/man7/pipe.7.html)).
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
    /// `PermissionDenied` without privileges for more than `/proc/sys/fs/pipe-max-size`, or when
    /// the user's pipes already hold what `/proc/sys/fs/pipe-user-pages-soft` allows;
    /// `InvalidInput` for more than the kernel can count.
    pub fn with_capacity(bytes: usize) -> io::Result<Self> {
        let mut pipe = Self::new()?;
        let asked =
            libc::c_int::try_from(bytes).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
        // SAFETY: an open descriptor and a command that takes an integer.
        pipe.capacity =
            cvt(unsafe { libc::fcntl(pipe.input.as_raw_fd(), libc::F_SETPIPE_SZ, asked) })?
                as usize;
        Ok(pipe)
    }

    /// A pipe that holds `bytes`, or as much of that as the user may have.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new); `InvalidInput` for more than the kernel can count.
    // ANCHOR: up_to
    pub fn up_to(bytes: usize) -> io::Result<Self> {
        let mut wanted = bytes;
        loop {
            match Self::with_capacity(wanted) {
                Err(error) if error.kind() != io::ErrorKind::PermissionDenied => return Err(error),
                Err(_) if wanted <= 2 * PAGE => return Self::new(),
                Err(_) => wanted = (wanted / 2).next_power_of_two(),
                Ok(pipe) => return Ok(pipe),
            }
        }
    }
    // ANCHOR_END: up_to

    /// Bytes that it can hold, if they come in whole pages. It holds a reference a page, so parts
    /// of pages fill it with less.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Bytes that are in it.
    pub fn held(&self) -> usize {
        self.held
    }

    /// Moves up to `count` bytes of `from` into the pipe: from `offset`, which is advanced, or from
    /// the descriptor's own position.
    ///
    /// Returns how many moved, 0 at the end of the file or of the stream.
    ///
    /// # Errors
    ///
    /// What `splice(2)` reports, except `EINTR`. `WouldBlock`: a non-blocking `from` has nothing to
    /// read, or the pipe is full; only an empty pipe tells which.
    // ANCHOR: fill
    pub fn fill(
        &mut self,
        from: impl AsFd,
        offset: Option<&mut u64>,
        count: usize,
    ) -> io::Result<usize> {
        let moved = splice(
            from.as_fd().as_raw_fd(),
            offset,
            self.input.as_raw_fd(),
            count,
            libc::SPLICE_F_NONBLOCK,
        )?;
        self.held += moved;
        Ok(moved)
    }

    /// Moves up to all that is in the pipe into `to`. `more` says that more will follow at once, so
    /// that a socket may wait for it instead of sending a small segment.
    ///
    /// # Errors
    ///
    /// What `splice(2)` reports, except `EINTR`. `WouldBlock`: a non-blocking `to` has no room, and
    /// the bytes stay here.
    pub fn drain(&mut self, to: impl AsFd, more: bool) -> io::Result<usize> {
        let flags = libc::SPLICE_F_NONBLOCK | if more { libc::SPLICE_F_MORE } else { 0 };
        let moved =
            splice(self.output.as_raw_fd(), None, to.as_fd().as_raw_fd(), self.held, flags)?;
        self.held -= moved;
        Ok(moved)
    }
    // ANCHOR_END: fill

    /// Puts what this pipe holds into `other` as well, by `tee(2)`, and leaves it here. No byte is
    /// copied: both pipes refer to the same pages.
    ///
    /// Returns how many bytes, from the first, `other` had room for. What it had no room for cannot
    /// be asked for later, before those are drained here.
    ///
    /// # Errors
    ///
    /// What `tee(2)` reports. `WouldBlock`: the other pipe is full.
    pub fn tee(&self, other: &mut Self) -> io::Result<usize> {
        let (from, to) = (self.output.as_raw_fd(), other.input.as_raw_fd());
        // SAFETY: both are descriptors of pipes that are borrowed.
        let count = moved(unsafe { libc::tee(from, to, self.held, libc::SPLICE_F_NONBLOCK) })?;
        other.held += count;
        Ok(count)
    }

    // ANCHOR: lend
    /// Puts a reference to memory of this process into the pipe, by `vmsplice(2)`.
    ///
    /// Nothing says when the last reader is done, so the memory must live as long as the process.
    /// Who changes it changes what arrives, even after this has returned: the bytes are atomics,
    /// because the kernel reads them behind everybody's back.
    ///
    /// # Errors
    ///
    /// What `vmsplice(2)` reports. `WouldBlock`: the pipe is full.
    pub fn lend(&mut self, bytes: &'static [AtomicU8]) -> io::Result<usize> {
        let slice =
            libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
        let to = self.input.as_raw_fd();
        // SAFETY: one live `iovec` of memory that stays; the kernel only reads it, whatever the
        // type of the pointer.
        let count =
            moved(unsafe { libc::vmsplice(to, &raw const slice, 1, libc::SPLICE_F_NONBLOCK) })?;
        self.held += count;
        Ok(count)
    }
    // ANCHOR_END: lend
}

/// The unit of a pipe's capacity, in bytes, on most machines. Where pages are larger, the kernel
/// rounds up.
const PAGE: usize = 4096;

/// Sends exactly the bytes `range` of the file `from` through `pipe`, which is empty before, and
/// after it unless there is an error. Asks `wait` whenever `to` has no room: `Ok` tries again, an
/// error ends the transfer.
///
/// # Errors
///
/// [`SendError`]: what `to` has taken, and why no more. What the pipe holds then has not been sent.
// ANCHOR: send_range
pub fn send_range_with(
    pipe: &mut Pipe,
    to: impl AsFd,
    from: impl AsFd,
    range: Range<u64>,
    mut wait: impl FnMut() -> io::Result<()>,
) -> Result<(), SendError> {
    let (mut at, mut sent) = (range.start, 0);
    while at < range.end || pipe.held() > 0 {
        let step = if pipe.held() > 0 {
            pipe.drain(&to, at < range.end).map(|moved| sent += moved as u64)
        } else {
            fill(pipe, &from, &mut at, range.end)
        };
        match step {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => wait(), // an empty pipe has room: only `to` has none
            step => step,
        }
        .map_err(|cause| SendError { sent, of: range.end - range.start, cause })?;
    }
    Ok(())
}
// ANCHOR_END: send_range

/// Fills an empty pipe from a file.
fn fill(pipe: &mut Pipe, from: impl AsFd, at: &mut u64, end: u64) -> io::Result<()> {
    let count = pipe.capacity().min((end - *at) as usize);
    match pipe.fill(from, Some(at), count)? {
        0 => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file has become shorter")),
        _ => Ok(()),
    }
}

/// One call of `splice(2)`, and one more for each signal that interrupts it.
fn splice(
    from: RawFd,
    offset: Option<&mut u64>,
    to: RawFd,
    count: usize,
    flags: libc::c_uint,
) -> io::Result<usize> {
    let mut at = match &offset {
        Some(offset) => Some(
            i64::try_from(**offset).map_err(|_| io::Error::from_raw_os_error(libc::EOVERFLOW))?,
        ),
        None => None,
    };
    let at_pointer = at.as_mut().map_or(ptr::null_mut(), ptr::from_mut);
    loop {
        // SAFETY: the callers borrow both descriptors; `at_pointer` is null or points to `at`,
        // which is live and writable.
        let moved =
            moved(unsafe { libc::splice(from, at_pointer, to, ptr::null_mut(), count, flags) });
        if moved.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::Interrupted) {
            continue; // nothing has moved: ask again
        }
        if let (Some(offset), Ok(moved)) = (offset, &moved) {
            *offset += *moved as u64;
        }
        return moved;
    }
}

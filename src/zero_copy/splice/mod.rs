//! Moving bytes between a socket or a file and another socket through a pipe that stays inside the
//! kernel: `splice(2)`.
//!
//! One end of a `splice` must be a pipe, so every transfer takes two calls: [`Pipe::fill`] and
//! [`Pipe::drain`]. Either may move less than it is asked for, and what was filled and not yet
//! drained stays in the pipe. [`send_range_with`] is the loop that sends a file,
//! [`relay()`](relay::relay) the loop of a TCP proxy, and [`proxy::Proxy`] the proxy around it.
//! [`pool::PipePool`] keeps pipes for the next connection, and [`naive`] is the version that
//! everybody writes first. [`variants`] are the relays that the chapter compares, and
//! [`experiment`] has what its example, bench and tests share.
//!
//! `splice` to a socket has no `MSG_NOSIGNAL`. A peer that has gone away is an error here only
//! because Rust's runtime ignores `SIGPIPE`.
//!
//! The book's chapter: [splice](../../../../zero-copy/splice.html).
#![cfg(target_os = "linux")]

pub mod experiment;
pub mod naive;
pub mod pool;
pub mod proxy;
pub mod relay;
pub mod relay_buffer;
pub mod variants;

use super::sendfile::SendError;
use crate::sys::{cvt, moved};
use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::sync::atomic::AtomicU8;

/// A pipe with both of its non-blocking ends, and the number of bytes in it.
///
/// Dropping it discards those bytes.
#[derive(Debug)]
pub struct Pipe {
    output: OwnedFd,
    input: OwnedFd,
    capacity: usize,
    /// Filled and not yet drained. The descriptors never leave this struct, so this is what the
    /// kernel holds.
    held: usize,
}

impl Pipe {
    /// Makes a pipe of the kernel's default capacity: 64 KiB, or less if the user's pipes already
    /// hold a lot ([pipe(7)](https://man7.org/linux/man-pages/man7/pipe.7.html)).
    ///
    /// # Errors
    ///
    /// The errors of `pipe2(2)`: too many open descriptors.
    pub fn new() -> io::Result<Self> {
        let mut ends = [-1; 2];
        // SAFETY: `ends` has room for the two descriptors.
        cvt(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC | libc::O_NONBLOCK) })?;
        // SAFETY: both are new and open, and nothing else owns them.
        let [output, input] = ends.map(|end| unsafe { OwnedFd::from_raw_fd(end) });
        // SAFETY: an open descriptor and a command without an argument.
        let capacity = cvt(unsafe { libc::fcntl(input.as_raw_fd(), libc::F_GETPIPE_SZ) })? as usize;
        Ok(Self { output, input, capacity, held: 0 })
    }

    /// Makes a pipe that holds at least `bytes`; the kernel rounds up to a power of two.
    ///
    /// # Errors
    ///
    /// `PermissionDenied` for an unprivileged user who asks for more than
    /// `/proc/sys/fs/pipe-max-size`, or whose pipes already hold what
    /// `/proc/sys/fs/pipe-user-pages-soft` allows; `InvalidInput` for more than the kernel can
    /// count.
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

    /// Makes a pipe that holds `bytes`, or as much of that as the user is allowed.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new); `InvalidInput` for more than the kernel can count.
    // ANCHOR: up_to
    pub fn up_to(bytes: usize) -> io::Result<Self> {
        let mut wanted = bytes;
        loop {
            match Self::with_capacity(wanted) {
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
                result => return result,
            }
            if wanted <= 2 * PAGE {
                return Self::new();
            }
            wanted = (wanted / 2).next_power_of_two();
        }
    }
    // ANCHOR_END: up_to

    /// Returns the number of bytes that it can hold. It has a slot for each page: parts of pages
    /// fill it with fewer bytes.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Returns the number of bytes in it.
    pub fn held(&self) -> usize {
        self.held
    }

    /// Moves up to `count` bytes of `from` into the pipe: from `offset`, which it advances, or from
    /// the descriptor's own position.
    ///
    /// Returns the number of bytes moved, 0 at the end of the file or of the stream.
    ///
    /// # Errors
    ///
    /// The errors of `splice(2)`, except `EINTR`. `WouldBlock`: a non-blocking `from` has nothing
    /// to read, or the pipe is full; only if the pipe is empty do you know which.
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
    // ANCHOR_END: fill

    /// Moves as much of the pipe into `to` as `to` has room for, and returns the number of bytes.
    /// With `more`, a socket may wait for the next bytes instead of sending a small segment.
    ///
    /// # Errors
    ///
    /// The errors of `splice(2)`, except `EINTR`. `WouldBlock`: a non-blocking `to` has no room,
    /// and the bytes stay here.
    // ANCHOR: drain
    pub fn drain(&mut self, to: impl AsFd, more: bool) -> io::Result<usize> {
        let flags = libc::SPLICE_F_NONBLOCK | if more { libc::SPLICE_F_MORE } else { 0 };
        let (from, to) = (self.output.as_raw_fd(), to.as_fd().as_raw_fd());
        let moved = splice(from, None, to, self.held, flags)?;
        self.held -= moved;
        Ok(moved)
    }
    // ANCHOR_END: drain

    /// Duplicates the content of this pipe into `other` with `tee(2)`. No byte is copied: both
    /// pipes refer to the same pages.
    ///
    /// Returns the number of bytes that `other` had room for. `tee` always starts at the first
    /// byte, so to duplicate the rest, drain these bytes first.
    ///
    /// # Errors
    ///
    /// The errors of `tee(2)`. `WouldBlock`: the other pipe is full.
    pub fn tee(&self, other: &mut Self) -> io::Result<usize> {
        let (from, to) = (self.output.as_raw_fd(), other.input.as_raw_fd());
        // SAFETY: both are descriptors of pipes that are borrowed.
        let count = moved(unsafe { libc::tee(from, to, self.held, libc::SPLICE_F_NONBLOCK) })?;
        other.held += count;
        Ok(count)
    }

    /// Puts references to memory of this process into the pipe with `vmsplice(2)`.
    ///
    /// Nothing tells when the last reader is done, so the memory must live as long as the process.
    /// A store to it changes what arrives, even after this has returned: the bytes are atomics
    /// because the kernel reads them at a time that Rust knows nothing about.
    ///
    /// # Errors
    ///
    /// The errors of `vmsplice(2)`. `WouldBlock`: the pipe is full.
    // ANCHOR: lend
    pub fn lend(&mut self, bytes: &'static [AtomicU8]) -> io::Result<usize> {
        let (start, iov_len) = (bytes.as_ptr().cast_mut().cast(), bytes.len());
        let part = libc::iovec { iov_base: start, iov_len };
        let (to, flags) = (self.input.as_raw_fd(), libc::SPLICE_F_NONBLOCK);
        // SAFETY: one live `iovec` of memory that stays; the kernel only reads it,
        // whatever the type of the pointer.
        let count = moved(unsafe { libc::vmsplice(to, &raw const part, 1, flags) })?;
        self.held += count;
        Ok(count)
    }
    // ANCHOR_END: lend
}

/// The smallest capacity of a pipe, in bytes, on most machines. The kernel rounds up to its page
/// size.
const PAGE: usize = 4096;

/// Sends exactly the bytes `range` of the file `from` through `pipe`, which must be empty. Calls
/// `wait` whenever `to` has no room: `Ok` tries again, an error ends the transfer.
///
/// # Errors
///
/// [`SendError`], with the number of bytes that `to` has accepted. Those left in the pipe were not
/// sent.
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
            // Only an empty pipe is filled, and it has room: it is `to` that has none.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => wait(),
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

/// Calls `splice(2)`, and again after each signal that interrupts it.
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

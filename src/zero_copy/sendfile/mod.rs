//! Sending a file over a socket from inside the kernel: `sendfile(2)`.
//!
//! A read/write loop carries every byte into user space and back. [`sendfile()`] hands pages of the
//! page cache to the socket, and [`send_range`] is the loop around it that a correct program needs.
//! [`server::FileServer`] is an HTTP/1.1 server built on it, and [`naive`] is the version that
//! everyone writes first. [`variants`] and [`experiment`] hold what the chapter compares, and how.
//!
//! `sendfile` has no `MSG_NOSIGNAL`. A peer that has gone away is an error here only because Rust's
//! runtime ignores `SIGPIPE`; in a program that does not, as when Rust is called from C, block that
//! signal in the sending threads first.
//!
//! The book's chapter: [sendfile](../../../../zero-copy/sendfile.html).

#[cfg(target_os = "linux")]
pub mod experiment;
pub mod http;
#[cfg(target_os = "linux")]
pub mod naive;
pub mod permits;
#[cfg(target_os = "linux")]
pub mod root;
#[cfg(target_os = "linux")]
pub mod server;
#[cfg(target_os = "linux")]
pub mod variants;

#[cfg(target_os = "linux")]
use crate::sys::poll::wait;
use std::{error, fmt, io};
#[cfg(target_os = "linux")]
use std::{
    ops::Range,
    os::fd::{AsFd, AsRawFd},
    time::Instant,
};

/// The most bytes that one call moves, whatever it is asked for: `i32::MAX` rounded down to a page
/// of 4 KiB.
pub const MAX_PER_CALL: usize = 0x7fff_f000;

static_assertions::const_assert_eq!(MAX_PER_CALL, i32::MAX as usize & !0xfff);
static_assertions::const_assert_eq!(MAX_PER_CALL, 2_147_479_552);

/// Moves up to `count` bytes of `from`, beginning at `offset`, into `to`, and advances `offset` by
/// the number moved. Makes one system call, and one more for each signal that interrupts it.
///
/// Returns the number of bytes moved, which may be less than `count`; 0 at the end of the file. The
/// file position of `from` does not move, so threads can share an open file.
///
/// # Errors
///
/// The errors of `sendfile(2)`, except `EINTR`: `WouldBlock` if a non-blocking `to` has no room.
// ANCHOR: sendfile
#[cfg(target_os = "linux")]
pub fn sendfile(
    to: impl AsFd,
    from: impl AsFd,
    offset: &mut u64,
    count: usize,
) -> io::Result<usize> {
    let (to, from) = (to.as_fd().as_raw_fd(), from.as_fd().as_raw_fd());
    let mut at = libc::off64_t::try_from(*offset)
        .map_err(|_| io::Error::from_raw_os_error(libc::EOVERFLOW))?;
    loop {
        // SAFETY: the caller lends both descriptors; `at` is live and writable.
        let sent = unsafe { libc::sendfile64(to, from, &raw mut at, count) };
        if let Ok(sent) = usize::try_from(sent) {
            *offset += sent as u64;
            return Ok(sent);
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error); // EINTR: nothing was sent yet, so call again
        }
    }
}
// ANCHOR_END: sendfile

/// The error of a transfer that ended early.
#[derive(Debug)]
pub struct SendError {
    /// The number of bytes that the kernel took. The peer may have read fewer.
    pub sent: u64,
    /// The number of bytes that it was asked to send.
    pub of: u64,
    /// The reason. `UnexpectedEof`: the file ends before the range does. `TimedOut`: the deadline
    /// has passed.
    pub cause: io::Error,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sent {} of {} bytes of the file: {}", self.sent, self.of, self.cause)
    }
}

impl error::Error for SendError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        Some(&self.cause)
    }
}

impl From<SendError> for io::Error {
    fn from(error: SendError) -> Self {
        Self::new(error.cause.kind(), error)
    }
}

/// Sends exactly the bytes `range` of the file `from`, or returns an error that says how many were
/// sent.
///
/// If the file grows meanwhile, the range still ends where it was asked to. The deadline applies to
/// a non-blocking `to`; on a blocking one the kernel waits inside the call, for as long as the peer
/// likes.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use perf_proved::zero_copy::sendfile::send_range;
/// use std::io::Read;
/// use std::time::{Duration, Instant};
///
/// let file = std::fs::File::open("Cargo.toml")?;
/// let (to, mut peer) = std::os::unix::net::UnixStream::pair()?;
/// to.set_nonblocking(true)?;
/// send_range(&to, &file, 1..8, Instant::now() + Duration::from_secs(1))?;
/// drop(to);
/// let mut text = String::new();
/// peer.read_to_string(&mut text)?;
/// assert_eq!(text, "workspa");
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// [`SendError`], with the reason.
#[cfg(target_os = "linux")]
pub fn send_range(
    to: impl AsFd,
    from: impl AsFd,
    range: Range<u64>,
    deadline: Instant,
) -> Result<(), SendError> {
    send_range_with(&to, from, range, || {
        let mut room =
            [libc::pollfd { fd: to.as_fd().as_raw_fd(), events: libc::POLLOUT, revents: 0 }];
        wait(&mut room, deadline)
    })
}

/// Like [`send_range`], but calls `wait` whenever `to` has no room. If that returns `Ok`, the
/// transfer goes on; an error ends it.
///
/// # Errors
///
/// [`SendError`], with the reason.
// ANCHOR: send_range
#[cfg(target_os = "linux")]
pub fn send_range_with(
    to: impl AsFd,
    from: impl AsFd,
    range: Range<u64>,
    mut wait: impl FnMut() -> io::Result<()>,
) -> Result<(), SendError> {
    let eof = io::ErrorKind::UnexpectedEof;
    let (mut at, of) = (range.start, range.end.saturating_sub(range.start));
    while at < range.end {
        let count = (range.end - at).min(MAX_PER_CALL as u64) as usize;
        let stopped = match sendfile(&to, &from, &mut at, count) {
            Ok(0) => Err(io::Error::new(eof, "the file has become shorter")),
            Ok(_) => Ok(()), // often short on a non-blocking socket: go on where it ended
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => wait(),
            Err(error) => Err(error),
        };
        stopped.map_err(|cause| SendError { sent: at - range.start, of, cause })?;
    }
    Ok(())
}
// ANCHOR_END: send_range

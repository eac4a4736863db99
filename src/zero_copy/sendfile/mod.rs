//! Sending a file over a socket from inside the kernel: `sendfile(2)`.
//!
//! A read/write loop carries every byte into user space and back. [`sendfile()`] hands pages of the
//! page cache to the socket, and [`send_range`] is the loop around it that a correct program needs.
//! [`server::FileServer`] is an HTTP/1.1 server built on it, [`senders`] are the ways of sending
//! that the chapter compares, and [`naive`] is the version that everybody writes first.
//!
//! `sendfile` has no `MSG_NOSIGNAL`. A peer that has gone away is an error here only because Rust's
//! runtime ignores `SIGPIPE`; in a program that does not, as when Rust is called from C, block that
//! signal in the sending threads first.

pub mod gate;
pub mod head;
#[cfg(target_os = "linux")]
pub mod naive;
#[cfg(target_os = "linux")]
pub mod path;
#[cfg(target_os = "linux")]
pub mod senders;
#[cfg(target_os = "linux")]
pub mod server;

#[cfg(target_os = "linux")]
use crate::sys::poll::wait;
use std::{error, fmt, io};
#[cfg(target_os = "linux")]
use std::{
    ops::Range,
    os::fd::{AsFd, AsRawFd},
    time::Instant,
};

// ANCHOR: max
/// The most that one call moves, in bytes, whatever it is asked for: `i32::MAX` rounded down to a
/// page of 4 KiB.
pub const MAX_PER_CALL: usize = 0x7fff_f000;

static_assertions::const_assert_eq!(MAX_PER_CALL, i32::MAX as usize & !0xfff);
static_assertions::const_assert_eq!(MAX_PER_CALL, 2_147_479_552);
// ANCHOR_END: max

// ANCHOR: sendfile
/// Moves up to `count` bytes of `from`, beginning at `offset`, into `to`, and advances `offset` by
/// what left. One system call, and one more for each signal that interrupts it.
///
/// Returns how many bytes left, which may be fewer than asked for; 0 at the end of the file. The
/// position of the descriptor `from` stays where it was, so threads can share an open file.
///
/// # Errors
///
/// What `sendfile(2)` reports, except `EINTR`: `WouldBlock` when a non-blocking `to` has no room.
#[cfg(target_os = "linux")]
pub fn sendfile(
    to: impl AsFd,
    from: impl AsFd,
    offset: &mut u64,
    count: usize,
) -> io::Result<usize> {
    let mut at = libc::off64_t::try_from(*offset)
        .map_err(|_| io::Error::from_raw_os_error(libc::EOVERFLOW))?;
    loop {
        // SAFETY: both descriptors are open while they are borrowed, and `at` is live and writable.
        let sent = unsafe {
            libc::sendfile64(to.as_fd().as_raw_fd(), from.as_fd().as_raw_fd(), &raw mut at, count)
        };
        if let Ok(sent) = usize::try_from(sent) {
            *offset += sent as u64;
            return Ok(sent);
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error); // interrupted with nothing sent is no failure: ask again
        }
    }
}
// ANCHOR_END: sendfile

/// A transfer that ended early, and how much of it had left by then.
#[derive(Debug)]
pub struct SendError {
    /// Bytes that the kernel took. The peer may have read fewer.
    pub sent: u64,
    /// Bytes that it was asked for.
    pub of: u64,
    /// Why no more left. `UnexpectedEof`: the file ends before the range does. `TimedOut`: the
    /// deadline has passed.
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

/// Sends exactly the bytes `range` of the file `from`, all of them or an error that says how many
/// left.
///
/// A file that grows meanwhile sends what was asked for and no more. The deadline holds for a
/// non-blocking `to`; on a blocking one the kernel waits inside the call, for as long as the peer
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
/// [`SendError`], with the reason why no more left.
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

// ANCHOR: send_range
/// As [`send_range`], but asks `wait` whenever `to` has no room: `Ok` tries again, an error ends
/// the transfer.
///
/// # Errors
///
/// [`SendError`], with the reason why no more left.
#[cfg(target_os = "linux")]
pub fn send_range_with(
    to: impl AsFd,
    from: impl AsFd,
    range: Range<u64>,
    mut wait: impl FnMut() -> io::Result<()>,
) -> Result<(), SendError> {
    let mut at = range.start;
    while at < range.end {
        let count = (range.end - at).min(MAX_PER_CALL as u64) as usize;
        let stopped = match sendfile(&to, &from, &mut at, count) {
            Ok(0) => {
                Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file has become shorter"))
            }
            Ok(_) => Ok(()), // a short result is the rule on a non-blocking socket: go on where it ended
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => wait(),
            Err(error) => Err(error),
        };
        stopped.map_err(|cause| SendError {
            sent: at - range.start,
            of: range.end - range.start,
            cause,
        })?;
    }
    Ok(())
}
// ANCHOR_END: send_range

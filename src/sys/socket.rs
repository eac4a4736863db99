//! Options of sockets.

use super::error::cvt;
use std::io;
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd};

/// Makes closing `socket` reset the connection, or makes it end the stream as usual again
/// (`SO_LINGER` of 0 seconds, [socket(7)](https://man7.org/linux/man-pages/man7/socket.7.html)).
///
/// A reset drops what has not been sent yet, and the peer's next read fails with `ECONNRESET`
/// instead of finding the end of the stream.
///
/// # Errors
///
/// The errors of `setsockopt(2)`.
pub fn reset_on_close(socket: impl AsFd, reset: bool) -> io::Result<()> {
    let value = libc::linger { l_onoff: reset.into(), l_linger: 0 };
    // SAFETY: an open socket, and an option whose value is the live `linger`.
    cvt(unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_LINGER,
            (&raw const value).cast(),
            size_of::<libc::linger>() as libc::socklen_t,
        )
    })
    .map(drop)
}

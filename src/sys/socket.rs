//! Options of sockets, and calls on them that the standard library lacks.

use super::cvt;
#[cfg(target_os = "linux")]
use super::moved;
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

/// Calls `send(2)` with `flags`, and without a signal if the peer is gone. Returns the number of
/// bytes that the kernel took.
///
/// # Errors
///
/// The errors of `send(2)`, `EINTR` among them.
#[cfg(target_os = "linux")]
pub fn send(socket: impl AsFd, bytes: &[u8], flags: libc::c_int) -> io::Result<usize> {
    // SAFETY: `bytes` is live and as long as its length says.
    unsafe { send_raw(socket, bytes.as_ptr(), bytes.len(), flags) }
}

/// Calls `send(2)` as [`send`] does, for memory that may not be borrowed as a slice: a map of a
/// file that other processes may modify.
///
/// # Errors
///
/// The errors of `send(2)`; `EFAULT` if the file has become shorter than its map.
///
/// # Safety
///
/// The `length` bytes from `from` on must be mapped. Only the kernel reads them, so they may change
/// meanwhile.
#[cfg(target_os = "linux")]
pub unsafe fn send_raw(
    socket: impl AsFd,
    from: *const u8,
    length: usize,
    flags: libc::c_int,
) -> io::Result<usize> {
    let (fd, flags) = (socket.as_fd().as_raw_fd(), flags | libc::MSG_NOSIGNAL);
    // SAFETY: the caller lends the descriptor, and promises that the bytes are mapped.
    moved(unsafe { libc::send(fd, from.cast(), length, flags) })
}

/// Returns the number of segments with data that a TCP socket has sent, as the kernel counts them
/// (`TCP_INFO`, since Linux 4.6). Segments that a network card, or the loopback device, would take
/// in one piece count as many as they would be on the wire.
///
/// # Errors
///
/// The errors of `getsockopt(2)`; `Unsupported` if this kernel's answer has no such number.
#[cfg(target_os = "linux")]
pub fn data_segments_sent(socket: impl AsFd) -> io::Result<u64> {
    // The place of `tcpi_data_segs_out` in the kernel's `struct tcp_info`, which only grows. The
    // struct of the C library may end before it.
    const PLACE: std::ops::Range<usize> = 156..160;
    let mut info = [0_u8; PLACE.end];
    let mut length = info.len() as libc::socklen_t;
    // SAFETY: an open socket; `info` is live, writable and `length` bytes long.
    cvt(unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            info.as_mut_ptr().cast(),
            &raw mut length,
        )
    })?;
    if (length as usize) < info.len() {
        return Err(super::unsupported("this kernel does not count the segments of a connection"));
    }
    let mut segments = [0; 4];
    segments.copy_from_slice(&info[PLACE]);
    Ok(u32::from_ne_bytes(segments).into())
}

//! Options of sockets, and calls on them that the standard library lacks.

use super::cvt;
#[cfg(target_os = "linux")]
use super::moved;
use std::io;
use std::mem::size_of;
#[cfg(target_os = "linux")]
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, TcpListener, TcpStream};
#[cfg(target_os = "linux")]
use std::os::fd::FromRawFd;
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
    set_option(socket, libc::SOL_SOCKET, libc::SO_LINGER, &value)
}

/// Sets `TCP_NODELAY` on `socket`. On Linux the connections that a listener accepts inherit it.
///
/// # Errors
///
/// The errors of `setsockopt(2)`.
pub fn set_nodelay(socket: impl AsFd, nodelay: bool) -> io::Result<()> {
    let value = libc::c_int::from(nodelay);
    set_option(socket, libc::IPPROTO_TCP, libc::TCP_NODELAY, &value)
}

/// Sets an option whose value is a plain C type.
fn set_option<T: Copy>(
    socket: impl AsFd,
    level: libc::c_int,
    name: libc::c_int,
    value: &T,
) -> io::Result<()> {
    let (fd, size) = (socket.as_fd().as_raw_fd(), size_of::<T>() as libc::socklen_t);
    // SAFETY: an open socket; `value` is live and `size` is its size.
    cvt(unsafe { libc::setsockopt(fd, level, name, (&raw const *value).cast(), size) }).map(drop)
}

/// Lets up to `backlog` connections wait to be accepted, or as many as `net.core.somaxconn` allows.
/// The standard library asks for 128; when they are taken, the kernel ignores a client, which tries
/// again after a second.
///
/// # Errors
///
/// The errors of `listen(2)`.
#[cfg(target_os = "linux")]
pub fn set_backlog(listener: &TcpListener, backlog: libc::c_int) -> io::Result<()> {
    // SAFETY: an open descriptor. Linux lets a socket that listens already change its backlog.
    cvt(unsafe { libc::listen(listener.as_raw_fd(), backlog) }).map(drop)
}

/// Accepts a connection that is non-blocking from the start (`accept4(2)`), where
/// [`TcpListener::accept`] takes one more call.
///
/// # Errors
///
/// The errors of `accept4(2)`, `EINTR` among them: `WouldBlock` if no connection waits and
/// `listener` does not block.
#[cfg(target_os = "linux")]
pub fn accept(listener: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
    // SAFETY: all-zero bytes are a valid `sockaddr_storage`.
    let mut address: libc::sockaddr_storage = unsafe { std::mem::zeroed() };
    let mut size = size_of_val(&address) as libc::socklen_t;
    let flags = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: an open listener; `address` is live and writable, and `size` is its size.
    let fd = cvt(unsafe {
        libc::accept4(listener.as_raw_fd(), (&raw mut address).cast(), &raw mut size, flags)
    })?;
    // SAFETY: a new descriptor that nothing else owns.
    let stream = unsafe { TcpStream::from_raw_fd(fd) };
    let peer = match libc::c_int::from(address.ss_family) {
        libc::AF_INET => {
            // SAFETY: the family says that the kernel wrote this type, which is the smaller one.
            let v4 = unsafe { *(&raw const address).cast::<libc::sockaddr_in>() };
            let ip = Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr));
            SocketAddr::from((ip, u16::from_be(v4.sin_port)))
        }
        libc::AF_INET6 => {
            // SAFETY: as above.
            let v6 = unsafe { *(&raw const address).cast::<libc::sockaddr_in6>() };
            let (ip, port) = (Ipv6Addr::from(v6.sin6_addr.s6_addr), u16::from_be(v6.sin6_port));
            SocketAddrV6::new(ip, port, v6.sin6_flowinfo, v6.sin6_scope_id).into()
        }
        _ => stream.peer_addr()?, // it says which family is not supported
    };
    Ok((stream, peer))
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

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn an_accepted_connection_neither_blocks_nor_delays_and_knows_its_peer() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(address) else { continue };
            set_nodelay(&listener, true).unwrap();
            set_backlog(&listener, 1024).unwrap();
            let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (stream, peer) = accept(&listener).unwrap();
            assert_eq!(peer, client.local_addr().unwrap());
            assert!(stream.nodelay().unwrap());
            let nothing = io::Read::read(&mut &stream, &mut [0]).unwrap_err();
            assert_eq!(nothing.kind(), io::ErrorKind::WouldBlock);
        }
    }
}

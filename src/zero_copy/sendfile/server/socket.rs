//! System calls on a connection's socket that the standard library lacks.

use crate::sys::moved;
use std::io;
use std::net::TcpStream;
use std::os::fd::AsRawFd;

/// Calls `send(2)`, without a signal if the peer is gone.
pub(super) fn send(stream: &TcpStream, bytes: &[u8], flags: libc::c_int) -> io::Result<usize> {
    let flags = flags | libc::MSG_NOSIGNAL;
    // SAFETY: the socket is open, and `bytes` is live and as long as its length says.
    moved(unsafe { libc::send(stream.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), flags) })
}

/// Blocks `SIGPIPE` in this thread and in those that it starts: `sendfile` has no flag against it,
/// and a library does not know how its program treats the signal.
pub(super) fn block_sigpipe() -> io::Result<()> {
    // SAFETY: all-zero bytes are a valid `sigset_t`, and it is live and writable.
    let failed = unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, libc::SIGPIPE);
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut())
    };
    if failed == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(failed)) }
}

//! The version that everybody writes first, kept to be shown failing. Its faults are pinned by
//! `tests/sendfile.rs`:
//!
//! - one call moves what fits the socket's buffer, and at most [`MAX_PER_CALL`](super::MAX_PER_CALL) on a blocking socket;
//! - the path is glued together, so `../` leads out of the root;
//! - `200 OK` and a length are promised before anything was checked, so a directory "succeeds" first and fails then.

use std::fs::File;
use std::io::{self, Write};
use std::net::TcpStream;
use std::os::fd::AsRawFd;

/// Answers a request for `name` below `root`.
///
/// # Errors
///
/// What the kernel reports, and "incomplete transfer". By then the peer has been told that all is
/// well.
// ANCHOR: naive
pub fn serve_file(mut socket: &TcpStream, root: &str, name: &str) -> io::Result<()> {
    let file = File::open(format!("{root}/{name}"))?;
    let size = file.metadata()?.len();
    write!(socket, "HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n")?;
    let sent = send_file(socket, &file, size)?;
    if sent != size {
        return Err(io::Error::other(format!("incomplete transfer: {sent}/{size} bytes")));
    }
    Ok(())
}

/// Sends a file in one call, and returns how much of it left.
///
/// # Errors
///
/// What `sendfile(2)` reports, `EINTR` and `EAGAIN` among them.
pub fn send_file(socket: &TcpStream, file: &File, size: u64) -> io::Result<u64> {
    // SAFETY: both descriptors are open while they are borrowed; a null offset means the
    // descriptor's own position.
    let sent = unsafe {
        libc::sendfile64(socket.as_raw_fd(), file.as_raw_fd(), std::ptr::null_mut(), size as usize)
    };
    u64::try_from(sent).map_err(|_| io::Error::last_os_error())
}
// ANCHOR_END: naive

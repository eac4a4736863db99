//! The version that everyone writes first, kept to show how it fails. `tests/sendfile.rs` pins its
//! faults:
//!
//! - One call moves only as much as the socket's buffer has room for, and at most
//!   [`MAX_PER_CALL`](super::MAX_PER_CALL) on a blocking socket.
//! - It concatenates the path, so `../` leads out of the root.
//! - It promises `200 OK` and a length before it has checked anything, so a request for a directory
//!   "succeeds" first and then fails.

use std::fs::File;
use std::io::{self, Write};
use std::net::TcpStream;
use std::os::fd::AsRawFd;

/// Answers a request for `name` beneath `root`.
///
/// # Errors
///
/// The errors of the kernel, and "incomplete transfer". By then the peer has been told that all is
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

/// Sends a file in one call, and returns the number of bytes sent.
///
/// # Errors
///
/// The errors of `sendfile(2)`, `EINTR` and `EAGAIN` among them.
pub fn send_file(socket: &TcpStream, file: &File, size: u64) -> io::Result<u64> {
    let (to, from) = (socket.as_raw_fd(), file.as_raw_fd());
    // SAFETY: both are open; a null offset stands for the file position.
    let sent = unsafe { libc::sendfile64(to, from, std::ptr::null_mut(), size as usize) };
    u64::try_from(sent).map_err(|_| io::Error::last_os_error())
}
// ANCHOR_END: naive

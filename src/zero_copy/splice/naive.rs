//! The version that everybody writes first. Its faults are pinned by `tests/splice.rs`:
//!
//! - one call moves at most what the pipe holds, so a file that is larger is cut short;
//! - both results are thrown away, so nobody hears of it;
//! - neither does anybody hear of an error.

use super::{Pipe, splice};
use std::fs::File;
use std::io;
use std::net::TcpStream;
use std::os::fd::AsRawFd;

/// Sends the first `size` bytes of a file by two calls.
///
/// # Errors
///
/// If there is no pipe to be had; nothing else is noticed.
// ANCHOR: naive
pub fn send_file(socket: &TcpStream, file: &File, size: usize) -> io::Result<()> {
    let pipe = Pipe::new()?;
    let (input, output) = (pipe.input.as_raw_fd(), pipe.output.as_raw_fd());
    let _ = splice(file.as_raw_fd(), Some(&mut 0), input, size, 0);
    let _ = splice(output, None, socket.as_raw_fd(), size, 0);
    Ok(())
}
// ANCHOR_END: naive

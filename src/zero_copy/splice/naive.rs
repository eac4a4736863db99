//! The version that everybody writes first. Its faults are pinned by `tests/splice.rs`:
//!
//! - one call moves at most the pipe's capacity, so a larger file is cut short;
//! - both results are thrown away, so the caller learns neither of that nor of an error;
//! - a loop that fills the pipe with the whole file first never returns: nothing drains the pipe.

use super::{Pipe, splice};
use std::fs::File;
use std::io;
use std::net::TcpStream;
use std::os::fd::{AsFd, AsRawFd};

/// Sends the first `size` bytes of a file with two calls.
///
/// # Errors
///
/// If no pipe can be made; it notices nothing else.
// ANCHOR: naive
pub fn send_file(socket: &TcpStream, file: &File, size: usize) -> io::Result<()> {
    let pipe = Pipe::new()?;
    let (input, output) = (pipe.input.as_raw_fd(), pipe.output.as_raw_fd());
    let _ = splice(file.as_raw_fd(), Some(&mut 0), input, size, 0);
    let _ = splice(output, None, socket.as_raw_fd(), size, 0);
    Ok(())
}
// ANCHOR_END: naive

/// Fills a blocking pipe with the first `size` bytes of a file.
///
/// # Errors
///
/// The errors of `splice(2)`.
// ANCHOR: fill_first
pub fn fill_first(pipe: impl AsFd, file: &File, size: u64) -> io::Result<()> {
    let mut at = 0;
    while at < size {
        let rest = (size - at) as usize;
        splice(file.as_raw_fd(), Some(&mut at), pipe.as_fd().as_raw_fd(), rest, 0)?;
    }
    Ok(())
}
// ANCHOR_END: fill_first

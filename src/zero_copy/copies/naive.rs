//! The version that everyone writes first. `tests/copies.rs` pins its faults:
//!
//! - It takes as much memory as the file has bytes, and holds it for as long as its peer takes to
//!   read.
//! - For a large file, the kernel hands that memory out page by page, with a fault and a page of
//!   zeros each, on every transfer.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::net::TcpStream;

/// Sends a whole file, from its beginning.
///
/// # Errors
///
/// The errors of the system calls; `OutOfMemory` for a file that does not fit.
// ANCHOR: naive
pub fn send_whole(mut socket: &TcpStream, mut file: &File) -> io::Result<()> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    socket.write_all(&bytes)
}
// ANCHOR_END: naive

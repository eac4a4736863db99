//! The version that everybody writes first. Its faults are pinned by `tests/msg_zerocopy.rs`:
//!
//! - who writes to the buffer after the call changes what is sent, if the bytes still wait in the send queue;
//! - so does whoever gets the memory after it was freed;
//! - one call may send less than the buffer holds.

use std::io;
use std::net::TcpStream;

/// Sends once with the flag that saves the copy, and returns how many bytes left.
///
/// # Errors
///
/// What the kernel reports.
// ANCHOR: naive
pub fn send(socket: &TcpStream, buffer: &[u8]) -> io::Result<usize> {
    super::allow(socket)?;
    super::send(socket, buffer) // and now the buffer can be filled again?
}
// ANCHOR_END: naive

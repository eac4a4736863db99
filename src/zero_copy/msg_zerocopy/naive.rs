//! The version that everyone writes first. `tests/msg_zerocopy.rs` pins its faults:
//!
//! - writing to the buffer after the call changes the bytes that still wait in the send queue;
//! - freeing the buffer does too, as soon as its memory is allocated again and written to;
//! - one call may send less than the whole buffer.

use std::io;
use std::net::TcpStream;

/// Sends `buffer` in one call with the flag that saves the copy, and returns the number of bytes
/// sent.
///
/// # Errors
///
/// The errors of `setsockopt(2)` and `send(2)`.
// ANCHOR: naive
pub fn send(socket: &TcpStream, buffer: &[u8]) -> io::Result<usize> {
    super::allow(socket)?;
    super::send(socket, buffer) // and now the buffer can be filled again?
}
// ANCHOR_END: naive

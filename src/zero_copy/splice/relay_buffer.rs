//! Storage for a relay's bytes between two sockets: a pipe inside the kernel, or a buffer in user
//! space.

use super::Pipe;
use std::io::{self, Read, Write};
use std::net::TcpStream;

/// Holds the bytes of one direction between two non-blocking sockets.
pub trait RelayBuffer {
    /// Returns the number of bytes that it holds.
    fn held(&self) -> usize;

    /// Fills it, while it is empty, with what `from` has received. Returns the number of bytes; 0
    /// at the end of the stream.
    ///
    /// # Errors
    ///
    /// The kernel's; `WouldBlock` if there is nothing to read.
    fn fill_from(&mut self, from: &TcpStream) -> io::Result<usize>;

    /// Drains as much of it into `to` as `to` has room for. Returns the number of bytes.
    ///
    /// # Errors
    ///
    /// The kernel's; `WouldBlock` if there is no room.
    fn drain_to(&mut self, to: &TcpStream) -> io::Result<usize>;

    /// Returns the names of the calls that fill and drain it, for error messages.
    fn calls(&self) -> [&'static str; 2];
}

impl RelayBuffer for Pipe {
    fn held(&self) -> usize {
        self.held()
    }

    fn fill_from(&mut self, from: &TcpStream) -> io::Result<usize> {
        self.fill(from, None, self.capacity())
    }

    fn drain_to(&mut self, to: &TcpStream) -> io::Result<usize> {
        self.drain(to, false)
    }

    fn calls(&self) -> [&'static str; 2] {
        ["splice"; 2]
    }
}

/// A buffer in user space.
pub struct Buffer {
    bytes: Box<[u8]>,
    /// `bytes[start..end]` was read and not yet written.
    start: usize,
    end: usize,
}

impl Buffer {
    /// Makes an empty buffer of `capacity` bytes.
    pub fn new(capacity: usize) -> Self {
        Self { bytes: vec![0; capacity].into(), start: 0, end: 0 }
    }
}

impl RelayBuffer for Buffer {
    fn held(&self) -> usize {
        self.end - self.start
    }

    fn fill_from(&mut self, mut from: &TcpStream) -> io::Result<usize> {
        (self.start, self.end) = (0, uninterrupted(|| from.read(&mut self.bytes))?);
        Ok(self.end)
    }

    fn drain_to(&mut self, mut to: &TcpStream) -> io::Result<usize> {
        let written = uninterrupted(|| to.write(&self.bytes[self.start..self.end]))?;
        self.start += written;
        Ok(written)
    }

    fn calls(&self) -> [&'static str; 2] {
        ["read", "write"]
    }
}

fn uninterrupted(mut call: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

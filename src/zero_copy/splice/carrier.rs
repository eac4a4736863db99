//! What a relay keeps its bytes in between two sockets: a pipe or a buffer. Example, bench and
//! tests run the same loop with each.

use super::Pipe;
use crate::harness::{size, unknown};
use std::io::{self, Read, Write};
use std::net::TcpStream;

/// Holds bytes between two sockets that do not block.
pub trait Carrier: Send {
    /// Bytes that it holds.
    fn held(&self) -> usize;

    /// Takes what `from` has to say, when it holds nothing. Returns how many bytes; 0 at the end of
    /// the stream.
    ///
    /// # Errors
    ///
    /// What the kernel reports; `WouldBlock` if there is nothing to read.
    fn take_from(&mut self, from: &TcpStream) -> io::Result<usize>;

    /// Gives what it holds to `to`, as much as there is room for. Returns how many bytes.
    ///
    /// # Errors
    ///
    /// What the kernel reports; `WouldBlock` if there is no room.
    fn give_to(&mut self, to: &TcpStream) -> io::Result<usize>;
}

impl Carrier for Pipe {
    fn held(&self) -> usize {
        self.held()
    }

    fn take_from(&mut self, from: &TcpStream) -> io::Result<usize> {
        self.fill(from, None, self.capacity())
    }

    fn give_to(&mut self, to: &TcpStream) -> io::Result<usize> {
        self.drain(to, false)
    }
}

/// A buffer in user space, and which of its bytes are still to be given.
pub struct Buffer {
    bytes: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Buffer {
    /// An empty buffer that holds `capacity` bytes.
    pub fn new(capacity: usize) -> Self {
        Self { bytes: vec![0; capacity].into(), start: 0, end: 0 }
    }
}

// ANCHOR: buffer
impl Carrier for Buffer {
    fn held(&self) -> usize {
        self.end - self.start
    }

    fn take_from(&mut self, mut from: &TcpStream) -> io::Result<usize> {
        (self.start, self.end) = (0, uninterrupted(|| from.read(&mut self.bytes))?);
        Ok(self.end)
    }

    fn give_to(&mut self, mut to: &TcpStream) -> io::Result<usize> {
        let given = uninterrupted(|| to.write(&self.bytes[self.start..self.end]))?;
        self.start += given;
        Ok(given)
    }
}
// ANCHOR_END: buffer

fn uninterrupted(mut call: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// The carriers that the chapter compares, in the order in which it meets them; the first has the
/// buffer of `std::io::copy`.
pub const NAMES: [&str; 5] =
    ["copy_8KiB", "copy_64KiB", "copy_1MiB", "splice_64KiB", "splice_1MiB"];

/// A carrier by its name: `copy_` or `splice_`, and a capacity.
///
/// # Errors
///
/// `InvalidInput` for any other name; what [`Pipe::with_capacity`] reports.
pub fn carrier(name: &str) -> io::Result<Box<dyn Carrier>> {
    let unknown = || unknown(name, &NAMES);
    let (kind, capacity) = name.split_once('_').ok_or_else(unknown)?;
    let capacity = size::parse(capacity).map_err(|_| unknown())?;
    match kind {
        "copy" => Ok(Box::new(Buffer::new(capacity))),
        "splice" => Ok(Box::new(Pipe::with_capacity(capacity)?)),
        _ => Err(unknown()),
    }
}

//! The relays that the chapter compares. Example, bench and tests run the same loop with each.

use super::Pipe;
use super::relay_buffer::{Buffer, RelayBuffer};
use crate::harness::{size, unknown};
use crate::sys::trying;
use std::io;
use std::net::TcpStream;

/// The buffer of one direction, in the kernel or in user space.
pub enum Variant {
    /// `read(2)` into a buffer and `write(2)` from it.
    Copy(Buffer),
    /// `splice(2)` into a pipe and out of it.
    Splice(Pipe),
}

impl Variant {
    /// The names, in the order in which the chapter meets them: the first has the buffer size of
    /// `std::io::copy`.
    pub const NAMES: [&str; 6] =
        ["copy_8KiB", "copy_64KiB", "copy_256KiB", "copy_1MiB", "splice_64KiB", "splice_1MiB"];

    /// Makes the variant called `name`: `copy_` or `splice_`, and a capacity.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for any other name; the errors of [`Pipe::with_capacity`].
    pub fn new(name: &str) -> io::Result<Self> {
        let unknown = || unknown(name, &Self::NAMES);
        let (kind, capacity) = name.split_once('_').ok_or_else(unknown)?;
        let capacity = size::parse(capacity).map_err(|_| unknown())?;
        match kind {
            "copy" => Ok(Self::Copy(Buffer::new(capacity))),
            "splice" => Ok(Self::Splice(pipe(capacity)?)),
            _ => Err(unknown()),
        }
    }
}

/// Makes a pipe that holds `capacity` bytes, or says that this machine grants none.
///
/// # Errors
///
/// As [`Pipe::with_capacity`]; the message names the capacity.
pub fn pipe(capacity: usize) -> io::Result<Pipe> {
    let pipe = Pipe::with_capacity(capacity);
    trying(format_args!("making a pipe of {}", size::format(capacity)), pipe)
}

impl RelayBuffer for Variant {
    fn held(&self) -> usize {
        match self {
            Self::Copy(buffer) => buffer.held(),
            Self::Splice(pipe) => pipe.held(),
        }
    }

    fn fill_from(&mut self, from: &TcpStream) -> io::Result<usize> {
        match self {
            Self::Copy(buffer) => buffer.fill_from(from),
            Self::Splice(pipe) => pipe.fill_from(from),
        }
    }

    fn drain_to(&mut self, to: &TcpStream) -> io::Result<usize> {
        match self {
            Self::Copy(buffer) => buffer.drain_to(to),
            Self::Splice(pipe) => pipe.drain_to(to),
        }
    }

    fn calls(&self) -> [&'static str; 2] {
        match self {
            Self::Copy(buffer) => buffer.calls(),
            Self::Splice(pipe) => pipe.calls(),
        }
    }
}

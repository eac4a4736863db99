//! The ways of copying that the chapter compares. Example, bench and tests run these.

use super::copy_file_range;
use crate::harness::unknown;
use crate::zero_copy::sendfile::sendfile;
use crate::zero_copy::splice::Pipe;
use std::fs::File;
use std::io::{self, Read, Seek, Write};

/// One way of a file's bytes into another file. What it can keep from one copy to the next, it
/// keeps.
pub enum Way {
    /// Reads into the buffer, writes from it.
    ReadWrite(Box<[u8]>),
    /// What the standard library makes of it.
    StdIoCopy,
    /// Through a pipe inside the kernel.
    Splice(Pipe),
    /// `sendfile(2)`, whose target need not be a socket.
    Sendfile,
    /// [`copy_file_range()`](super::copy_file_range()).
    CopyFileRange,
}

impl Way {
    /// Their names, in the order in which the chapter meets them.
    pub const NAMES: [&str; 7] = [
        "read_write_8KiB",
        "read_write_64KiB",
        "read_write_1MiB",
        "std_io_copy",
        "splice_1MiB",
        "sendfile",
        "copy_file_range",
    ];

    /// The one of that name.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for another name; what the kernel says about a pipe. A user whose pipes hold
    /// much already gets a smaller one than 1 MiB.
    pub fn new(name: &str) -> io::Result<Self> {
        let read_write = |kib: usize| Self::ReadWrite(vec![0; kib << 10].into());
        Ok(match name {
            "read_write_8KiB" => read_write(8),
            "read_write_64KiB" => read_write(64),
            "read_write_1MiB" => read_write(1024),
            "std_io_copy" => Self::StdIoCopy,
            "splice_1MiB" => Self::Splice(Pipe::up_to(1 << 20)?),
            "sendfile" => Self::Sendfile,
            "copy_file_range" => Self::CopyFileRange,
            _ => return Err(unknown(name, &Self::NAMES)),
        })
    }

    /// Copies the first `length` bytes of `from` over the first of `to`. Both descriptors stand at
    /// their beginning before; where they stand after it depends on the way.
    ///
    /// # Errors
    ///
    /// What the kernel reports; `UnexpectedEof` for a file that is shorter.
    // ANCHOR: ways
    pub fn copy(&mut self, mut from: &File, mut to: &File, length: u64) -> io::Result<()> {
        let mut at = 0;
        while at < length {
            let moved = match self {
                Self::ReadWrite(buffer) => {
                    let part = buffer.len().min((length - at) as usize);
                    let read = from.read(&mut buffer[..part])?;
                    to.write_all(&buffer[..read])?;
                    read
                }
                Self::StdIoCopy => io::copy(&mut from.take(length), &mut to)? as usize,
                Self::Splice(pipe) => splice(pipe, from, to, at, length)?,
                Self::Sendfile => sendfile(to, from, &mut at.clone(), (length - at) as usize)?,
                Self::CopyFileRange => copy_file_range(from, at, to, at, length - at)?,
            };
            if moved == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            at += moved as u64;
        }
        Ok(())
    }
    // ANCHOR_END: ways

    /// Puts both descriptors at their beginning.
    ///
    /// # Errors
    ///
    /// What `lseek(2)` reports.
    pub fn rewind(mut from: &File, mut to: &File) -> io::Result<()> {
        from.rewind()?;
        to.rewind()
    }
}

/// Fills the pipe once, and drains it.
fn splice(pipe: &mut Pipe, from: &File, to: &File, at: u64, length: u64) -> io::Result<usize> {
    let moved =
        pipe.fill(from, Some(&mut at.clone()), pipe.capacity().min((length - at) as usize))?;
    while pipe.held() > 0 {
        pipe.drain(to, false)?;
    }
    Ok(moved)
}

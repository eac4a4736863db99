//! The variants that the chapter compares: whole paths from a file to a socket, and halves of one.

use super::naive;
use crate::harness::unknown;
use crate::zero_copy::sendfile::variants::{Variant as Whole, parts};
use std::fs::File;
use std::io::{self, Write};
use std::net::TcpStream;
use std::ops::Range;
use std::os::unix::fs::FileExt;

/// The buffer of a read/write loop in bytes: one of the sizes that the chapter on
/// [`sendfile`](crate::zero_copy::sendfile) compares.
pub const BUFFER: usize = 64 << 10;

/// One path of a file's bytes to a blocking socket, or half of one.
pub enum Variant {
    /// [`naive::send_whole`].
    ReadWhole,
    /// The first half of a loop: reads into a buffer, and sends nothing.
    ReadOnly(Box<[u8]>),
    /// The second half: sends whatever the buffer holds.
    WriteOnly(Box<[u8]>),
    /// A whole path, from the chapter on `sendfile`.
    Whole(Whole),
}

impl Variant {
    /// The names, in the order in which the chapter meets them.
    pub const NAMES: [&str; 6] =
        ["read_whole", "read_write_64KiB", "read_only", "write_only", "mmap_write", "sendfile"];

    /// Makes the variant called `name`.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for any other name.
    pub fn new(name: &str) -> io::Result<Self> {
        let buffer = || vec![0; BUFFER].into();
        Ok(match name {
            "read_whole" => Self::ReadWhole,
            "read_only" => Self::ReadOnly(buffer()),
            "write_only" => Self::WriteOnly(buffer()),
            "read_write_64KiB" | "mmap_write" | "sendfile" => Self::Whole(Whole::new(name)?),
            _ => return Err(unknown(name, &Self::NAMES)),
        })
    }

    /// Returns the number of bytes that arrive at the other end for a file of `length` bytes.
    pub fn arrives(&self, length: u64) -> u64 {
        if matches!(self, Self::ReadOnly(_)) { 0 } else { length }
    }

    /// Returns `true` if the bytes that arrive are those of the file.
    pub fn is_whole(&self) -> bool {
        matches!(self, Self::ReadWhole | Self::Whole(_))
    }

    /// Takes the path once, for the bytes `range` of `file`; `ReadWhole` sends the whole file.
    ///
    /// # Errors
    ///
    /// The errors of the system calls; `UnexpectedEof` for a file that is shorter.
    pub fn run(&mut self, mut to: &TcpStream, file: &File, range: Range<u64>) -> io::Result<()> {
        // ANCHOR: halves
        match self {
            Self::ReadWhole => naive::send_whole(to, file),
            Self::ReadOnly(buffer) => {
                let mut parts = parts(buffer.len(), range);
                parts.try_for_each(|(at, n)| file.read_exact_at(&mut buffer[..n], at))
            }
            Self::WriteOnly(buffer) => {
                let mut parts = parts(buffer.len(), range);
                parts.try_for_each(|(_, n)| to.write_all(&buffer[..n]))
            }
            Self::Whole(whole) => whole.send(to, file, range),
        }
        // ANCHOR_END: halves
    }
}

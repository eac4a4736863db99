//! What each way of sending a file carries through user space, taken apart.
//!
//! [`Path`] is one way of a file's bytes to a socket, or half of one: a loop of `read` and `write`
//! copies every byte twice, and the halves show what each of the copies costs by itself. [`naive`]
//! is the version that everybody writes first.

#[cfg(target_os = "linux")]
pub mod naive;

#[cfg(target_os = "linux")]
use super::sendfile::senders::Sender;
#[cfg(target_os = "linux")]
use crate::harness::unknown;
#[cfg(target_os = "linux")]
use std::{
    fs::File,
    io::{self, Write},
    net::TcpStream,
    os::unix::fs::FileExt,
};

/// The buffer of a loop that reads and writes, in bytes: one of [those](crate::zero_copy::sendfile)
/// that the book compares.
pub const BUFFER: usize = 64 << 10;

/// One way of a file's bytes to a blocking socket, or half of one.
#[cfg(target_os = "linux")]
pub enum Path {
    /// [`naive::send_whole`].
    ReadWhole,
    /// The first half of a loop: what it reads into the buffer goes nowhere.
    ReadOnly(Box<[u8]>),
    /// The second half: what it writes is whatever the buffer holds.
    WriteOnly(Box<[u8]>),
    /// A whole way, as the chapter on `sendfile` has it.
    Whole(Sender),
}

#[cfg(target_os = "linux")]
impl Path {
    /// Their names, in the order in which the chapter meets them.
    pub const NAMES: [&str; 6] =
        ["read_whole", "read_write_64KiB", "read_only", "write_only", "mmap_write", "sendfile"];

    /// The one of that name.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for another name.
    pub fn new(name: &str) -> io::Result<Self> {
        let buffer = || vec![0; BUFFER].into();
        Ok(match name {
            "read_whole" => Self::ReadWhole,
            "read_only" => Self::ReadOnly(buffer()),
            "write_only" => Self::WriteOnly(buffer()),
            "read_write_64KiB" | "mmap_write" | "sendfile" => Self::Whole(Sender::new(name)?),
            _ => return Err(unknown(name, &Self::NAMES)),
        })
    }

    /// How many bytes arrive at the other end for a file of `length` bytes: none of what is read
    /// only.
    pub fn arrives(&self, length: u64) -> u64 {
        if matches!(self, Self::ReadOnly(_)) { 0 } else { length }
    }

    /// Goes the way once, for the first `length` bytes of `file`; `ReadWhole` sends all of it.
    ///
    /// # Errors
    ///
    /// What the kernel reports; `UnexpectedEof` for a file that is shorter.
    // ANCHOR: halves
    pub fn go(&mut self, mut socket: &TcpStream, file: &File, length: u64) -> io::Result<()> {
        match self {
            Self::ReadWhole => naive::send_whole(socket, file),
            Self::ReadOnly(buffer) => parts(buffer.len(), length)
                .try_for_each(|(at, part)| file.read_exact_at(&mut buffer[..part], at)),
            Self::WriteOnly(buffer) => parts(buffer.len(), length)
                .try_for_each(|(_, part)| socket.write_all(&buffer[..part])),
            Self::Whole(sender) => sender.send(socket, file, length),
        }
    }
    // ANCHOR_END: halves
}

/// Where each part begins and how long it is, when `length` bytes go through a buffer of `size`.
#[cfg(target_os = "linux")]
fn parts(size: usize, length: u64) -> impl Iterator<Item = (u64, usize)> {
    (0..length).step_by(size).map(move |at| (at, size.min((length - at) as usize)))
}

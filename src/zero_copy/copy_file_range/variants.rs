//! The copies that the chapter compares: from open file to open file, and from path to path.

use super::range::copy_file_range;
use super::replacement::Durability;
use super::{copy, naive};
use crate::harness::unknown;
use crate::sys::trying;
use crate::zero_copy::sendfile::sendfile;
use crate::zero_copy::splice::Pipe;
use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::path::Path;

/// A copy from path to path.
pub type PathCopy = fn(&Path, &Path) -> io::Result<()>;

/// The copies from path to path, by name.
pub const PATH_COPIES: [(&str, PathCopy); 4] = [
    ("naive", |from, to| onto(to, "copy_file_range", naive::copy(from, to))),
    ("std_fs_copy", |from, to| onto(to, "std::fs::copy", fs::copy(from, to).map(drop))),
    ("copy", |from, to| whole(from, to, Durability::Cached)),
    ("copy_on_disk", |from, to| whole(from, to, Durability::OnDisk)),
];

fn onto(to: &Path, call: &str, result: io::Result<()>) -> io::Result<()> {
    trying(format_args!("{call} to {}", to.display()), result)
}

fn whole(from: &Path, to: &Path, durability: Durability) -> io::Result<()> {
    let copied = copy(from, to, durability).map(drop).map_err(io::Error::from);
    trying(to.display(), copied)
}

/// Returns the copy called `name`.
///
/// # Errors
///
/// `InvalidInput` for a name that is not in [`PATH_COPIES`].
pub fn path_copy(name: &str) -> io::Result<PathCopy> {
    let known = || PATH_COPIES.map(|(name, _)| name);
    let found = PATH_COPIES.into_iter().find(|(known, _)| *known == name);
    found.map(|(_, copy)| copy).ok_or_else(|| unknown(name, &known()))
}

/// A copy from open file to open file, with what it keeps from one copy to the next.
pub enum Variant {
    /// Reads into the buffer, and writes from it.
    ReadWrite(Box<[u8]>),
    /// Calls `std::io::copy`.
    StdIoCopy,
    /// Splices through a pipe.
    Splice(Pipe),
    /// Calls `sendfile(2)`, whose target need not be a socket.
    Sendfile,
    /// Calls [`copy_file_range()`].
    CopyFileRange,
}

impl Variant {
    /// The names, in the order in which the chapter meets them.
    pub const NAMES: [&str; 7] = [
        "read_write_8KiB",
        "read_write_64KiB",
        "read_write_1MiB",
        "std_io_copy",
        "splice_1MiB",
        "sendfile",
        "copy_file_range",
    ];

    /// Makes the variant called `name`.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for another name; the errors of making a pipe. A user whose pipes already
    /// hold a lot gets a smaller one than 1 MiB.
    pub fn new(name: &str) -> io::Result<Self> {
        let read_write = |kib: usize| Self::ReadWrite(vec![0; kib << 10].into());
        Ok(match name {
            "read_write_8KiB" => read_write(8),
            "read_write_64KiB" => read_write(64),
            "read_write_1MiB" => read_write(1024),
            "std_io_copy" => Self::StdIoCopy,
            "splice_1MiB" => Self::Splice(trying("making a pipe", Pipe::up_to(1 << 20))?),
            "sendfile" => Self::Sendfile,
            "copy_file_range" => Self::CopyFileRange,
            _ => return Err(unknown(name, &Self::NAMES)),
        })
    }

    /// Copies the first `length` bytes of `from` over the first `length` bytes of `to`. Both
    /// descriptors must be at position 0; where they are afterward depends on the variant.
    ///
    /// # Errors
    ///
    /// The kernel's, with the name of the call; `UnexpectedEof` for a file that is shorter.
    pub fn copy(&mut self, from: &File, to: &File, length: u64) -> io::Result<()> {
        self.copy_part(from, 0, to, length)
    }

    /// Copies `length` bytes of `from` from `start` on, where its descriptor must be, over the
    /// first ones of `to`.
    ///
    /// # Errors
    ///
    /// As [`copy`](Self::copy).
    pub fn copy_part(&mut self, from: &File, start: u64, to: &File, length: u64) -> io::Result<()> {
        let mut at = 0;
        while at < length {
            let moved = trying(self.calls(), self.copy_some((from, start), to, at, length))?;
            if moved == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            at += moved as u64;
        }
        Ok(())
    }

    fn copy_some(
        &mut self,
        (mut from, start): (&File, u64),
        mut to: &File,
        at: u64,
        length: u64,
    ) -> io::Result<usize> {
        let mut place = start + at;
        match self {
            Self::ReadWrite(buffer) => {
                let part = buffer.len().min((length - at) as usize);
                let read = from.read(&mut buffer[..part])?;
                to.write_all(&buffer[..read]).map(|()| read)
            }
            Self::StdIoCopy => io::copy(&mut from.take(length), &mut to).map(|all| all as usize),
            Self::Splice(pipe) => splice(pipe, from, place, to, length - at),
            Self::Sendfile => sendfile(to, from, &mut place, (length - at) as usize),
            Self::CopyFileRange => copy_file_range(from, place, to, at, length - at),
        }
    }

    /// Returns the names of its calls, for errors.
    fn calls(&self) -> &'static str {
        match self {
            Self::ReadWrite(_) => "read and write",
            Self::StdIoCopy => "std::io::copy",
            Self::Splice(_) => "splice",
            Self::Sendfile => "sendfile",
            Self::CopyFileRange => "copy_file_range",
        }
    }

    /// Moves both descriptors to position 0.
    ///
    /// # Errors
    ///
    /// The errors of `lseek(2)`.
    pub fn rewind(mut from: &File, mut to: &File) -> io::Result<()> {
        from.rewind()?;
        to.rewind()
    }
}

/// Fills the pipe once, and drains it.
fn splice(pipe: &mut Pipe, from: &File, mut at: u64, to: &File, length: u64) -> io::Result<usize> {
    let count = pipe.capacity().min(length as usize);
    let moved = pipe.fill(from, Some(&mut at), count)?;
    while pipe.held() > 0 {
        pipe.drain(to, false)?;
    }
    Ok(moved)
}

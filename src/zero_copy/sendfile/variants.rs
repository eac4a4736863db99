//! The variants of sending a file that the chapter compares. Example, bench and tests run these.

use super::send_range_with;
use crate::harness::unknown;
use crate::sys::socket::{send, send_raw};
use crate::zero_copy::mmap::Map;
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::net::TcpStream;
use std::ops::Range;
use std::os::unix::fs::FileExt;

/// One way to send bytes of a file over a blocking socket. A buffer is kept from one transfer to
/// the next.
pub enum Variant {
    /// Reads into a buffer and writes from it.
    ReadWrite(Box<[u8]>),
    /// Does the same on a socket with Nagle's algorithm.
    Nagle(Box<[u8]>),
    /// Does the same, and announces by `MSG_MORE` that each piece but the last will be followed by
    /// another one.
    More(Box<[u8]>),
    /// Calls [`std::io::copy`].
    StdIoCopy,
    /// Calls [`send_range_with`], on a socket that blocks.
    Sendfile,
    /// Maps the file and writes from the map. Sends from the beginning of the file only.
    MmapWrite,
}

impl Variant {
    /// The names, in the order in which the chapter meets them.
    pub const NAMES: [&str; 9] = [
        "read_write_8KiB",
        "read_write_8KiB_nagle",
        "read_write_8KiB_more",
        "read_write_64KiB",
        "read_write_256KiB",
        "read_write_1MiB",
        "std_io_copy",
        "mmap_write",
        "sendfile",
    ];

    /// Makes the variant called `name`.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for any other name.
    pub fn new(name: &str) -> io::Result<Self> {
        let read_write = |kib: usize| Self::ReadWrite(vec![0; kib << 10].into());
        Ok(match name {
            "read_write_8KiB" => read_write(8),
            "read_write_8KiB_nagle" => Self::Nagle(vec![0; 8 << 10].into()),
            "read_write_8KiB_more" => Self::More(vec![0; 8 << 10].into()),
            "read_write_64KiB" => read_write(64),
            "read_write_256KiB" => read_write(256),
            "read_write_1MiB" => read_write(1024),
            "std_io_copy" => Self::StdIoCopy,
            "mmap_write" => Self::MmapWrite,
            "sendfile" => Self::Sendfile,
            _ => return Err(unknown(name, &Self::NAMES)),
        })
    }

    /// Sets `TCP_NODELAY` on `socket`, as servers do, or clears it for the variant that is about
    /// Nagle's algorithm. Call this before the variant's first transfer over a connection.
    ///
    /// # Errors
    ///
    /// The errors of `setsockopt(2)`.
    pub fn prepare(&self, socket: &TcpStream) -> io::Result<()> {
        socket.set_nodelay(!matches!(self, Self::Nagle(_)))
    }

    /// Sends the bytes `range` of `file`.
    ///
    /// # Errors
    ///
    /// The errors of the system calls; `UnexpectedEof` for a file that is shorter, `EFAULT` if it
    /// is sent from a map. `InvalidInput` for a map of a range that does not begin at 0.
    pub fn send(
        &mut self,
        mut socket: &TcpStream,
        file: &File,
        range: Range<u64>,
    ) -> io::Result<()> {
        let length = range.end - range.start;
        match self {
            Self::ReadWrite(buffer) | Self::Nagle(buffer) => {
                let mut parts = parts(buffer.len(), range);
                parts.try_for_each(|(at, part)| {
                    file.read_exact_at(&mut buffer[..part], at)?;
                    socket.write_all(&buffer[..part])
                })
            }
            Self::More(buffer) => {
                let end = range.end;
                let mut parts = parts(buffer.len(), range);
                parts.try_for_each(|(at, part)| {
                    file.read_exact_at(&mut buffer[..part], at)?;
                    let more = if at + (part as u64) < end { libc::MSG_MORE } else { 0 };
                    all(part, |sent| send(socket, &buffer[sent..part], more))
                })
            }
            Self::StdIoCopy => {
                let mut file = file;
                file.seek(SeekFrom::Start(range.start))?;
                let sent = io::copy(&mut io::Read::take(file, length), &mut socket)?;
                if sent == length { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
            }
            Self::MmapWrite => {
                if range.start != 0 {
                    return Err(io::ErrorKind::InvalidInput.into());
                }
                let map = Map::new(file, length as usize)?;
                // Other processes may modify the file meanwhile, so this is no `&[u8]`.
                let bytes = map.bytes();
                all(bytes.len(), |sent| {
                    let rest = &bytes[sent..];
                    // SAFETY: `rest` is a part of the map, which lives until the end of the block.
                    unsafe { send_raw(socket, rest.as_ptr().cast(), rest.len(), 0) }
                })
            }
            Self::Sendfile => {
                Ok(send_range_with(socket, file, range, || Err(io::ErrorKind::WouldBlock.into()))?)
            }
        }
    }
}

/// Splits `range` into parts of up to `size` bytes, and returns the place and length of each.
pub(crate) fn parts(size: usize, range: Range<u64>) -> impl Iterator<Item = (u64, usize)> {
    let end = range.end;
    range.step_by(size).map(move |at| (at, size.min((end - at) as usize)))
}

/// Calls `send` with the number of bytes sent so far, until all `length` bytes have been sent.
fn all(length: usize, mut send: impl FnMut(usize) -> io::Result<usize>) -> io::Result<()> {
    let mut sent = 0;
    while sent < length {
        match send(sent) {
            Ok(count) => sent += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

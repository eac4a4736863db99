//! The variants of sending a file that the chapter compares. Example, bench and tests run these.

use super::send_range_with;
use crate::harness::unknown;
use crate::zero_copy::mmap::Map;
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::net::TcpStream;
use std::os::unix::fs::FileExt;

/// One way to send the first bytes of a file over a blocking socket. A buffer is kept from one
/// transfer to the next.
pub enum Variant {
    /// Reads into a buffer and writes from it.
    ReadWrite(Box<[u8]>),
    /// Calls [`std::io::copy`].
    StdIoCopy,
    /// Calls [`send_range_with`], on a socket that blocks.
    Sendfile,
    /// Maps the file and writes from the map.
    MmapWrite,
}

impl Variant {
    /// The names, in the order in which the chapter meets them.
    pub const NAMES: [&str; 7] = [
        "read_write_8KiB",
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
            "read_write_64KiB" => read_write(64),
            "read_write_256KiB" => read_write(256),
            "read_write_1MiB" => read_write(1024),
            "std_io_copy" => Self::StdIoCopy,
            "mmap_write" => Self::MmapWrite,
            "sendfile" => Self::Sendfile,
            _ => return Err(unknown(name, &Self::NAMES)),
        })
    }

    /// Sends the first `length` bytes of `file`.
    ///
    /// # Errors
    ///
    /// The errors of the system calls; `UnexpectedEof` for a file that is shorter, `EFAULT` if it
    /// is sent from a map.
    pub fn send(&mut self, mut socket: &TcpStream, file: &File, length: u64) -> io::Result<()> {
        match self {
            Self::ReadWrite(buffer) => {
                let mut at = 0;
                while at < length {
                    let part = buffer.len().min((length - at) as usize);
                    file.read_exact_at(&mut buffer[..part], at)?;
                    socket.write_all(&buffer[..part])?;
                    at += part as u64;
                }
                Ok(())
            }
            Self::StdIoCopy => {
                let mut file = file;
                file.seek(SeekFrom::Start(0))?;
                let sent = io::copy(&mut io::Read::take(file, length), &mut socket)?;
                if sent == length { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
            }
            Self::MmapWrite => {
                let map = Map::new(file, length as usize)?;
                // SAFETY: only a system call reads the slice. If the file changes meanwhile, the
                // peer gets a mix of old and new, and nothing else happens.
                socket.write_all(unsafe { map.as_slice() })
            }
            Self::Sendfile => Ok(send_range_with(socket, file, 0..length, || {
                Err(io::ErrorKind::WouldBlock.into())
            })?),
        }
    }
}

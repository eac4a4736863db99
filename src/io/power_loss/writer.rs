//! Ways to write a block so that it is in the page cache, or on the disk.

use crate::io::async_io::Buffer;
use crate::sys::trying;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

/// The length of the file that is written to, again and again from its start.
const SPAN: usize = 16 << 20;

/// A file, and one way of writing to it.
pub struct Writer {
    file: File,
    block: Buffer,
    way: Way,
    offset: usize,
}

/// A way of writing a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// `write`, and nothing else.
    Write,
    /// `write` and `fdatasync`, over bytes that are there.
    Fdatasync,
    /// `write` and `fsync`, over bytes that are there.
    Fsync,
    /// `write` to a file opened with `O_DSYNC`, over bytes that are there.
    Dsync,
    /// `write` to a file opened with `O_DIRECT` and `O_DSYNC`, over bytes that are there.
    DirectDsync,
    /// `write` and `fdatasync`, at the end of a file that grows.
    Append,
    /// `write` and `fdatasync`, into blocks that `fallocate` has reserved and that were never
    /// written.
    Allocated,
}

impl Writer {
    /// The names of the ways.
    pub const NAMES: [&str; 7] = [
        "write",
        "fdatasync",
        "fsync",
        "o_dsync",
        "o_direct_dsync",
        "append_fdatasync",
        "allocated_fdatasync",
    ];

    /// Makes a file in `folder` for the way `name`, with blocks of `size` bytes.
    ///
    /// # Errors
    ///
    /// The errors of the calls; if the file system has no direct I/O; if there is no such way.
    ///
    /// # Panics
    ///
    /// If `size` is zero or does not divide 16 MiB.
    pub fn new(folder: &Path, name: &str, size: usize) -> io::Result<Self> {
        assert!(size > 0 && SPAN.is_multiple_of(size), "{size} does not divide {SPAN}");
        let (way, flags) = match name {
            "write" => (Way::Write, 0),
            "fdatasync" => (Way::Fdatasync, 0),
            "fsync" => (Way::Fsync, 0),
            "o_dsync" => (Way::Dsync, libc::O_DSYNC),
            "o_direct_dsync" => (Way::DirectDsync, libc::O_DSYNC | libc::O_DIRECT),
            "append_fdatasync" => (Way::Append, 0),
            "allocated_fdatasync" => (Way::Allocated, 0),
            _ => return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("no way {name}"))),
        };
        let path = folder.join(format!("{name}-{size}"));
        trying(format_args!("making {}", path.display()), prepare(&path, way))?;
        let opened = OpenOptions::new().write(true).custom_flags(flags).open(&path);
        let file = trying(format_args!("opening {} for {name}", path.display()), opened)?;
        let mut block = Buffer::aligned(size, 4096)?; // for direct I/O
        block.fill(1);
        Ok(Self { file, block, way, offset: 0 })
    }

    /// Writes the next block, and waits until it is durable, except for the way `write`.
    ///
    /// # Errors
    ///
    /// The errors of the calls; `WriteZero` after a short write.
    pub fn write(&mut self) -> io::Result<()> {
        if self.offset == SPAN {
            self.offset = 0;
            self.start_over()?;
        }
        self.file.write_all_at(&self.block, self.offset as u64)?;
        self.offset += self.block.len();
        match self.way {
            Way::Write | Way::Dsync | Way::DirectDsync => Ok(()),
            Way::Fdatasync | Way::Append | Way::Allocated => self.file.sync_data(),
            Way::Fsync => self.file.sync_all(),
        }
    }

    /// Gives the file its first state again, where writing has changed it.
    fn start_over(&mut self) -> io::Result<()> {
        if matches!(self.way, Way::Append | Way::Allocated) {
            self.file.set_len(0)?;
            if self.way == Way::Allocated {
                allocate(&self.file)?;
            }
            self.file.sync_all()?;
        }
        Ok(())
    }
}

/// Makes a file that is written and synced, allocated and synced, or empty.
fn prepare(path: &Path, way: Way) -> io::Result<()> {
    let file = File::create(path)?;
    match way {
        Way::Append => {}
        Way::Allocated => allocate(&file)?,
        _ => file.write_all_at(&vec![0; SPAN], 0)?,
    }
    file.sync_all()
}

fn allocate(file: &File) -> io::Result<()> {
    use std::os::fd::AsRawFd as _;
    // SAFETY: the descriptor is open as long as `file` lives; the others are integers.
    let result = unsafe { libc::fallocate(file.as_raw_fd(), 0, 0, SPAN as libc::off_t) };
    trying("fallocate", crate::sys::cvt(result).map(drop))
}

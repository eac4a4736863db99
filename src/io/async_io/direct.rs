//! Direct I/O: reads and writes that bypass the page cache, and the alignment that they need.

use super::buffer::Buffer;
use super::file::SharedFile;
use crate::sys::{cvt, trying, unsupported};
use std::fs::{File, OpenOptions};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The alignment that the kernel asks of direct I/O on one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alignment {
    /// Of the address of the buffer, in bytes.
    pub memory: usize,
    /// Of positions and lengths, in bytes.
    pub position: usize,
}

impl Alignment {
    // ANCHOR: alignment
    /// Asks for the alignment of `file`: file systems differ, and so do their files.
    ///
    /// # Errors
    ///
    /// `Unsupported` if the kernel (before Linux 6.1) or the file system does not say, or
    /// says that this file has no direct I/O; the errors of `statx(2)`.
    pub fn of(file: &File) -> io::Result<Self> {
        let (fd, mask) = (file.as_raw_fd(), libc::STATX_DIOALIGN);
        let (path, flags) = (c"".as_ptr(), libc::AT_EMPTY_PATH);
        let mut found = MaybeUninit::<libc::statx>::zeroed();
        // SAFETY: a C string, and memory for one `statx`.
        let result = unsafe { libc::statx(fd, path, flags, mask, found.as_mut_ptr()) };
        trying("statx", cvt(result))?;
        // SAFETY: all-zero bytes are a valid `statx`, and the kernel has filled in some.
        let found = unsafe { found.assume_init() };
        let (memory, position) = (found.stx_dio_mem_align, found.stx_dio_offset_align);
        match (found.stx_mask & mask, memory, position) {
            (0, ..) => Err(unsupported("the file system names no alignment")),
            (_, 0, _) | (_, _, 0) => Err(unsupported("this file has no direct I/O")),
            _ => Ok(Self { memory: memory as usize, position: position as usize }),
        }
    }
    // ANCHOR_END: alignment

    /// Allocates a buffer for direct I/O of `length` bytes, rounded up to what the file needs.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if there can be no such buffer.
    pub fn buffer(self, length: usize) -> io::Result<Buffer> {
        let rounded = length.checked_next_multiple_of(self.position).unwrap_or(0);
        Buffer::aligned(rounded, self.memory)
    }
}

/// Opens the file at `path` for direct I/O (`O_DIRECT`), with `options` for the rest, and returns
/// it with its alignment.
///
/// That the flag is accepted says nothing: a tmpfs takes it, and reads from memory all the same.
/// So a file that names no alignment is refused.
///
/// # Errors
///
/// The errors of `open(2)`, usually `EINVAL` where there is no direct I/O; those of
/// [`Alignment::of`].
pub fn open(path: &Path, options: &mut OpenOptions) -> io::Result<(SharedFile, Alignment)> {
    let what = || format!("direct I/O on {}", path.display());
    let file = trying(what(), options.custom_flags(libc::O_DIRECT).open(path))?;
    let alignment = trying(what(), Alignment::of(&file))?;
    Ok((file.into(), alignment))
}

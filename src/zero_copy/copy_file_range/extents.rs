//! The extents of a file that hold data: `lseek(2)` with `SEEK_DATA` and `SEEK_HOLE`.

use crate::sys::cvt;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;

/// Iterates over the extents of a file that hold data, in order. Between them and after the last
/// one are holes, which read as zeros.
///
/// A file system that does not know its holes gives the whole file as one extent. Moves the
/// descriptor's position.
pub struct DataExtents<'a> {
    file: &'a File,
    at: u64,
    end: u64,
}

impl<'a> DataExtents<'a> {
    /// Iterates over the first `length` bytes of `file`.
    pub fn of(file: &'a File, length: u64) -> Self {
        Self { file, at: 0, end: length }
    }

    /// Finds the next extent with two calls of `lseek(2)`. Returns `None` at the end, even if the
    /// file has been truncated meanwhile.
    fn extent(&mut self) -> io::Result<Option<Range<u64>>> {
        let start = self.seek(self.at, libc::SEEK_DATA)?.filter(|start| *start < self.end);
        let Some(start) = start else { return Ok(None) };
        // Every file has a hole after its last byte.
        let Some(end) = self.seek(start, libc::SEEK_HOLE)? else { return Ok(None) };
        self.at = end.min(self.end);
        Ok(Some(start..self.at))
    }

    fn seek(&self, from: u64, whence: libc::c_int) -> io::Result<Option<u64>> {
        let offset = libc::off64_t::try_from(from)
            .map_err(|_| io::Error::from_raw_os_error(libc::EOVERFLOW))?;
        // SAFETY: the descriptor is open while it is borrowed.
        let found = unsafe { libc::lseek64(self.file.as_raw_fd(), offset, whence) };
        match u64::try_from(found).map_err(|_| io::Error::last_os_error()) {
            Ok(at) => Ok(Some(at)),
            Err(error) if error.raw_os_error() == Some(libc::ENXIO) => Ok(None), // no more data
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
                Ok(Some(if whence == libc::SEEK_DATA { from } else { self.end }))
            }
            Err(error) => Err(error),
        }
    }
}

impl Iterator for DataExtents<'_> {
    type Item = io::Result<Range<u64>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at < self.end { self.extent().transpose() } else { None }
    }
}

/// Returns the size of the blocks that the file system has allocated to a file, in bytes. A file
/// with holes has less than its length.
///
/// # Errors
///
/// The errors of `fstat(2)`.
pub fn allocated(file: &File) -> io::Result<u64> {
    Ok(file.metadata()?.blocks() * 512) // in units of 512 bytes on every file system
}

/// Extends an empty file by a hole of `length` bytes.
pub(super) fn extend(file: &File, length: u64) -> io::Result<()> {
    loop {
        // SAFETY: the descriptor is open while it is borrowed.
        match cvt(unsafe { libc::ftruncate64(file.as_raw_fd(), length as libc::off64_t) }) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result.map(drop),
        }
    }
}

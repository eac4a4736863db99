//! Where a file has data, and where it has holes.

use crate::sys::cvt;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::AsRawFd;

/// The parts of a file that hold data, in order. What lies between them, and behind the last, are
/// holes, which read as zeros.
///
/// A file system that does not know its holes gives the whole file as one part. Moves the
/// descriptor's position.
pub struct Data<'a> {
    file: &'a File,
    at: u64,
    end: u64,
}

impl<'a> Data<'a> {
    /// Of the first `length` bytes of `file`.
    pub fn of(file: &'a File, length: u64) -> Self {
        Self { file, at: 0, end: length }
    }

    // ANCHOR: next
    /// The next part, by two calls of `lseek(2)`. `None` also where the file has been cut
    /// meanwhile.
    fn part(&mut self) -> io::Result<Option<Range<u64>>> {
        let Some(start) = self.seek(self.at, libc::SEEK_DATA)?.filter(|start| *start < self.end)
        else {
            return Ok(None);
        };
        // Behind the last byte of every file there is a hole.
        let Some(end) = self.seek(start, libc::SEEK_HOLE)? else { return Ok(None) };
        self.at = end.min(self.end);
        Ok(Some(start..self.at))
    }

    fn seek(&self, from: u64, what: libc::c_int) -> io::Result<Option<u64>> {
        let from = libc::off64_t::try_from(from)
            .map_err(|_| io::Error::from_raw_os_error(libc::EOVERFLOW))?;
        // SAFETY: the descriptor is open while it is borrowed.
        let found = unsafe { libc::lseek64(self.file.as_raw_fd(), from, what) };
        match u64::try_from(found).map_err(|_| io::Error::last_os_error()) {
            Ok(at) => Ok(Some(at)),
            Err(error) if error.raw_os_error() == Some(libc::ENXIO) => Ok(None), // no data from there on
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
                Ok(Some(if what == libc::SEEK_DATA { from as u64 } else { self.end }))
            }
            Err(error) => Err(error),
        }
    }
    // ANCHOR_END: next
}

impl Iterator for Data<'_> {
    type Item = io::Result<Range<u64>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at < self.end { self.part().transpose() } else { None }
    }
}

/// Blocks that the file system has given to a file, in bytes. Fewer than its length: it has holes.
///
/// # Errors
///
/// What `fstat(2)` reports.
pub fn allocated(file: &File) -> io::Result<u64> {
    use std::os::unix::fs::MetadataExt;
    Ok(file.metadata()?.blocks() * 512) // in units of 512 bytes, whatever the file system's block is
}

/// Writes nothing: `length` bytes of hole at the end of an empty file.
pub(super) fn extend(file: &File, length: u64) -> io::Result<()> {
    loop {
        // SAFETY: the descriptor is open while it is borrowed.
        match cvt(unsafe { libc::ftruncate64(file.as_raw_fd(), length as libc::off64_t) }) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result.map(drop),
        }
    }
}

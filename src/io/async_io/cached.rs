//! Reads that take what the page cache has, and wait for nothing else.

use crate::sys::moved;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

// ANCHOR: cached
/// Reads from `file` at position `at` into `buffer` without waiting for a disk, and
/// returns the number of bytes: fewer than `buffer` has if the cache holds only the first
/// of them, and `None` if it does not hold the first (`preadv2(2)` with `RWF_NOWAIT`).
/// The kernel then begins to read it, and finds it after all if the disk answers at once.
///
/// # Errors
///
/// `EOPNOTSUPP` from a file system that cannot promise it; the errors of `pread(2)`.
pub fn read_cached(file: &File, buffer: &mut [u8], at: u64) -> io::Result<Option<usize>> {
    let (iov_base, iov_len) = (buffer.as_mut_ptr().cast(), buffer.len());
    let part = libc::iovec { iov_base, iov_len };
    let (fd, flags) = (file.as_raw_fd(), libc::RWF_NOWAIT);
    loop {
        // SAFETY: `part` describes `buffer`, and both are live until the end.
        let count = unsafe { libc::preadv2(fd, &raw const part, 1, at as i64, flags) };
        match moved(count) {
            Ok(count) => return Ok(Some(count)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
// ANCHOR_END: cached

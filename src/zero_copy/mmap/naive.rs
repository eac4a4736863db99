//! The version that everyone writes first. `tests/mmap.rs` pins its faults:
//!
//! - it fails for an empty file and a directory, and opening a pipe blocks until a writer opens it;
//! - what it returns is not really a `&[u8]`: writing to the file changes bytes that the reference
//!   promises do not change, and a `str` whose UTF-8 has already been checked;
//! - truncating the file kills the process;
//! - on an error, the file stays mapped.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::{ptr, slice};

// ANCHOR: map_file
/// Returns the content of a file, without a copy.
///
/// # Errors
///
/// The errors of `open(2)`, `statx(2)` and `mmap(2)`.
pub fn map_file<'a>(path: &Path) -> io::Result<&'a [u8]> {
    let file = File::open(path)?;
    let length = file.metadata()?.len() as usize;
    let (protection, flags, fd) = (libc::PROT_READ, libc::MAP_SHARED, file.as_raw_fd());
    // SAFETY: a new mapping of an open descriptor, at an address that the kernel chooses.
    let start = unsafe { libc::mmap(ptr::null_mut(), length, protection, flags, fd, 0) };
    if start == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: claimed here, and guaranteed by nothing.
    Ok(unsafe { slice::from_raw_parts(start.cast(), length) })
}
// ANCHOR_END: map_file

// ANCHOR: count_lines
/// Counts the lines of a text.
///
/// # Errors
///
/// The errors of [`map_file`], and the error of a file that is not UTF-8.
pub fn count_lines(path: &Path) -> io::Result<usize> {
    let bytes = map_file(path)?;
    let lines = str::from_utf8(bytes).map_err(io::Error::other)?.lines().count();
    // SAFETY: what was mapped above; the slice is not used again.
    unsafe { libc::munmap(bytes.as_ptr().cast_mut().cast(), bytes.len()) };
    Ok(lines)
}
// ANCHOR_END: count_lines

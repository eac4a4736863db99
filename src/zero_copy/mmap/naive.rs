//! The version that everybody writes first. Its faults are pinned by `tests/mmap.rs`:
//!
//! - there is no map of an empty file, nor of a directory, and opening a pipe waits until somebody writes;
//! - what it returns is no `&[u8]`: whoever changes the file changes the bytes behind a reference that says they don't, and
//!   behind a `str` whose UTF-8 was checked before;
//! - whoever makes the file shorter kills the process;
//! - on the way out with an error, nobody unmaps.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::{ptr, slice};

// ANCHOR: map_file
/// The content of a file, without a copy.
///
/// # Errors
///
/// What the kernel reports.
pub fn map_file<'a>(path: &Path) -> io::Result<&'a [u8]> {
    let file = File::open(path)?;
    let length = file.metadata()?.len() as usize;
    // SAFETY: a new mapping at an address that the kernel chooses, of a descriptor that is open.
    let start = unsafe {
        libc::mmap(ptr::null_mut(), length, libc::PROT_READ, libc::MAP_SHARED, file.as_raw_fd(), 0)
    };
    if start == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: claimed, and kept by nobody.
    Ok(unsafe { slice::from_raw_parts(start.cast(), length) })
}
// ANCHOR_END: map_file

// ANCHOR: count_lines
/// How many lines a text has.
///
/// # Errors
///
/// What the kernel reports, and what is no UTF-8.
pub fn count_lines(path: &Path) -> io::Result<usize> {
    let bytes = map_file(path)?;
    let lines = str::from_utf8(bytes).map_err(io::Error::other)?.lines().count();
    // SAFETY: what was mapped above; the slice is not used again.
    unsafe { libc::munmap(bytes.as_ptr().cast_mut().cast(), bytes.len()) };
    Ok(lines)
}
// ANCHOR_END: count_lines

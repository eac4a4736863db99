//! The version that everybody writes first. Its faults are pinned by `tests/copy_file_range.rs`:
//!
//! - `create` empties what is there before anything is copied, the source itself among it;
//! - one call copies what it likes, at most [`MAX_PER_CALL`](crate::zero_copy::sendfile::MAX_PER_CALL) bytes: a longer file, a full disk or a limit leaves a part, and `Ok`;
//! - what `/proc` holds is 0 bytes long, and is copied as that; a FIFO holds the program until somebody writes;
//! - holes become blocks of zeros;
//! - between two file systems it fails, with the target already emptied.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::ptr::null_mut;

/// Copies a file.
///
/// # Errors
///
/// What the kernel reports. A part that is missing is no error.
// ANCHOR: naive
pub fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let source = File::open(from)?;
    let target = File::create(to)?;
    let length = source.metadata()?.len() as usize;
    let (source, target) = (source.as_raw_fd(), target.as_raw_fd());
    // SAFETY: both descriptors are open; null offsets mean the descriptors' own positions.
    match unsafe { libc::copy_file_range(source, null_mut(), target, null_mut(), length, 0) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}
// ANCHOR_END: naive

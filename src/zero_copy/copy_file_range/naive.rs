//! The version that everybody writes first. Its faults are pinned by `tests/copy_file_range.rs`:
//!
//! - `create` empties the target before anything is copied, even if the target is the source;
//! - one call copies as much as the kernel likes, and at most
//!   [`MAX_PER_CALL`](crate::zero_copy::sendfile::MAX_PER_CALL) bytes: a longer file, a full disk
//!   or a limit leaves a part, and `Ok`;
//! - a file in `/proc` has a length of 0, and is copied as that; a FIFO blocks the program until
//!   a writer opens it;
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
/// The kernel's. A part that is missing is no error.
// ANCHOR: naive
pub fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let source = File::open(from)?;
    let target = File::create(to)?;
    let length = source.metadata()?.len() as usize;
    let (from, to) = (source.as_raw_fd(), target.as_raw_fd());
    // SAFETY: both descriptors are open; a null offset is the descriptor's own position.
    match unsafe { libc::copy_file_range(from, null_mut(), to, null_mut(), length, 0) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}
// ANCHOR_END: naive

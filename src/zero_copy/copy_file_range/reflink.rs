//! Sharing blocks between files: `ioctl_ficlone(2)`.

use super::refusal::refused;
use crate::sys::cvt;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

/// Makes `to` a clone of `from`: both then refer to the same blocks until one of them is written
/// to.
///
/// Returns `false` if this file system cannot, or not for these two files.
///
/// # Errors
///
/// The other errors of `ioctl_ficlone(2)`.
// ANCHOR: reflink
pub fn reflink(from: &File, to: &File) -> io::Result<bool> {
    let (from, to) = (from.as_raw_fd(), to.as_raw_fd());
    // SAFETY: both descriptors are open while they are borrowed.
    match cvt(unsafe { libc::ioctl(to, libc::FICLONE, from) }) {
        Ok(_) => Ok(true),
        // ENOTTY: the kernel does not know the request.
        Err(error) if error.raw_os_error() == Some(libc::ENOTTY) => Ok(false),
        Err(error) if refused(&error) => Ok(false),
        Err(error) => Err(error),
    }
}
// ANCHOR_END: reflink

//! The system call: `copy_file_range(2)`.

use crate::sys::moved;
use crate::zero_copy::sendfile::MAX_PER_CALL;
use std::io;
use std::os::fd::{AsFd, AsRawFd};

/// Copies up to `count` bytes of `from`, starting at `from_at`, to `to`, starting at `to_at`. Makes
/// one system call of at most [`MAX_PER_CALL`] bytes, and another for each signal that interrupts
/// it.
///
/// Returns the number of bytes copied, which may be fewer than asked for. 0 means that `from` ends
/// there, or that it is a file that does not know its size, as in `/proc` on kernels from 5.3 to
/// 5.18. The positions of both descriptors stay where they were.
///
/// # Errors
///
/// The errors of `copy_file_range(2)`, except `EINTR`. `CrossesDevices`: two file systems.
// ANCHOR: copy_file_range
pub fn copy_file_range(
    from: impl AsFd,
    from_at: u64,
    to: impl AsFd,
    to_at: u64,
    count: u64,
) -> io::Result<usize> {
    let (mut from_at, mut to_at) = (offset(from_at)?, offset(to_at)?);
    let (from, to) = (from.as_fd().as_raw_fd(), to.as_fd().as_raw_fd());
    let count = count.min(MAX_PER_CALL as u64) as usize;
    let (from_at, to_at) = (&raw mut from_at, &raw mut to_at);
    loop {
        // SAFETY: both descriptors are open while they are borrowed, and both offsets are
        // live and writable.
        let copied = unsafe { libc::copy_file_range(from, from_at, to, to_at, count, 0) };
        match moved(copied) {
            // Nothing was copied: ask again.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
// ANCHOR_END: copy_file_range

fn offset(at: u64) -> io::Result<libc::off64_t> {
    libc::off64_t::try_from(at).map_err(|_| io::Error::from_raw_os_error(libc::EOVERFLOW))
}

//! The errors that ask for another way to copy.

use std::io;

/// Returns `true` if the kernel says "not these two files" or "not here", so that another call may
/// work.
// ANCHOR: refused
pub(super) fn refused(error: &io::Error) -> bool {
    use libc::{EINVAL, ENOSYS, EOPNOTSUPP, EPERM, EXDEV};
    // EXDEV: two file systems. EINVAL, EOPNOTSUPP: not these files.
    // ENOSYS: an old kernel. EPERM: a sandbox.
    let codes = [EXDEV, EINVAL, EOPNOTSUPP, ENOSYS, EPERM];
    error.raw_os_error().is_some_and(|code| codes.contains(&code))
}
// ANCHOR_END: refused

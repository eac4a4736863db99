//! Working under a limit of the kernel's.

use super::cvt;
use std::io;

/// Does the work while files of this process may not grow beyond `bytes`: writing more fails with
/// `EFBIG`, after what there was room for. The signal that would end the process is ignored from
/// then on.
///
/// # Errors
///
/// What `getrlimit(2)` or `setrlimit(2)` reports.
pub fn file_size<T>(bytes: u64, work: impl FnOnce() -> T) -> io::Result<T> {
    let mut before = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: ignoring a signal runs no code of ours; `before` is a live, writable `rlimit`.
    cvt(unsafe {
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
        libc::getrlimit(libc::RLIMIT_FSIZE, &raw mut before)
    })?;
    let set = |limit: libc::rlimit| {
        // SAFETY: `limit` is a live `rlimit`, which the call reads.
        cvt(unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit) })
    };
    set(libc::rlimit { rlim_cur: bytes, ..before })?;
    let result = work();
    set(before).map(|_| result)
}

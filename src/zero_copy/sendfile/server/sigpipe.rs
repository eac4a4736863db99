//! The signal of a socket whose peer is gone.

use std::io;

/// Blocks `SIGPIPE` in this thread and in those that it starts: `sendfile` has no flag against it,
/// and a library does not know how its program treats the signal.
pub(crate) fn block_sigpipe() -> io::Result<()> {
    // SAFETY: all-zero bytes are a valid `sigset_t`, and it is live and writable.
    let failed = unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, libc::SIGPIPE);
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut())
    };
    if failed == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(failed)) }
}

//! Waiting for Ctrl-C.

use std::io;
use std::mem::MaybeUninit;

/// SIGINT and SIGTERM, held back so that a thread can wait for them.
pub struct Interrupt(libc::sigset_t);

impl Interrupt {
    /// Holds both signals back from the calling thread and from those that it starts from now on.
    ///
    /// # Errors
    ///
    /// What `pthread_sigmask(3)` reports.
    pub fn hold() -> io::Result<Self> {
        let mut set = MaybeUninit::uninit();
        // SAFETY: `sigemptyset` initialises the set before anything reads it; a null old set is
        // allowed.
        unsafe {
            libc::sigemptyset(set.as_mut_ptr());
            libc::sigaddset(set.as_mut_ptr(), libc::SIGINT);
            libc::sigaddset(set.as_mut_ptr(), libc::SIGTERM);
            failed(libc::pthread_sigmask(libc::SIG_BLOCK, set.as_ptr(), std::ptr::null_mut()))?;
            Ok(Self(set.assume_init()))
        }
    }

    /// Waits until one of them comes.
    ///
    /// # Errors
    ///
    /// What `sigwait(3)` reports.
    pub fn wait(&self) -> io::Result<()> {
        let mut signal = 0;
        // SAFETY: both pointers are to live values.
        failed(unsafe { libc::sigwait(&raw const self.0, &raw mut signal) })
    }
}

/// These functions return the error instead of setting `errno`.
fn failed(error: libc::c_int) -> io::Result<()> {
    if error == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(error)) }
}

//! Waiting for Ctrl-C.

use std::io;
use std::mem::MaybeUninit;

/// SIGINT and SIGTERM, blocked so that a thread can wait for them.
pub struct Interrupt(libc::sigset_t);

impl Interrupt {
    /// Blocks both signals in the calling thread and in threads that it starts from now on.
    ///
    /// # Errors
    ///
    /// The errors of `pthread_sigmask(3)`.
    pub fn hold() -> io::Result<Self> {
        let mut set = MaybeUninit::uninit();
        // SAFETY: `sigemptyset` initializes the set before anything reads it; a null old set is
        // allowed.
        unsafe {
            libc::sigemptyset(set.as_mut_ptr());
            libc::sigaddset(set.as_mut_ptr(), libc::SIGINT);
            libc::sigaddset(set.as_mut_ptr(), libc::SIGTERM);
            failed(libc::pthread_sigmask(libc::SIG_BLOCK, set.as_ptr(), std::ptr::null_mut()))?;
            Ok(Self(set.assume_init()))
        }
    }

    /// Waits until one of the signals arrives.
    ///
    /// # Errors
    ///
    /// The errors of `sigwait(3)`.
    pub fn wait(&self) -> io::Result<()> {
        let mut signal = 0;
        // SAFETY: both pointers are to live values.
        failed(unsafe { libc::sigwait(&raw const self.0, &raw mut signal) })
    }
}

/// Converts the result of a pthread function, which returns the error instead of setting `errno`.
fn failed(error: libc::c_int) -> io::Result<()> {
    if error == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(error)) }
}

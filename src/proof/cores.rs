//! Which core a thread runs on.

use std::io;

/// The cores that the calling thread may run on, by the kernel's numbers, ascending.
///
/// # Errors
///
/// `Unsupported` outside Linux; otherwise what `sched_getaffinity(2)` reports.
pub fn allowed() -> io::Result<Vec<usize>> {
    #[cfg(target_os = "linux")]
    {
        // SAFETY: all-zero bytes are a valid `cpu_set_t`, an array of integers.
        let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
        // SAFETY: `set` is live and writable, and its true size is given. Thread 0 is the caller.
        super::cvt(unsafe { libc::sched_getaffinity(0, size_of_val(&set), &raw mut set) })?;
        // SAFETY: every index is below CPU_SETSIZE, the number of bits in the set.
        Ok((0..libc::CPU_SETSIZE as usize).filter(|&core| unsafe { libc::CPU_ISSET(core, &set) }).collect())
    }
    #[cfg(not(target_os = "linux"))]
    Err(super::unsupported("this book pins threads on Linux only"))
}

/// Keeps the calling thread on one core, until it is pinned elsewhere. Threads that it starts inherit this.
///
/// # Errors
///
/// `Unsupported` outside Linux; `InvalidInput` for a core that does not exist or is not allowed here.
pub fn pin(core: usize) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        if core >= libc::CPU_SETSIZE as usize {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("there is no core {core}")));
        }
        // SAFETY: all-zero bytes are a valid `cpu_set_t`.
        let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
        // SAFETY: `core` is below CPU_SETSIZE, as checked above.
        unsafe { libc::CPU_SET(core, &mut set) };
        // SAFETY: `set` is live, and its true size is given.
        super::cvt(unsafe { libc::sched_setaffinity(0, size_of_val(&set), &raw const set) })?;
        Ok(())
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = core;
        Err(super::unsupported("this book pins threads on Linux only"))
    }
}

/// Two different cores for the two ends of an experiment, or `None` where only one is allowed.
///
/// # Errors
///
/// As [`allowed`].
pub fn pair() -> io::Result<Option<(usize, usize)>> {
    let cores = allowed()?;
    Ok(match cores[..] {
        [first, .., last] => Some((first, last)),
        _ => None,
    })
}

//! What a process may have, and what its allocator gives back: thin wrappers.

use std::io;

/// Limits the address space of this process to so many bytes (`RLIMIT_AS` of
/// [`setrlimit(2)`](https://man7.org/linux/man-pages/man2/setrlimit.2.html)): whatever is mapped, be it resident or not. What
/// is mapped already stays.
///
/// # Errors
///
/// `Unsupported` outside Linux; otherwise what `setrlimit(2)` reports.
pub fn limit_address_space(bytes: u64) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        let limit = libc::rlimit { rlim_cur: bytes, rlim_max: bytes };
        // SAFETY: `limit` is a live `rlimit`, which the call reads.
        crate::proof::cvt(unsafe { libc::setrlimit(libc::RLIMIT_AS, &raw const limit) }).map(drop)
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = bytes;
        Err(crate::proof::unsupported("this book limits a process on Linux only"))
    }
}

/// Gives the whole pages that are free inside the heap back to the kernel, and says whether there were any
/// ([`malloc_trim(3)`](https://man7.org/linux/man-pages/man3/malloc_trim.3.html)).
///
/// # Errors
///
/// `Unsupported` with another C library than GNU's.
pub fn trim() -> io::Result<bool> {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: takes an integer, and locks the heap by itself.
    return Ok(unsafe { libc::malloc_trim(0) } == 1);
    #[cfg(not(all(target_os = "linux", target_env = "gnu")))]
    Err(crate::proof::unsupported("only the GNU C library has malloc_trim"))
}

/// From how many bytes on a block is mapped by itself, for the whole process and for good (`M_MMAP_THRESHOLD` of
/// [`mallopt(3)`](https://man7.org/linux/man-pages/man3/mallopt.3.html)). This also ends its adapting by itself.
///
/// # Errors
///
/// `Unsupported` with another C library than GNU's; `InvalidInput` for a size that it refuses.
pub fn map_from(bytes: i32) -> io::Result<()> {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: takes integers, and locks the heap by itself.
    return match unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, bytes) } {
        1 => Ok(()),
        _ => Err(io::Error::new(io::ErrorKind::InvalidInput, format!("mapping from {bytes} bytes on"))),
    };
    #[cfg(not(all(target_os = "linux", target_env = "gnu")))]
    {
        let _ = bytes;
        Err(crate::proof::unsupported("only the GNU C library has mallopt"))
    }
}

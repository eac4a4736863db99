//! Resident memory of the process, from `/proc/self`.
//!
//! Memory that was allocated and never touched is not resident. Memory that was freed may be.

use std::fs;
use std::io;

/// Returns the bytes that are resident now (`VmRSS`).
///
/// # Errors
///
/// `Unsupported` outside Linux.
pub fn now() -> io::Result<u64> {
    status("VmRSS:")
}

/// Returns the peak of resident bytes since the program was started or since [`reset_peak`]
/// (`VmHWM`).
///
/// # Errors
///
/// `Unsupported` outside Linux.
pub fn peak() -> io::Result<u64> {
    status("VmHWM:")
}

/// Resets [`peak`] to the bytes that are resident now, by
/// [`clear_refs`](https://man7.org/linux/man-pages/man5/proc_pid_clear_refs.5.html).
///
/// # Errors
///
/// If the file cannot be written; it does not exist outside Linux.
pub fn reset_peak() -> io::Result<()> {
    fs::write("/proc/self/clear_refs", "5")
}

fn status(field: &str) -> io::Result<u64> {
    let table = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib = table
        .lines()
        .find_map(|line| line.strip_prefix(field)?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kib.map(|kib| kib << 10).ok_or_else(|| {
        super::error::unsupported("this kernel does not report the resident memory of a process")
    })
}

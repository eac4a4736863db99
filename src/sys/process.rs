//! CPU time, page faults and context switches of the process, from `getrusage(2)`.

use std::io;
use std::time::Duration;

/// The totals of all threads of the process, those that have ended included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProcessUsage {
    /// CPU time in user mode and in the kernel.
    pub cpu: Duration,
    /// Page faults that needed no read from a device.
    pub minor_faults: u64,
    /// Page faults that needed a read from a device.
    pub major_faults: u64,
    /// Switches away from a thread because it had to wait.
    pub voluntary_switches: u64,
    /// Switches away from a thread because the kernel preempted it.
    pub involuntary_switches: u64,
}

/// Returns the totals so far (`RUSAGE_SELF`).
///
/// # Errors
///
/// `Unsupported` outside Unix.
#[cfg(unix)]
pub fn usage() -> io::Result<ProcessUsage> {
    // SAFETY: all-zero bytes are a valid `rusage`, a struct of integers.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: `usage` is a live, writable `rusage`.
    super::cvt(unsafe { libc::getrusage(libc::RUSAGE_SELF, &raw mut usage) })?;
    let count = |n: libc::c_long| u64::try_from(n).unwrap_or(0);
    let time = |time: libc::timeval| {
        let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
        Duration::from_secs(seconds)
            + Duration::from_micros(u64::try_from(time.tv_usec).unwrap_or(0))
    };
    Ok(ProcessUsage {
        cpu: time(usage.ru_utime) + time(usage.ru_stime),
        minor_faults: count(usage.ru_minflt),
        major_faults: count(usage.ru_majflt),
        voluntary_switches: count(usage.ru_nvcsw),
        involuntary_switches: count(usage.ru_nivcsw),
    })
}

/// Returns the totals so far.
///
/// # Errors
///
/// `Unsupported` outside Unix.
#[cfg(not(unix))]
pub fn usage() -> io::Result<ProcessUsage> {
    Err(super::unsupported("the usage of a process is read on Unix only"))
}

//! Page faults and context switches, from `getrusage(2)`, and other numbers of the kernel about
//! itself.

use crate::sys::trying;
use std::fs;
use std::io;
use std::ops::Sub;

/// Page faults and context switches of a thread so far. The difference of two values is what
/// happened between them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Page faults that needed no read from a device.
    pub minor_faults: u64,
    /// Page faults that needed a read from a device.
    pub major_faults: u64,
    /// Switches away from the thread because it had to wait.
    pub voluntary_switches: u64,
    /// Switches away from the thread because the kernel preempted it.
    pub involuntary_switches: u64,
}

impl Usage {
    /// Returns the counts of the calling thread (`RUSAGE_THREAD`).
    ///
    /// # Errors
    ///
    /// `Unsupported` outside Linux.
    pub fn of_thread() -> io::Result<Self> {
        #[cfg(target_os = "linux")]
        return read();
        #[cfg(not(target_os = "linux"))]
        Err(crate::sys::unsupported("a thread's own page faults are counted by Linux only"))
    }
}

impl Sub for Usage {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            minor_faults: self.minor_faults - earlier.minor_faults,
            major_faults: self.major_faults - earlier.major_faults,
            voluntary_switches: self.voluntary_switches - earlier.voluntary_switches,
            involuntary_switches: self.involuntary_switches - earlier.involuntary_switches,
        }
    }
}

/// Runs `work` and returns its result with the faults and switches of this thread in the meantime.
///
/// # Errors
///
/// The errors of `work` and of [`Usage::of_thread`].
pub fn count<T>(work: impl FnOnce() -> io::Result<T>) -> io::Result<(T, Usage)> {
    let before = Usage::of_thread()?;
    let result = work()?;
    Ok((result, Usage::of_thread()? - before))
}

/// Returns the bytes that the thread of this process called `name` has had read from a device so
/// far (`read_bytes` in `/proc/self/task/TID/io`). What the page cache served does not count.
///
/// # Errors
///
/// `Unsupported` if there is no such thread or the kernel does not count; `PermissionDenied` where
/// a sandbox forbids the file.
pub fn read_from_device(name: &str) -> io::Result<u64> {
    let unsupported = |what: &str| crate::sys::unsupported(&format!("{what} of thread {name}"));
    for thread in fs::read_dir("/proc/self/task")? {
        let thread = thread?.path();
        // A thread may end meanwhile.
        if fs::read_to_string(thread.join("comm")).is_ok_and(|comm| comm.trim_end() == name) {
            let table = trying("reading a thread's io", fs::read_to_string(thread.join("io")))?;
            let bytes = table.lines().find_map(|line| line.strip_prefix("read_bytes: "));
            let bytes = bytes.and_then(|bytes| bytes.parse().ok());
            return bytes.ok_or_else(|| unsupported("this kernel does not count the reads"));
        }
    }
    Err(unsupported("there are no reads to count"))
}

/// Returns the number of TLB shootdowns of all programs since the machine was started: interrupts
/// that make another core drop address translations, from the row `TLB` of `/proc/interrupts`.
///
/// # Errors
///
/// `Unsupported` if the kernel does not count them. x86 kernels do. On arm64 there is nothing to
/// count: an instruction broadcasts the invalidation to all cores, and interrupts none.
pub fn tlb_shootdowns() -> io::Result<u64> {
    let table = fs::read_to_string("/proc/interrupts").unwrap_or_default();
    let row = table.lines().find_map(|line| line.trim_start().strip_prefix("TLB:"));
    let row =
        row.ok_or_else(|| crate::sys::unsupported("this kernel does not count TLB shootdowns"))?;
    Ok(row.split_whitespace().map_while(|count| count.parse::<u64>().ok()).sum())
}

/// Returns the bytes of this process that stay pinned in memory (`VmPin` in `/proc/self/status`),
/// such as the registered buffers of a ring. Pages that are pinned for a single request do not
/// count.
///
/// # Errors
///
/// `Unsupported` if the kernel does not count them.
pub fn pinned() -> io::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib = status.lines().find_map(|line| line.strip_prefix("VmPin:")?.strip_suffix("kB"));
    let kib = kib.and_then(|kib| kib.trim().parse::<u64>().ok());
    let none = || crate::sys::unsupported("this kernel does not count pinned memory");
    kib.map(|kib| kib << 10).ok_or_else(none)
}

#[cfg(target_os = "linux")]
fn read() -> io::Result<Usage> {
    // SAFETY: all-zero bytes are a valid `rusage`, a struct of integers.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: `usage` is a live, writable `rusage`.
    let read = crate::sys::cvt(unsafe { libc::getrusage(libc::RUSAGE_THREAD, &raw mut usage) });
    crate::sys::trying("getrusage", read)?;
    let count = |n: libc::c_long| u64::try_from(n).unwrap_or(0);
    Ok(Usage {
        minor_faults: count(usage.ru_minflt),
        major_faults: count(usage.ru_majflt),
        voluntary_switches: count(usage.ru_nvcsw),
        involuntary_switches: count(usage.ru_nivcsw),
    })
}

//! The kernel: system calls, page faults, and the clock.

use crate::sys::region::{HUGE_PAGE, Pages, Region, page_size};
use std::hint::black_box;
use std::io;
use std::time::{Duration, Instant};

/// Calls `getppid` `calls` times. Unit: one system call that does next to nothing.
///
/// It goes through `syscall(2)`, because a C library may answer a cheap call from memory (glibc did
/// for `getpid` until 2.25). It does not measure the cost after the call, when the kernel's code
/// and data have evicted the program's from the caches.
///
/// # Errors
///
/// `Unsupported` outside Linux.
// ANCHOR: syscall
pub fn syscall(calls: u64) -> io::Result<Duration> {
    #[cfg(target_os = "linux")]
    {
        let start = Instant::now();
        for _ in 0..calls {
            // SAFETY: takes no arguments, cannot fail, and accesses no memory of the
            // process.
            black_box(unsafe { libc::syscall(libc::SYS_getppid) });
        }
        Ok(start.elapsed())
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = calls;
        Err(crate::sys::unsupported("this book makes bare system calls on Linux only"))
    }
}
// ANCHOR_END: syscall

/// Reads the clock `readings` times. Unit: one `Instant::now`, the minimum overhead of timing.
///
/// On Linux this is usually no system call (`vdso(7)`), but it is one with some clock sources of
/// virtual machines.
pub fn timer(readings: u64) -> Duration {
    let start = Instant::now();
    for _ in 0..readings {
        black_box(Instant::now());
    }
    start.elapsed()
}

/// Returns the smallest nonzero step between two successive readings of the clock, out of
/// `readings`; `None` if the clock never moved. It is no finer than the time of one reading.
pub fn timer_step(readings: u64) -> Option<Duration> {
    let mut before = Instant::now();
    let step = |_| {
        let now = Instant::now();
        now.duration_since(std::mem::replace(&mut before, now))
    };
    (0..readings).map(step).filter(|step| !step.is_zero()).min()
}

/// Touches pages for the first time, in fresh mappings of up to 16 MiB. Unit: one page of `kind`,
/// which is one page fault: an ordinary page (4 KiB on x86-64), or a huge page of 2 MiB, in which
/// the writes after the first one fault no more.
///
/// Measures the fault, which finds a page and zeroes it, but not `mmap(2)`, `munmap(2)`, or pages
/// of a file.
///
/// # Errors
///
/// `Unsupported` outside Linux and if the kernel did not give such pages; otherwise the errors of
/// `mmap(2)`.
pub fn first_touch(pages: u64, kind: Pages) -> io::Result<Duration> {
    const AT_ONCE: usize = 16 << 20;
    if cfg!(not(target_os = "linux")) {
        return Err(crate::sys::unsupported("this book maps memory page by page on Linux only"));
    }
    let size = match kind {
        Pages::Small => page_size(),
        Pages::Huge => HUGE_PAGE,
    };
    let (mut elapsed, mut left) = (Duration::ZERO, pages);
    while left > 0 {
        let some = left.min((AT_ONCE / size) as u64);
        let mut region = Region::untouched(some as usize * size, kind)?;
        elapsed += region.touch();
        region.verify()?;
        left -= some;
    }
    Ok(elapsed)
}

/// Touches `pages` pages of `region`, all of which were touched before. Unit: one page. Compare it
/// with [`first_touch`]: it is the write alone, with its cache and TLB misses.
pub fn second_touch(region: &mut Region, pages: u64) -> Duration {
    let rounds = pages.div_ceil(region.touched_pages()).max(1);
    let elapsed: Duration = (0..rounds).map(|_| region.touch()).sum();
    elapsed.mul_f64(pages as f64 / (rounds * region.touched_pages()) as f64)
}

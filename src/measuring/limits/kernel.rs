//! What the kernel takes: to be called, to give a page, to tell the time.

use crate::sys::region::{Pages, Region};
use std::hint::black_box;
use std::io;
use std::time::{Duration, Instant};

/// Asks for the parent's process id `calls` times. Unit: one system call that does next to nothing.
///
/// By `syscall(2)`, because a C library may answer a cheap question from memory (glibc did for
/// `getpid` until 2.25). Does not measure what a call costs afterwards, when the kernel's code and
/// data have pushed the program's from the caches.
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
            // SAFETY: takes no arguments, cannot fail, touches no memory of ours.
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

/// Reads the clock `readings` times. Unit: one `Instant::now`, the least that timing anything adds.
///
/// On Linux normally no system call (`vdso(7)`); with some clock sources of virtual machines it is
/// one.
pub fn timer(readings: u64) -> Duration {
    let start = Instant::now();
    for _ in 0..readings {
        black_box(Instant::now());
    }
    start.elapsed()
}

/// The smallest step between two successive readings of the clock, out of `readings`, that is not
/// zero; `None` if it never moved. Not finer than one reading takes, even where the clock is.
pub fn timer_step(readings: u64) -> Option<Duration> {
    let mut before = Instant::now();
    let step = |_| {
        let now = Instant::now();
        now.duration_since(std::mem::replace(&mut before, now))
    };
    (0..readings).map(step).filter(|step| !step.is_zero()).min()
}

/// Touches pages for the first time, in fresh mappings of 16 MiB. Unit: one ordinary page (4 KiB on
/// x86-64), also with huge pages, of which the kernel gives 512 at once: the time is then that of
/// whole huge pages, in proportion.
///
/// Measures the fault, finding the page and zeroing it. Does not measure `mmap(2)`, `munmap(2)`, or
/// pages of a file.
///
/// # Errors
///
/// `Unsupported` outside Linux and where the pages were not given; otherwise what `mmap(2)`
/// reports.
pub fn first_touch(pages: u64, kind: Pages) -> io::Result<Duration> {
    const AT_ONCE: u64 = 4096;
    if cfg!(not(target_os = "linux")) {
        return Err(crate::sys::unsupported("this book maps memory page by page on Linux only"));
    }
    let mut elapsed = Duration::ZERO;
    let mut left = pages;
    while left > 0 {
        let some = left.min(AT_ONCE);
        let mut region = Region::untouched(some as usize * crate::sys::region::page_size(), kind)?;
        let time = region.touch();
        region.verify()?;
        elapsed += time.mul_f64(some as f64 / region.touched_pages() as f64);
        left -= some;
    }
    Ok(elapsed)
}

/// Touches `pages` pages in `region` again and again. Unit: one page that is there already, which
/// [`first_touch`] is to be compared with: the write, with the misses of cache and TLB that go with
/// it.
pub fn second_touch(region: &mut Region, pages: u64) -> Duration {
    let rounds = pages.div_ceil(region.touched_pages()).max(1);
    let elapsed: Duration = (0..rounds).map(|_| region.touch()).sum();
    elapsed.mul_f64(pages as f64 / (rounds * region.touched_pages()) as f64)
}

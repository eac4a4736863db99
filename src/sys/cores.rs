//! Which core a thread runs on.

use super::error::unsupported;
#[cfg(target_os = "linux")]
use super::error::{cvt, trying};
use std::hint::spin_loop;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use std::{fs, io};

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
        let read = cvt(unsafe { libc::sched_getaffinity(0, size_of_val(&set), &raw mut set) });
        trying("reading the allowed cores (sched_getaffinity)", read)?;
        // SAFETY: every index is below CPU_SETSIZE, the number of bits in the set.
        Ok((0..libc::CPU_SETSIZE as usize)
            .filter(|&core| unsafe { libc::CPU_ISSET(core, &set) })
            .collect())
    }
    #[cfg(not(target_os = "linux"))]
    Err(unsupported("this book pins threads on Linux only"))
}

/// Keeps the calling thread on one core, until it is pinned elsewhere. Threads that it starts
/// inherit this.
///
/// # Errors
///
/// `Unsupported` outside Linux and for a core that this process may not use; `InvalidInput` for a
/// number above that of any core; otherwise what `sched_setaffinity(2)` reports.
pub fn pin(core: usize) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        if core >= libc::CPU_SETSIZE as usize {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("there is no core {core}"),
            ));
        }
        // SAFETY: all-zero bytes are a valid `cpu_set_t`.
        let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
        // SAFETY: `core` is below CPU_SETSIZE, as checked above.
        unsafe { libc::CPU_SET(core, &mut set) };
        // SAFETY: `set` is live, and its true size is given.
        let pinned = cvt(unsafe { libc::sched_setaffinity(0, size_of_val(&set), &raw const set) });
        let what = format!("pinning to core {core} (sched_setaffinity)");
        match trying(&what, pinned) {
            // EINVAL: the core is offline, or outside of what this process may use.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                Err(unsupported(&error.to_string()))
            }
            pinned => pinned.map(drop),
        }
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = core;
        Err(unsupported("this book pins threads on Linux only"))
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

/// Whether two cores, by the kernel's numbers, are threads of one physical core: then they share
/// its first cache. In a virtual machine this is what the host tells its guest.
///
/// # Errors
///
/// Where the kernel does not say, or not in a way that can be read: what `/sys/devices/system/cpu`
/// reports, `InvalidData`.
pub fn siblings(a: usize, b: usize) -> io::Result<bool> {
    let path = format!("/sys/devices/system/cpu/cpu{a}/topology/thread_siblings_list");
    let list = fs::read_to_string(&path)
        .map_err(|error| io::Error::new(error.kind(), format!("{path}: {error}")))?;
    let cores = numbers(&list).filter(|ranges| ranges.iter().any(|range| range.contains(&a)));
    let cores = cores.ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidData, format!("{path} says {list:?}"))
    })?;
    Ok(cores.iter().any(|range| range.contains(&b)))
}

/// The kernel's lists: `0-3,8`, nothing for nobody.
fn numbers(list: &str) -> Option<Vec<RangeInclusive<usize>>> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.parse().ok()?..=last.parse().ok()?)
    };
    list.trim().split(',').filter(|part| !part.is_empty()).map(range).collect()
}

/// How many bytes of a first cache's line the kernel or the C library knows of.
///
/// # Errors
///
/// `Unsupported` where neither does: some virtual machines hide it.
pub fn line_size() -> io::Result<usize> {
    let told = fs::read_to_string("/sys/devices/system/cpu/cpu0/cache/index0/coherency_line_size");
    let told = told.ok().and_then(|text| text.trim().parse().ok());
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    let told = told.or_else(|| {
        // SAFETY: asks for a constant of the system.
        usize::try_from(unsafe { libc::sysconf(libc::_SC_LEVEL1_DCACHE_LINESIZE) }).ok()
    });
    told.filter(|size: &usize| size.is_power_of_two() && (16..=1024).contains(size)).ok_or_else(
        || unsupported("neither the kernel nor the C library says how long a cache line is"),
    )
}

/// Runs `work` on each of these cores at once, with the place of its core in the list, and returns
/// how long it took from when all were ready to when the last was done.
///
/// They wait for each other by spinning, so that none has to be woken. Two threads on one core
/// would wait long.
///
/// # Errors
///
/// As [`pin`]; then nobody works.
///
/// # Panics
///
/// If `work` does.
pub fn together(cores: &[usize], work: impl Fn(usize) + Sync) -> io::Result<Duration> {
    let (ready, pinned) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let one = |place: usize, core: usize| {
        let here = pin(core);
        pinned.fetch_add(usize::from(here.is_ok()), Ordering::Relaxed);
        // Release, and Acquire below: whoever sees all of them ready sees how many were pinned.
        ready.fetch_add(1, Ordering::Release);
        while ready.load(Ordering::Acquire) < cores.len() {
            spin_loop();
        }
        if pinned.load(Ordering::Relaxed) < cores.len() {
            return here.map(|()| None);
        }
        let start = Instant::now();
        work(place);
        Ok(Some((start, Instant::now())))
    };
    let times: Vec<io::Result<_>> = thread::scope(|scope| {
        let spawn = |(place, core)| scope.spawn(move || one(place, core));
        let threads: Vec<_> = cores.iter().copied().enumerate().map(spawn).collect();
        threads.into_iter().map(joined).collect()
    });
    let times = times.into_iter().collect::<io::Result<Vec<Option<_>>>>()?;
    let times: Vec<_> = times.into_iter().flatten().collect();
    let start = times.iter().map(|(start, _)| *start).min();
    let end = times.iter().map(|(_, end)| *end).max();
    Ok(start.zip(end).map_or(Duration::ZERO, |(start, end)| end - start))
}

/// Does the work on the calling thread while another one of this process keeps `core` busy.
///
/// # Errors
///
/// As [`pin`], of the busy thread.
///
/// # Panics
///
/// If `work` does.
pub fn beside<T>(core: usize, work: impl FnOnce() -> T) -> io::Result<T> {
    /// Says so when it is dropped, which a panic of `work` does too.
    struct Over<'a>(&'a AtomicBool);
    impl Drop for Over<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    let (started, over) = (AtomicBool::new(false), AtomicBool::new(false)); // flags alone: nothing is handed over
    thread::scope(|scope| {
        let busy = scope.spawn(|| {
            let pinned = pin(core);
            started.store(true, Ordering::Relaxed);
            while pinned.is_ok() && !over.load(Ordering::Relaxed) {
                spin_loop();
            }
            pinned
        });
        let end = Over(&over);
        while !started.load(Ordering::Relaxed) {
            spin_loop();
        }
        let result = work();
        drop(end);
        joined(busy).map(|()| result)
    })
}

/// What the thread returned.
///
/// # Panics
///
/// As the thread did.
pub fn joined<T>(thread: thread::ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_cores_is_read_and_nonsense_is_none() {
        let has =
            |list: &str, core| numbers(list).unwrap().iter().any(|range| range.contains(&core));
        for (list, core, is_in) in [
            ("0\n", 0, true),
            ("0\n", 1, false),
            ("0-1\n", 1, true),
            ("0,64\n", 64, true),
            ("0-1,8-9\n", 8, true),
            ("0-1,8-9\n", 5, false),
            ("\n", 0, false),
        ] {
            assert_eq!(has(list, core), is_in, "{core} in {list:?}");
        }
        for list in ["x", "0-", "-1", "0-1-2", "1;2", "0x1", "99999999999999999999999"] {
            assert_eq!(numbers(list), None, "{list:?}");
        }
    }
}

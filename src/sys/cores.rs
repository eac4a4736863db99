//! Pinning threads to cores.

#[cfg(target_os = "linux")]
use super::error::cvt;
use super::error::{trying, unsupported};
use std::hint::spin_loop;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use std::{fs, io};

/// Returns the cores that the calling thread may run on, by their numbers in the kernel, ascending.
///
/// # Errors
///
/// `Unsupported` outside Linux; otherwise the errors of `sched_getaffinity(2)`.
pub fn allowed() -> io::Result<Vec<usize>> {
    #[cfg(target_os = "linux")]
    {
        // SAFETY: all-zero bytes are a valid `cpu_set_t`, an array of integers.
        let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
        // SAFETY: `set` is live and writable, and its size is correct. Thread 0 is the caller.
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

/// Pins the calling thread to `core`, until it is pinned elsewhere. Threads that it starts inherit
/// this.
///
/// # Errors
///
/// `Unsupported` outside Linux and for a core that this process may not use; `InvalidInput` for a
/// number above that of any core; otherwise the errors of `sched_setaffinity(2)`.
pub fn pin(core: usize) -> io::Result<()> {
    confine(&[core])
}

/// Lets the calling thread run on `cores` and on no others, until it is pinned elsewhere. Threads
/// and processes that it starts inherit this.
///
/// # Errors
///
/// As [`pin`], which this is for a single core. Of several, those that this process may not use are
/// left out.
pub fn confine(cores: &[usize]) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        // SAFETY: all-zero bytes are a valid `cpu_set_t`.
        let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
        for &core in cores {
            if core >= libc::CPU_SETSIZE as usize {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    format!("there is no core {core}"),
                ));
            }
            // SAFETY: `core` is below CPU_SETSIZE, as checked above.
            unsafe { libc::CPU_SET(core, &mut set) };
        }
        // SAFETY: `set` is live, and its size is correct.
        let pinned = cvt(unsafe { libc::sched_setaffinity(0, size_of_val(&set), &raw const set) });
        let what = match cores {
            [core] => format!("pinning to core {core} (sched_setaffinity)"),
            _ => format!("pinning to the cores {cores:?} (sched_setaffinity)"),
        };
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
        let _ = cores;
        Err(unsupported("this book pins threads on Linux only"))
    }
}

/// Returns two different cores for the two ends of an experiment, or `None` if only one is allowed.
///
/// # Errors
///
/// See [`allowed`].
pub fn pair() -> io::Result<Option<(usize, usize)>> {
    let cores = allowed()?;
    Ok(match cores[..] {
        [first, .., last] => Some((first, last)),
        _ => None,
    })
}

/// Returns the cores for an experiment that needs two at once, as [`pair`] chooses them.
///
/// # Errors
///
/// `Unsupported` if this process may use only one core, and outside Linux, where this book does not
/// pin threads.
pub fn two_cores() -> io::Result<[usize; 2]> {
    match pair()? {
        Some((first, second)) => Ok([first, second]),
        None => Err(unsupported("needs two cores, and this process may use one only")),
    }
}

/// Returns `true` if `a` and `b` are hardware threads of one physical core, which share its L1
/// cache. In a virtual machine, the host decides what its guest sees.
///
/// # Errors
///
/// If the list of siblings in `/sys/devices/system/cpu` cannot be read; `InvalidData` if it cannot
/// be parsed.
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

/// Parses a list as the kernel writes it: `0-3,8`, or an empty string for an empty list.
fn numbers(list: &str) -> Option<Vec<RangeInclusive<usize>>> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.parse().ok()?..=last.parse().ok()?)
    };
    list.trim().split(',').filter(|part| !part.is_empty()).map(range).collect()
}

/// Returns the size of an L1 cache line in bytes, from the kernel or the C library.
///
/// # Errors
///
/// `Unsupported` if neither knows: some virtual machines hide it.
pub fn line_size() -> io::Result<usize> {
    let told = fs::read_to_string("/sys/devices/system/cpu/cpu0/cache/index0/coherency_line_size");
    let told = told.ok().and_then(|text| text.trim().parse().ok());
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    let told = told.or_else(|| {
        // SAFETY: asks for a constant of the system.
        usize::try_from(unsafe { libc::sysconf(libc::_SC_LEVEL1_DCACHE_LINESIZE) }).ok()
    });
    told.filter(|size: &usize| size.is_power_of_two() && (16..=1024).contains(size)).ok_or_else(
        || unsupported("neither the kernel nor the C library knows the size of a cache line"),
    )
}

/// Runs `work` on each of `cores` at once, with the index of the core in the list, and returns the
/// time from the moment when every thread was ready until the last one was done.
///
/// The threads wait for each other by spinning, so that none has to be woken. Two threads on one
/// core would wait for a long time.
///
/// # Errors
///
/// The errors of [`pin`], or of starting a thread. No work is done then.
///
/// # Panics
///
/// If `work` does.
pub fn together(cores: &[usize], work: impl Fn(usize) + Sync) -> io::Result<Duration> {
    let (ready, pinned) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let one = |index: usize, core: usize| {
        let here = pin(core);
        pinned.fetch_add(usize::from(here.is_ok()), Ordering::Relaxed);
        // Release, paired with the Acquire below: a thread that sees all of them ready also sees
        // how many were pinned.
        ready.fetch_add(1, Ordering::Release);
        while ready.load(Ordering::Acquire) < cores.len() {
            spin_loop();
        }
        if pinned.load(Ordering::Relaxed) < cores.len() {
            return here.map(|()| None);
        }
        let start = Instant::now();
        work(index);
        Ok(Some((start, Instant::now())))
    };
    let times: Vec<io::Result<_>> = thread::scope(|scope| {
        let one = &one;
        let start = |(index, core)| {
            let thread = spawn(scope, move || one(index, core));
            if thread.is_err() {
                ready.fetch_add(1, Ordering::Release); // not pinned, so the others give up
            }
            thread
        };
        let threads: Vec<_> = cores.iter().copied().enumerate().map(start).collect();
        threads.into_iter().map(|thread| joined(thread?)).collect()
    });
    let times = times.into_iter().collect::<io::Result<Vec<Option<_>>>>()?;
    let times: Vec<_> = times.into_iter().flatten().collect();
    let start = times.iter().map(|(start, _)| *start).min();
    let end = times.iter().map(|(_, end)| *end).max();
    Ok(start.zip(end).map_or(Duration::ZERO, |(start, end)| end - start))
}

/// Runs `work` on the calling thread while another thread of this process keeps `core` busy.
///
/// # Errors
///
/// The errors of [`pin`], or of starting the busy thread.
///
/// # Panics
///
/// If `work` does.
pub fn beside<T>(core: usize, work: impl FnOnce() -> T) -> io::Result<T> {
    /// Sets the flag when it is dropped, even if `work` panics.
    struct Over<'a>(&'a AtomicBool);
    impl Drop for Over<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    // Relaxed below: the flags publish no other data.
    let (started, over) = (AtomicBool::new(false), AtomicBool::new(false));
    thread::scope(|scope| {
        let busy = spawn(scope, || {
            let pinned = pin(core);
            started.store(true, Ordering::Relaxed);
            while pinned.is_ok() && !over.load(Ordering::Relaxed) {
                spin_loop();
            }
            pinned
        })?;
        let end = Over(&over);
        while !started.load(Ordering::Relaxed) {
            spin_loop();
        }
        let result = work();
        drop(end);
        joined(busy).map(|()| result)
    })
}

/// Starts a thread in `scope`.
///
/// # Errors
///
/// If the system has no room for another thread.
pub fn spawn<'scope, T: Send + 'scope>(
    scope: &'scope thread::Scope<'scope, '_>,
    work: impl FnOnce() -> T + Send + 'scope,
) -> io::Result<thread::ScopedJoinHandle<'scope, T>> {
    trying("starting a thread", thread::Builder::new().spawn_scoped(scope, work))
}

/// Joins `thread` and returns its result.
///
/// # Panics
///
/// If the thread did, with its panic.
pub fn joined<T>(thread: thread::ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_cores_are_parsed_and_nonsense_is_refused() {
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

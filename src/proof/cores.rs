//! Which core a thread runs on.

use std::hint::spin_loop;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

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

/// Runs `work` on each of these cores at once, with the place of its core in the list, and returns how long it took from when
/// all were ready to when the last was done.
///
/// They wait for each other by spinning, so that none has to be woken. Two threads on one core would wait long.
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
        let join = |thread: thread::ScopedJoinHandle<'_, _>| {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        threads.into_iter().map(join).collect()
    });
    let times = times.into_iter().collect::<io::Result<Vec<Option<_>>>>()?;
    let times: Vec<_> = times.into_iter().flatten().collect();
    let start = times.iter().map(|(start, _)| *start).min();
    let end = times.iter().map(|(_, end)| *end).max();
    Ok(start.zip(end).map_or(Duration::ZERO, |(start, end)| end - start))
}

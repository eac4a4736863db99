//! CPU time of the calling thread, of the process, and of the kernel's own threads.
//!
//! A technique that hands its work to kernel threads looks free on the caller's clock. Look at all
//! three clocks before you call it cheap: [`thread`] for the caller, [`process`] for its helpers
//! (including io_uring's workers), and [`kernel_threads`] for work outside the process.

use std::io;
use std::time::Duration;

/// Returns the CPU time that the calling thread has used, in user space and in the kernel
/// (`CLOCK_THREAD_CPUTIME_ID`).
///
/// # Errors
///
/// `Unsupported` outside Unix.
pub fn thread() -> io::Result<Duration> {
    #[cfg(unix)]
    return read(libc::CLOCK_THREAD_CPUTIME_ID);
    #[cfg(not(unix))]
    Err(crate::sys::unsupported("CPU time clocks are read on Unix systems only"))
}

/// Returns the CPU time that all threads of this process have used (`CLOCK_PROCESS_CPUTIME_ID`).
///
/// # Errors
///
/// `Unsupported` outside Unix.
pub fn process() -> io::Result<Duration> {
    #[cfg(unix)]
    return read(libc::CLOCK_PROCESS_CPUTIME_ID);
    #[cfg(not(unix))]
    Err(crate::sys::unsupported("CPU time clocks are read on Unix systems only"))
}

/// The CPU clock of one thread, which other threads can read.
#[cfg(target_os = "linux")]
#[derive(Clone, Copy, Debug)]
pub struct ThreadClock(libc::clockid_t);

#[cfg(target_os = "linux")]
impl ThreadClock {
    /// Returns the clock of the calling thread.
    ///
    /// # Errors
    ///
    /// The errors of `pthread_getcpuclockid(3)`.
    pub fn mine() -> io::Result<Self> {
        let mut clock = 0;
        // SAFETY: `clock` is live and writable, and the calling thread exists.
        match unsafe { libc::pthread_getcpuclockid(libc::pthread_self(), &raw mut clock) } {
            0 => Ok(Self(clock)),
            error => Err(io::Error::from_raw_os_error(error)),
        }
    }

    /// Returns the time that the thread has used so far, in user space and in the kernel.
    ///
    /// # Errors
    ///
    /// `InvalidInput` once the thread has ended.
    pub fn read(self) -> io::Result<Duration> {
        read(self.0)
    }
}

/// The CPU clock of a process, this one or another.
#[cfg(target_os = "linux")]
#[derive(Clone, Copy, Debug)]
pub struct ProcessClock(libc::clockid_t);

#[cfg(target_os = "linux")]
impl ProcessClock {
    /// Returns the clock of the process `id`, which counts all its threads.
    ///
    /// # Errors
    ///
    /// The errors of `clock_getcpuclockid(3)`: `ESRCH` if there is no such process.
    pub fn of(id: u32) -> io::Result<Self> {
        let id = libc::pid_t::try_from(id).map_err(io::Error::other)?;
        let mut clock = 0;
        // SAFETY: `clock` is live and writable.
        match unsafe { libc::clock_getcpuclockid(id, &raw mut clock) } {
            0 => Ok(Self(clock)),
            error => Err(io::Error::from_raw_os_error(error)),
        }
    }

    /// Returns the time that the process has used so far, in user space and in the kernel.
    ///
    /// # Errors
    ///
    /// `InvalidInput` once the process has ended.
    pub fn read(self) -> io::Result<Duration> {
        read(self.0)
    }
}

#[cfg(unix)]
fn read(clock: libc::clockid_t) -> io::Result<Duration> {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a live, writable `timespec`.
    crate::sys::cvt(unsafe { libc::clock_gettime(clock, &raw mut time) })?;
    Ok(Duration::new(time.tv_sec as u64, time.tv_nsec as u32))
}

/// Returns the CPU time of all kernel threads (`kworker`, `ksoftirqd` and so on) since they
/// started, from `/proc/PID/schedstat`. It covers the whole machine, so it is an upper bound on the
/// work that was moved out of the process.
///
/// # Errors
///
/// `Unsupported` outside Linux, and if `/proc` shows no kernel thread, as in most containers.
pub fn kernel_threads() -> io::Result<Duration> {
    #[cfg(target_os = "linux")]
    {
        let mut seen = false;
        let mut nanoseconds = 0;
        for entry in std::fs::read_dir("/proc")? {
            let path = entry?.path();
            if !path.file_name().is_some_and(|name| name.as_encoded_bytes()[0].is_ascii_digit()) {
                continue;
            }
            // A process may end between two reads; then it is not counted.
            let Ok(stat) = std::fs::read_to_string(path.join("stat")) else { continue };
            if !is_kernel_thread(&stat) {
                continue;
            }
            let Ok(schedstat) = std::fs::read_to_string(path.join("schedstat")) else { continue };
            if let Some(time) =
                schedstat.split(' ').next().and_then(|field| field.parse::<u64>().ok())
            {
                seen = true;
                nanoseconds += time;
            }
        }
        if !seen {
            return Err(crate::sys::unsupported(
                "/proc shows no kernel thread here, as inside a container",
            ));
        }
        Ok(Duration::from_nanos(nanoseconds))
    }
    #[cfg(not(target_os = "linux"))]
    Err(crate::sys::unsupported("kernel threads are listed by Linux's /proc only"))
}

/// Returns `true` if a line of `/proc/PID/stat` belongs to a kernel thread: its `flags`, the
/// seventh field after the name, contain `PF_KTHREAD`. The name is in parentheses and may contain
/// spaces and parentheses itself.
#[cfg(target_os = "linux")]
fn is_kernel_thread(stat: &str) -> bool {
    const PF_KTHREAD: u64 = 0x0020_0000;
    stat.rsplit_once(')')
        .and_then(|(_, fields)| fields.split_ascii_whitespace().nth(6))
        .and_then(|flags| flags.parse::<u64>().ok())
        .is_some_and(|flags| flags & PF_KTHREAD != 0)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::{ProcessClock, is_kernel_thread, process};
    use std::process::{Command, id};
    use std::time::Duration;

    #[test]
    fn the_clock_of_a_process_is_its_own() {
        let (before, of_this) = (process().unwrap(), ProcessClock::of(id()).unwrap());
        let between = of_this.read().unwrap();
        assert!(before <= between && between <= process().unwrap());
        let mut other = Command::new("sleep").arg("60").spawn().unwrap();
        let of_other = ProcessClock::of(other.id()).unwrap();
        let asleep = of_other.read().unwrap();
        other.kill().unwrap();
        other.wait().unwrap();
        assert!(asleep < Duration::from_secs(1), "{asleep:?}");
        assert!(of_other.read().is_err(), "it has ended");
        assert!(ProcessClock::of(other.id()).is_err(), "there is no such process");
    }

    #[test]
    fn a_kernel_thread_is_known_by_its_flags() {
        assert!(is_kernel_thread("2 (kthreadd) S 0 0 0 0 -1 2129984 0 0 0 0"));
        assert!(is_kernel_thread("27 (kworker/0:1 (a) b) I 2 0 0 0 -1 69238880 0 0 0 0"));
        assert!(!is_kernel_thread("1 (init) S 0 1 1 0 -1 4194560 2129984 0 0 0"));
        assert!(!is_kernel_thread("2 (kthreadd"));
    }
}

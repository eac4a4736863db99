//! Counts of system calls, with the kernel as the witness.
//!
//! [`trace`] forks a helper, and the helper attaches to the calling thread as a debugger would
//! (`ptrace(2)`). From then on the kernel stops the thread at the entry and at the exit of every
//! system call and tells the helper its number and its result, which the helper adds up in memory
//! that both share. The code under test runs where it always runs, in its own process with its own
//! sockets, files and threads, and cannot miscount itself.
//!
//! Tracing makes each call take microseconds more, and after the fork every page that the process
//! writes faults once again: count calls with it, and neither time nor page faults. It needs no
//! privilege. It fails where `ptrace` is forbidden (Yama's scopes 2 and 3, some containers) and for
//! a thread that is being traced already, under `strace -f` for example.

use std::collections::BTreeMap;
use std::io;

/// The system calls of a piece of code.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Calls(BTreeMap<&'static str, Call>);

/// All calls of one name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Call {
    /// The number of calls, failed ones included.
    pub made: u64,
    /// The number of calls that returned an error (`EAGAIN` and `EINTR` are errors too).
    pub failed: u64,
    /// The sum of the non-negative results: bytes, for calls that move bytes.
    pub returned: u64,
}

/// The calls whose result is a number of bytes that the kernel copied into the caller's memory.
const READS: [&str; 7] = ["read", "readv", "pread64", "preadv", "preadv2", "recvfrom", "recvmsg"];
/// The calls whose result is a number of bytes that the kernel took from the caller's memory.
const WRITES: [&str; 7] =
    ["write", "writev", "pwrite64", "pwritev", "pwritev2", "sendto", "sendmsg"];

impl Calls {
    /// Returns the calls named `name`; all zero if there were none.
    pub fn of(&self, name: &str) -> Call {
        self.0.get(name).copied().unwrap_or_default()
    }

    /// Returns the number of all calls.
    pub fn total(&self) -> u64 {
        self.0.values().map(|call| call.made).sum()
    }

    /// Returns the bytes that entered user space by `read`, `recv` and their variants: the sum of
    /// what these calls returned. It says nothing of calls that move bytes inside the kernel, such
    /// as `sendfile`, or of loads from a map.
    pub fn bytes_read(&self) -> u64 {
        READS.iter().map(|name| self.of(name).returned).sum()
    }

    /// Returns the bytes that left user space by `write`, `send` and their variants: the sum of
    /// what these calls returned. With `MSG_ZEROCOPY` the kernel refers to them instead of copying
    /// them, and they count all the same.
    pub fn bytes_written(&self) -> u64 {
        WRITES.iter().map(|name| self.of(name).returned).sum()
    }

    /// Iterates over the calls, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, Call)> + '_ {
        self.0.iter().map(|(name, call)| (*name, *call))
    }
}

/// Runs `work` and returns its result with every system call that the calling thread, and each
/// thread started by `work`, made in the meantime.
///
/// ```
/// # #[cfg(target_os = "linux")]
/// # fn main() -> std::io::Result<()> {
/// use perf_proved::proof::syscalls::trace;
///
/// let (text, calls) = trace(|| std::fs::read_to_string("/proc/version"))?;
/// assert_eq!(calls.bytes_read(), text?.len() as u64);
/// # Ok(())
/// # }
/// # #[cfg(not(target_os = "linux"))]
/// # fn main() {}
/// ```
///
/// # Errors
///
/// `Unsupported` outside Linux on x86-64 and arm64. Otherwise the error of `ptrace(2)`, in a
/// sentence; `work` has not run then.
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
pub fn trace<T>(work: impl FnOnce() -> T) -> io::Result<(T, Calls)> {
    linux::trace(work)
}

/// Runs `work` and counts its system calls, on Linux.
///
/// # Errors
///
/// Always `Unsupported` here.
#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
pub fn trace<T>(_work: impl FnOnce() -> T) -> io::Result<(T, Calls)> {
    Err(crate::sys::unsupported("system calls are counted on Linux only (x86-64 and arm64)"))
}

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod linux {
    use super::{Call, Calls};
    use crate::proof::helper::{self, Shared, State};
    use crate::proof::stop::{Stop, syscall_stop};
    use std::io;
    use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
    use std::sync::atomic::{AtomicU64, Ordering};

    /// Calls with a number above this one are not counted separately; Linux has some 470.
    const NUMBERS: usize = 1024;
    /// Threads that may be inside a system call at the same moment.
    const THREADS: usize = 256;

    /// `prctl` options that the kernel does not know and refuses without an effect. The helper sees
    /// them pass and starts and stops counting.
    const BEGIN: libc::c_int = 0x7072_6f31;
    const END: libc::c_int = 0x7072_6f32;

    /// The memory that the thread and its helper share.
    struct Counts {
        state: State,
        numbers: [Number; NUMBERS],
    }

    /// Counts, which only the helper writes. Relaxed suffices, because the thread reads them after
    /// it has reaped the helper.
    struct Number {
        made: AtomicU64,
        failed: AtomicU64,
        returned: AtomicU64,
    }

    pub(super) fn trace<T>(work: impl FnOnce() -> T) -> io::Result<(T, Calls)> {
        // SAFETY: atomics alone, for which zero is a valid value.
        let shared = unsafe { Shared::<Counts>::zeroed() }?;
        // SAFETY: `count` makes bare system calls and touches `shared`, and nothing else.
        let helper = unsafe {
            helper::start(&shared.state, "system calls", |thread| count(thread, &shared))
        }?;
        marker(BEGIN);
        let result = catch_unwind(AssertUnwindSafe(work));
        marker(END); // the helper lets go of every thread and exits
        helper.reap()?;
        let result = result.unwrap_or_else(|panic| resume_unwind(panic));
        if !shared.state.is_attached() {
            return Err(io::Error::other(format!(
                "counting system calls in more than {THREADS} threads at once"
            )));
        }

        let mut calls = Calls::default();
        for (number, count) in shared.numbers.iter().enumerate() {
            // Relaxed: the helper has been reaped, which ordered its stores before this.
            let call = Call {
                made: count.made.load(Ordering::Relaxed),
                failed: count.failed.load(Ordering::Relaxed),
                returned: count.returned.load(Ordering::Relaxed),
            };
            if call.made > 0 {
                let sum = calls.0.entry(name(number as libc::c_long)).or_default();
                sum.made += call.made;
                sum.failed += call.failed;
                sum.returned += call.returned;
            }
        }
        Ok((result, calls))
    }

    fn marker(which: libc::c_int) {
        // SAFETY: an option that the kernel does not know is refused with EINVAL.
        unsafe { libc::prctl(which, 0, 0, 0, 0) };
    }

    /// Attaches to `thread`, counts between the markers, and returns once no traced thread is left,
    /// or the errno of a step that failed. Runs in the helper, whose exit detaches it from every
    /// traced thread.
    fn count(thread: libc::pid_t, shared: &Counts) -> Result<(), i32> {
        helper::seize(thread, libc::PTRACE_O_TRACESYSGOOD | libc::PTRACE_O_TRACECLONE)?;
        // The current call of each traced thread; thread 0 marks a free entry.
        let mut inside = [(0 as libc::pid_t, 0 as libc::c_long); THREADS];
        let mut counting = false;
        while let Some((stopped, status)) = helper::wait() {
            if !libc::WIFSTOPPED(status) {
                // The thread has ended, which frees its entry.
                inside
                    .iter_mut()
                    .filter(|(tid, _)| *tid == stopped)
                    .for_each(|entry| *entry = (0, 0));
                continue;
            }
            let signal = libc::WSTOPSIG(status);
            let mut deliver = 0;
            if signal == libc::SIGTRAP | 0x80 {
                match syscall_stop(stopped) {
                    Stop::Entry(libc::SYS_prctl, [option, ..]) if option == BEGIN as u64 => {
                        counting = true
                    }
                    Stop::Entry(libc::SYS_prctl, [option, ..]) if option == END as u64 => {
                        return Ok(());
                    }
                    Stop::Entry(number, _) if counting => {
                        let of = |wanted| inside.iter().position(|&(tid, _)| tid == wanted);
                        inside[of(stopped).or_else(|| of(0)).ok_or(libc::EAGAIN)?] =
                            (stopped, number);
                        if let Some(count) = slot(shared, number) {
                            count.made.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                    Stop::Exit(result) if counting => {
                        // An exit without an entry belongs to the marker itself.
                        if let Some(entry) = inside.iter_mut().find(|(tid, _)| *tid == stopped) {
                            if let Some(count) = slot(shared, entry.1) {
                                match u64::try_from(result) {
                                    Ok(result) => {
                                        count.returned.fetch_add(result, Ordering::Relaxed)
                                    }
                                    Err(_) => count.failed.fetch_add(1, Ordering::Relaxed),
                                };
                            }
                            entry.1 = -1;
                        }
                    }
                    _ => {}
                }
            } else if status >> 16 == 0 {
                deliver = signal; // a signal for the thread: pass it on
            } else {
                shared.state.attached(); // stopped by our INTERRUPT
            }
            // SAFETY: `stopped` is in a ptrace stop. If it was killed meanwhile, the call fails and
            // the next wait reports it.
            unsafe { libc::ptrace(libc::PTRACE_SYSCALL, stopped, 0, deliver) };
        }
        Ok(()) // no traced thread is left
    }

    fn slot(shared: &Counts, number: libc::c_long) -> Option<&Number> {
        usize::try_from(number).ok().and_then(|number| shared.numbers.get(number))
    }

    /// Maps numbers to names through the constants of libc.
    macro_rules! names {
        ($number:expr; $($constant:ident = $name:literal)*) => {
            match $number {
                $(libc::$constant => $name,)*
                _ => old_name($number),
            }
        };
    }

    /// Returns the name of a call, or `"other"` for one that no chapter makes.
    fn name(number: libc::c_long) -> &'static str {
        names! { number;
            SYS_accept = "accept" SYS_accept4 = "accept4" SYS_bind = "bind" SYS_brk = "brk" SYS_clock_gettime = "clock_gettime"
            SYS_clock_nanosleep = "clock_nanosleep" SYS_clone = "clone" SYS_clone3 = "clone3" SYS_close = "close"
            SYS_connect = "connect" SYS_copy_file_range = "copy_file_range" SYS_dup = "dup"
            SYS_epoll_create1 = "epoll_create1" SYS_epoll_ctl = "epoll_ctl" SYS_epoll_pwait = "epoll_pwait"
            SYS_eventfd2 = "eventfd2" SYS_exit = "exit" SYS_fadvise64 = "fadvise64" SYS_fallocate = "fallocate"
            SYS_fchmod = "fchmod" SYS_fcntl = "fcntl" SYS_fdatasync = "fdatasync" SYS_fstat = "fstat" SYS_fsync = "fsync"
            SYS_ftruncate = "ftruncate" SYS_futex = "futex" SYS_getdents64 = "getdents64" SYS_getpid = "getpid"
            SYS_getppid = "getppid" SYS_getrandom = "getrandom" SYS_getsockname = "getsockname"
            SYS_getsockopt = "getsockopt" SYS_gettid = "gettid" SYS_io_uring_enter = "io_uring_enter"
            SYS_io_uring_register = "io_uring_register" SYS_io_uring_setup = "io_uring_setup" SYS_ioctl = "ioctl"
            SYS_listen = "listen" SYS_lseek = "lseek" SYS_madvise = "madvise" SYS_membarrier = "membarrier"
            SYS_mmap = "mmap" SYS_mprotect = "mprotect" SYS_mremap = "mremap" SYS_msync = "msync" SYS_munmap = "munmap"
            SYS_nanosleep = "nanosleep" SYS_newfstatat = "newfstatat" SYS_openat = "openat" SYS_openat2 = "openat2"
            SYS_pipe2 = "pipe2" SYS_ppoll = "ppoll" SYS_prctl = "prctl" SYS_pread64 = "pread64" SYS_preadv = "preadv"
            SYS_preadv2 = "preadv2" SYS_prlimit64 = "prlimit64" SYS_pwrite64 = "pwrite64" SYS_pwritev = "pwritev"
            SYS_pwritev2 = "pwritev2" SYS_read = "read" SYS_readv = "readv" SYS_recvfrom = "recvfrom"
            SYS_recvmsg = "recvmsg" SYS_renameat = "renameat" SYS_rseq = "rseq" SYS_rt_sigaction = "rt_sigaction"
            SYS_rt_sigprocmask = "rt_sigprocmask" SYS_sched_getaffinity = "sched_getaffinity"
            SYS_sched_setaffinity = "sched_setaffinity" SYS_sched_yield = "sched_yield" SYS_sendfile = "sendfile"
            SYS_sendmsg = "sendmsg" SYS_sendto = "sendto" SYS_set_robust_list = "set_robust_list"
            SYS_setsockopt = "setsockopt" SYS_shutdown = "shutdown" SYS_sigaltstack = "sigaltstack" SYS_socket = "socket"
            SYS_socketpair = "socketpair" SYS_splice = "splice" SYS_statx = "statx" SYS_tee = "tee" SYS_unlinkat = "unlinkat"
            SYS_vmsplice = "vmsplice" SYS_write = "write" SYS_writev = "writev"
        }
    }

    /// Returns the name of a call that only older architectures such as x86-64 still have.
    #[cfg(target_arch = "x86_64")]
    fn old_name(number: libc::c_long) -> &'static str {
        match number {
            libc::SYS_access => "access",
            libc::SYS_epoll_wait => "epoll_wait",
            libc::SYS_open => "open",
            libc::SYS_poll => "poll",
            libc::SYS_rename => "rename",
            libc::SYS_unlink => "unlink",
            _ => "other",
        }
    }

    #[cfg(target_arch = "aarch64")]
    fn old_name(_number: libc::c_long) -> &'static str {
        "other"
    }
}

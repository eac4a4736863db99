//! Counts of instructions, with the processor as the witness.
//!
//! [`count`] forks a helper that attaches to the calling thread, as
//! [`syscalls::trace`](super::syscalls::trace) does, and has the processor stop after each
//! instruction (`PTRACE_SINGLESTEP`). It needs neither a privilege nor the counters of the
//! hardware, which most virtual machines lack. A step takes some microseconds, so count short
//! pieces of work.
//!
//! The kernel's own instructions are not counted: a system call is one instruction. Each repetition
//! of a string instruction (`rep movsb`) is one, too.

use std::io;

/// Runs `work` and returns its result with the number of instructions of the calling thread in the
/// meantime. A few of them belong to the call of `work`, always equally many: take the difference
/// of two counts.
///
/// ```
/// use perf_proved::proof::instructions::count;
/// use std::hint::black_box;
///
/// let loops = |times: u64| move || (0..times).for_each(|number| _ = black_box(number));
/// if let (Ok((_, ten)), Ok((_, twenty))) = (count(loops(10)), count(loops(20))) {
///     assert!(twenty > ten);
/// }
/// ```
///
/// # Errors
///
/// `Unsupported` outside Linux on x86-64. Otherwise the error of `ptrace(2)`, in a sentence; `work`
/// has not run then.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub fn count<T>(work: impl FnOnce() -> T) -> io::Result<(T, u64)> {
    linux::count(work)
}

/// Runs `work` and counts its instructions, on Linux on x86-64.
///
/// # Errors
///
/// Always `Unsupported` here.
#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
pub fn count<T>(_work: impl FnOnce() -> T) -> io::Result<(T, u64)> {
    Err(crate::sys::unsupported("instructions are counted on Linux on x86-64 only"))
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod linux {
    use crate::proof::helper::{self, Shared, State};
    use std::io;
    use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

    /// The memory that the thread and its helper share. Only the thread writes `counting` and
    /// `done`, and the helper looks at them while the thread is stopped.
    struct Steps {
        state: State,
        counting: AtomicBool,
        done: AtomicBool,
        made: AtomicU64,
    }

    pub(super) fn count<T>(work: impl FnOnce() -> T) -> io::Result<(T, u64)> {
        // SAFETY: atomics alone, for which zero is a valid value.
        let shared = unsafe { Shared::<Steps>::zeroed() }?;
        // SAFETY: `step` makes bare system calls and touches `shared`, and nothing else.
        let helper = unsafe {
            helper::start(&shared.state, "instructions", |thread| step(thread, &shared))
        }?;
        shared.counting.store(true, Ordering::Release); // pairs with the helper's Acquire load
        let result = catch_unwind(AssertUnwindSafe(work));
        shared.done.store(true, Ordering::Release); // pairs with the helper's Acquire load
        helper.reap()?;
        let result = result.unwrap_or_else(|panic| resume_unwind(panic));
        // Relaxed: the helper has been reaped, which ordered its stores before this.
        Ok((result, shared.made.load(Ordering::Relaxed)))
    }

    /// Attaches to `thread`, lets it make one instruction after the other, and detaches when it is
    /// done. Returns the errno of a step that failed. Runs in the helper.
    fn step(thread: libc::pid_t, shared: &Steps) -> Result<(), i32> {
        helper::seize(thread, 0)?;
        while let Some((stopped, status)) = helper::wait() {
            if !libc::WIFSTOPPED(status) {
                continue;
            }
            let signal = libc::WSTOPSIG(status);
            let mut deliver = 0;
            if status >> 16 != 0 {
                shared.state.attached(); // stopped by our INTERRUPT
            } else if signal != libc::SIGTRAP {
                deliver = signal; // a signal for the thread: pass it on
            } else if shared.counting.load(Ordering::Acquire) {
                // Acquire: pairs with the thread's stores. Relaxed: only the helper counts.
                shared.made.fetch_add(1, Ordering::Relaxed);
            }
            // Detaching ends the steps; the exit of the helper alone would not.
            let next = match shared.done.load(Ordering::Acquire) {
                true => libc::PTRACE_DETACH,
                false => libc::PTRACE_SINGLESTEP,
            };
            // SAFETY: `stopped` is in a ptrace stop. If it was killed meanwhile, the call fails and
            // the next wait reports it.
            unsafe { libc::ptrace(next, stopped, 0, deliver) };
        }
        Ok(()) // detached, or the thread has ended
    }
}

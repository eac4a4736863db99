//! A helper process that traces a thread of its parent, and the memory that both share.

use crate::sys::{cvt, trying};
use std::io;
use std::ops::Deref;
use std::ptr;
use std::sync::atomic::{AtomicI32, Ordering};

/// Memory that a forked process shares with its parent, unmapped on drop.
pub(super) struct Shared<T>(*mut T);

impl<T> Shared<T> {
    /// Maps a value of zero bytes.
    ///
    /// # Errors
    ///
    /// The errors of `mmap(2)`.
    ///
    /// # Safety
    ///
    /// Zero must be a valid value of every field of `T`, and every field an atomic.
    pub(super) unsafe fn zeroed() -> io::Result<Self> {
        // SAFETY: a fresh anonymous mapping, at an address that the kernel chooses.
        let address = unsafe {
            libc::mmap(
                ptr::null_mut(),
                size_of::<T>(),
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        if address == libc::MAP_FAILED {
            Err(io::Error::last_os_error())
        } else {
            Ok(Self(address.cast()))
        }
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: mapped until `self` is dropped, page-aligned, and `zeroed`'s caller vouches for
        // the value.
        unsafe { &*self.0 }
    }
}

impl<T> Drop for Shared<T> {
    fn drop(&mut self) {
        // SAFETY: exactly what `zeroed` mapped, and no borrow of it is left.
        unsafe { libc::munmap(self.0.cast(), size_of::<T>()) };
    }
}

/// The state of a helper: [`WAITING`] until it may attach, then [`ATTACHED`], or the negative errno
/// of its failure.
pub(super) struct State(AtomicI32);

const WAITING: i32 = 0;
const MAY_ATTACH: i32 = 1;
const ATTACHED: i32 = 2;

impl State {
    /// Tells the traced thread, at its first stop, that the helper has attached.
    pub(super) fn attached(&self) {
        if self.0.load(Ordering::Relaxed) == MAY_ATTACH {
            self.0.store(ATTACHED, Ordering::Release); // pairs with the Acquire load in `start`
        }
    }

    /// Returns `true` if the helper has attached, and has not failed since.
    pub(super) fn is_attached(&self) -> bool {
        self.0.load(Ordering::Acquire) == ATTACHED // pairs with the helper's stores
    }
}

/// A helper that has attached to the thread that started it.
pub(super) struct Helper(libc::pid_t);

/// Forks a helper that runs `trace`, gives it the id of the calling thread, and returns once it has
/// attached. `trace` returns the errno of a step that failed.
///
/// # Errors
///
/// The error of the fork, or the helper's own; `counted` says in it what was to be counted.
///
/// # Safety
///
/// `trace` must call async-signal-safe functions only, because other threads may have held any lock
/// at the fork.
pub(super) unsafe fn start(
    state: &State,
    counted: &str,
    trace: impl FnOnce(libc::pid_t) -> Result<(), i32>,
) -> io::Result<Helper> {
    // SAFETY: no arguments; returns the caller's thread id.
    let thread = unsafe { libc::gettid() };
    // CLONE_FILES: the helper must not hold copies of our descriptors, or a socket that the traced
    // code closes would stay open.
    // SAFETY: without CLONE_VM this is `fork`. The child makes bare system calls, touches shared
    // memory, runs `trace`, for which the caller vouches, and exits without running destructors or
    // handlers of the parent.
    let helper = unsafe {
        match libc::syscall(libc::SYS_clone, libc::CLONE_FILES | libc::SIGCHLD, 0, 0, 0, 0) {
            -1 => return trying("starting the tracer (clone)", Err(io::Error::last_os_error())),
            0 => {
                // Acquire: pairs with the thread's store below.
                while state.0.load(Ordering::Acquire) != MAY_ATTACH {
                    libc::sched_yield();
                }
                if let Err(errno) = trace(thread) {
                    state.0.store(-errno, Ordering::Release); // pairs with the thread's loads
                }
                libc::_exit(0)
            }
            pid => Helper(pid as libc::pid_t),
        }
    };
    // Under Yama, which restricts ptrace, a process has to name the one that may trace it. Without
    // it, this fails harmlessly.
    // SAFETY: takes a process id, and only changes which process may attach.
    unsafe { libc::prctl(libc::PR_SET_PTRACER, helper.0 as libc::c_ulong, 0, 0, 0) };
    state.0.store(MAY_ATTACH, Ordering::Release); // pairs with the helper's first load
    loop {
        // Acquire: pairs with the helper's stores of the outcome.
        match state.0.load(Ordering::Acquire) {
            WAITING | MAY_ATTACH => std::thread::yield_now(),
            ATTACHED => return Ok(helper),
            errno => {
                helper.reap()?;
                let error = Err(io::Error::from_raw_os_error(-errno));
                return trying(format_args!("counting {counted} with ptrace"), error);
            }
        }
    }
}

impl Helper {
    /// Waits until the helper has exited.
    ///
    /// # Errors
    ///
    /// The errors of `waitpid(2)`.
    pub(super) fn reap(self) -> io::Result<()> {
        loop {
            // SAFETY: waits for our own child; no status is asked for.
            match cvt(unsafe { libc::waitpid(self.0, ptr::null_mut(), 0) }) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return other.map(drop),
            }
        }
    }
}

/// Attaches to `thread` with these options of ptrace, and stops it.
///
/// # Errors
///
/// The errno of a step that failed.
pub(super) fn seize(thread: libc::pid_t, options: libc::c_int) -> Result<(), i32> {
    // SAFETY: ptrace requests on integers; a thread that we may not trace or that has ended is
    // refused with an error.
    unsafe {
        if libc::ptrace(libc::PTRACE_SEIZE, thread, 0, options) == -1
            || libc::ptrace(libc::PTRACE_INTERRUPT, thread, 0, 0) == -1
        {
            return Err(errno());
        }
    }
    Ok(())
}

/// Waits until a traced thread stops or ends; returns its id and status, or `None` if there is no
/// traced thread left.
pub(super) fn wait() -> Option<(libc::pid_t, libc::c_int)> {
    let mut status = 0;
    loop {
        // SAFETY: waits for any traced thread; `status` is writable. __WALL: they are not our
        // children.
        match unsafe { libc::waitpid(-1, &raw mut status, libc::__WALL) } {
            -1 if errno() == libc::EINTR => {}
            -1 => return None,
            stopped => return Some((stopped, status)),
        }
    }
}

/// Returns the number of the last error of a system call.
fn errno() -> i32 {
    // SAFETY: reads a thread-local integer.
    unsafe { *libc::__errno_location() }
}

//! A ring whose results are taken in order, by the thread that submits.

use crate::sys::trying;
use io_uring::types::{SubmitArgs, Timespec};
use io_uring::{IoUring, cqueue, squeue};
use std::collections::VecDeque;
use std::io;
use std::thread;
use std::time::{Duration, Instant};

/// The operations that one call hands over at most, and the results that wait at most until the
/// kernel keeps further ones itself.
const OPERATIONS: u32 = 512;
const RESULTS: u32 = 4096;

/// A ring, and the results that have been taken from it and not been looked at.
pub(super) struct Queue {
    ring: IoUring,
    /// The operations that will still have a result.
    in_flight: usize,
    results: VecDeque<Completion>,
}

/// The result of an operation, or one of the results of a multishot operation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Completion {
    pub(super) token: u64,
    /// The negative number of an error, or what the system call would return.
    pub(super) result: i32,
    flags: u32,
}

impl Completion {
    /// Returns the result as a system call's.
    pub(super) fn get(&self) -> io::Result<usize> {
        usize::try_from(self.result).map_err(|_| io::Error::from_raw_os_error(-self.result))
    }

    /// Returns `true` if the operation goes on, and has further results.
    pub(super) fn more(&self) -> bool {
        cqueue::more(self.flags)
    }

    /// Returns the number of the buffer that the kernel has taken for the operation.
    pub(super) fn buffer(&self) -> Option<u16> {
        cqueue::buffer_select(self.flags)
    }
}

impl Queue {
    /// Makes a ring for the calling thread, which alone submits, and has the kernel carry out
    /// the rest of an operation when that thread asks for results (Linux 6.1).
    pub(super) fn new() -> io::Result<Self> {
        let mut builder = IoUring::builder();
        builder.setup_cqsize(RESULTS).setup_single_issuer().setup_defer_taskrun();
        // Without this flag, an `enter` that waits for nothing would carry out nothing.
        let ring = builder.setup_taskrun_flag().build(OPERATIONS);
        let ring = trying("io_uring_setup", ring)?;
        Ok(Self { ring, in_flight: 0, results: VecDeque::new() })
    }

    pub(super) fn ring(&self) -> &IoUring {
        &self.ring
    }

    /// Returns the number of operations that will still have a result.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Returns the number of results that have been taken and not been looked at.
    pub(super) fn results(&self) -> usize {
        self.results.len()
    }

    /// Queues an operation for the next `enter`.
    ///
    /// # Safety
    ///
    /// The memory that the operation points to must stay valid until its last result has been
    /// taken, or be leaked.
    ///
    /// # Errors
    ///
    /// The errors of `io_uring_enter(2)`, if there was no room and the kernel makes none. The
    /// operation is not queued then, and has no result.
    pub(super) unsafe fn push(&mut self, entry: squeue::Entry, token: u64) -> io::Result<()> {
        let entry = entry.user_data(token);
        // SAFETY: the caller's promise.
        while unsafe { self.ring.submission().push(&entry) }.is_err() {
            let entered = self.ring.submit_and_wait(0);
            self.entered(entered)?;
        }
        self.in_flight += 1;
        Ok(())
    }

    /// Hands over what is queued, and waits until there is a result or `until` has passed. A
    /// signal may end the wait earlier.
    ///
    /// # Errors
    ///
    /// The errors of `io_uring_enter(2)` that will not pass by themselves.
    pub(super) fn enter(&mut self, until: Option<Instant>) -> io::Result<()> {
        let wanted = usize::from(self.results.is_empty());
        let left = until.map(|until| until.saturating_duration_since(Instant::now()));
        let entered = match left {
            None => self.ring.submit_and_wait(wanted),
            Some(left) => {
                let time = Timespec::from(left);
                let args = SubmitArgs::new().timespec(&time);
                self.ring.submitter().submit_with_args(wanted, &args)
            }
        };
        self.entered(entered)
    }

    /// Returns the next result.
    pub(super) fn next(&mut self) -> Option<Completion> {
        self.results.pop_front()
    }

    /// Takes the results that are there, so that there is room for others, and returns the error of
    /// an `enter` unless it will pass by itself.
    fn entered(&mut self, entered: io::Result<usize>) -> io::Result<()> {
        let before = self.results.len();
        for entry in self.ring.completion() {
            let (token, result, flags) = (entry.user_data(), entry.result(), entry.flags());
            self.in_flight -= usize::from(!cqueue::more(flags));
            self.results.push_back(Completion { token, result, flags });
        }
        let Err(error) = entered else { return Ok(()) };
        match error.raw_os_error() {
            Some(libc::ETIME | libc::EINTR) => {}
            // The kernel has no memory for an operation, or wants its results taken first.
            Some(libc::EAGAIN | libc::EBUSY) => {
                if self.results.len() == before {
                    thread::sleep(Duration::from_millis(1));
                }
            }
            _ => return trying("io_uring_enter", Err(error)),
        }
        Ok(())
    }
}

//! The end of an operation, and the ways in which the program learns of it.

use super::buffer::Buffer;
use super::file::SharedFile;
use super::operation::Operation;
use super::step::Outcome;
use std::io;
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::thread::{self, Thread};

/// The end of an operation.
#[derive(Debug)]
pub struct Completion {
    /// The way in which it ended.
    pub outcome: Outcome,
    /// The number of bytes that were read, written or copied, even if it failed or was canceled.
    pub bytes: u64,
    /// The buffer of a read, a write or a replacement. `None` for other operations, and where an
    /// engine that failed could not get it back from the kernel.
    pub buffer: Option<Buffer>,
    /// The file that has been opened. Dropping it closes it.
    pub file: Option<SharedFile>,
}

impl Completion {
    pub(super) fn new(operation: Operation, outcome: Outcome) -> Self {
        let bytes = operation.bytes();
        let (buffer, file) = operation.into_parts(); // drops the others, before anyone hears of it
        Self { outcome, bytes, buffer, file }
    }

    /// Returns the completion if the operation is [`Done`](Outcome::Done).
    ///
    /// # Errors
    ///
    /// The operation's error, which says how many bytes were moved before it; `Interrupted` if it
    /// was canceled.
    pub fn done(self) -> io::Result<Self> {
        match self.outcome {
            Outcome::Done => Ok(self),
            Outcome::Failed(error) => Err(error),
            Outcome::Canceled => Err(io::Error::new(
                io::ErrorKind::Interrupted,
                format!("the operation was canceled after {} bytes", self.bytes),
            )),
        }
    }
}

/// Delivers a completion.
pub(super) enum Delivery {
    /// To the handle that shares the ticket.
    Handle,
    /// To a function.
    Callback(Box<dyn FnOnce(Completion) + Send>),
}

/// The part of an operation that its handle and its engine share.
#[derive(Default)]
pub(super) struct Ticket {
    stop: AtomicBool,
    slot: Mutex<Slot>,
}

/// The place of a completion that its handle has not taken yet.
#[derive(Default)]
enum Slot {
    #[default]
    Empty,
    /// The handle's owner waits for it.
    Awaited(Waiter),
    Filled(Completion),
    /// It has been taken.
    Taken,
}

/// The thread or task that waits for a handle. There is at most one, and nothing is woken if there
/// is none.
enum Waiter {
    Thread(Thread),
    Task(Waker),
}

impl Waiter {
    fn wake(self) {
        match self {
            Self::Thread(thread) => thread.unpark(),
            Self::Task(waker) => waker.wake(),
        }
    }
}

impl Ticket {
    /// Returns `true` if the program wants the operation to stop.
    pub(super) fn is_stopped(&self) -> bool {
        // Relaxed: the flag alone says something, and no data comes with it. An engine that has
        // not seen it yet is told under the queue's lock, or meets it at the next step.
        self.stop.load(Ordering::Relaxed)
    }

    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed); // as above
    }

    /// Hands the completion to the handle, if it still exists.
    pub(super) fn fill(&self, completion: Completion) {
        let before = mem::replace(&mut *self.lock(), Slot::Filled(completion));
        if let Slot::Awaited(waiter) = before {
            waiter.wake();
        }
    }

    /// Returns `true` if the completion is there.
    pub(super) fn is_filled(&self) -> bool {
        matches!(*self.lock(), Slot::Filled(_))
    }

    /// Takes the completion if it is there.
    pub(super) fn try_take(&self) -> Option<Completion> {
        let mut slot = self.lock();
        match mem::replace(&mut *slot, Slot::Taken) {
            Slot::Filled(completion) => Some(completion),
            other => {
                *slot = other;
                None
            }
        }
    }

    /// Waits for the completion.
    pub(super) fn take(&self) -> Completion {
        loop {
            match self.take_or_await(Waiter::Thread(thread::current())) {
                Poll::Ready(completion) => return completion,
                Poll::Pending => thread::park(), // may return early, for any reason
            }
        }
    }

    /// Takes the completion if it is there, or has `waker` called when it comes.
    pub(super) fn poll(&self, waker: &Waker) -> Poll<Completion> {
        self.take_or_await(Waiter::Task(waker.clone()))
    }

    /// Takes the completion if it is there, or leaves `waiter` in its place.
    fn take_or_await(&self, waiter: Waiter) -> Poll<Completion> {
        let mut slot = self.lock();
        let before = match mem::replace(&mut *slot, Slot::Taken) {
            Slot::Filled(completion) => return Poll::Ready(completion),
            Slot::Taken => panic!("the completion of this handle has been taken"),
            before => before,
        };
        *slot = Slot::Awaited(waiter);
        drop(slot);
        drop(before); // perhaps a waker: the program's code must not run under the lock
        Poll::Pending
    }

    fn lock(&self) -> MutexGuard<'_, Slot> {
        // A handle that is used after its end panics under it, and leaves it as it was.
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

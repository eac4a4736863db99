//! Handles: waiting for an operation, awaiting it, canceling it.

use super::completion::{Completion, Delivery, Ticket};
use super::operation::Operation;
use super::queue::{IfFull, Queue, Reason, Rejected};
use super::step::Outcome;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// The effect of a cancellation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancellation {
    /// The operation had ended before.
    Done,
    /// The operation was stopped, before its first byte or after those that the completion counts.
    Canceled,
    /// The operation was under way and ran to its own end, or failed there.
    TooLate,
}

/// A claim on the completion of one operation: blocks in [`wait`](Self::wait), or is awaited as a
/// future, on any executor.
///
/// Dropping a handle abandons the result and not the operation. The operation goes on to its end,
/// and owns its buffer and its files until then.
#[must_use = "a dropped handle abandons the result, the error included"]
pub struct Handle {
    ticket: Arc<Ticket>,
    queue: Arc<Queue>,
}

impl Handle {
    pub(super) fn new(ticket: Arc<Ticket>, queue: Arc<Queue>) -> Self {
        Self { ticket, queue }
    }

    /// Waits for the end of the operation.
    ///
    /// A callback runs on a thread of the engine. Waiting there for an operation of the same engine
    /// may wait forever.
    ///
    /// # Panics
    ///
    /// If the handle, as a future, has returned the completion already.
    pub fn wait(self) -> Completion {
        self.ticket.take()
    }

    /// Returns the completion if the operation has ended, or else the handle.
    ///
    /// # Errors
    ///
    /// The handle of an operation that is still under way.
    pub fn try_wait(self) -> Result<Completion, Self> {
        self.ticket.try_take().ok_or(self)
    }

    // ANCHOR: cancel
    /// Asks the operation to stop, waits for its end, and returns the effect.
    ///
    /// The wait is the point: until the kernel has answered, it may still write to the
    /// buffer. An operation that waits in the queue ends at once. The kernel can stop a
    /// request that it has not begun; one to a disk that is under way usually runs to its
    /// end.
    ///
    /// # Panics
    ///
    /// As [`wait`](Self::wait).
    pub fn cancel(self) -> (Cancellation, Completion) {
        let had_ended = self.ticket.is_filled();
        self.queue.cancel(&self.ticket);
        let completion = self.ticket.take();
        let effect = match completion.outcome {
            Outcome::Canceled => Cancellation::Canceled, // by this or by a `Canceler`
            _ if had_ended => Cancellation::Done,
            _ => Cancellation::TooLate,
        };
        (effect, completion)
    }
    // ANCHOR_END: cancel

    /// Returns what cancels the operation without waiting for its end.
    pub fn canceler(&self) -> Canceler {
        Canceler { ticket: self.ticket.clone(), queue: self.queue.clone() }
    }
}

impl Future for Handle {
    type Output = Completion;

    /// Takes the completion, once.
    ///
    /// # Panics
    ///
    /// If polled again after that, as futures may.
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Completion> {
        self.ticket.poll(context.waker())
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("ended", &self.ticket.is_filled()).finish_non_exhaustive()
    }
}

/// A submission that waits for room.
#[must_use = "a future does nothing until it is polled"]
pub struct Submission {
    /// `None` once it has been submitted.
    operation: Option<Box<Operation>>,
    queue: Arc<Queue>,
}

impl Submission {
    pub(super) fn new(operation: Operation, queue: Arc<Queue>) -> Self {
        Self { operation: Some(Box::new(operation)), queue }
    }
}

impl Future for Submission {
    type Output = Result<Handle, Rejected>;

    /// Submits the operation if there is room.
    ///
    /// # Panics
    ///
    /// If polled again after that, as futures may.
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let operation = self.operation.take().expect("the operation has been submitted");
        let queue = self.queue.clone();
        match queue.submit(*operation, Delivery::Handle, IfFull::Wake(context.waker())) {
            Ok(ticket) => Poll::Ready(Ok(Handle::new(ticket, queue))),
            Err(Rejected { operation, reason: Reason::Full }) => {
                self.operation = Some(operation);
                Poll::Pending
            }
            Err(rejected) => Poll::Ready(Err(rejected)),
        }
    }
}

impl fmt::Debug for Submission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Submission").field("operation", &self.operation).finish_non_exhaustive()
    }
}

/// Cancels one operation. It owns nothing of it, so it can be kept, cloned or dropped at any time.
#[derive(Clone)]
pub struct Canceler {
    pub(super) ticket: Arc<Ticket>,
    pub(super) queue: Arc<Queue>,
}

impl Canceler {
    /// Asks the operation to stop, and returns without waiting for its end. The completion says
    /// whether it was in time. If the operation is still queued, its callback runs here.
    pub fn cancel(&self) {
        self.queue.cancel(&self.ticket);
    }
}

impl fmt::Debug for Canceler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Canceler").finish_non_exhaustive()
    }
}

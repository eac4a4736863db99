//! The operations that wait for an engine, and the bound on those in flight.

use super::completion::{Completion, Delivery, Ticket};
use super::operation::Operation;
use super::step::{Next, Outcome};
use super::wake::Wake;
use std::cell::Cell;
use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::{error, io, mem};

thread_local! {
    /// The queue that the calling thread serves as part of an engine, by its address.
    static SERVES: Cell<*const Queue> = const { Cell::new(std::ptr::null()) };
}

/// The numbers of operations. At any time, `submitted` is the sum of `completed`, `failed`,
/// `canceled` and `in_flight`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Accepted operations.
    pub submitted: u64,
    /// Operations that ended as [`Outcome::Done`].
    pub completed: u64,
    /// Operations that ended as [`Outcome::Failed`].
    pub failed: u64,
    /// Operations that ended as [`Outcome::Canceled`].
    pub canceled: u64,
    /// Operations that have not ended.
    pub in_flight: u64,
    /// The largest number of operations in flight so far.
    pub most_in_flight: u64,
    /// Callbacks and wakers that panicked. Nothing is left of the panic but the panic hook's
    /// message.
    pub panicked: u64,
}

/// An operation that was not accepted, which comes back.
#[derive(Debug)]
pub struct Rejected {
    /// The operation.
    pub operation: Box<Operation>,
    /// The reason.
    pub reason: Reason,
}

/// The reason why an operation was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// As many operations as allowed are in flight.
    Full,
    /// The engine is shut down.
    ShutDown,
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.reason {
            Reason::Full => "as many file operations as allowed are in flight",
            Reason::ShutDown => "the engine of file operations is shut down",
        })
    }
}

impl error::Error for Rejected {}

/// An accepted operation.
pub(super) struct Task {
    pub(super) operation: Operation,
    ticket: Arc<Ticket>,
    delivery: Delivery,
}

impl Task {
    /// Returns the next step, or the end if there is none or the program wants none.
    pub(super) fn next(&mut self) -> Next<'_> {
        self.operation.next(self.ticket.is_stopped())
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.ticket.is_stopped()
    }

    pub(super) fn is_of(&self, ticket: &Arc<Ticket>) -> bool {
        Arc::ptr_eq(&self.ticket, ticket)
    }
}

/// The reaction of a submission to an engine in which as many operations as allowed are in flight.
#[derive(Clone, Copy)]
pub(super) enum IfFull<'a> {
    /// Returns the operation.
    Refuse,
    /// Waits for room.
    Wait,
    /// Returns the operation, and has this waker called when there is room.
    Wake(&'a Waker),
}

/// The work of an engine that waits for it.
#[derive(Default)]
pub(super) struct Work {
    /// New operations, and those that come back from a helper.
    pub(super) tasks: VecDeque<Task>,
    /// Operations under way that are to be stopped.
    pub(super) stops: Vec<Arc<Ticket>>,
}

/// The state that submitters and an engine share.
pub(super) struct Queue {
    state: Mutex<State>,
    /// Waited for by submitters.
    room: Condvar,
    wake: Wake,
    depth: u64,
}

#[derive(Default)]
struct State {
    work: Work,
    closed: bool,
    counts: Counts,
    /// Engine threads that wait for work.
    asleep: usize,
    /// Threads that wait for room.
    waiting: usize,
    /// Tasks that wait for room. All are woken by the next operation that ends: one that has lost
    /// interest would not pass the news on.
    wakers: Vec<Waker>,
}

impl Queue {
    pub(super) fn new(depth: usize, wake: Wake) -> Self {
        let (state, room) = (Mutex::default(), Condvar::new());
        Self { state, room, wake, depth: depth as u64 }
    }

    // ---------------------------------------------------------------- for the program

    // ANCHOR: submit
    /// Accepts an operation, if fewer than allowed are in flight.
    pub(super) fn submit(
        &self,
        operation: Operation,
        delivery: Delivery,
        if_full: IfFull<'_>,
    ) -> Result<Arc<Ticket>, Rejected> {
        let mut state = self.lock();
        let is_full = |state: &State| !state.closed && state.counts.in_flight >= self.depth;
        // A thread of the engine would wait for itself.
        while matches!(if_full, IfFull::Wait) && is_full(&state) && !self.is_served_here() {
            state.waiting += 1;
            state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.waiting -= 1;
        }
        let reason = match () {
            () if state.closed => Reason::ShutDown,
            () if is_full(&state) => {
                if let IfFull::Wake(waker) = if_full {
                    state.await_room(waker);
                }
                Reason::Full
            }
            () => {
                let ticket = Arc::<Ticket>::default();
                state.count_accepted();
                state.work.tasks.push_back(Task { operation, ticket: ticket.clone(), delivery });
                self.wake(state);
                return Ok(ticket);
            }
        };
        Err(Rejected { operation: Box::new(operation), reason })
    }
    // ANCHOR_END: submit

    /// Stops an operation: ends it here and now if it waits in the queue, or asks the engine.
    pub(super) fn cancel(&self, ticket: &Arc<Ticket>) {
        let mut state = self.lock();
        ticket.stop();
        let waits = state.work.tasks.iter().position(|task| task.is_of(ticket));
        // An operation that comes back from a helper may be beyond stopping.
        let ended = waits.and_then(|index| {
            let Next::End(outcome) = state.work.tasks[index].next() else { return None };
            state.work.tasks.remove(index).map(|task| (task, outcome))
        });
        match ended {
            Some((task, outcome)) => {
                drop(state);
                self.finish(task, outcome);
            }
            // A ring is told. A thread looks at the flag between the steps of its task.
            None if matches!(self.wake, Wake::Event(_)) => {
                state.work.stops.push(ticket.clone());
                self.wake(state);
            }
            None => {}
        }
    }

    /// Accepts no more operations.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        let wakers = mem::take(&mut state.wakers);
        drop(state);
        wakers.into_iter().for_each(|waker| self.guarded(|| waker.wake()));
        self.room.notify_all();
        self.wake.all();
    }

    pub(super) fn counts(&self) -> Counts {
        self.lock().counts
    }

    // ---------------------------------------------------------------- for engines

    /// Marks the calling thread as one of the engine's.
    pub(super) fn serve(&self) {
        SERVES.set(self);
    }

    /// Returns `true` on a thread of the engine.
    pub(super) fn is_served_here(&self) -> bool {
        std::ptr::eq(SERVES.get(), self)
    }

    /// Waits for the next task. Returns `None` once the queue is closed and empty.
    pub(super) fn wait(&self) -> Option<Task> {
        let Wake::Threads(work) = &self.wake else { unreachable!("a pool waits like this") };
        let mut state = self.lock();
        loop {
            if let Some(task) = state.work.tasks.pop_front() {
                return Some(task);
            }
            if state.closed {
                return None;
            }
            state.asleep += 1;
            state = work.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.asleep -= 1;
        }
    }

    /// Takes all work. From now on, a submission wakes the engine, until it takes work again.
    /// Returns `false` once the queue is closed and no operation is in flight.
    pub(super) fn take(&self, work: &mut Work) -> bool {
        let mut state = self.lock();
        mem::swap(&mut state.work, work);
        state.asleep = 1;
        !state.closed || state.counts.in_flight > 0
    }

    /// Brings back a task whose step a helper has made.
    pub(super) fn resume(&self, task: Task) {
        let mut state = self.lock();
        state.work.tasks.push_back(task);
        self.wake(state);
    }

    // ANCHOR: finish
    /// Ends an operation: counts it, makes room, and delivers the completion.
    pub(super) fn finish(&self, task: Task, outcome: Outcome) {
        let Task { operation, ticket, delivery } = task;
        self.deliver(Completion::new(operation, outcome), &ticket, delivery);
    }

    /// Ends an operation that no engine can carry out any more.
    pub(super) fn fail(&self, mut task: Task, error: io::Error) {
        let ended = match task.next() {
            Next::End(outcome) => Some(outcome),
            Next::Step(_) => None,
        };
        let outcome = ended.unwrap_or_else(|| task.operation.abandon(error));
        self.finish(task, outcome);
    }

    /// Ends an operation whose request the kernel may still hold: leaks what it points to.
    pub(super) fn lose(&self, task: Task, error: io::Error) {
        let Task { mut operation, ticket, delivery } = task;
        let outcome = operation.abandon(error);
        let bytes = operation.bytes();
        let completion = Completion { outcome, bytes, buffer: None, file: None };
        mem::forget(operation);
        self.deliver(completion, &ticket, delivery);
    }

    fn deliver(&self, completion: Completion, ticket: &Ticket, delivery: Delivery) {
        let mut state = self.lock();
        state.count_ended(&completion.outcome); // before it is delivered
        let is_last = state.closed && state.counts.in_flight == 0;
        let is_awaited = state.waiting > 0;
        let wakers = mem::take(&mut state.wakers);
        drop(state);
        if is_last {
            self.wake.all();
        }
        if is_awaited {
            self.room.notify_one();
        }
        wakers.into_iter().for_each(|waker| self.guarded(|| waker.wake()));
        self.guarded(|| match delivery {
            Delivery::Handle => ticket.fill(completion),
            Delivery::Callback(callback) => callback(completion),
        });
    }
    // ANCHOR_END: finish

    /// Runs the program's code: callbacks, wakers, and their destructors.
    fn guarded(&self, code: impl FnOnce()) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(code)) {
            self.lock().counts.panicked += 1;
            mem::forget(panic); // its destructor may panic, too
        }
    }

    /// Wakes the engine if a thread of it sleeps.
    fn wake(&self, mut state: MutexGuard<'_, State>) {
        if state.asleep == 0 {
            return;
        }
        if let Wake::Event(_) = self.wake {
            state.asleep = 0; // one event is enough until it takes work
        }
        drop(state);
        self.wake.one();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The only code of the program that runs under this lock is a waker's `clone`, and the
        // state is whole if that panics.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn await_room(&mut self, waker: &Waker) {
        if !self.wakers.iter().any(|other| other.will_wake(waker)) {
            self.wakers.push(waker.clone());
        }
    }

    fn count_accepted(&mut self) {
        let counts = &mut self.counts;
        counts.submitted += 1;
        counts.in_flight += 1;
        counts.most_in_flight = counts.most_in_flight.max(counts.in_flight);
    }

    fn count_ended(&mut self, outcome: &Outcome) {
        let counts = &mut self.counts;
        counts.in_flight -= 1;
        *match outcome {
            Outcome::Done => &mut counts.completed,
            Outcome::Failed(_) => &mut counts.failed,
            Outcome::Canceled => &mut counts.canceled,
        } += 1;
    }
}

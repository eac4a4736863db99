//! The queue behind its lock, with the threads that wait for it. The loom models explore this.

use super::gather;
use super::queue::{Answer, Failure, Next, Queue};
use super::rejected::{Reason, Rejected};
use super::settings::Settings;
use crate::concurrency::sync::{Condvar, Mutex, MutexGuard};
use std::io::{self, Write};
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::PoisonError;
use std::time::Instant;

/// The queue, for all threads.
pub(super) struct Shared {
    state: Mutex<State>,
    /// The thread that writes waits here for a batch.
    work: Condvar,
    /// Threads that push wait here for room.
    room: Condvar,
    /// Threads wait here for the answers to items.
    answers: Condvar,
}

struct State {
    queue: Queue,
    /// The thread that writes sleeps, and no one has woken it yet.
    sleeps: bool,
    /// Threads wait for answers, and have not been woken.
    wants_answers: bool,
}

/// The behavior of a push that finds no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IfFull {
    Wait,
    Refuse,
}

impl Shared {
    pub(super) fn new(settings: Settings) -> Self {
        let state = State { queue: Queue::new(settings), sleeps: false, wants_answers: false };
        Self {
            state: Mutex::new(state),
            work: Condvar::new(),
            room: Condvar::new(),
            answers: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner) // no code of others runs under it
    }

    // ANCHOR: push
    pub(super) fn push(&self, item: Vec<u8>, if_full: IfFull) -> Result<u64, Rejected> {
        let mut state = self.lock();
        loop {
            if let Some(failure) = state.queue.failure() {
                let reason = Reason::Failed(failure.error.clone());
                return Err(Rejected { item, reason });
            }
            if state.queue.has_room(item.len()) {
                break;
            }
            if if_full == IfFull::Refuse {
                return Err(Rejected { item, reason: Reason::Full });
            }
            state.queue.wants_room = true; // and so it waits for no more items
            self.wake(&mut state);
            state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let now = Instant::now();
        let number = state.queue.push(item, now);
        if state.queue.is_first() || state.queue.next(now) == Next::Write {
            self.wake(&mut state);
        }
        Ok(number)
    }
    // ANCHOR_END: push

    /// Wakes the thread that writes, if it sleeps and has not been woken. Each notification is a
    /// system call, even if no thread waits.
    fn wake(&self, state: &mut State) {
        if mem::take(&mut state.sleeps) {
            self.work.notify_one();
        }
    }

    // ANCHOR: run
    /// Writes batch after batch until the queue is closed and empty, or the writer fails.
    pub(super) fn run(&self, writer: &mut impl Write) {
        let mut batch = vec![];
        let mut state = self.lock();
        loop {
            match state.queue.next(Instant::now()) {
                Next::Write => {
                    state.queue.take(&mut batch);
                    drop(state); // no one waits for the lock during the write
                    let (bytes, result) = write(writer, &batch);
                    state = self.lock();
                    state.queue.settle(&mut batch, bytes, result);
                    self.tell(&mut state);
                    drop(state);
                    batch.clear();
                    state = self.lock();
                }
                Next::Wait(until) => state = self.sleep(state, until),
                Next::End => return,
            }
        }
    }
    // ANCHOR_END: run

    fn sleep<'s>(
        &'s self,
        mut state: MutexGuard<'s, State>,
        until: Option<Instant>,
    ) -> MutexGuard<'s, State> {
        state.sleeps = true;
        let mut state = match until {
            None => self.work.wait(state).unwrap_or_else(PoisonError::into_inner),
            Some(until) => {
                let time = until.saturating_duration_since(Instant::now());
                self.work.wait_timeout(state, time).unwrap_or_else(PoisonError::into_inner).0
            }
        };
        state.sleeps = false;
        state
    }

    /// Wakes the threads that a written batch or an error concerns.
    fn tell(&self, state: &mut State) {
        if mem::take(&mut state.queue.wants_room) {
            self.room.notify_all();
        }
        if mem::take(&mut state.wants_answers) {
            self.answers.notify_all();
        }
    }

    pub(super) fn answer(&self, number: u64) -> Option<Answer> {
        self.lock().queue.answer(number)
    }

    /// Waits for the answer to the item of this number.
    pub(super) fn wait(&self, number: u64) -> Answer {
        self.wait_locked(self.lock(), number)
    }

    fn wait_locked(&self, mut state: MutexGuard<'_, State>, number: u64) -> Answer {
        loop {
            if let Some(answer) = state.queue.answer(number) {
                return answer;
            }
            state.wants_answers = true;
            state = self.answers.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Has all items accepted so far written, and returns the answer to the last one, if there has
    /// been one.
    pub(super) fn flush(&self) -> Option<Answer> {
        let mut state = self.lock();
        let last = state.queue.accepted().checked_sub(1)?;
        state.queue.hurry();
        self.wake(&mut state);
        Some(self.wait_locked(state, last))
    }

    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.queue.close();
        self.wake(&mut state);
    }

    /// Returns the error, if there has been one, with the items that were not written and the
    /// number of all that were accepted.
    pub(super) fn unwritten(&self) -> Option<(Failure, Vec<Vec<u8>>, u64)> {
        let mut state = self.lock();
        let failure = state.queue.failure()?.clone();
        Some((failure, state.queue.take_unwritten(), state.queue.accepted()))
    }
}

/// Writes a batch, and returns the number of bytes that were written. A panic of the writer is an
/// error: the items still need answers.
fn write(writer: &mut impl Write, batch: &[Vec<u8>]) -> (usize, io::Result<()>) {
    let mut bytes = 0;
    let result = catch_unwind(AssertUnwindSafe(|| gather::write_all(writer, batch, &mut bytes)));
    let result = result.unwrap_or_else(|_| Err(io::Error::other("the writer panicked")));
    (bytes, result)
}

//! Where jobs lie, and who sleeps until there are some.
//!
//! Jobs lie in one queue, and on a shelf a worker: what it has taken and not begun. Whoever holds
//! the queue's lock may move jobs from the queue to a shelf and between shelves. A worker takes the
//! next job off its own shelf with the shelf's lock alone, which nobody else wants but a worker
//! that has nothing to do, `cancel` and `metrics`. So a batch is no hiding place.
//!
//! At any time: if a worker sleeps while a job waits, in the queue or on a shelf, then a worker has
//! been called and is on its way; it calls the next one. If a submitter sleeps while half of the
//! queue is free, then one has been called. Each has been put to sleep, and is called, under the
//! queue's lock.

use super::Settings;
use super::metrics::{Clock, Metrics, Stamp, Tally};
use super::worker::Run;
use crate::concurrency::sync::{Condvar, Mutex, MutexGuard, thread};
use crate::memory::cache_lines::CachePadded;
use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{SendError, TrySendError};
use std::sync::{PoisonError, Weak};
use std::time::Instant;
use std::vec;

/// One job in so many has its latency measured: a prime, so that a load with a period of its own is
/// not seen at one phase.
pub(super) const SAMPLED: u64 = 13;
/// How often somebody looks before it sleeps. Not often: who looks and yields keeps a core busy,
/// and may leave both workers on the other one, for as long as it finds something just in time. The
/// models explore the sleep.
const LOOKS: usize = if cfg!(loom) { 0 } else { 8 };

/// A job, and when it was submitted if it is one of those whose latency is measured.
pub(super) struct Queued<J> {
    pub(super) job: J,
    pub(super) submitted: Option<Stamp>,
}

/// How long a submitter waits for room.
pub(super) enum Patience {
    None,
    Until(Instant),
    Forever,
}

/// What the workers and the submitters share.
pub(super) struct Shared<J> {
    state: CachePadded<Mutex<State<J>>>,
    /// As many as lie in the queue: written under its lock, and looked at without it before
    /// somebody sleeps.
    length: AtomicUsize,
    /// Workers sleep here.
    work: Condvar,
    /// Submitters sleep here.
    room: Condvar,
    workers: Box<[CachePadded<Worker<J>>]>,
    capacity: usize,
    batch: usize,
    clock: Clock,
    /// Held by the workers: it ends with the last of them.
    run: Weak<Run<J>>,
}

struct State<J> {
    queue: VecDeque<Queued<J>>,
    closed: bool,
    submitted: u64,
    returned: u64,
    /// How many workers sleep, and whether one has been called that still counts among them.
    workers: Sleepers,
    /// The same of submitters.
    submitters: Sleepers,
}

#[derive(Default)]
struct Sleepers {
    asleep: usize,
    called: bool,
}

impl Sleepers {
    /// Whether somebody is to be called, now that there is reason to.
    fn call(&mut self) -> bool {
        let call = self.asleep > 0 && !self.called;
        self.called |= call;
        call
    }
}

struct Worker<J> {
    shelf: Mutex<VecDeque<Queued<J>>>,
    tally: Tally,
}

impl<J> State<J> {
    /// A job that was let in. What waited for room was submitted when it began to wait.
    fn accept(&mut self, job: J, clock: Clock, since: Option<Stamp>) -> Queued<J> {
        let sampled = self.submitted.is_multiple_of(SAMPLED);
        self.submitted += 1;
        Queued { job, submitted: sampled.then(|| since.unwrap_or_else(|| clock.now())) }
    }
}

type Guard<'a, J> = MutexGuard<'a, State<J>>;

impl<J> Shared<J> {
    pub(super) fn new(settings: &Settings, clock: Clock, run: Weak<Run<J>>) -> io::Result<Self> {
        let queue = room_for(settings.queue)?;
        let worker = |_| {
            let shelf = Mutex::new(room_for(settings.batch.min(settings.queue))?);
            Ok(CachePadded(Worker { shelf, tally: Tally::new(clock) }))
        };
        let (workers, submitters) = (Sleepers::default(), Sleepers::default());
        let state = State { queue, closed: false, submitted: 0, returned: 0, workers, submitters };
        Ok(Self {
            state: CachePadded(Mutex::new(state)),
            length: AtomicUsize::new(0),
            work: Condvar::new(),
            room: Condvar::new(),
            workers: (0..settings.workers).map(worker).collect::<io::Result<_>>()?,
            capacity: settings.queue,
            batch: settings.batch,
            clock,
            run,
        })
    }

    pub(super) fn tally(&self, place: usize) -> &Tally {
        &self.workers[place].tally
    }

    /// The next job for a worker, and whether it is the last one on its shelf; `None` when there
    /// will be no more.
    pub(super) fn next(&self, place: usize) -> Option<(Queued<J>, bool)> {
        let mut shelf = self.shelf(place);
        match shelf.pop_front() {
            Some(queued) => Some((queued, shelf.is_empty())),
            None => {
                drop(shelf); // the queue's lock comes first
                self.wait_for_work(place)
            }
        }
    }

    // ANCHOR: take
    /// Takes a worker's share of the queue: the first job, and what it puts on its shelf. If the
    /// queue is empty, half of what lies on another one's shelf.
    fn take(&self, state: &mut State<J>, place: usize) -> Option<(Queued<J>, bool)> {
        let mut shelf = self.shelf(place);
        let share = state.queue.len().div_ceil(self.workers.len()).min(self.batch);
        if let Some(first) = state.queue.pop_front() {
            shelf.extend(state.queue.drain(..share - 1));
            self.length.store(state.queue.len(), Relaxed);
            return Some((first, shelf.is_empty()));
        }
        for other in (0..self.workers.len()).filter(|&other| other != place) {
            let mut theirs = self.shelf(other);
            let share = theirs.len().div_ceil(2);
            if let Some(first) = theirs.pop_front() {
                shelf.extend(theirs.drain(..share - 1));
                return Some((first, shelf.is_empty()));
            }
        }
        None
    }
    // ANCHOR_END: take

    #[cold]
    fn wait_for_work(&self, place: usize) -> Option<(Queued<J>, bool)> {
        let mut looked = false;
        let mut state = self.lock();
        loop {
            if let Some(taken) = self.take(&mut state, place) {
                let has_room = self.capacity - state.queue.len() >= self.enough_room();
                let call_submitter = has_room && state.submitters.call();
                let call_worker =
                    state.workers.asleep > 0 && self.is_work_left(&state) && state.workers.call();
                drop(state);
                if call_worker {
                    self.work.notify_one();
                }
                if call_submitter {
                    self.room.notify_one();
                }
                return Some(taken);
            }
            if state.closed {
                return None;
            }
            if !looked {
                drop(state);
                look(|| self.length.load(Relaxed) > 0);
                looked = true;
                state = self.lock();
                continue;
            }
            state.workers.asleep += 1;
            state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.workers.asleep -= 1;
            state.workers.called = false;
        }
    }

    fn is_work_left(&self, state: &State<J>) -> bool {
        !state.queue.is_empty()
            || (0..self.workers.len()).any(|place| !self.shelf(place).is_empty())
    }

    /// A submitter is called when so much is free, so that it doesn't go to sleep again after one
    /// job.
    fn enough_room(&self) -> usize {
        self.capacity.div_ceil(2)
    }

    pub(super) fn push(&self, job: J, patience: Patience) -> Result<(), TrySendError<J>> {
        let (mut state, since) = self.room(self.lock(), &patience);
        if state.closed {
            return Err(TrySendError::Disconnected(job));
        }
        if state.queue.len() == self.capacity {
            return Err(TrySendError::Full(job));
        }
        let queued = state.accept(job, self.clock, since);
        state.queue.push_back(queued);
        self.pushed(state, since.is_some());
        Ok(())
    }

    /// Pushes all of them, or returns the first that was not accepted.
    pub(super) fn push_all(&self, jobs: &mut vec::Drain<'_, J>) -> Result<(), SendError<J>> {
        while jobs.len() > 0 {
            let (mut state, since) = self.room(self.lock(), &Patience::Forever);
            if state.closed {
                return jobs.next().map_or(Ok(()), |job| Err(SendError(job)));
            }
            let room = self.capacity - state.queue.len();
            for job in jobs.by_ref().take(room) {
                let queued = state.accept(job, self.clock, since);
                state.queue.push_back(queued);
            }
            self.pushed(state, since.is_some());
        }
        Ok(())
    }

    /// Ends a submission: calls a worker, and another submitter if this one has been called and has
    /// left room.
    fn pushed(&self, mut state: Guard<'_, J>, has_waited: bool) {
        self.length.store(state.queue.len(), Relaxed);
        let call_worker = state.workers.call();
        let call_submitter =
            has_waited && state.queue.len() < self.capacity && state.submitters.call();
        drop(state);
        if call_worker {
            self.work.notify_one();
        }
        if call_submitter {
            self.room.notify_one();
        }
    }

    /// Waits for room as long as patience lasts, and says since when if it had to.
    fn room<'a>(
        &'a self,
        mut state: Guard<'a, J>,
        patience: &Patience,
    ) -> (Guard<'a, J>, Option<Stamp>) {
        if state.queue.len() < self.capacity || state.closed || matches!(patience, Patience::None) {
            return (state, None);
        }
        let since = self.clock.now();
        drop(state);
        look(|| self.capacity - self.length.load(Relaxed) >= self.enough_room());
        state = self.lock();
        while state.queue.len() == self.capacity && !state.closed {
            let left = match patience {
                Patience::Until(end) => match end.checked_duration_since(Instant::now()) {
                    Some(left) if !left.is_zero() => Some(left),
                    _ => break,
                },
                _ => None,
            };
            state.submitters.asleep += 1;
            state = match left {
                Some(left) => {
                    self.room.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.room.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
            state.submitters.asleep -= 1;
            state.submitters.called = false; // if the call was for another one, there is one call more
        }
        (state, Some(since))
    }

    /// Runs a job on its submitter's thread, which is a worker.
    pub(super) fn run_here(&self, job: J, place: usize) -> Result<(), TrySendError<J>> {
        let mut state = self.lock();
        let Some(run) = self.run.upgrade().filter(|_| !state.closed) else {
            return Err(TrySendError::Disconnected(job));
        };
        let queued = state.accept(job, self.clock, None);
        drop(state);
        run(queued, self.tally(place), true);
        Ok(())
    }

    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.work.notify_all();
        self.room.notify_all();
    }

    /// Closes, and takes all jobs that were not begun.
    pub(super) fn close_and_return(&self) -> Vec<J> {
        let mut state = self.lock();
        state.closed = true;
        let mut returned = vec![];
        for place in 0..self.workers.len() {
            returned.extend(self.shelf(place).drain(..).map(|queued| queued.job));
        }
        returned.extend(state.queue.drain(..).map(|queued| queued.job));
        state.returned += returned.len() as u64;
        self.length.store(0, Relaxed);
        drop(state);
        self.work.notify_all();
        self.room.notify_all();
        returned
    }

    pub(super) fn metrics(&self) -> Metrics {
        // With the queue's lock and a worker's, no job moves and the worker begins none: it counts
        // one more at most.
        let state = self.lock();
        let mut metrics = Metrics {
            submitted: state.submitted,
            returned: state.returned,
            queued: state.queue.len() as u64,
            ..Metrics::default()
        };
        for (place, worker) in self.workers.iter().enumerate() {
            let shelf = self.shelf(place);
            worker.tally.add_to(&mut metrics);
            metrics.queued += shelf.len() as u64;
        }
        metrics
    }

    fn lock(&self) -> Guard<'_, J> {
        // No code of the pool's user runs under a lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn shelf(&self, place: usize) -> MutexGuard<'_, VecDeque<Queued<J>>> {
        self.workers[place].shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// So that nothing is allocated once the pool has begun.
fn room_for<J>(jobs: usize) -> io::Result<VecDeque<Queued<J>>> {
    let mut room = VecDeque::new();
    room.try_reserve_exact(jobs).map_err(|error| {
        io::Error::new(io::ErrorKind::OutOfMemory, format!("a queue of {jobs} jobs: {error}"))
    })?;
    Ok(room)
}

/// Looks a few times, and leaves the core to whoever wants it in between: to sleep and be called
/// costs more.
fn look(mut ready: impl FnMut() -> bool) {
    for _ in 0..LOOKS {
        if ready() {
            return;
        }
        thread::yield_now();
    }
}

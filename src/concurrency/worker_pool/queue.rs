//! The shared queue, the workers' local queues, and the sleep of threads that wait for jobs or
//! room.
//!
//! Jobs wait in one shared queue and in a local queue per worker: what the worker has taken as a
//! batch and not begun. A thread that holds the shared queue's lock may move jobs from the shared
//! queue to a local one, and from one local queue to another. A worker pops its next job from its
//! own local queue under that queue's lock alone, for which only a worker that steals, `cancel` and
//! `metrics` ever compete. So a batch hides no job from the others.
//!
//! Two invariants keep every thread from sleeping forever. Threads go to sleep, and decide to
//! notify others, under the shared queue's lock:
//!
//! - If a worker sleeps while a job waits in any queue, a worker has been notified and is on its
//!   way. It notifies the next one.
//! - If a submitter sleeps while half of the shared queue is free, a submitter has been notified
//!   and is on its way. It notifies the next one.
//!
//! Below half, a submitter that sleeps looks for room by itself every [`RECHECK`], because the jobs
//! that would free more of the queue may be waiting for that very submitter.

use super::metrics::{Clock, Metrics, Stamp, Tally};
use super::settings::Settings;
use crate::concurrency::sync::{Condvar, Mutex, MutexGuard, thread};
use crate::memory::cache_lines::CachePadded;
use std::collections::VecDeque;
use std::io;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{SendError, TrySendError};
use std::time::{Duration, Instant};
use std::vec;

/// One job in `SAMPLED` has its latency measured. The number is a prime, so that the samples do not
/// always hit the same phase of a periodic load.
pub(super) const SAMPLED: u64 = 13;
/// Number of times a thread polls before it sleeps. It is small because a thread that polls and
/// yields keeps its core busy: as long as it finds something just in time, the kernel may leave
/// both workers on the other core. Zero in the models, which explore the sleep.
const LOOKS: usize = if cfg!(loom) { 0 } else { 8 };
/// The longest time for which a submitter sleeps without looking for room. It bounds how long a job
/// can wait for its own submitter; long enough that the wake-ups cost nothing measurable. (Loom's
/// `wait_timeout` never times out, so the models show that no other case needs it.)
const RECHECK: Duration = Duration::from_millis(10);

/// A job that waits, and its time of submission if its latency is measured.
pub(super) struct Queued<J> {
    pub(super) job: J,
    pub(super) submitted: Option<Stamp>,
}

/// The reaction of a submission to a full queue.
pub(super) enum IfFull {
    /// Returns the job.
    Refuse,
    /// Waits for room until this moment.
    WaitUntil(Instant),
    /// Waits for room.
    Wait,
    /// Exceeds the queue's capacity. For submissions by jobs: all workers might wait, and then none
    /// would be left to make room. The shared queue takes them, not the worker's local queue, so
    /// that a job that keeps resubmitting itself does not starve the others.
    Exceed,
}

/// The state that workers and submitters share.
pub(super) struct Shared<J> {
    state: CachePadded<Mutex<State<J>>>,
    /// Length of the shared queue. Written under its lock; read without it to decide whether to
    /// sleep, which is then decided again under the lock.
    length: AtomicUsize,
    /// Wakes workers.
    work: Condvar,
    /// Wakes submitters.
    room: Condvar,
    workers: Box<[CachePadded<Worker<J>>]>,
    capacity: usize,
    batch: usize,
    clock: Clock,
}

struct State<J> {
    queue: VecDeque<Queued<J>>,
    closed: bool,
    submitted: u64,
    returned: u64,
    workers: Sleepers,
    submitters: Sleepers,
}

/// The threads that sleep on one condition variable.
#[derive(Default)]
struct Sleepers {
    asleep: usize,
    /// One of them has been notified and has not run yet, so that it still counts as asleep.
    notified: bool,
}

impl Sleepers {
    /// Returns `true` if a sleeper is to be notified, now that there is a reason to wake one.
    fn notify(&mut self) -> bool {
        let notify = self.asleep > 0 && !self.notified;
        self.notified |= notify;
        notify
    }
}

struct Worker<J> {
    local: Mutex<VecDeque<Queued<J>>>,
    tally: Tally,
}

impl<J> State<J> {
    /// Counts a job as accepted. The latency of one that had to wait for room includes that wait,
    /// which began at `since`.
    fn accept(&mut self, job: J, clock: Clock, since: Option<Stamp>) -> Queued<J> {
        let sampled = self.submitted.is_multiple_of(SAMPLED);
        self.submitted += 1;
        Queued { job, submitted: sampled.then(|| since.unwrap_or_else(|| clock.now())) }
    }
}

type Guard<'a, J> = MutexGuard<'a, State<J>>;

impl<J> Shared<J> {
    pub(super) fn new(settings: &Settings, clock: Clock) -> io::Result<Self> {
        let queue = with_capacity(settings.queue)?;
        let worker = |_| {
            let local = Mutex::new(with_capacity(settings.batch.min(settings.queue))?);
            Ok(CachePadded(Worker { local, tally: Tally::new(clock) }))
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
        })
    }

    pub(super) fn tally(&self, worker: usize) -> &Tally {
        &self.workers[worker].tally
    }

    pub(super) fn clock(&self) -> Clock {
        self.clock
    }

    /// Pops the next job from the local queue of `worker`, and says whether it was the last one
    /// there.
    pub(super) fn next_local(&self, worker: usize) -> Option<(Queued<J>, bool)> {
        let mut local = self.local(worker);
        let queued = local.pop_front()?;
        Some((queued, local.is_empty()))
    }

    // ANCHOR: take
    /// Takes the share of `worker` from the shared queue: returns the first job, and
    /// moves the rest to the local queue. If the shared queue is empty, steals half of
    /// another worker's local queue.
    fn take(&self, state: &mut State<J>, worker: usize) -> Option<(Queued<J>, bool)> {
        let mut local = self.local(worker);
        let share = state.queue.len().div_ceil(self.workers.len()).min(self.batch);
        if let Some(first) = state.queue.pop_front() {
            local.extend(state.queue.drain(..share - 1));
            // A hint for `poll`; the lock decides.
            self.length.store(state.queue.len(), Ordering::Relaxed);
            return Some((first, local.is_empty()));
        }
        for other in (0..self.workers.len()).filter(|&other| other != worker) {
            let mut victim = self.local(other);
            let share = victim.len().div_ceil(2);
            if let Some(first) = victim.pop_front() {
                local.extend(victim.drain(..share - 1));
                return Some((first, local.is_empty()));
            }
        }
        None
    }
    // ANCHOR_END: take

    /// Waits until `worker`, whose local queue is empty, can take a job from elsewhere. Returns it,
    /// and whether it is the only one taken, or `None` if the pool is closed and has no more.
    #[cold]
    pub(super) fn wait_for_work(&self, worker: usize) -> Option<(Queued<J>, bool)> {
        let mut polled = false;
        let mut state = self.lock();
        loop {
            if let Some(taken) = self.take(&mut state, worker) {
                let notify_submitter =
                    self.is_half_free(state.queue.len()) && state.submitters.notify();
                let notify_worker =
                    state.workers.asleep > 0 && self.is_work_left(&state) && state.workers.notify();
                drop(state);
                if notify_worker {
                    self.work.notify_one();
                }
                if notify_submitter {
                    self.room.notify_one();
                }
                return Some(taken);
            }
            if state.closed {
                return None;
            }
            if !polled {
                drop(state);
                poll(|| self.length.load(Ordering::Relaxed) > 0); // a hint; the lock decides
                polled = true;
                state = self.lock();
                continue;
            }
            state.workers.asleep += 1;
            state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.workers.asleep -= 1;
            state.workers.notified = false;
        }
    }

    fn is_work_left(&self, state: &State<J>) -> bool {
        !state.queue.is_empty()
            || (0..self.workers.len()).any(|worker| !self.local(worker).is_empty())
    }

    /// Returns `true` if at least half of the shared queue is free when it holds `length` jobs.
    /// Only then is a submitter notified, so that it does not go back to sleep after a single job.
    fn is_half_free(&self, length: usize) -> bool {
        self.capacity.saturating_sub(length) >= self.capacity.div_ceil(2)
    }

    pub(super) fn push(&self, job: J, if_full: IfFull) -> Result<(), TrySendError<J>> {
        let (mut state, since) = self.wait_for_room(&if_full);
        if state.closed {
            return Err(TrySendError::Disconnected(job));
        }
        if state.queue.len() >= self.capacity && !matches!(if_full, IfFull::Exceed) {
            return Err(TrySendError::Full(job));
        }
        let queued = state.accept(job, self.clock, since);
        state.queue.push_back(queued);
        self.pushed(state, since.is_some());
        Ok(())
    }

    /// Pushes `jobs` until none is left or the pool is closed; then the rest stays in `jobs`.
    pub(super) fn push_all(
        &self,
        jobs: &mut vec::Drain<'_, J>,
        if_full: &IfFull,
    ) -> Result<(), SendError<()>> {
        while jobs.len() > 0 {
            let (mut state, since) = self.wait_for_room(if_full);
            if state.closed {
                return Err(SendError(()));
            }
            let room = match if_full {
                IfFull::Exceed => usize::MAX,
                _ => self.capacity.saturating_sub(state.queue.len()),
            };
            for job in jobs.by_ref().take(room) {
                let queued = state.accept(job, self.clock, since);
                state.queue.push_back(queued);
            }
            self.pushed(state, since.is_some());
        }
        Ok(())
    }

    /// Ends a submission: notifies a worker, and another submitter if this one `has_waited`, and so
    /// may have been notified, and has left room.
    fn pushed(&self, mut state: Guard<'_, J>, has_waited: bool) {
        // A hint for `poll`; the lock decides.
        self.length.store(state.queue.len(), Ordering::Relaxed);
        let notify_worker = state.workers.notify();
        let notify_submitter =
            has_waited && state.queue.len() < self.capacity && state.submitters.notify();
        drop(state);
        if notify_worker {
            self.work.notify_one();
        }
        if notify_submitter {
            self.room.notify_one();
        }
    }

    /// Takes the shared queue's lock and waits for room as `if_full` says. Returns the time at
    /// which the wait began, if there was one.
    fn wait_for_room(&self, if_full: &IfFull) -> (Guard<'_, J>, Option<Stamp>) {
        let mut state = self.lock();
        let waits = matches!(if_full, IfFull::Wait | IfFull::WaitUntil(_));
        if !waits || state.closed || state.queue.len() < self.capacity {
            return (state, None);
        }
        let since = self.clock.now();
        drop(state);
        poll(|| self.is_half_free(self.length.load(Ordering::Relaxed))); // a hint; the lock decides
        state = self.lock();
        while state.queue.len() >= self.capacity && !state.closed {
            let time = match if_full {
                IfFull::WaitUntil(end) => {
                    end.saturating_duration_since(Instant::now()).min(RECHECK)
                }
                _ => RECHECK,
            };
            if time.is_zero() {
                break;
            }
            state.submitters.asleep += 1;
            state = self.room.wait_timeout(state, time).unwrap_or_else(PoisonError::into_inner).0;
            state.submitters.asleep -= 1;
            // If the notification was for another sleeper, it may lead to one more, which does no
            // harm.
            state.submitters.notified = false;
        }
        (state, Some(since))
    }

    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.work.notify_all();
        self.room.notify_all();
    }

    /// Closes the pool and takes all jobs that were not begun.
    pub(super) fn close_and_return(&self) -> Vec<J> {
        let mut state = self.lock();
        state.closed = true;
        let mut returned = vec![];
        for worker in 0..self.workers.len() {
            returned.extend(self.local(worker).drain(..).map(|queued| queued.job));
        }
        returned.extend(state.queue.drain(..).map(|queued| queued.job));
        state.returned += returned.len() as u64;
        self.length.store(0, Ordering::Relaxed); // a hint for `poll`; the lock decides
        drop(state);
        self.work.notify_all();
        self.room.notify_all();
        returned
    }

    pub(super) fn metrics(&self) -> Metrics {
        // Under the shared queue's lock no job is accepted or moved. Under a local queue's lock its
        // worker begins none, so it can only finish the one that it is running.
        let state = self.lock();
        let mut metrics = Metrics {
            submitted: state.submitted,
            returned: state.returned,
            queued: state.queue.len() as u64,
            ..Metrics::default()
        };
        for (index, worker) in self.workers.iter().enumerate() {
            let local = self.local(index);
            worker.tally.add_to(&mut metrics);
            metrics.queued += local.len() as u64;
        }
        metrics
    }

    fn lock(&self) -> Guard<'_, J> {
        // No code of the pool's user runs under this lock, so nothing panics there.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn local(&self, worker: usize) -> MutexGuard<'_, VecDeque<Queued<J>>> {
        self.workers[worker].local.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns a queue with room for `jobs`, so that nothing is allocated later, unless jobs exceed it.
fn with_capacity<J>(jobs: usize) -> io::Result<VecDeque<Queued<J>>> {
    let mut queue = VecDeque::new();
    queue.try_reserve_exact(jobs).map_err(|error| {
        io::Error::new(io::ErrorKind::OutOfMemory, format!("a queue of {jobs} jobs: {error}"))
    })?;
    Ok(queue)
}

/// Checks a few times whether `ready`, and yields the core in between: cheaper than to sleep and be
/// woken.
fn poll(mut ready: impl FnMut() -> bool) {
    for _ in 0..LOOKS {
        if ready() {
            return;
        }
        thread::yield_now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shared(workers: usize, queue: usize, batch: usize, jobs: u64) -> Shared<u64> {
        let settings = Settings { workers, queue, batch, cores: vec![] };
        let shared = Shared::new(&settings, Clock::start()).unwrap();
        (0..jobs).for_each(|job| shared.push(job, IfFull::Refuse).unwrap());
        shared
    }

    /// Makes `shared` believe that threads sleep.
    fn put_to_sleep(shared: &Shared<u64>, workers: usize, submitters: usize) {
        let mut state = shared.lock();
        (state.workers.asleep, state.submitters.asleep) = (workers, submitters);
    }

    /// Returns which have been notified: a worker, a submitter.
    fn notified(shared: &Shared<u64>) -> (bool, bool) {
        let state = shared.lock();
        (state.workers.notified, state.submitters.notified)
    }

    /// Returns the jobs in the shared queue and in each local one.
    fn lengths(shared: &Shared<u64>) -> Vec<usize> {
        let locals = (0..shared.workers.len()).map(|worker| shared.local(worker).len());
        std::iter::once(shared.lock().queue.len()).chain(locals).collect()
    }

    #[test]
    fn one_sleeper_is_notified_at_a_time() {
        let mut sleepers = Sleepers::default();
        assert!(!sleepers.notify(), "none sleeps");
        sleepers.asleep = 2;
        assert!(sleepers.notify());
        assert!(!sleepers.notify(), "one is on its way");
        sleepers.notified = false;
        assert!(sleepers.notify());
    }

    #[test]
    fn a_submitter_is_notified_once_half_of_the_queue_is_free() {
        for (capacity, left, expected) in [
            (1, 0, true),
            (2, 1, true),
            (3, 2, false),
            (3, 1, true),
            (4, 3, false),
            (4, 2, true),
            (5, 3, false),
            (5, 2, true),
        ] {
            for asleep in [0, 1] {
                let shared = shared(1, capacity, capacity - left, capacity as u64);
                put_to_sleep(&shared, 0, asleep);
                shared.wait_for_work(0).unwrap();
                assert_eq!(lengths(&shared), [left, capacity - left - 1]);
                let expected = expected && asleep > 0;
                assert_eq!(notified(&shared), (false, expected), "{left} of {capacity} left");
            }
        }
    }

    #[test]
    fn a_submitter_is_not_notified_while_jobs_exceed_the_queue() {
        let shared = shared(1, 2, 1, 2);
        (2..4).for_each(|job| shared.push(job, IfFull::Exceed).unwrap());
        put_to_sleep(&shared, 0, 1);
        for (left, expected) in [(3, false), (2, false), (1, true)] {
            shared.wait_for_work(0).unwrap();
            assert_eq!(lengths(&shared), [left, 0]);
            assert_eq!(notified(&shared), (false, expected), "{left} left");
        }
    }

    #[test]
    fn a_worker_is_notified_if_one_sleeps_and_a_job_is_left_for_it() {
        for (jobs, asleep, expected) in [(1, 1, false), (2, 1, true), (2, 0, false)] {
            let shared = shared(2, 8, 8, jobs);
            put_to_sleep(&shared, asleep, 0);
            shared.wait_for_work(0).unwrap();
            assert_eq!(lengths(&shared), [jobs as usize - 1, 0, 0]);
            assert_eq!(notified(&shared), (expected, false), "{jobs} jobs, {asleep} asleep");
        }
        // The remaining jobs may be in a local queue.
        let shared = shared(2, 8, 8, 3);
        shared.wait_for_work(0).unwrap();
        put_to_sleep(&shared, 1, 0);
        shared.wait_for_work(1).unwrap();
        assert_eq!(lengths(&shared), [0, 1, 0]);
        assert_eq!(notified(&shared), (true, false));
    }

    #[test]
    fn a_submission_notifies_a_worker_and_passes_on_what_woke_the_submitter() {
        for (jobs, has_waited, expected) in [(1, true, true), (1, false, false), (2, true, false)] {
            let shared = shared(1, 2, 2, jobs);
            put_to_sleep(&shared, 1, 1);
            shared.pushed(shared.lock(), has_waited);
            assert_eq!(notified(&shared), (true, expected), "{jobs} of 2 jobs");
        }
    }

    #[test]
    fn a_worker_takes_its_share_or_steals_half() {
        let shared = shared(2, 16, 4, 11);
        let take =
            |worker| shared.wait_for_work(worker).map(|(queued, is_last)| (queued.job, is_last));
        assert_eq!(take(0), Some((0, false)));
        assert_eq!(lengths(&shared), [7, 3, 0], "at most a batch");
        assert_eq!(take(1), Some((4, false)));
        assert_eq!(lengths(&shared), [3, 3, 3], "half of what is left");
        (0..3).for_each(|_| assert!(shared.next_local(1).is_some()));
        assert_eq!(take(1), Some((8, false)));
        assert_eq!(lengths(&shared), [1, 3, 1], "half, rounded up");
        assert_eq!(
            shared.next_local(1).map(|(queued, is_last)| (queued.job, is_last)),
            Some((9, true))
        );
        assert_eq!(take(1), Some((10, true)));
        assert_eq!(take(1), Some((1, false)));
        assert_eq!(lengths(&shared), [0, 1, 1], "half of another's, rounded up");
        assert!(shared.close_and_return().into_iter().eq([3, 2]));
        assert!(take(0).is_none() && take(1).is_none());
    }

    #[test]
    fn one_job_in_13_is_sampled_from_when_its_wait_for_room_began() {
        let shared = shared(1, 1, 1, 0);
        let mut state = shared.lock();
        let since = Stamp::new(7);
        let sampled: Vec<_> = (0..27)
            .filter(|&job| state.accept(job, shared.clock, since).submitted == since)
            .collect();
        assert_eq!(sampled, [0, 13, 26]);
        (27..39).for_each(|job| assert!(state.accept(job, shared.clock, None).submitted.is_none()));
        let queued = state.accept(39, shared.clock, None);
        assert!(queued.submitted > since, "else from when it was accepted");
    }
}

//! Threads that run jobs from a bounded queue and account for each of them.
//!
//! | file | what it is about |
//! | --- | --- |
//! | `mod.rs` | submitting, shutting down, cancelling |
//! | `worker.rs` | taking a batch, running it, putting it back |
//! | [`naive`] | the version that everybody writes first |
//!
//! A job that was accepted ends in one of three ways: it was run, it panicked, or [`WorkerPool::cancel`] returned it.

pub mod naive;
mod worker;

use super::sync::{Arc, AtomicBool, AtomicUsize, Condvar, Mutex, MutexGuard};
use crate::memory::cache_lines::CachePadded;
#[cfg(loom)]
use loom::thread::{self, JoinHandle, ThreadId};
use std::collections::VecDeque;
use std::io;
use std::num::NonZero;
use std::sync::PoisonError;
use std::sync::atomic::Ordering::{Acquire, Relaxed};
use std::sync::mpsc::{SendError, TrySendError};
#[cfg(not(loom))]
use std::thread::{self, JoinHandle, ThreadId};
use worker::{Counts, Run};

// ANCHOR: settings
/// How large a pool is. None of it may be 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Threads.
    pub workers: usize,
    /// Jobs that wait in the queue, at most.
    pub queue: usize,
    /// Jobs that a worker takes at a turn, at most. It never waits for them.
    pub batch: usize,
}

impl Default for Settings {
    fn default() -> Self {
        let workers = std::thread::available_parallelism().map_or(1, NonZero::get);
        Self { workers, queue: 1024, batch: 16 }
    }
}
// ANCHOR_END: settings

/// What has become of a pool's jobs so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metrics {
    /// Accepted.
    pub submitted: u64,
    /// Run to their end.
    pub run: u64,
    /// Ended by a panic.
    pub failed: u64,
    /// Given back by [`WorkerPool::cancel`].
    pub returned: u64,
}

impl Metrics {
    /// Accepted, and neither ended nor given back: in the queue, in a worker's batch, or being run.
    pub fn pending(&self) -> u64 {
        self.submitted - self.run - self.failed - self.returned
    }
}

/// Threads that run jobs of one type from a bounded queue.
///
/// ```
/// use perf_proved::concurrency::worker_pool::{Settings, WorkerPool};
/// use std::sync::mpsc::channel;
///
/// let (sender, results) = channel();
/// let deliver = move |result: std::thread::Result<u64>| _ = sender.send(result.unwrap_or(0));
/// let pool = WorkerPool::start(&Settings::default(), |job: u64| job * job, deliver)?;
/// pool.submit(6)?;
/// assert_eq!(results.recv(), Ok(36));
/// pool.shutdown();
/// assert_eq!(pool.metrics().run, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Dropping it is a [`shutdown`](Self::shutdown).
pub struct WorkerPool<J> {
    shared: Arc<Shared<J>>,
    /// Whoever joins holds the lock until all have ended.
    threads: Mutex<Vec<JoinHandle<()>>>,
    ids: Vec<ThreadId>,
}

struct Shared<J> {
    state: Mutex<State<J>>,
    /// As long as the queue, for those who look without the lock. A hint.
    ready: CachePadded<AtomicUsize>,
    jobs: Condvar,
    room: Condvar,
    /// Written under the lock, together with `closed`.
    cancelled: AtomicBool,
    settings: Settings,
    counts: Box<[CachePadded<Counts>]>,
    run: Box<Run<J>>,
}

struct State<J> {
    queue: VecDeque<J>,
    closed: bool,
    /// Workers that wait for `jobs`.
    asleep: usize,
    /// Those of them that somebody is waking. Too low after a spurious wake-up, which costs a wake-up more.
    woken: usize,
    /// Whether a submitter waits for `room`.
    waiting: bool,
    submitted: u64,
    returned: u64,
}

impl<J: Send + 'static> WorkerPool<J> {
    /// Starts the workers. Each job becomes a call of `work`, and its result, or what it panicked with, a call of `deliver`,
    /// both on the worker. If `deliver` itself panics, that result is lost and nothing else.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if a setting is 0; otherwise why a thread could not be started. Those that were are stopped again.
    pub fn start<R>(
        settings: &Settings,
        work: impl Fn(J) -> R + Send + Sync + 'static,
        deliver: impl Fn(std::thread::Result<R>) + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let Settings { workers, queue, batch } = *settings;
        for (value, name) in [(workers, "workers"), (queue, "queue"), (batch, "batch")] {
            if value == 0 {
                return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("a worker pool with {name} = 0")));
            }
        }
        let state = State {
            queue: VecDeque::with_capacity(queue.min(1 << 16)),
            closed: false,
            asleep: 0,
            woken: 0,
            waiting: false,
            submitted: 0,
            returned: 0,
        };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            ready: CachePadded(AtomicUsize::new(0)),
            jobs: Condvar::new(),
            room: Condvar::new(),
            cancelled: AtomicBool::new(false),
            settings: settings.clone(),
            counts: (0..workers).map(|_| CachePadded::default()).collect(),
            run: worker::running(work, deliver),
        });
        let mut pool = Self { shared, threads: Mutex::new(vec![]), ids: vec![] };
        for number in 0..workers {
            let shared = pool.shared.clone();
            let name = format!("worker {number}");
            let thread = spawn(&name, move || shared.work_until_closed(number))
                .map_err(|error| io::Error::new(error.kind(), format!("starting {name} of {workers}: {error}")))?;
            pool.ids.push(thread.thread().id());
            lock(&pool.threads).push(thread);
        }
        Ok(pool)
    }

    // ANCHOR: submit
    /// Queues a job; waits while the queue is full.
    ///
    /// # Errors
    ///
    /// The job, if the pool is closed or is closed meanwhile.
    pub fn submit(&self, job: J) -> Result<(), SendError<J>> {
        let Some(state) = self.shared.wait_for_room() else { return Err(SendError(job)) };
        self.shared.accept(state, 1, |queue| queue.push_back(job));
        Ok(())
    }
    // ANCHOR_END: submit

    /// Queues a job if there is room.
    ///
    /// # Errors
    ///
    /// The job, if the queue is full or the pool is closed.
    pub fn try_submit(&self, job: J) -> Result<(), TrySendError<J>> {
        let state = lock(&self.shared.state);
        if state.closed {
            return Err(TrySendError::Disconnected(job));
        }
        if state.queue.len() >= self.shared.settings.queue {
            return Err(TrySendError::Full(job));
        }
        self.shared.accept(state, 1, |queue| queue.push_back(job));
        Ok(())
    }

    /// Queues all jobs, as many at a turn as there is room for; waits while there is none.
    ///
    /// # Errors
    ///
    /// If the pool is closed or is closed meanwhile; the vector then holds what was not accepted.
    pub fn submit_all(&self, jobs: &mut Vec<J>) -> Result<(), SendError<()>> {
        let mut rest = std::mem::take(jobs).into_iter();
        while rest.len() > 0 {
            let Some(state) = self.shared.wait_for_room() else {
                jobs.extend(rest);
                return Err(SendError(()));
            };
            let turn = rest.len().min(self.shared.settings.queue - state.queue.len());
            self.shared.accept(state, turn, |queue| queue.extend(rest.by_ref().take(turn)));
        }
        Ok(())
    }

    // ANCHOR: cancel
    /// Closes the pool, waits for the jobs that are running, and returns all others that were accepted.
    ///
    /// A job that cancels its own pool waits for nobody: it gets what is in the queue, and the next call of `cancel` returns
    /// what was in the workers' batches.
    pub fn cancel(&self) -> Vec<J> {
        {
            let _state = lock(&self.shared.state);
            self.shared.cancelled.store(true, Relaxed); // read under the lock, or as a hint between two jobs
        }
        self.shutdown();
        let mut state = lock(&self.shared.state);
        let returned: Vec<J> = state.queue.drain(..).collect();
        state.returned += returned.len() as u64;
        returned
    }
    // ANCHOR_END: cancel
}

impl<J> WorkerPool<J> {
    /// What has become of the jobs so far.
    pub fn metrics(&self) -> Metrics {
        // First what has ended, so that whatever has, was submitted.
        let sum = |count: fn(&Counts) -> u64| self.shared.counts.iter().map(|counts| count(counts)).sum();
        let (run, failed) = (sum(|counts| counts.run.load(Acquire)), sum(|counts| counts.failed.load(Acquire)));
        let state = lock(&self.shared.state);
        Metrics { submitted: state.submitted, run, failed, returned: state.returned }
    }

    /// Closes the pool and waits until all accepted jobs are run and the workers have ended. Any number of threads may call it,
    /// and all of them wait. A job that shuts its own pool down only closes it.
    pub fn shutdown(&self) {
        lock(&self.shared.state).closed = true;
        self.shared.jobs.notify_all();
        self.shared.room.notify_all();
        if self.ids.contains(&thread::current().id()) {
            return;
        }
        for thread in lock(&self.threads).drain(..) {
            let _ = thread.join(); // no job's panic ends a worker
        }
    }
}

impl<J> Drop for WorkerPool<J> {
    fn drop(&mut self) {
        self.shutdown();
    }
}

impl<J> Shared<J> {
    // ANCHOR: room
    /// Waits until there is room, or returns nothing if there will be none.
    fn wait_for_room(&self) -> Option<MutexGuard<'_, State<J>>> {
        let mut state = lock(&self.state);
        while state.queue.len() >= self.settings.queue && !state.closed {
            state.waiting = true;
            state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        (!state.closed).then_some(state)
    }

    /// Puts so many jobs in and wakes as many workers, if so many sleep.
    fn accept(&self, mut state: MutexGuard<'_, State<J>>, jobs: usize, put: impl FnOnce(&mut VecDeque<J>)) {
        put(&mut state.queue);
        state.submitted += jobs as u64;
        self.ready.store(state.queue.len(), Relaxed); // a hint
        let wake = (state.asleep - state.woken).min(jobs);
        state.woken += wake;
        drop(state);
        (0..wake).for_each(|_| self.jobs.notify_one());
    }
    // ANCHOR_END: room
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(not(loom))]
fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    thread::Builder::new().name(name.to_owned()).spawn(work)
}

#[cfg(loom)]
fn spawn(_name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    Ok(thread::spawn(work))
}

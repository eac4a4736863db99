//! A pool of threads that run jobs from a bounded queue and account for every job.
//!
//! | question | answer |
//! | --- | --- |
//! | What can be configured? | [`Settings`] |
//! | Where do jobs wait, how many does a worker take, and which threads are woken? | `queue`, which the loom models explore |
//! | What happens to a job that panics? | `worker` |
//! | What is counted, and what does a reading mean while jobs run? | [`metrics`] |
//! | How do you wait for a single job? | [`handle`] |
//! | What does everybody write first? | [`naive`] |
//! | What does the chapter compare, and how? | [`variants`], [`experiment`] |
//!
//! `submit` either accepts a job or returns it. An accepted job is run, fails (it panics), or is
//! returned by [`WorkerPool::cancel`]. There is no fourth outcome.
//!
//! The book's chapter: [worker_pool](../../../../concurrency/worker-pool.html).

pub mod experiment;
pub mod handle;
pub mod metrics;
pub mod naive;
mod queue;
mod settings;
pub mod variants;
mod worker;

pub use metrics::{Latency, Metrics};
pub use settings::Settings;

use self::metrics::Clock;
use self::queue::{IfFull, Shared};
use crate::concurrency::sync::{Arc, Mutex, thread};
use crate::sys::{cores, trying};
use std::io;
use std::sync::PoisonError;
use std::sync::mpsc::{self, SendError, TrySendError};
use std::time::{Duration, Instant};

/// A pool of threads that run jobs of type `J`, each accepted job at most once.
///
/// Dropping the pool is [`shutdown`](Self::shutdown).
///
/// ```
/// use perf_proved::concurrency::worker_pool::{Settings, WorkerPool};
/// use std::sync::mpsc;
///
/// let (sender, results) = mpsc::channel();
/// let deliver = move |result| drop(sender.send(result));
/// let settings = Settings { workers: 2, ..Settings::default() };
/// let pool = WorkerPool::start(&settings, |job: u64| job * job, deliver)?;
/// for job in 0..100 {
///     pool.submit(job).unwrap();
/// }
/// pool.shutdown(); // drops `deliver` and its sender, which ends the iteration over the results
/// assert_eq!(results.iter().map(Result::unwrap).sum::<u64>(), 328_350);
/// let metrics = pool.metrics();
/// assert_eq!((metrics.submitted, metrics.run), (100, 100));
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct WorkerPool<J> {
    shared: Arc<Shared<J>>,
    /// The workers' thread ids, by which a job's calls are recognized.
    ids: Vec<thread::ThreadId>,
    /// The workers that have not been joined. The lock is held during the joins, so that a
    /// concurrent `shutdown` waits for the end as well.
    threads: Mutex<Vec<thread::JoinHandle<()>>>,
}

impl<J: Send + 'static> WorkerPool<J> {
    /// Starts the workers. A worker calls `work` with each job and passes its result, the returned
    /// value or the panic's payload, to `deliver` on the same thread.
    ///
    /// After a panic the pool calls `work` again, so what `work` captures must tolerate a call that
    /// was abandoned halfway. If `deliver` panics, that one result is lost: the job has already
    /// been counted, and the worker goes on.
    ///
    /// # Errors
    ///
    /// - `InvalidInput` if `workers`, `queue` or `batch` is 0, or if this process may not use one
    ///   of `cores`
    /// - `OutOfMemory` if there is no memory for the queue
    /// - the system's error if a thread cannot be started or pinned; the workers that did start are
    ///   stopped again
    pub fn start<R>(
        settings: &Settings,
        work: impl Fn(J) -> R + Send + Sync + 'static,
        deliver: impl Fn(std::thread::Result<R>) + Send + Sync + 'static,
    ) -> io::Result<Self> {
        settings.check()?;
        let clock = Clock::start();
        let run = worker::runner(work, deliver, clock);
        let shared = Arc::new(Shared::new(settings, clock)?);
        let mut pool = Self { shared, ids: vec![], threads: Mutex::new(vec![]) };
        let (pinned, pins) = mpsc::channel();
        for index in 0..settings.workers {
            let core = settings.cores.get(index % settings.cores.len().max(1));
            let pin = core.map(|&core| (core, pinned.clone()));
            let (shared, run) = (pool.shared.clone(), run.clone());
            let body = move || {
                if let Some((core, pinned)) = pin {
                    let result = cores::pin(core);
                    let is_pinned = result.is_ok();
                    // The receiver is gone if another worker's error has ended `start`.
                    let _ = pinned.send((core, result));
                    if !is_pinned {
                        return;
                    }
                }
                worker::work(&shared, index, &*run);
            };
            let thread = thread::Builder::new().name(format!("worker-{index}")).spawn(body);
            let what = format_args!("starting worker {} of {}", index + 1, settings.workers);
            // An error drops `pool`, which stops the workers that did start.
            let thread = trying(what, thread)?;
            pool.ids.push(thread.thread().id());
            pool.threads.get_mut().unwrap_or_else(PoisonError::into_inner).push(thread);
        }
        drop(pinned);
        if !settings.cores.is_empty() {
            for (core, result) in pins {
                trying(format_args!("pinning a worker to core {core}"), result)?;
            }
        }
        Ok(pool)
    }
}

impl<J> WorkerPool<J> {
    // ANCHOR: submit
    /// Submits a job. If the queue is full, waits for room: a submitter that has gone
    /// to sleep is woken when half of the queue is free, and within 10 ms if there is
    /// any room.
    ///
    /// A job may submit to its own pool. It never waits, because all the workers that
    /// would make room might be waiting like it. Its jobs exceed the queue instead.
    ///
    /// # Errors
    ///
    /// Returns the job if the pool is closed, or is closed during the wait.
    pub fn submit(&self, job: J) -> Result<(), SendError<J>> {
        self.push(job, IfFull::Wait).map_err(|refused| match refused {
            TrySendError::Full(job) | TrySendError::Disconnected(job) => SendError(job),
        })
    }

    fn push(&self, job: J, if_full: IfFull) -> Result<(), TrySendError<J>> {
        match self.shared.push(job, IfFull::Refuse) {
            Err(TrySendError::Full(job)) => {
                let if_full = if self.is_worker() { IfFull::Exceed } else { if_full };
                self.shared.push(job, if_full)
            }
            accepted_or_closed => accepted_or_closed,
        }
    }
    // ANCHOR_END: submit

    /// Submits a job if the queue has room. Never waits, and never exceeds the queue's capacity,
    /// even if a job of this pool calls it.
    ///
    /// # Errors
    ///
    /// Returns the job in `Full` if the queue is full, in `Disconnected` if the pool is closed.
    pub fn try_submit(&self, job: J) -> Result<(), TrySendError<J>> {
        self.shared.push(job, IfFull::Refuse)
    }

    /// Submits a job like [`submit`](Self::submit), but waits for room for at most `timeout`.
    ///
    /// # Errors
    ///
    /// Returns the job in `Full` if the queue is still full after `timeout`, in `Disconnected` if
    /// the pool is closed.
    pub fn submit_within(&self, job: J, timeout: Duration) -> Result<(), TrySendError<J>> {
        let deadline = Instant::now().checked_add(timeout);
        self.push(job, deadline.map_or(IfFull::Wait, IfFull::WaitUntil))
    }

    /// Submits all `jobs` in order: as many as there is room for under one lock, and the rest as
    /// room appears. Like [`submit`](Self::submit), it exceeds the queue's capacity and never waits
    /// if a job of this pool calls it.
    ///
    /// # Errors
    ///
    /// If the pool is closed, or is closed during a wait. The jobs that were not accepted stay in
    /// `jobs`.
    pub fn submit_all(&self, jobs: &mut Vec<J>) -> Result<(), SendError<()>> {
        let if_full = if self.is_worker() { IfFull::Exceed } else { IfFull::Wait };
        let mut rest = jobs.drain(..);
        let accepted = self.shared.push_all(&mut rest, &if_full);
        if accepted.is_err() {
            let left = rest.collect();
            *jobs = left;
        }
        accepted
    }

    /// Returns the pool's counts, which are consistent even while jobs run: see [`Metrics`].
    ///
    /// Takes the queue's lock, and each worker's in turn.
    pub fn metrics(&self) -> Metrics {
        self.shared.metrics()
    }

    /// Closes the pool to new jobs, and waits until all accepted jobs are done and the workers have
    /// ended. Submitters that wait for room get their jobs back.
    ///
    /// If a job of this pool calls it, it closes the pool but does not wait: the job would wait for
    /// itself.
    pub fn shutdown(&self) {
        self.shared.close();
        self.join();
    }

    // ANCHOR: cancel
    /// Closes the pool to new jobs, waits until the running jobs are done and the workers
    /// have ended, and returns all jobs that were not begun, including those in workers'
    /// batches. Submitters that wait for room get their jobs back.
    ///
    /// Called by a job of this pool, it does not wait: see [`shutdown`](Self::shutdown).
    pub fn cancel(&self) -> Vec<J> {
        let returned = self.shared.close_and_return();
        self.join();
        returned
    }
    // ANCHOR_END: cancel

    fn join(&self) {
        if self.is_worker() {
            return;
        }
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        for thread in threads.drain(..) {
            // Workers catch the panics of jobs. What can still panic is a destructor of `work` or
            // `deliver`, after all jobs are done.
            let _ = thread.join();
        }
    }

    /// Returns `true` if the calling thread is one of this pool's workers.
    fn is_worker(&self) -> bool {
        self.ids.contains(&thread::current().id())
    }
}

/// Like [`WorkerPool::shutdown`].
impl<J> Drop for WorkerPool<J> {
    fn drop(&mut self) {
        self.shutdown();
    }
}

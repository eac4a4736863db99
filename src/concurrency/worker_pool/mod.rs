//! Threads that run jobs from a bounded queue, and account for every one.
//!
//! | question | answer |
//! | --- | --- |
//! | where do jobs lie, who takes how many, who is woken? | `queue`, the part that the loom models explore |
//! | what happens to a job that panics? | `worker` |
//! | what is counted, and how is it read meanwhile? | [`metrics`] |
//! | how does one wait for a single job? | [`handle`] |
//! | what does everybody write first? | [`naive`] |
//!
//! A job is accepted or comes back to its submitter. An accepted one is run, or fails (it panics),
//! or is returned by [`WorkerPool::cancel`]; nothing else can happen to it.

pub mod handle;
pub mod metrics;
pub mod naive;
pub mod probe;
mod queue;
mod worker;

pub use metrics::{Latency, Metrics};

use self::metrics::Clock;
use self::queue::{Patience, Shared};
use crate::concurrency::sync::{Arc, Mutex, thread};
use crate::sys::cores;
use std::num::NonZero;
use std::sync::PoisonError;
use std::sync::mpsc::{self, SendError, TrySendError};
use std::time::{Duration, Instant};
use std::{io, iter};

// ANCHOR: settings
/// What a pool is made of.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How many threads run jobs.
    pub workers: usize,
    /// How many jobs may wait that no worker has taken. Who submits more waits, and who sleeps
    /// meanwhile is called when half of it is free.
    pub queue: usize,
    /// How many of them a worker takes at most at once: one lock for all of them. It never waits
    /// until there are so many.
    pub batch: usize,
    /// The cores, by the kernel's numbers, to which the workers are pinned in turn; none, and they
    /// run where the kernel likes.
    pub cores: Vec<usize>,
}

impl Default for Settings {
    fn default() -> Self {
        // It sees the cores that this process may use, and the quota of its control group.
        let workers = std::thread::available_parallelism().map_or(1, NonZero::get);
        Self { workers, queue: 1024, batch: 64, cores: vec![] }
    }
}
// ANCHOR_END: settings

/// Threads that run jobs of type `J`, each as often as it was accepted: once.
///
/// Dropping it is [`shutdown`](Self::shutdown).
///
/// ```
/// use perf_proved::concurrency::worker_pool::{Settings, WorkerPool};
/// use std::sync::mpsc;
///
/// let (deliver, results) = mpsc::channel();
/// let settings = Settings { workers: 2, ..Settings::default() };
/// let pool = WorkerPool::start(&settings, |job: u64| job * job, move |result| drop(deliver.send(result)))?;
/// for job in 0..100 {
///     pool.submit(job).unwrap();
/// }
/// pool.shutdown(); // and with the workers `deliver` is gone, so that the results have an end
/// assert_eq!(results.iter().map(Result::unwrap).sum::<u64>(), 328_350);
/// let metrics = pool.metrics();
/// assert_eq!((metrics.submitted, metrics.run), (100, 100));
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct WorkerPool<J> {
    shared: Arc<Shared<J>>,
    /// By a worker's place.
    ids: Vec<thread::ThreadId>,
    /// Those that nobody has joined yet. Held while they are joined, so that whoever else shuts
    /// down waits too.
    threads: Mutex<Vec<thread::JoinHandle<()>>>,
}

impl<J: Send + 'static> WorkerPool<J> {
    /// Starts the workers. Each runs `work` for a job and hands what came of it, the value or what
    /// it panicked with, to `deliver`, on its own thread. `work` may leave what it captures half
    /// changed when it panics, and is called again.
    ///
    /// A panic of `deliver` loses that result and nothing else: the job has been counted, and the
    /// worker goes on.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for no workers, queue or batch and for a core that this process may not use;
    /// `OutOfMemory` for a queue that memory has no room for; what the system says if a thread
    /// cannot be started. Those that were are stopped again.
    pub fn start<R>(
        settings: &Settings,
        work: impl Fn(J) -> R + Send + Sync + 'static,
        deliver: impl Fn(std::thread::Result<R>) + Send + Sync + 'static,
    ) -> io::Result<Self> {
        check(settings)?;
        let clock = Clock::start();
        let run = worker::running(work, deliver, clock);
        let shared = Arc::new(Shared::new(settings, clock, std::sync::Arc::downgrade(&run))?);
        let mut pool = Self { shared, ids: vec![], threads: Mutex::new(vec![]) };
        let (tell, told) = mpsc::channel();
        for place in 0..settings.workers {
            let core = settings
                .cores
                .get(place % settings.cores.len().max(1))
                .map(|&core| (core, tell.clone()));
            let (shared, run) = (pool.shared.clone(), run.clone());
            let body = move || {
                if let Some((core, tell)) = core {
                    let pinned = cores::pin(core);
                    let is_pinned = pinned.is_ok();
                    let _ = tell.send((core, pinned)); // heard, unless another worker could not be pinned either
                    if !is_pinned {
                        return;
                    }
                }
                worker::work(&shared, place, &*run);
            };
            // From here on an error drops the pool, which stops what was started.
            let thread = thread::Builder::new()
                .name(format!("worker-{place}"))
                .spawn(body)
                .map_err(|error| {
                    let what =
                        format!("starting worker {} of {}: {error}", place + 1, settings.workers);
                    io::Error::new(error.kind(), what)
                })?;
            pool.ids.push(thread.thread().id());
            pool.threads.get_mut().unwrap_or_else(PoisonError::into_inner).push(thread);
        }
        drop(tell);
        if !settings.cores.is_empty() {
            for (core, pinned) in told {
                pinned.map_err(|error| {
                    io::Error::new(
                        error.kind(),
                        format!("pinning a worker to core {core}: {error}"),
                    )
                })?;
            }
        }
        Ok(pool)
    }
}

impl<J> WorkerPool<J> {
    // ANCHOR: submit
    /// Hands over a job. If the queue is full it waits, and once it sleeps, until half of the queue
    /// is free.
    ///
    /// In a worker of this pool it doesn't wait, because nobody might be left to make room: there a
    /// job that finds the queue full is run at once, as if it had been called. Such calls nest, as
    /// far as the worker's stack goes.
    ///
    /// # Errors
    ///
    /// The job comes back if the pool is closed, or closes meanwhile.
    pub fn submit(&self, job: J) -> Result<(), SendError<J>> {
        let refused = self.push(job, Patience::Forever);
        refused
            .map_err(|(TrySendError::Full(job) | TrySendError::Disconnected(job))| SendError(job))
    }

    fn push(&self, job: J, patience: Patience) -> Result<(), TrySendError<J>> {
        match self.shared.push(job, Patience::None) {
            Err(TrySendError::Full(job)) => match self.place() {
                Some(place) => self.shared.run_here(job, place),
                None => self.shared.push(job, patience),
            },
            accepted_or_closed => accepted_or_closed,
        }
    }
    // ANCHOR_END: submit

    /// As [`submit`](Self::submit), and does not wait.
    ///
    /// # Errors
    ///
    /// The job comes back, in `Full` if the queue is, in `Disconnected` if the pool is closed.
    pub fn try_submit(&self, job: J) -> Result<(), TrySendError<J>> {
        self.shared.push(job, Patience::None)
    }

    /// As [`submit`](Self::submit), and waits so long at most.
    ///
    /// # Errors
    ///
    /// As [`try_submit`](Self::try_submit).
    pub fn submit_within(&self, job: J, time: Duration) -> Result<(), TrySendError<J>> {
        self.push(job, Instant::now().checked_add(time).map_or(Patience::Forever, Patience::Until))
    }

    /// Hands over all of them in their order, as many under one lock as there is room for, and
    /// waits for more. In a worker it runs those itself for which there is none, as
    /// [`submit`](Self::submit) does.
    ///
    /// # Errors
    ///
    /// If the pool is closed, or closes meanwhile. What was not accepted is left in the vector.
    pub fn submit_all(&self, jobs: &mut Vec<J>) -> Result<(), SendError<()>> {
        let mut rest = jobs.drain(..);
        let accepted = match self.place() {
            None => self.shared.push_all(&mut rest),
            Some(_) => rest.try_for_each(|job| self.submit(job)),
        };
        let Err(SendError(refused)) = accepted else { return Ok(()) };
        let left: Vec<J> = iter::once(refused).chain(rest).collect();
        *jobs = left;
        Err(SendError(()))
    }

    /// What has become of the jobs so far. All counts are of one moment.
    pub fn metrics(&self) -> Metrics {
        self.shared.metrics()
    }

    /// Accepts no more jobs, waits until those that were accepted are done, and for the workers'
    /// end. Whoever waits to submit gets the job back.
    ///
    /// Called by a job of this pool it doesn't wait, because it would wait for itself; the rest
    /// happens all the same.
    pub fn shutdown(&self) {
        self.shared.close();
        self.join();
    }

    // ANCHOR: cancel
    /// Accepts no more jobs, waits for those that are being run and for the workers' end, and
    /// returns all that were not begun, those too that a worker had taken in a batch. Whoever waits
    /// to submit gets the job back.
    ///
    /// Called by a job of this pool it doesn't wait, as in [`shutdown`](Self::shutdown).
    pub fn cancel(&self) -> Vec<J> {
        let returned = self.shared.close_and_return();
        self.join();
        returned
    }
    // ANCHOR_END: cancel

    fn join(&self) {
        if self.place().is_some() {
            return;
        }
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        for thread in threads.drain(..) {
            // A worker catches what panics in it. What is left is a destructor of `work` or
            // `deliver`, when all is done.
            let _ = thread.join();
        }
    }

    /// Which worker of this pool the caller is, if it is one.
    fn place(&self) -> Option<usize> {
        let id = thread::current().id();
        self.ids.iter().position(|&worker| worker == id)
    }
}

/// As [`WorkerPool::shutdown`].
impl<J> Drop for WorkerPool<J> {
    fn drop(&mut self) {
        self.shutdown();
    }
}

fn check(settings: &Settings) -> io::Result<()> {
    let wrong = |what: String| Err(io::Error::new(io::ErrorKind::InvalidInput, what));
    for (what, number) in
        [("workers", settings.workers), ("queue", settings.queue), ("batch", settings.batch)]
    {
        if number == 0 {
            return wrong(format!("a worker pool with {what} = 0 would run nothing"));
        }
    }
    if settings.cores.is_empty() {
        return Ok(());
    }
    let allowed = cores::allowed()?;
    match settings.cores.iter().find(|core| !allowed.contains(core)) {
        Some(core) => {
            wrong(format!("core {core} is not one that this process may use: {allowed:?}"))
        }
        None => Ok(()),
    }
}

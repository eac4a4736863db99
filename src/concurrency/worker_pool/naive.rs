//! The version that everybody writes first. `tests/worker_pool.rs` pins its faults, and the example
//! shows them:
//!
//! - When it is canceled, it drops the jobs in its queue and in its workers' batches, neither run
//!   nor returned, and the results of the jobs that were running.
//! - A job waits until its batch is full or the ticker fires, even if the worker is idle.
//! - The batches are a second queue, which only the size of a batch bounds.
//! - As soon as the results channel is full, the workers stall until it is read.
//! - A job that panics ends its worker, and the rest of the batch is lost.
//! - Of the four [`Metrics`], three are never written.

use crate::sys::trying;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{
    Receiver, RecvTimeoutError, SendError, SyncSender, TrySendError, sync_channel,
};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// The period of the Go article's ticker.
pub const TICK: Duration = Duration::from_millis(10);

// ANCHOR: pool
/// The Go article's pool: a queue, workers that collect batches, and a results channel
/// with the queue's capacity.
pub struct Pool<J, R> {
    jobs: SyncSender<J>,
    results: Mutex<Receiver<R>>,
    shared: Arc<Shared<J, R>>,
    workers: Vec<JoinHandle<()>>,
}

struct Shared<J, R> {
    queue: Mutex<Receiver<J>>,
    results: SyncSender<R>,
    run: Box<dyn Fn(J) -> R + Send + Sync>,
    batch: usize,
    tick: Duration,
    canceled: AtomicBool,
    metrics: Metrics,
}
// ANCHOR_END: pool

/// The metrics of the Go article's pool.
#[derive(Default)]
pub struct Metrics {
    /// Jobs run.
    pub processed: AtomicU64,
    /// Never written. Meant for the average duration of a job, in nanoseconds.
    pub average_duration: AtomicU64,
    /// Never written. Meant for the time at which a job last ended.
    pub last_processed_at: AtomicU64,
    /// Never written. Meant for the number of jobs that wait.
    pub queue_length: AtomicU64,
}

impl<J: Send + 'static, R: Send + 'static> Pool<J, R> {
    /// Starts `workers` threads, whose ticker fires every `tick`. The Go article's is [`TICK`].
    ///
    /// # Errors
    ///
    /// The system's error if a thread cannot be started.
    pub fn start(
        workers: usize,
        queue: usize,
        batch: usize,
        tick: Duration,
        work: impl Fn(J) -> R + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let (jobs, waiting) = sync_channel(queue);
        let (delivering, results) = sync_channel(queue);
        let shared = Arc::new(Shared {
            queue: Mutex::new(waiting),
            results: delivering,
            run: Box::new(work),
            batch,
            tick,
            canceled: AtomicBool::new(false),
            metrics: Metrics::default(),
        });
        let worker = |index| {
            let shared = shared.clone();
            let thread = thread::Builder::new().spawn(move || shared.work());
            trying(format_args!("starting worker {index} of {workers}"), thread)
        };
        let workers = (1..=workers).map(worker).collect::<io::Result<_>>()?;
        Ok(Self { jobs, results: Mutex::new(results), shared, workers })
    }

    /// Queues a job. Waits while the queue is full; after [`cancel`](Self::cancel), forever.
    ///
    /// # Errors
    ///
    /// Never: the pool itself keeps the queue open.
    pub fn submit(&self, job: J) -> Result<(), SendError<J>> {
        self.jobs.send(job)
    }

    /// Queues a job if there is room.
    ///
    /// # Errors
    ///
    /// Returns the job if the queue is full.
    pub fn try_submit(&self, job: J) -> Result<(), TrySendError<J>> {
        self.jobs.try_send(job)
    }

    /// Returns the oldest result, or `None` if there is none within `timeout`.
    pub fn result(&self, timeout: Duration) -> Option<R> {
        self.results.lock().unwrap_or_else(PoisonError::into_inner).recv_timeout(timeout).ok()
    }

    /// Returns the metrics, such as they are.
    pub fn metrics(&self) -> &Metrics {
        &self.shared.metrics
    }

    /// Tells the workers to stop.
    pub fn cancel(&self) {
        self.shared.canceled.store(true, Ordering::Relaxed); // a flag alone: pairs with nothing
    }

    /// Cancels the pool, waits for the workers, and returns the number of jobs left in the queue.
    /// The Go article's pool has no such method.
    pub fn end(self) -> usize {
        self.cancel();
        for worker in self.workers {
            let _ = worker.join(); // a worker that panicked has ended too
        }
        self.shared.queue.lock().unwrap_or_else(PoisonError::into_inner).try_iter().count()
    }
}

impl<J, R> Shared<J, R> {
    // ANCHOR: worker
    fn work(&self) {
        let mut batch = Vec::with_capacity(self.batch);
        let mut tick = Instant::now() + self.tick;
        while !self.canceled.load(Ordering::Relaxed) {
            let wait = tick.saturating_duration_since(Instant::now());
            let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
            let job = queue.recv_timeout(wait);
            drop(queue);
            match job {
                Ok(job) => {
                    batch.push(job);
                    if batch.len() >= self.batch {
                        self.process(&mut batch);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    self.process(&mut batch);
                    tick = Instant::now() + self.tick;
                }
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.process(&mut batch);
    }
    // ANCHOR_END: worker

    // ANCHOR: process
    fn process(&self, batch: &mut Vec<J>) {
        for job in batch.drain(..) {
            let mut result = (self.run)(job);
            self.metrics.processed.fetch_add(1, Ordering::Relaxed);
            loop {
                if self.canceled.load(Ordering::Relaxed) {
                    return; // and drops the result and the rest of the batch
                }
                match self.results.try_send(result) {
                    Err(TrySendError::Full(back)) => result = back,
                    _ => break,
                }
                thread::sleep(Duration::from_micros(100));
            }
        }
    }
    // ANCHOR_END: process
}

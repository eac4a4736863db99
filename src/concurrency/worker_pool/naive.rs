//! The version that everybody writes first. Its faults are pinned by `tests/worker_pool.rs` and
//! shown by the example:
//!
//! - a canceled pool leaves jobs in its queue and in its workers' batches, run by nobody and returned to nobody, and drops the
//!   results of those that were running;
//! - a job waits in a batch until that is full or the ticker strikes, while the worker has nothing else to do;
//! - the batches are a second queue that no setting bounds but the batch's size;
//! - as soon as the results' channel is full, everything stands still until somebody reads;
//! - a job that panics takes its worker along, and the rest of its batch;
//! - of the four [`Metrics`], three are never written.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{
    Receiver, RecvTimeoutError, SendError, SyncSender, TrySendError, sync_channel,
};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// The article's ticker.
pub const TICK: Duration = Duration::from_millis(10);

// ANCHOR: pool
/// The article's pool: a queue, workers that collect batches, and a channel of results as long as
/// the queue.
pub struct Pool<J, R> {
    jobs: SyncSender<J>,
    results: Mutex<Receiver<R>>,
    shared: Arc<Shared<J, R>>,
    workers: Vec<JoinHandle<()>>,
}

struct Shared<J, R> {
    queue: Mutex<Receiver<J>>,
    results: SyncSender<R>,
    work: Box<dyn Fn(J) -> R + Send + Sync>,
    batch: usize,
    tick: Duration,
    canceled: AtomicBool,
    metrics: Metrics,
}
// ANCHOR_END: pool

/// What the article's pool says of itself.
#[derive(Default)]
pub struct Metrics {
    /// Jobs run.
    pub processed: AtomicU64,
    /// Would be the nanoseconds that a job takes on average.
    pub average_duration: AtomicU64,
    /// Would be the time at which a job was last run.
    pub last_processed_at: AtomicU64,
    /// Would be the number of jobs that wait.
    pub queue_length: AtomicU64,
}

impl<J: Send + 'static, R: Send + 'static> Pool<J, R> {
    /// Starts so many workers, with a ticker of so long. The article's is [`TICK`].
    pub fn start(
        workers: usize,
        queue: usize,
        batch: usize,
        tick: Duration,
        work: impl Fn(J) -> R + Send + Sync + 'static,
    ) -> Self {
        let (jobs, waiting) = sync_channel(queue);
        let (delivering, results) = sync_channel(queue);
        let shared = Arc::new(Shared {
            queue: Mutex::new(waiting),
            results: delivering,
            work: Box::new(work),
            batch,
            tick,
            canceled: AtomicBool::new(false),
            metrics: Metrics::default(),
        });
        let worker = |_| {
            let shared = shared.clone();
            thread::spawn(move || shared.work_on())
        };
        let workers = (0..workers).map(worker).collect();
        Self { jobs, results: Mutex::new(results), shared, workers }
    }

    /// Queues a job; waits while the queue is full, after [`cancel`](Self::cancel) forever.
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
    /// The job, if the queue is full.
    pub fn try_submit(&self, job: J) -> Result<(), TrySendError<J>> {
        self.jobs.try_send(job)
    }

    /// The oldest result, if one comes within that time.
    pub fn result(&self, within: Duration) -> Option<R> {
        self.results.lock().unwrap_or_else(PoisonError::into_inner).recv_timeout(within).ok()
    }

    /// The metrics, such as they are.
    pub fn metrics(&self) -> &Metrics {
        &self.shared.metrics
    }

    /// Tells the workers to stop.
    pub fn cancel(&self) {
        self.shared.canceled.store(true, Relaxed);
    }

    /// Cancels, waits for the workers, and counts the jobs that lie in the queue. The article's has
    /// no such method.
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
    fn work_on(&self) {
        let mut batch = Vec::with_capacity(self.batch);
        let mut tick = Instant::now() + self.tick;
        while !self.canceled.load(Relaxed) {
            let wait = tick.saturating_duration_since(Instant::now());
            let job = self.queue.lock().unwrap_or_else(PoisonError::into_inner).recv_timeout(wait);
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
            let mut result = (self.work)(job);
            self.metrics.processed.fetch_add(1, Relaxed);
            loop {
                if self.canceled.load(Relaxed) {
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

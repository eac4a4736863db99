//! A result to wait for, a job: a layer on top of the pool, for the allocations of a channel a job.

use super::{Metrics, Settings, WorkerPool};
use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{Receiver, SendError, SyncSender, sync_channel};
use std::thread;

/// A worker pool whose jobs are waited for one by one. Dropping it is [`shutdown`](Self::shutdown).
///
/// ```
/// use perf_proved::concurrency::worker_pool::{Settings, handle::HandlePool};
///
/// let pool = HandlePool::start(&Settings::default(), |job: u64| job * job)?;
/// let handle = pool.submit(12).unwrap();
/// assert_eq!(handle.wait().unwrap(), 144);
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct HandlePool<J, R>(WorkerPool<Task<J, R>>);

struct Task<J, R> {
    job: J,
    promise: SyncSender<thread::Result<R>>,
}

/// What a job's panic becomes on its way through the pool, which counts it.
struct Panicked<R> {
    promise: SyncSender<thread::Result<R>>,
    with: Box<dyn Any + Send>,
}

/// The result of one job, now or later.
#[must_use = "whoever does not want the result needs no handle"]
pub struct Handle<R>(Receiver<thread::Result<R>>);

/// Why there is no result.
#[derive(Debug)]
pub enum Lost {
    /// The job panicked, with this.
    Panicked(Box<dyn Any + Send>),
    /// It was never begun, because the pool was canceled.
    Canceled,
}

impl<R> Handle<R> {
    /// Waits for the end of the job, or of the hope for it. A job that waits for another one of its
    /// pool keeps a worker from it: if all do, all wait forever.
    ///
    /// # Errors
    ///
    /// If the job panicked, or was canceled.
    pub fn wait(self) -> Result<R, Lost> {
        self.0.recv().map_err(|_| Lost::Canceled)?.map_err(Lost::Panicked)
    }
}

impl<J: Send + 'static, R: Send + 'static> HandlePool<J, R> {
    /// As [`WorkerPool::start`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn start(
        settings: &Settings,
        work: impl Fn(J) -> R + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let work =
            move |Task { job, promise }: Task<J, R>| match catch_unwind(AssertUnwindSafe(|| {
                work(job)
            })) {
                Ok(result) => (promise, result),
                Err(with) => resume_unwind(Box::new(Panicked { promise, with })),
            };
        // Each promise has room for its one result. Where nobody waits for it any more, it is
        // dropped.
        let deliver = |result: thread::Result<(SyncSender<thread::Result<R>>, R)>| match result {
            Ok((promise, result)) => drop(promise.send(Ok(result))),
            Err(panic) => {
                if let Ok(panicked) = panic.downcast::<Panicked<R>>() {
                    drop(panicked.promise.send(Err(panicked.with)));
                }
            }
        };
        WorkerPool::start(settings, work, deliver).map(Self)
    }
}

impl<J, R> HandlePool<J, R> {
    /// As [`WorkerPool::submit`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn submit(&self, job: J) -> Result<Handle<R>, SendError<J>> {
        let (promise, handle) = sync_channel(1);
        match self.0.submit(Task { job, promise }) {
            Ok(()) => Ok(Handle(handle)),
            Err(SendError(task)) => Err(SendError(task.job)),
        }
    }

    /// As [`WorkerPool::metrics`].
    pub fn metrics(&self) -> Metrics {
        self.0.metrics()
    }

    /// As [`WorkerPool::shutdown`].
    pub fn shutdown(&self) {
        self.0.shutdown();
    }

    /// As [`WorkerPool::cancel`]. The handles of the jobs that are returned say so.
    pub fn cancel(&self) -> Vec<J> {
        let returned = self.0.shared.close_and_return();
        // The promises end before the wait: a job that is being run may wait for one of them.
        let returned = returned.into_iter().map(|task| task.job).collect();
        self.0.join();
        returned
    }
}

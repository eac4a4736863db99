//! A handle per job, to wait for its result: a layer on top of the pool that costs a channel, and
//! so a few allocations, per job.

use super::{Metrics, Settings, WorkerPool};
use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{Receiver, SendError, SyncSender, sync_channel};
use std::thread;

/// A worker pool that returns a [`Handle`] for each job. Dropping it is
/// [`shutdown`](Self::shutdown).
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

/// The payload with which a job's panic passes through the pool, which counts it.
struct Panicked<R> {
    promise: SyncSender<thread::Result<R>>,
    payload: Box<dyn Any + Send>,
}

/// The result of one job, now or later.
#[must_use = "to ignore the result, submit to a `WorkerPool`, which needs no handle"]
pub struct Handle<R>(Receiver<thread::Result<R>>);

/// The reason why a job has no result.
#[derive(Debug)]
pub enum Lost {
    /// The job panicked with this payload.
    Panicked(Box<dyn Any + Send>),
    /// The pool was canceled before the job began.
    Canceled,
}

impl<R> Handle<R> {
    /// Waits for the job's result.
    ///
    /// A job that waits for another job of the same pool occupies a worker meanwhile. If all
    /// workers wait like that, they wait forever.
    ///
    /// # Errors
    ///
    /// If the job panicked or was canceled.
    pub fn wait(self) -> Result<R, Lost> {
        self.0.recv().map_err(|_| Lost::Canceled)?.map_err(Lost::Panicked)
    }
}

impl<J: Send + 'static, R: Send + 'static> HandlePool<J, R> {
    /// Starts the workers, like [`WorkerPool::start`].
    ///
    /// # Errors
    ///
    /// Like [`WorkerPool::start`].
    pub fn start(
        settings: &Settings,
        work: impl Fn(J) -> R + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let work =
            move |Task { job, promise }: Task<J, R>| match catch_unwind(AssertUnwindSafe(|| {
                work(job)
            })) {
                Ok(result) => (promise, result),
                Err(payload) => resume_unwind(Box::new(Panicked { promise, payload })),
            };
        // The promise is a channel with room for the one result. If the handle is gone, the result
        // is dropped.
        let deliver = |result: thread::Result<(SyncSender<thread::Result<R>>, R)>| match result {
            Ok((promise, result)) => drop(promise.send(Ok(result))),
            Err(panic) => {
                if let Ok(panicked) = panic.downcast::<Panicked<R>>() {
                    drop(panicked.promise.send(Err(panicked.payload)));
                }
            }
        };
        WorkerPool::start(settings, work, deliver).map(Self)
    }
}

impl<J, R> HandlePool<J, R> {
    /// Submits a job, like [`WorkerPool::submit`].
    ///
    /// # Errors
    ///
    /// Like [`WorkerPool::submit`].
    pub fn submit(&self, job: J) -> Result<Handle<R>, SendError<J>> {
        let (promise, handle) = sync_channel(1);
        match self.0.submit(Task { job, promise }) {
            Ok(()) => Ok(Handle(handle)),
            Err(SendError(task)) => Err(SendError(task.job)),
        }
    }

    /// Returns the pool's counts, like [`WorkerPool::metrics`].
    pub fn metrics(&self) -> Metrics {
        self.0.metrics()
    }

    /// Shuts the pool down, like [`WorkerPool::shutdown`].
    pub fn shutdown(&self) {
        self.0.shutdown();
    }

    /// Cancels the pool, like [`WorkerPool::cancel`]. The handles of the returned jobs report
    /// [`Lost::Canceled`].
    pub fn cancel(&self) -> Vec<J> {
        let returned = self.0.shared.close_and_return();
        // Drops the promises before the join: a running job may be waiting for one of them.
        let returned = returned.into_iter().map(|task| task.job).collect();
        self.0.join();
        returned
    }
}

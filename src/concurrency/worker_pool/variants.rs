//! The two pools that the chapter compares, behind one type.

use super::{Settings, WorkerPool, naive};
use std::io;
use std::sync::mpsc::TrySendError;
use std::time::Duration;

/// Number of workers of each pool.
pub const WORKERS: usize = 2;
/// Size of their batches.
pub const BATCH: usize = 64;

/// A running pool of either kind. Results are dropped.
pub enum Variant {
    /// The pool that everybody writes first. Its results wait in a channel that nothing reads.
    Naive(naive::Pool<u64, ()>),
    /// The pool of the chapter.
    Accounting(WorkerPool<u64>),
}

impl Variant {
    /// The variants' names.
    pub const NAMES: [&str; 2] = ["naive", "pool"];

    /// Starts the variant of this name with a queue of capacity `queue`. `tick` is the period of
    /// the naive pool's ticker.
    ///
    /// # Errors
    ///
    /// The system's error if a thread cannot be started.
    pub fn start(
        name: &str,
        queue: usize,
        tick: Duration,
        work: impl Fn(u64) + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let settings = Settings { workers: WORKERS, queue, batch: BATCH, ..Settings::default() };
        Ok(match name {
            "naive" => Self::Naive(naive::Pool::start(WORKERS, queue, BATCH, tick, work)?),
            _ => Self::Accounting(WorkerPool::start(&settings, work, drop)?),
        })
    }

    /// Submits a job, waits for room if necessary, and returns `true` if the job was accepted.
    pub fn submit(&self, job: u64) -> bool {
        match self {
            Self::Naive(pool) => pool.submit(job).is_ok(),
            Self::Accounting(pool) => pool.submit(job).is_ok(),
        }
    }

    /// Submits a job if there is room.
    ///
    /// # Errors
    ///
    /// Returns the job in `Full` if the queue is full, in `Disconnected` if the pool is closed.
    pub fn try_submit(&self, job: u64) -> Result<(), TrySendError<u64>> {
        match self {
            Self::Naive(pool) => pool.try_submit(job),
            Self::Accounting(pool) => pool.try_submit(job),
        }
    }
}

//! The configuration of a pool.

use crate::sys::{cores, trying};
use std::io;
use std::num::NonZero;

// ANCHOR: settings
/// Configuration of a [`WorkerPool`](super::WorkerPool).
#[derive(Clone, Debug)]
pub struct Settings {
    /// Number of threads that run jobs.
    pub workers: usize,
    /// Capacity of the shared queue, which holds the jobs that no worker has taken yet.
    /// When it is full, submitters wait. Jobs that submit to their own pool exceed it.
    pub queue: usize,
    /// Maximum number of jobs that a worker takes from the queue under one lock. A worker
    /// never waits for a full batch.
    pub batch: usize,
    /// Cores to which the workers are pinned in turn, by the kernel's numbers. If empty,
    /// the kernel chooses.
    pub cores: Vec<usize>,
}

impl Default for Settings {
    fn default() -> Self {
        // Respects the affinity mask of this process and the quota of its control group.
        let workers = std::thread::available_parallelism().map_or(1, NonZero::get);
        Self { workers, queue: 1024, batch: 64, cores: vec![] }
    }
}
// ANCHOR_END: settings

impl Settings {
    /// Returns an error that names the first setting with which no pool can run.
    pub(super) fn check(&self) -> io::Result<()> {
        let invalid = |what: String| Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        let numbers = [("workers", self.workers), ("queue", self.queue), ("batch", self.batch)];
        if let Some((name, _)) = numbers.iter().find(|(_, number)| *number == 0) {
            return invalid(format!("a worker pool with {name} = 0 would run nothing"));
        }
        if self.cores.is_empty() {
            return Ok(());
        }
        let allowed = trying("reading which cores this process may use", cores::allowed())?;
        match self.cores.iter().find(|core| !allowed.contains(core)) {
            Some(core) => {
                invalid(format!("core {core} is not one that this process may use: {allowed:?}"))
            }
            None => Ok(()),
        }
    }
}

//! The experiments of the example: what happens to the jobs of each pool when something goes wrong.
//! And one of the bench: what the account of a job costs by itself.

use super::metrics::{Clock, Tally};
use super::naive::TICK;
use super::queue::{Queued, SAMPLED};
use super::variants::{BATCH, Variant, WORKERS};
use super::worker::runner;
use crate::sys::trying;
use std::io;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::mpsc::TrySendError;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// A ticker that does not fire during an experiment.
pub const NEVER: Duration = Duration::from_secs(3600);
/// Time without progress after which a pool counts as at rest.
const STILL: Duration = Duration::from_millis(100);
/// Time after which an experiment gives up.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The fate of the jobs of a pool that was canceled.
pub struct Canceled {
    /// Jobs accepted.
    pub accepted: u64,
    /// Jobs run, including those that were running at the time.
    pub run: u64,
    /// Jobs that `cancel` returned.
    pub returned: u64,
    /// Jobs still in the naive pool's queue.
    pub left_in_queue: u64,
}

/// Cancels a pool that has accepted `jobs` jobs, while each of its workers runs the first job of a
/// batch.
///
/// # Errors
///
/// Like [`Variant::start`]; `TimedOut` if the workers do not begin, or the pool does not close.
pub fn cancel(name: &str, jobs: u64) -> io::Result<Canceled> {
    let (pool, latch) = blocked(name, jobs as usize)?;
    let mut accepted = (0..jobs).filter(|&job| pool.submit(job)).count() as u64;
    let begun = || latch.arrived();
    until(|| begun() == WORKERS as u64, || format!("{} of {WORKERS} workers have begun", begun()))?;
    let (returned, left_in_queue) = match pool {
        Variant::Naive(pool) => {
            pool.cancel();
            latch.open();
            (0, pool.end() as u64)
        }
        Variant::Accounting(ref accounting) => thread::scope(|scope| {
            let canceling =
                thread::Builder::new().spawn_scoped(scope, || accounting.cancel().len() as u64);
            let canceling = trying("starting a thread that cancels the pool", canceling)?;
            // `cancel` waits for the running jobs, which may go on once the pool is closed.
            let closed = until(
                || match pool.try_submit(jobs) {
                    Ok(()) => {
                        accepted += 1;
                        false
                    }
                    Err(refused) => matches!(refused, TrySendError::Disconnected(_)),
                },
                || "the pool that is canceled still accepts jobs".to_owned(),
            );
            latch.open();
            let returned = canceling.join().map_err(|_| io::Error::other("`cancel` panicked"))?;
            closed.map(|()| (returned, 0))
        })?,
    };
    Ok(Canceled { accepted, run: latch.arrived(), returned, left_in_queue })
}

/// Returns the number of jobs begun, of `jobs` jobs of which every hundredth panics.
///
/// # Errors
///
/// Like [`Variant::start`].
pub fn begun_despite_panics(name: &str, jobs: u64) -> io::Result<u64> {
    let work = |job: u64| {
        if job.is_multiple_of(100) {
            resume_unwind(Box::new("no such file")); // a panic without a message on the screen
        }
    };
    begun(name, jobs as usize, TICK, jobs, work)
}

/// Returns the number of jobs that a pool runs while no thread reads results. Its queue, and the
/// results channel if it has one, holds half of `jobs`.
///
/// # Errors
///
/// Like [`Variant::start`].
pub fn run_undrained(name: &str, jobs: u64) -> io::Result<u64> {
    begun(name, jobs as usize / 2, TICK, jobs, |_| ())
}

/// Returns the number of jobs, of `jobs`, that a pool runs before a ticker fires.
///
/// # Errors
///
/// Like [`Variant::start`].
pub fn run_at_once(name: &str, jobs: u64) -> io::Result<u64> {
    begun(name, jobs as usize, NEVER, jobs, |_| ())
}

/// Returns the number of jobs that a pool with a queue of capacity `queue` accepts while its
/// workers are busy.
///
/// # Errors
///
/// Like [`Variant::start`]; `TimedOut` if the pool does not stop accepting jobs.
pub fn accepted(name: &str, queue: usize) -> io::Result<u64> {
    let (pool, latch) = blocked(name, queue)?;
    let (mut accepted, mut refused) = (0, 0);
    // After the queue is full for the first time, the workers still take some jobs from it.
    let is_full = || {
        match pool.try_submit(0) {
            Ok(()) => accepted += 1,
            Err(_) => refused += 1,
        }
        refused == 200
    };
    until(is_full, || format!("a queue of {queue} jobs still has room"))?;
    latch.open();
    Ok(accepted)
}

/// Returns the number of jobs that have begun once no more begin.
fn begun(
    name: &str,
    queue: usize,
    tick: Duration,
    jobs: u64,
    work: impl Fn(u64) + Send + Sync + 'static,
) -> io::Result<u64> {
    let begun = Arc::new(AtomicU64::new(0));
    let counter = begun.clone();
    let pool = Variant::start(name, queue, tick, move |job| {
        counter.fetch_add(1, SeqCst);
        work(job);
    })?;
    (0..jobs).for_each(|job| _ = pool.submit(job));
    let begun = at_rest(&begun, jobs);
    if let Variant::Naive(pool) = &pool {
        pool.cancel(); // else its workers wait for a reader of results until the process ends
    }
    Ok(begun)
}

/// Runs jobs on the calling thread with everything that a worker does around them: it catches a
/// panic, counts the job, and measures the latency of one in 13. Returns the time taken, so that
/// the cost of the account can be told from the cost of the queue.
///
/// Unit: one job.
pub fn account<R>(
    jobs: u64,
    work: impl Fn(u64) -> R + Send + Sync + 'static,
    deliver: impl Fn(thread::Result<R>) + Send + Sync + 'static,
) -> Duration {
    let clock = Clock::start();
    let (run, tally) = (runner(work, deliver, clock), Tally::new(clock));
    let start = Instant::now();
    for job in 0..jobs {
        let submitted = job.is_multiple_of(SAMPLED).then(|| clock.now());
        run(Queued { job, submitted }, &tally, (job + 1).is_multiple_of(BATCH as u64));
    }
    start.elapsed()
}

/// Returns the value of `counter` once it has reached `all`, or has stopped moving.
pub fn at_rest(counter: &AtomicU64, all: u64) -> u64 {
    loop {
        let before = counter.load(SeqCst);
        let moved = || counter.load(SeqCst) != before;
        if before == all || !within(STILL, moved) {
            return before;
        }
    }
}

/// Starts a pool whose jobs wait for the latch that it returns.
fn blocked(name: &str, queue: usize) -> io::Result<(Variant, Opener)> {
    let latch = Arc::new(Latch::default());
    let behind = latch.clone();
    let pool = Variant::start(name, queue, NEVER, move |_| behind.wait())?;
    Ok((pool, Opener(latch)))
}

/// A latch: it counts the jobs that arrive, and holds them until it is opened for good.
#[derive(Default)]
struct Latch {
    arrived: AtomicU64,
    is_open: Mutex<bool>,
    opened: Condvar,
}

impl Latch {
    fn wait(&self) {
        self.arrived.fetch_add(1, SeqCst);
        let is_open = self.is_open.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.opened.wait_while(is_open, |is_open| !*is_open));
    }
}

/// The experiment's end of a latch. Dropping it opens the latch, so that the workers of an
/// experiment that fails can end.
struct Opener(Arc<Latch>);

impl Opener {
    fn arrived(&self) -> u64 {
        self.0.arrived.load(SeqCst)
    }

    fn open(&self) {
        *self.0.is_open.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.0.opened.notify_all();
    }
}

impl Drop for Opener {
    fn drop(&mut self) {
        self.open();
    }
}

/// Waits for `condition`.
///
/// # Errors
///
/// `TimedOut` with the `state` of things after [`TIMEOUT`].
fn until(condition: impl FnMut() -> bool, state: impl FnOnce() -> String) -> io::Result<()> {
    if within(TIMEOUT, condition) {
        return Ok(());
    }
    let what = format!("after {TIMEOUT:?}, {}", state());
    Err(io::Error::new(io::ErrorKind::TimedOut, what))
}

/// Returns `true` if `condition` becomes true within `timeout`.
fn within(timeout: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + timeout;
    loop {
        if condition() {
            return true;
        }
        if Instant::now() > end {
            return false;
        }
        thread::sleep(Duration::from_micros(100));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_experiment_that_gives_up_says_why() {
        let error = until(|| false, || "1 of 2 workers have begun".to_owned()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(error.to_string(), "after 10s, 1 of 2 workers have begun");
    }
}

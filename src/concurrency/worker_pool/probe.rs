//! What the example asks of both pools, what becomes of their jobs when something does not go as it
//! should; and, for the bench, what the account of a job costs by itself.

use super::metrics::{Clock, Tally};
use super::queue::{Queued, SAMPLED};
use super::worker::running;
use super::{Settings, WorkerPool, naive};
use std::io;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::mpsc::TrySendError;
use std::thread;
use std::time::{Duration, Instant};

/// How many workers each pool has.
const WORKERS: usize = 2;
/// How many jobs one of them takes at most at a turn.
pub const BATCH: usize = 64;
/// A ticker that does not strike while anybody looks.
pub const NEVER: Duration = Duration::from_secs(3600);
/// How long to watch a pool in which nothing moves.
const STILL: Duration = Duration::from_millis(100);

/// Any of the two pools, with results that nobody wants.
pub enum Pool {
    /// The one that everybody writes first.
    Naive(naive::Pool<u64, ()>),
    /// The one of the chapter.
    Accounting(WorkerPool<u64>),
}

impl Pool {
    /// Their names.
    pub const NAMES: [&str; 2] = ["naive", "pool"];

    /// Starts the pool of that name; `tick` is the naive one's.
    ///
    /// # Errors
    ///
    /// As [`WorkerPool::start`].
    pub fn start(
        name: &str,
        queue: usize,
        tick: Duration,
        work: impl Fn(u64) + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let settings = Settings { workers: WORKERS, queue, batch: BATCH, ..Settings::default() };
        Ok(match name {
            "naive" => Self::Naive(naive::Pool::start(WORKERS, queue, BATCH, tick, work)),
            _ => Self::Accounting(WorkerPool::start(&settings, work, drop)?),
        })
    }

    /// Submits a job, waiting for room, and says whether it was accepted.
    pub fn submit(&self, job: u64) -> bool {
        match self {
            Self::Naive(pool) => pool.submit(job).is_ok(),
            Self::Accounting(pool) => pool.submit(job).is_ok(),
        }
    }

    fn try_submit(&self, job: u64) -> Result<(), TrySendError<u64>> {
        match self {
            Self::Naive(pool) => pool.try_submit(job),
            Self::Accounting(pool) => pool.try_submit(job),
        }
    }
}

/// What became of the jobs of a pool that was canceled.
pub struct Canceled {
    /// How many were accepted.
    pub accepted: u64,
    /// How many were run, those included that were being run.
    pub run: u64,
    /// How many came back.
    pub returned: u64,
    /// How many lie in the naive pool's queue.
    pub left_in_queue: u64,
}

/// Cancels a pool that has accepted so many jobs, while each of its workers is in the first one of
/// a batch.
///
/// # Errors
///
/// As [`WorkerPool::start`].
pub fn cancel(name: &str, jobs: u64) -> io::Result<Canceled> {
    let gate = Arc::new(Gate::default());
    let theirs = gate.clone();
    let pool = Pool::start(name, jobs as usize, NEVER, move |_| theirs.pass())?;
    let mut accepted = (0..jobs).filter(|&job| pool.submit(job)).count() as u64;
    until(|| gate.came.load(SeqCst) == WORKERS as u64);
    let (returned, left_in_queue) = match pool {
        Pool::Naive(pool) => {
            pool.cancel();
            gate.open.store(true, SeqCst);
            (0, pool.end() as u64)
        }
        Pool::Accounting(ref accounting) => thread::scope(|scope| {
            let canceling = scope.spawn(|| accounting.cancel().len() as u64);
            // It waits for those that are being run. They may go on when the pool refuses new ones.
            until(|| match pool.try_submit(jobs) {
                Ok(()) => {
                    accepted += 1;
                    false
                }
                Err(why) => matches!(why, TrySendError::Disconnected(_)),
            });
            gate.open.store(true, SeqCst);
            (canceling.join().unwrap_or(0), 0)
        }),
    };
    Ok(Canceled { accepted, run: gate.came.load(SeqCst), returned, left_in_queue })
}

/// How many jobs are begun, of so many of which every hundredth panics.
///
/// # Errors
///
/// As [`WorkerPool::start`].
pub fn begun(name: &str, jobs: u64) -> io::Result<u64> {
    let panics = |job: u64| {
        if job.is_multiple_of(100) {
            resume_unwind(Box::new("no such file")); // as `panic!`, without a message on the screen
        }
    };
    count(name, jobs as usize, naive::TICK, jobs, panics)
}

/// How many jobs are run by a pool whose queue, and whose results' channel if it has one, holds
/// half of them.
///
/// # Errors
///
/// As [`WorkerPool::start`].
pub fn run_undrained(name: &str, jobs: u64) -> io::Result<u64> {
    count(name, jobs as usize / 2, naive::TICK, jobs, |_| ())
}

/// How many of so many jobs are run before a ticker strikes.
///
/// # Errors
///
/// As [`WorkerPool::start`].
pub fn run_at_once(name: &str, jobs: u64) -> io::Result<u64> {
    count(name, jobs as usize, NEVER, jobs, |_| ())
}

/// How many jobs a pool with such a queue accepts while its workers are busy.
///
/// # Errors
///
/// As [`WorkerPool::start`].
pub fn accepted(name: &str, queue: usize) -> io::Result<u64> {
    let gate = Arc::new(Gate::default());
    let theirs = gate.clone();
    let pool = Pool::start(name, queue, NEVER, move |_| theirs.pass())?;
    let (mut accepted, mut refused) = (0, 0);
    // The workers take some more away after the queue was full for the first time.
    until(|| {
        match pool.try_submit(0) {
            Ok(()) => accepted += 1,
            Err(_) => refused += 1,
        }
        refused == 200
    });
    gate.open.store(true, SeqCst);
    Ok(accepted)
}

/// How many jobs have been begun when no more are.
fn count(
    name: &str,
    queue: usize,
    tick: Duration,
    jobs: u64,
    work: impl Fn(u64) + Send + Sync + 'static,
) -> io::Result<u64> {
    let begun = Arc::new(AtomicU64::new(0));
    let theirs = begun.clone();
    let pool = Pool::start(name, queue, tick, move |job| {
        theirs.fetch_add(1, SeqCst);
        work(job);
    })?;
    (0..jobs).for_each(|job| _ = pool.submit(job));
    Ok(at_rest(&begun, jobs))
}

/// Runs jobs on the caller's thread with all that a worker does around them, so that what the
/// account costs can be told from what the queue costs: a panic is caught, the job is counted, and
/// one in so many has its latency measured.
///
/// Unit: one job.
pub fn account<R>(
    jobs: u64,
    work: impl Fn(u64) -> R + Send + Sync + 'static,
    deliver: impl Fn(thread::Result<R>) + Send + Sync + 'static,
) -> Duration {
    let clock = Clock::start();
    let (run, tally) = (running(work, deliver, clock), Tally::new(clock));
    let start = Instant::now();
    for job in 0..jobs {
        let submitted = job.is_multiple_of(SAMPLED).then(|| clock.now());
        run(Queued { job, submitted }, &tally, (job + 1).is_multiple_of(BATCH as u64));
    }
    start.elapsed()
}

/// What a counter says when it has come to `all`, or when it moves no more.
pub fn at_rest(counter: &AtomicU64, all: u64) -> u64 {
    loop {
        let before = counter.load(SeqCst);
        let moved = || counter.load(SeqCst) != before;
        if before == all || !within(STILL, moved) {
            return before;
        }
    }
}

/// Where jobs wait until somebody opens it.
#[derive(Default)]
struct Gate {
    came: AtomicU64,
    open: AtomicBool,
}

impl Gate {
    fn pass(&self) {
        self.came.fetch_add(1, SeqCst);
        until(|| self.open.load(SeqCst));
    }
}

fn until(come: impl FnMut() -> bool) {
    within(Duration::from_secs(5), come);
}

/// Whether it came to pass in that time.
fn within(time: Duration, mut come: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + time;
    loop {
        if come() {
            return true;
        }
        if Instant::now() > end {
            return false;
        }
        thread::sleep(Duration::from_micros(100));
    }
}

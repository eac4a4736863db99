//! Cancels, overfills, leaves alone and disappoints two pools, the one that everybody writes first and the one of the chapter, and
//! counts the jobs that are neither run nor given back.
//!
//!     cargo run --release --example worker_pool
//!     strace -f -c target/release/examples/worker_pool --only pool    # 20,000 jobs, counted by strace alone

use hdrhistogram::Histogram;
use perf_proved::concurrency::worker_pool::{Settings, WorkerPool, naive};
use perf_proved::proof::allocations::{Counting, count};
use perf_proved::proof::report::Report;
use perf_proved::proof::{flags, syscalls};
use std::hint::black_box;
use std::io;
use std::panic::resume_unwind;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::mpsc::TrySendError;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const JOBS: u64 = 1000;
const WORKERS: usize = 2;
const BATCH: usize = 64;
/// A ticker that does not strike while this example runs.
const NEVER: Duration = Duration::from_secs(3600);
/// How long to watch a pool in which nothing moves.
const STILL: Duration = Duration::from_millis(100);

fn main() -> ExitCode {
    flags::run(&["naive", "pool"], None, |flags| match flags.only {
        Some(name) => run_once(&name),
        None => compare(flags.json),
    })
}

fn compare(json: bool) -> io::Result<ExitCode> {
    let mut report = Report::new("Two pools of two workers: which jobs are lost, which wait, which are refused");
    cancel(&mut report)?;
    for name in ["naive", "pool"] {
        report.set(name, "lost_by_panics", JOBS - begun(name)?);
        report.set(name, "run_undrained", undrained(name)?);
        report.set(name, "accepted", accepted(name)?);
        report.set(name, "run_at_once", run_at_once(name)?);
        report.set(name, "allocations", allocations(name)?);
        latency(&mut report, name)?;
    }
    for batch in [1, BATCH] {
        let name = format!("pool_by_{batch}");
        match syscalls::trace(|| stream(JOBS, batch)) {
            Ok((done, calls)) => done.map(|()| report.detail(&name, "futex_calls", calls.of("futex").made))?,
            Err(why) => report.detail(&name, "futex_calls", why),
        }
    }
    Ok(report.finish(json))
}

/// Any of the two pools, with results that nobody wants.
enum Pool {
    Naive(naive::Pool<u64, ()>),
    Ours(WorkerPool<u64>),
}

impl Pool {
    fn start(name: &str, queue: usize, tick: Duration, work: impl Fn(u64) + Send + Sync + 'static) -> io::Result<Self> {
        let settings = Settings { workers: WORKERS, queue, batch: BATCH, ..Settings::default() };
        Ok(match name {
            "naive" => Self::Naive(naive::Pool::start(WORKERS, queue, BATCH, tick, work)),
            _ => Self::Ours(WorkerPool::start(&settings, work, drop)?),
        })
    }

    fn submit(&self, job: u64) -> bool {
        match self {
            Self::Naive(pool) => pool.submit(job).is_ok(),
            Self::Ours(pool) => pool.submit(job).is_ok(),
        }
    }

    fn try_submit(&self, job: u64) -> Result<(), TrySendError<u64>> {
        match self {
            Self::Naive(pool) => pool.try_submit(job),
            Self::Ours(pool) => pool.try_submit(job),
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

fn until(come: impl Fn() -> bool) -> bool {
    let end = Instant::now() + Duration::from_secs(5);
    while !come() && Instant::now() < end {
        thread::sleep(Duration::from_micros(100));
    }
    come()
}

/// A thousand jobs, of which each worker is running its first when the pool is canceled.
fn cancel(report: &mut Report) -> io::Result<()> {
    for name in ["naive", "pool"] {
        let gate = Arc::new(Gate::default());
        let theirs = gate.clone();
        let pool = Pool::start(name, JOBS as usize, NEVER, move |_| theirs.pass())?;
        let submitted = AtomicU64::new((0..JOBS).filter(|&job| pool.submit(job)).count() as u64);
        until(|| gate.came.load(SeqCst) == WORKERS as u64);
        let returned = match pool {
            Pool::Naive(pool) => {
                pool.cancel();
                gate.open.store(true, SeqCst);
                report.detail(name, "left_in_queue", pool.end() as u64);
                0
            }
            Pool::Ours(pool) => thread::scope(|scope| {
                let canceling = scope.spawn(|| pool.cancel().len() as u64);
                until(|| match pool.try_submit(JOBS) {
                    Ok(()) => submitted.fetch_add(1, SeqCst) == u64::MAX,
                    Err(why) => matches!(why, TrySendError::Disconnected(_)),
                });
                gate.open.store(true, SeqCst);
                canceling.join().unwrap()
            }),
        };
        let run = gate.came.load(SeqCst);
        report.set(name, "run", run);
        report.set(name, "returned", returned);
        report.set(name, "lost", submitted.into_inner().saturating_sub(run + returned));
    }
    Ok(())
}

/// A thousand jobs, every hundredth of which panics: how many are begun at all.
fn begun(name: &str) -> io::Result<u64> {
    let (count, theirs) = counter();
    let pool = Pool::start(name, JOBS as usize, naive::TICK, move |job| {
        theirs.fetch_add(1, SeqCst);
        if job % 100 == 0 {
            resume_unwind(Box::new("no such file")); // as `panic!`, without a message on the screen
        }
    })?;
    submit(&pool, JOBS);
    Ok(at_rest(&count, JOBS))
}

/// How many of 128 jobs are run by a pool whose queue, and whose results' channel if it has one, holds 64.
fn undrained(name: &str) -> io::Result<u64> {
    let (count, theirs) = counter();
    let pool = Pool::start(name, 64, naive::TICK, move |_| _ = theirs.fetch_add(1, SeqCst))?;
    submit(&pool, 128);
    Ok(at_rest(&count, 128))
}

/// How many jobs a pool with a queue of eight accepts while its workers are busy.
fn accepted(name: &str) -> io::Result<u64> {
    let gate = Arc::new(Gate::default());
    let theirs = gate.clone();
    let pool = Pool::start(name, 8, NEVER, move |_| theirs.pass())?;
    let (count, full) = (AtomicU64::new(0), AtomicU64::new(0));
    until(|| match pool.try_submit(0) {
        Ok(()) => count.fetch_add(1, SeqCst) == u64::MAX,
        Err(_) => full.fetch_add(1, SeqCst) == 200,
    });
    gate.open.store(true, SeqCst);
    Ok(count.into_inner())
}

/// How many of 63 jobs are run before a ticker strikes, in batches of up to 64.
fn run_at_once(name: &str) -> io::Result<u64> {
    let (count, theirs) = counter();
    let pool = Pool::start(name, 64, NEVER, move |_| _ = theirs.fetch_add(1, SeqCst))?;
    submit(&pool, BATCH as u64 - 1);
    Ok(at_rest(&count, BATCH as u64 - 1))
}

/// How often the submitting thread calls the allocator for a thousand jobs, after the first thousand.
fn allocations(name: &str) -> io::Result<u64> {
    let pool = Pool::start(name, 4 * JOBS as usize, naive::TICK, |_| ())?;
    submit(&pool, JOBS);
    Ok(count(|| submit(&pool, JOBS)).1.calls)
}

/// How long a thousand jobs take from the moment at which they are due, 200 µs apart, until they run.
fn latency(report: &mut Report, name: &str) -> io::Result<()> {
    let (count, theirs) = counter();
    let times = Arc::new(Mutex::new(Histogram::<u64>::new_with_max(60_000_000_000, 3).map_err(io::Error::other)?));
    let histogram = times.clone();
    let start = Instant::now() + Duration::from_millis(5);
    let due = move |job| start + Duration::from_micros(200 * job);
    let pool = Pool::start(name, JOBS as usize, naive::TICK, move |job| {
        histogram.lock().unwrap().saturating_record(due(job).elapsed().as_nanos() as u64);
        theirs.fetch_add(1, SeqCst);
    })?;
    for job in 0..JOBS {
        while Instant::now() < due(job) {
            thread::yield_now();
        }
        pool.submit(job);
    }
    at_rest(&count, JOBS);
    let times = times.lock().unwrap();
    for (quantity, share) in [("latency_p50", 0.5), ("latency_p99", 0.99)] {
        report.set(name, quantity, Duration::from_nanos(times.value_at_quantile(share)));
    }
    Ok(())
}

/// So many jobs of some 10 µs through the chapter's pool, with batches of up to that size.
fn stream(jobs: u64, batch: usize) -> io::Result<()> {
    let work = |job| (0..10_000).fold(job, |state: u64, _| black_box(state).rotate_left(5));
    let settings = Settings { workers: WORKERS, batch, ..Settings::default() };
    let pool = WorkerPool::start(&settings, work, drop)?;
    (0..jobs).try_for_each(|job| pool.submit(job)).map_err(io::Error::other)?;
    pool.shutdown();
    Ok(())
}

fn run_once(name: &str) -> io::Result<ExitCode> {
    let (count, theirs) = counter();
    let pool = Pool::start(name, 20 * JOBS as usize, naive::TICK, move |_| _ = theirs.fetch_add(1, SeqCst))?;
    submit(&pool, 20 * JOBS);
    at_rest(&count, 20 * JOBS);
    Ok(ExitCode::SUCCESS)
}

fn submit(pool: &Pool, jobs: u64) {
    (0..jobs).for_each(|job| _ = pool.submit(job));
}

fn counter() -> (Arc<AtomicU64>, Arc<AtomicU64>) {
    let counter = Arc::new(AtomicU64::new(0));
    (counter.clone(), counter)
}

/// What a counter says when it has come to `all`, or when it moves no more.
fn at_rest(counter: &AtomicU64, all: u64) -> u64 {
    loop {
        let before = counter.load(SeqCst);
        let deadline = Instant::now() + STILL;
        while counter.load(SeqCst) == before {
            if before == all || Instant::now() > deadline {
                return before;
            }
            thread::sleep(Duration::from_millis(1));
        }
    }
}

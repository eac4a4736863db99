//! Submits jobs to two worker pools, the one that everybody writes first and the one of the
//! chapter, and counts the jobs that get lost, stuck or refused when something goes wrong.
//!
//!     cargo run --release --example worker_pool
//!     strace -f -c target/release/examples/worker_pool --only pool    # 20,000 jobs

use hdrhistogram::Histogram;
use perf_proved::concurrency::worker_pool::experiment::{self, NEVER, at_rest};
use perf_proved::concurrency::worker_pool::naive::TICK;
use perf_proved::concurrency::worker_pool::variants::{BATCH, Variant};
use perf_proved::harness::flags::Example;
use perf_proved::harness::report::Report;
use perf_proved::proof::allocations::{Counting, count};
use std::io;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const JOBS: u64 = 1000;

/// An experiment that counts one thing, with the pool of the given name.
type Experiment = fn(&str) -> io::Result<u64>;

const COUNTS: [(&str, Experiment); 5] = [
    // Every hundredth of 1,000 jobs panics.
    ("lost_by_panics", |name| Ok(JOBS - experiment::begun_despite_panics(name, JOBS)?)),
    // No thread reads the results of 128 jobs.
    ("run_undrained", |name| experiment::run_undrained(name, 128)),
    // The queue has a capacity of 8, and the workers are busy.
    ("accepted", |name| experiment::accepted(name, 8)),
    // One job is missing for a full batch.
    ("run_at_once", |name| experiment::run_at_once(name, BATCH as u64 - 1)),
    ("allocations", allocations),
];

fn main() -> ExitCode {
    Example::new("Counts the jobs that two worker pools run, lose, hold back or refuse.")
        .variants(&Variant::NAMES)
        .run(|flags| match flags.only {
            Some(name) => run_once(&name),
            None => Ok(compare().finish(flags.json)),
        })
}

fn compare() -> Report {
    let mut report =
        Report::new("Two pools of two workers: which jobs are lost, which wait, which are refused");
    for name in Variant::NAMES {
        report.attempt(name, &["run", "returned", "lost"], |report| cancel(report, name));
        for (quantity, experiment) in COUNTS {
            report.attempt(name, &[quantity], |report| {
                report.set(name, quantity, experiment(name)?);
                Ok(())
            });
        }
        report.attempt(name, &["latency_p50", "latency_p99"], |report| latency(report, name));
    }
    report
}

/// Cancels a pool of 1,000 jobs while each worker runs the first job of a batch.
fn cancel(report: &mut Report, name: &str) -> io::Result<()> {
    let canceled = experiment::cancel(name, JOBS)?;
    let kept = canceled.run + canceled.returned;
    report.set(name, "run", canceled.run);
    report.set(name, "returned", canceled.returned);
    report.set(name, "lost", canceled.accepted.saturating_sub(kept));
    report.detail(name, "left_in_queue", canceled.left_in_queue);
    Ok(())
}

/// Counts the submitter's calls to the allocator for 1,000 jobs, after the first 1,000.
fn allocations(name: &str) -> io::Result<u64> {
    let pool = Variant::start(name, 4 * JOBS as usize, NEVER, |_| ())?;
    let submit_all = || (0..JOBS).for_each(|job| _ = pool.submit(job));
    submit_all();
    Ok(count(submit_all).1.calls)
}

/// Measures the latency of 1,000 jobs that are due 200 µs apart, from the time at which each is due
/// to the time at which it runs.
fn latency(report: &mut Report, name: &str) -> io::Result<()> {
    let histogram = Histogram::<u64>::new_with_max(60_000_000_000, 3).map_err(io::Error::other)?;
    let (histogram, run) = (Arc::new(Mutex::new(histogram)), Arc::new(AtomicU64::new(0)));
    let (times, counter) = (histogram.clone(), run.clone());
    let start = Instant::now() + Duration::from_millis(5);
    let due = move |job| start + Duration::from_micros(200 * job);
    let pool = Variant::start(name, JOBS as usize, TICK, move |job| {
        times.lock().unwrap().saturating_record(due(job).elapsed().as_nanos() as u64);
        counter.fetch_add(1, SeqCst);
    })?;
    for job in 0..JOBS {
        while Instant::now() < due(job) {
            thread::yield_now();
        }
        pool.submit(job);
    }
    at_rest(&run, JOBS);
    let times = histogram.lock().unwrap();
    for (quantity, share) in [("latency_p50", 0.5), ("latency_p99", 0.99)] {
        report.set(name, quantity, Duration::from_nanos(times.value_at_quantile(share)));
    }
    Ok(())
}

/// Runs 20,000 jobs, uncounted.
fn run_once(name: &str) -> io::Result<ExitCode> {
    let run = Arc::new(AtomicU64::new(0));
    let counter = run.clone();
    let work = move |_| _ = counter.fetch_add(1, SeqCst);
    let pool = Variant::start(name, 20 * JOBS as usize, TICK, work)?;
    (0..20 * JOBS).for_each(|job| _ = pool.submit(job));
    at_rest(&run, 20 * JOBS);
    Ok(ExitCode::SUCCESS)
}

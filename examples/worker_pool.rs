//! Cancels, overfills, leaves alone and disappoints two pools, the one that everybody writes first
//! and the one of the chapter, and counts the jobs that are neither run nor given back.
//!
//!     cargo run --release --example worker_pool
//!     strace -f -c target/release/examples/worker_pool --only pool    # 20,000 jobs, counted by strace alone

use hdrhistogram::Histogram;
use perf_proved::concurrency::worker_pool::naive;
use perf_proved::concurrency::worker_pool::probe::{self, BATCH, NEVER, Pool, at_rest};
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

fn main() -> ExitCode {
    Example::new("Counts the jobs that worker pools lose, hold and run, and their system calls.")
        .variants(&Pool::NAMES)
        .run(|flags| match flags.only {
            Some(name) => run_once(&name),
            None => compare(flags.json),
        })
}

fn compare(json: bool) -> io::Result<ExitCode> {
    let mut report =
        Report::new("Two pools of two workers: which jobs are lost, which wait, which are refused");
    for name in Pool::NAMES {
        // A thousand jobs, and each worker is in the first of a batch when the pool is canceled.
        let canceled = probe::cancel(name, JOBS)?;
        report.set(name, "run", canceled.run);
        report.set(name, "returned", canceled.returned);
        report.set(
            name,
            "lost",
            canceled.accepted.saturating_sub(canceled.run + canceled.returned),
        );
        report.detail(name, "left_in_queue", canceled.left_in_queue);
        // A thousand again, every hundredth of which panics.
        report.set(name, "lost_by_panics", JOBS - probe::begun(name, JOBS)?);
        // 128 jobs, and nobody who reads the results.
        report.set(name, "run_undrained", probe::run_undrained(name, 128)?);
        // A queue of eight, and workers that are busy.
        report.set(name, "accepted", probe::accepted(name, 8)?);
        // One job less than makes a batch.
        report.set(name, "run_at_once", probe::run_at_once(name, BATCH as u64 - 1)?);
        report.set(name, "allocations", allocations(name)?);
        latency(&mut report, name)?;
    }
    Ok(report.finish(json))
}

/// How often the submitting thread calls the allocator for a thousand jobs, after the first
/// thousand.
fn allocations(name: &str) -> io::Result<u64> {
    let pool = Pool::start(name, 4 * JOBS as usize, NEVER, |_| ())?;
    let submit_all = || (0..JOBS).for_each(|job| _ = pool.submit(job));
    submit_all();
    Ok(count(submit_all).1.calls)
}

/// How long a thousand jobs take from the moment at which they are due, 200 µs apart, until they
/// run.
fn latency(report: &mut Report, name: &str) -> io::Result<()> {
    let times = Arc::new(Mutex::new(
        Histogram::<u64>::new_with_max(60_000_000_000, 3).map_err(io::Error::other)?,
    ));
    let run = Arc::new(AtomicU64::new(0));
    let (histogram, count) = (times.clone(), run.clone());
    let start = Instant::now() + Duration::from_millis(5);
    let due = move |job| start + Duration::from_micros(200 * job);
    let pool = Pool::start(name, JOBS as usize, naive::TICK, move |job| {
        histogram.lock().unwrap().saturating_record(due(job).elapsed().as_nanos() as u64);
        count.fetch_add(1, SeqCst);
    })?;
    for job in 0..JOBS {
        while Instant::now() < due(job) {
            thread::yield_now();
        }
        pool.submit(job);
    }
    at_rest(&run, JOBS);
    let times = times.lock().unwrap();
    for (quantity, share) in [("latency_p50", 0.5), ("latency_p99", 0.99)] {
        report.set(name, quantity, Duration::from_nanos(times.value_at_quantile(share)));
    }
    Ok(())
}

/// One stream of jobs that nobody here counts.
fn run_once(name: &str) -> io::Result<ExitCode> {
    let run = Arc::new(AtomicU64::new(0));
    let count = run.clone();
    let pool = Pool::start(name, 20 * JOBS as usize, naive::TICK, move |_| {
        _ = count.fetch_add(1, SeqCst)
    })?;
    (0..20 * JOBS).for_each(|job| _ = pool.submit(job));
    at_rest(&run, 20 * JOBS);
    Ok(ExitCode::SUCCESS)
}

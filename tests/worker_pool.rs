//! The pool accounts for every job, whatever happens to it, and no thread sleeps forever.

use perf_proved::concurrency::worker_pool::handle::{HandlePool, Lost};
use perf_proved::concurrency::worker_pool::{Metrics, Settings, WorkerPool};
use perf_proved::memory::allocation::process::limit_address_space;
use perf_proved_tests::{only, passed, refusals};
use proptest::prelude::*;
use std::env;
use std::io::ErrorKind;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{self, Receiver, Sender, TrySendError};
use std::sync::{Arc, Barrier, Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

fn settings(workers: usize, queue: usize, batch: usize) -> Settings {
    Settings { workers, queue, batch, cores: vec![] }
}

fn accounted(metrics: &Metrics) {
    assert_eq!(metrics.submitted, metrics.run + metrics.failed + metrics.returned, "{metrics:?}");
    assert_eq!(metrics.queued, 0);
}

/// A pool whose jobs say when they begin, and then wait for one `go` each.
struct Gated {
    pool: WorkerPool<u64>,
    begun: Receiver<u64>,
    go: Sender<()>,
    results: Receiver<thread::Result<u64>>,
}

fn gated(settings: &Settings) -> Gated {
    let (begin, begun) = mpsc::channel();
    let (go, gate) = mpsc::channel();
    let gate = Mutex::new(gate);
    let (deliver, results) = mpsc::channel();
    let work = move |job| {
        begin.send(job).unwrap();
        gate.lock().unwrap().recv().unwrap();
        job
    };
    let pool = WorkerPool::start(settings, work, move |result| drop(deliver.send(result))).unwrap();
    Gated { pool, begun, go, results }
}

fn until(mut ready: impl FnMut() -> bool) {
    let start = Instant::now();
    while !ready() {
        assert!(start.elapsed() < Duration::from_secs(60), "no change within a minute");
        thread::yield_now();
    }
}

#[test]
fn a_setting_of_zero_or_beyond_memory_is_an_error() {
    for (settings, what) in [
        (settings(0, 1, 1), "workers = 0"),
        (settings(1, 0, 1), "queue = 0"),
        (settings(1, 1, 0), "batch = 0"),
    ] {
        let error = WorkerPool::start(&settings, |_: u8| (), drop).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains(what), "{error}");
    }
    let error = WorkerPool::start(&settings(1, usize::MAX, 1), |_: u8| (), drop).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::OutOfMemory);
}

#[test]
#[cfg(target_os = "linux")]
fn a_core_that_is_not_allowed_is_named_and_an_allowed_one_is_used() {
    let mut pinned = Settings { cores: vec![100_000], ..settings(2, 4, 4) };
    let error = WorkerPool::start(&pinned, |_: u8| (), drop).err().unwrap();
    assert!(error.to_string().starts_with("core 100000 is not one"), "{error}");
    let core = *perf_proved::sys::cores::allowed().unwrap().last().unwrap();
    pinned.cores = vec![core];
    let (deliver, results) = mpsc::channel();
    let work = |_: u8| perf_proved::sys::cores::allowed().unwrap();
    let pool = WorkerPool::start(&pinned, work, move |cores| deliver.send(cores.unwrap()).unwrap())
        .unwrap();
    (0..4).for_each(|job| pool.submit(job).unwrap());
    pool.shutdown();
    assert_eq!(results.iter().collect::<Vec<_>>(), vec![vec![core]; 4]);

    // Workers share the cores.
    let Some((first, last)) = perf_proved::sys::cores::pair().unwrap() else { return };
    pinned.cores = vec![first, last];
    let (deliver, results) = mpsc::channel();
    let both = Barrier::new(2);
    let work = move |_: u8| {
        both.wait(); // so that each runs one of the jobs
        perf_proved::sys::cores::allowed().unwrap()
    };
    let pool = WorkerPool::start(&pinned, work, move |cores| deliver.send(cores.unwrap()).unwrap())
        .unwrap();
    (0..2).for_each(|job| pool.submit(job).unwrap());
    pool.shutdown();
    let mut used: Vec<_> = results.iter().collect();
    used.sort();
    assert_eq!(used, [[first], [last]]);
}

#[test]
#[cfg(target_os = "linux")]
fn a_worker_that_cannot_be_started_is_named_and_the_others_are_stopped() {
    const ALONE: &str = "PERF_PROVED_ALONE";
    if env::var_os(ALONE).is_none() {
        // In a process of its own, with large stacks and address space for a few. (With small
        // stacks, the last thread might start and then lack the room for what the standard library
        // allocates at its beginning, which ends the process.)
        let test = "a_worker_that_cannot_be_started_is_named_and_the_others_are_stopped";
        return passed(
            &only(test)
                .env(ALONE, "1")
                .env("RUST_MIN_STACK", (256 << 20).to_string())
                .output()
                .unwrap(),
        );
    }
    let threads = || std::fs::read_dir("/proc/self/task").unwrap().count();
    let before = threads();
    limit_address_space(2 << 30).unwrap();
    let error = WorkerPool::start(&settings(1000, 1, 1), |_: u8| (), drop).err().unwrap();
    let said = error.to_string();
    assert!(said.starts_with("starting worker ") && said.contains(" of 1000: "), "{said}");
    assert!(!said.starts_with("starting worker 1 of"), "some were: {said}");
    until(|| threads() == before); // a thread is joined before the kernel has forgotten it
}

#[test]
fn a_lone_job_is_run_at_once() {
    // It waits for no ticker and no further submission, whatever the size of a batch.
    let (deliver, results) = mpsc::channel();
    let pool =
        WorkerPool::start(&settings(2, 1024, 64), |job: u8| job, move |r| drop(deliver.send(r)))
            .unwrap();
    for job in 0..10 {
        pool.submit(job).unwrap();
        assert_eq!(results.recv().unwrap().unwrap(), job);
        let metrics = pool.metrics();
        assert_eq!(
            (metrics.run, metrics.queued),
            (u64::from(job) + 1, 0),
            "counted before it is delivered"
        );
        assert!(
            metrics.last_processed.is_some()
                && metrics.latency.samples() == 1 + u64::from(job) / 13
        );
    }
}

#[test]
fn a_worker_steals_from_a_batch_whose_worker_is_busy() {
    // A worker takes a batch of 32, and stays in its first job until all others are done.
    let done = AtomicUsize::new(0);
    let work = move |job: u64| match job {
        0 => until(|| done.load(SeqCst) == 63),
        _ => drop(done.fetch_add(1, SeqCst)),
    };
    let pool = WorkerPool::start(&settings(2, 64, 64), work, drop).unwrap();
    pool.submit_all(&mut (0..64).collect()).unwrap();
    pool.shutdown();
    let metrics = pool.metrics();
    assert_eq!((metrics.run, metrics.failed), (64, 0), "no one stole from it");
    accounted(&metrics);
}

#[test]
fn a_full_queue_refuses_or_makes_submitters_wait() {
    for queue in [1, 2, 3, 8] {
        let gated = gated(&settings(1, queue, 1));
        let pool = &gated.pool;
        pool.submit(0).unwrap();
        gated.begun.recv().unwrap();
        (1..=queue as u64).for_each(|job| pool.try_submit(job).unwrap());
        assert_eq!(pool.try_submit(99), Err(TrySendError::Full(99)));
        assert_eq!(pool.submit_within(99, Duration::ZERO), Err(TrySendError::Full(99)));
        assert_eq!(pool.submit_within(99, Duration::from_millis(5)), Err(TrySendError::Full(99)));
        assert_eq!(pool.metrics().queued, queue as u64);
        thread::scope(|scope| {
            for job in 0..3 {
                scope.spawn(move || match job {
                    0 => pool.submit(100).unwrap(),
                    1 => pool.submit_within(101, Duration::from_secs(60)).unwrap(),
                    _ => pool.submit_all(&mut (102..120).collect()).unwrap(),
                });
            }
            (0..queue + 21).for_each(|_| gated.go.send(()).unwrap());
        });
        pool.shutdown();
        assert_eq!(gated.results.iter().count(), queue + 21);
        accounted(&pool.metrics());
    }
}

#[test]
fn a_submitter_that_waits_gets_its_jobs_back_when_the_pool_closes() {
    for cancel in [false, true] {
        let gated = gated(&settings(1, 2, 1));
        let pool = &gated.pool;
        pool.submit(0).unwrap();
        gated.begun.recv().unwrap();
        pool.submit_all(&mut vec![1, 2]).unwrap();
        thread::scope(|scope| {
            let one = scope.spawn(|| pool.submit(7));
            let within = scope.spawn(|| pool.submit_within(8, Duration::from_secs(60)));
            let all = scope.spawn(|| {
                let mut jobs = vec![3, 4, 5];
                (pool.submit_all(&mut jobs), jobs)
            });
            // Gives them time to wait; if they do not yet, the results are the same.
            thread::sleep(Duration::from_millis(20));
            let end =
                scope.spawn(|| if cancel { pool.cancel() } else { (pool.shutdown(), vec![]).1 });
            assert_eq!(one.join().unwrap().unwrap_err().0, 7);
            assert_eq!(within.join().unwrap(), Err(TrySendError::Disconnected(8)));
            let (refused, jobs) = all.join().unwrap();
            assert!(refused.is_err() && jobs == [3, 4, 5], "in their order: {jobs:?}");
            // The receiver is gone once a canceled pool has ended.
            (0..3).for_each(|_| gated.go.send(()).unwrap_or_default());
            assert_eq!(end.join().unwrap(), if cancel { vec![1, 2] } else { vec![] });
        });
        accounted(&pool.metrics());
        assert_eq!(pool.try_submit(9), Err(TrySendError::Disconnected(9)));
    }
}

#[test]
fn cancel_returns_what_was_not_begun_batches_too() {
    let gated = gated(&settings(1, 100, 64));
    gated.pool.submit_all(&mut (0..100).collect()).unwrap();
    assert_eq!(gated.begun.recv().unwrap(), 0, "63 are in the local queue");
    let returned = thread::scope(|scope| {
        let cancel = scope.spawn(|| gated.pool.cancel());
        until(|| gated.pool.metrics().returned == 99);
        gated.go.send(()).unwrap();
        cancel.join().unwrap()
    });
    assert_eq!(returned, (1..100).collect::<Vec<_>>(), "in their order");
    assert_eq!(gated.results.iter().map(Result::unwrap).collect::<Vec<_>>(), [0]);
    let metrics = gated.pool.metrics();
    assert_eq!((metrics.submitted, metrics.run, metrics.returned), (100, 1, 99));
    assert!(gated.pool.cancel().is_empty(), "a second time");
}

#[test]
fn a_panic_is_counted_and_delivered_and_the_worker_goes_on() {
    let (deliver, results) = mpsc::channel();
    let work = |job: u32| if job.is_multiple_of(3) { resume_unwind(Box::new(job)) } else { job };
    let pool =
        WorkerPool::start(&settings(1, 8, 4), work, move |result| drop(deliver.send(result)))
            .unwrap();
    (0..30).for_each(|job| pool.submit(job).unwrap());
    pool.shutdown();
    let results: Vec<_> =
        results.iter().map(|r| r.map_err(|panic| *panic.downcast::<u32>().unwrap())).collect();
    assert_eq!(
        results,
        (0..30).map(|job| if job % 3 == 0 { Err(job) } else { Ok(job) }).collect::<Vec<_>>()
    );
    assert_eq!((pool.metrics().run, pool.metrics().failed), (20, 10));
}

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        resume_unwind(Box::new("dropped"));
    }
}

#[test]
fn a_panic_of_deliver_loses_one_result_and_nothing_else() {
    let delivered = Arc::new(AtomicU64::new(0));
    let seen = delivered.clone();
    let deliver = move |result: thread::Result<u64>| match result.unwrap() {
        1 => resume_unwind(Box::new(Bomb)),
        2 => resume_unwind(Box::new("an ordinary panic")),
        _ => drop(seen.fetch_add(1, SeqCst)),
    };
    let pool = WorkerPool::start(&settings(1, 8, 8), |job| job, deliver).unwrap();
    (0..6).for_each(|job| pool.submit(job).unwrap());
    pool.shutdown();
    assert_eq!((pool.metrics().run, delivered.load(SeqCst)), (6, 4));
}

#[test]
fn jobs_submit_to_their_own_pool_however_full_it_is() {
    for way in 0..3 {
        let own: Arc<OnceLock<Arc<WorkerPool<u32>>>> = Arc::default();
        let pool = own.clone();
        let work = move |depth: u32| {
            if depth > 0 {
                let pool = pool.wait();
                match way {
                    0 => pool.submit_all(&mut vec![depth - 1; 2]).unwrap(),
                    1 => (0..2).for_each(|_| pool.submit(depth - 1).unwrap()),
                    _ => (0..2).for_each(|_| pool.submit_within(depth - 1, Duration::MAX).unwrap()),
                }
            }
        };
        let (done, results) = mpsc::channel();
        let started =
            WorkerPool::start(&settings(2, 1, 4), work, move |r| done.send(r).unwrap()).unwrap();
        let pool = Arc::new(started);
        assert!(own.set(pool.clone()).is_ok());
        pool.submit(10).unwrap();
        assert_eq!(results.iter().take((1 << 11) - 1).filter(Result::is_ok).count(), (1 << 11) - 1);
        pool.shutdown();
        assert_eq!(pool.metrics().run, (1 << 11) - 1);
    }
}

#[test]
fn jobs_exceed_the_queue_of_their_own_pool_and_other_threads_do_not() {
    let own: Arc<OnceLock<Arc<WorkerPool<u64>>>> = Arc::default();
    let pool = own.clone();
    let (submitted, done) = mpsc::channel();
    let (go, gate) = mpsc::channel();
    let gate = Mutex::new(gate);
    let work = move |job| {
        if job == 0 {
            let pool = pool.wait();
            pool.submit(1).unwrap();
            pool.submit_all(&mut vec![2, 3, 4]).unwrap();
            pool.submit_within(5, Duration::ZERO).unwrap();
            assert_eq!(pool.try_submit(6), Err(TrySendError::Full(6)));
            submitted.send(()).unwrap();
            gate.lock().unwrap().recv().unwrap();
        }
        job
    };
    let (deliver, results) = mpsc::channel();
    let deliver = move |result: thread::Result<u64>| deliver.send(result.unwrap()).unwrap();
    let pool = Arc::new(WorkerPool::start(&settings(1, 2, 1), work, deliver).unwrap());
    assert!(own.set(pool.clone()).is_ok());
    pool.submit(0).unwrap();
    done.recv().unwrap();
    assert_eq!(pool.metrics().queued, 5);
    assert_eq!(pool.try_submit(7), Err(TrySendError::Full(7)));
    assert_eq!(pool.submit_within(7, Duration::from_millis(1)), Err(TrySendError::Full(7)));
    thread::scope(|scope| {
        scope.spawn(|| pool.submit_all(&mut vec![8, 9]).unwrap());
        go.send(()).unwrap();
    });
    pool.shutdown();
    assert_eq!(results.iter().collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5, 8, 9]);
    accounted(&pool.metrics());
}

#[test]
fn a_long_chain_of_jobs_needs_no_stack() {
    // Each job fills the queue before it submits its successor.
    const LENGTH: u64 = 100_000;
    let own: Arc<OnceLock<Arc<WorkerPool<u64>>>> = Arc::default();
    let pool = own.clone();
    let work = move |length: u64| {
        if length > 0 {
            let pool = pool.wait();
            pool.submit(0).unwrap();
            pool.submit(length - 1).unwrap();
        }
    };
    let pool = Arc::new(WorkerPool::start(&settings(1, 1, 1), work, drop).unwrap());
    assert!(own.set(pool.clone()).is_ok());
    pool.submit(LENGTH).unwrap();
    until(|| pool.metrics().run == 2 * LENGTH + 1);
    pool.shutdown();
    accounted(&pool.metrics());
}

#[test]
fn a_job_may_wait_for_what_its_submitter_does_next() {
    // While job 1 runs, a quarter of the queue is free: too little to notify the submitter that
    // sleeps, and job 1 waits for that submitter.
    let (begin, begun) = mpsc::channel();
    let (go, gate) = mpsc::channel();
    let (tell, told) = mpsc::channel();
    let receivers = Mutex::new((gate, told));
    let work = move |job| match job {
        0 => {
            begin.send(()).unwrap();
            receivers.lock().unwrap().0.recv().is_ok()
        }
        1 => receivers.lock().unwrap().1.recv_timeout(Duration::from_secs(60)).is_ok(),
        _ => true,
    };
    let (deliver, results) = mpsc::channel();
    let deliver = move |result: thread::Result<bool>| deliver.send(result.unwrap()).unwrap();
    let pool = WorkerPool::start(&settings(1, 4, 1), work, deliver).unwrap();
    pool.submit(0).unwrap();
    begun.recv().unwrap();
    (1..=4).for_each(|job| pool.try_submit(job).unwrap());
    thread::scope(|scope| {
        scope.spawn(|| {
            pool.submit(5).unwrap();
            tell.send(()).unwrap();
        });
        // Gives it time to sleep; if it does not yet, the results are the same.
        thread::sleep(Duration::from_millis(50));
        go.send(()).unwrap();
    });
    pool.shutdown();
    assert_eq!(results.iter().collect::<Vec<_>>(), [true; 6]);
}

#[test]
fn the_last_job_of_an_idle_pool_is_the_one_last_processed() {
    // One worker takes jobs 1 and 2 and runs 1. The other runs 3 and 4, and steals 2. Only then
    // does 1 end, the last of its worker, as which it had not begun.
    let (go, gate) = mpsc::channel();
    let gate = Mutex::new(gate);
    let work = move |job: u32| {
        if job == 1 {
            gate.lock().unwrap().recv().unwrap();
        }
    };
    let pool = WorkerPool::start(&settings(2, 8, 8), work, drop).unwrap();
    pool.submit(0).unwrap(); // the one in 13 after which the clock is read
    until(|| pool.metrics().run == 1);
    pool.submit_all(&mut (1..5).collect()).unwrap();
    until(|| pool.metrics().run == 4);
    let before = Instant::now();
    go.send(()).unwrap();
    pool.shutdown();
    let last = pool.metrics().last_processed.unwrap();
    assert!(last >= before, "{:?} too early", before - last);
}

#[test]
fn a_job_may_end_its_pool() {
    for cancel in [false, true] {
        let own: Arc<OnceLock<Arc<WorkerPool<u64>>>> = Arc::default();
        let (pool, returned) = (own.clone(), Arc::new(AtomicUsize::new(0)));
        let theirs = returned.clone();
        let work = move |job| {
            if job == 0 {
                let pool = pool.wait();
                if cancel {
                    theirs.store(pool.cancel().len(), SeqCst);
                } else {
                    pool.shutdown();
                }
                assert!(pool.submit(9).is_err());
            }
        };
        let pool = Arc::new(WorkerPool::start(&settings(1, 16, 16), work, drop).unwrap());
        pool.submit_all(&mut (0..10).collect()).unwrap();
        assert!(own.set(pool.clone()).is_ok());
        pool.shutdown(); // waits for the end, whichever call comes first
        let metrics = pool.metrics();
        accounted(&metrics);
        assert_eq!((metrics.returned, metrics.failed), (returned.load(SeqCst) as u64, 0));
        assert_eq!(metrics.returned, if cancel { 9 } else { 0 });
    }
}

#[test]
fn several_threads_may_end_a_pool_at_once() {
    for _ in 0..50 {
        let pool =
            WorkerPool::start(&settings(2, 64, 8), |_: u64| thread::yield_now(), drop).unwrap();
        pool.submit_all(&mut (0..64).collect()).unwrap();
        let start = Barrier::new(4);
        let returned: u64 = thread::scope(|scope| {
            let end = |number: u32| {
                let (pool, start) = (&pool, &start);
                scope.spawn(move || {
                    start.wait();
                    let returned =
                        if number == 0 { pool.cancel() } else { (pool.shutdown(), vec![]).1 };
                    accounted(&pool.metrics()); // the pool has ended for each of them
                    returned.len() as u64
                })
            };
            (0..4)
                .map(end)
                .collect::<Vec<_>>()
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .sum()
        });
        assert_eq!(returned, pool.metrics().returned);
    }
}

#[test]
fn a_handle_returns_the_result_or_the_reason_why_there_is_none() {
    let (begun, go) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
    let (theirs, gate) = (begun.clone(), go.clone());
    let work = move |job: u32| match job {
        0 => {
            theirs.wait();
            gate.wait();
        }
        1 => resume_unwind(Box::new("one")), // without the hook's message
        _ => {}
    };
    let pool = HandlePool::start(&settings(1, 8, 8), work).unwrap();
    let panicked = pool.submit(1).unwrap();
    assert!(
        matches!(panicked.wait(), Err(Lost::Panicked(with)) if with.downcast_ref() == Some(&"one"))
    );
    let first = pool.submit(0).unwrap();
    begun.wait();
    let (second, dropped) = (pool.submit(2).unwrap(), pool.submit(3).unwrap());
    drop(dropped);
    thread::scope(|scope| {
        let cancel = scope.spawn(|| pool.cancel());
        assert!(matches!(second.wait(), Err(Lost::Canceled)));
        thread::sleep(Duration::from_millis(20));
        let is_finished = cancel.is_finished();
        go.wait();
        assert!(!is_finished, "it waits for the job that has begun");
        assert_eq!(cancel.join().unwrap(), [2, 3]);
    });
    assert!(first.wait().is_ok());
    assert_eq!(pool.submit(4).err().unwrap().0, 4);
    let metrics = pool.metrics();
    assert_eq!((metrics.run, metrics.failed, metrics.returned), (1, 1, 2));

    let pool = HandlePool::start(&settings(1, 8, 8), |job: u32| job + 1).unwrap();
    let handle = pool.submit(1).unwrap();
    pool.shutdown();
    assert_eq!((pool.metrics().run, handle.wait().ok()), (1, Some(2)));
    assert_eq!(pool.submit(3).err().unwrap().0, 3);
}

#[test]
fn metrics_account_for_every_job_while_jobs_run() {
    let pool = WorkerPool::start(&settings(2, 64, 8), |job: u64| job, drop).unwrap();
    thread::scope(|scope| {
        let submitter = scope.spawn(|| (0..100_000).for_each(|job| pool.submit(job).unwrap()));
        while !submitter.is_finished() {
            let now = pool.metrics();
            let running =
                now.submitted.checked_sub(now.run + now.failed + now.returned + now.queued);
            assert!(running.is_some_and(|running| running <= 2), "{now:?}");
        }
    });
    pool.shutdown();
    let metrics = pool.metrics();
    accounted(&metrics);
    assert_eq!(metrics.latency.samples(), 100_000_u64.div_ceil(13));
    assert!(metrics.latency.quantile(0.5) <= metrics.latency.quantile(1.0));
}

/// Counts its drops.
struct Counted(u64, Arc<AtomicU64>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.1.fetch_add(1, SeqCst);
    }
}

proptest! {
    // The same cases each time, so that a failure can be reproduced.
    #![proptest_config(ProptestConfig {
        cases: 200,
        failure_persistence: None,
        rng_seed: prop::test_runner::RngSeed::Fixed(1),
        ..ProptestConfig::default()
    })]

    #[test]
    fn each_job_is_seen_once_and_dropped_once(
        workers in 1..4_usize,
        queue in 1..20_usize,
        batch in 1..10_usize,
        submitters in 1..4_u64,
        panics in 2..9_u64,
        cancel_at in 0..600_u64, bulk in any::<bool>(),
    ) {
        const EACH: u64 = 200;
        let [jobs, results, closures] = std::array::from_fn(|_| Arc::new(AtomicU64::new(0)));
        let (seen, refused) = (Arc::new(AtomicU64::new(0)), AtomicU64::new(0));
        let (made, inside, with) = (results.clone(), seen.clone(), Counted(0, closures.clone()));
        let work = move |job: Counted| {
            let _ = &with;
            inside.fetch_add(job.0, SeqCst);
            if job.0.is_multiple_of(panics) {
                resume_unwind(Box::new(Counted(0, made.clone())));
            }
            Counted(0, made.clone())
        };
        let held = Counted(0, closures.clone());
        let settings = settings(workers, queue, batch);
        let pool = WorkerPool::start(&settings, work, move |result| drop((result, &held))).unwrap();
        let returned = thread::scope(|scope| {
            for submitter in 0..submitters {
                let (pool, refused, jobs) = (&pool, &refused, &jobs);
                scope.spawn(move || {
                    let job = |n| Counted(submitter * EACH + n + 1, jobs.clone());
                    let mut all: Vec<_> = (0..EACH).map(job).collect();
                    if bulk {
                        let _ = pool.submit_all(&mut all);
                        refused.fetch_add(all.iter().map(|job| job.0).sum(), SeqCst);
                    } else {
                        for job in all {
                            let back = pool.submit(job).err().map_or(0, |back| back.0.0);
                            refused.fetch_add(back, SeqCst);
                        }
                    }
                });
            }
            if cancel_at < submitters * EACH {
                until(|| pool.metrics().submitted >= cancel_at);
                pool.cancel()
            } else {
                vec![]
            }
        });
        pool.shutdown();
        let metrics = pool.metrics();
        accounted(&metrics);
        prop_assert_eq!(metrics.returned, returned.len() as u64);
        let returned_ids = returned.iter().map(|job| job.0).sum::<u64>();
        let ids = seen.load(SeqCst) + refused.load(SeqCst) + returned_ids;
        let all = submitters * EACH;
        prop_assert_eq!(ids, all * (all + 1) / 2, "each once");
        drop(returned);
        prop_assert_eq!(jobs.load(SeqCst), all);
        prop_assert_eq!(results.load(SeqCst), metrics.run + metrics.failed);
        prop_assert_eq!(closures.load(SeqCst), 2, "when the workers end, while the pool still exists");
    }
}

#[test]
fn millions_of_jobs_arrive() {
    const JOBS: u64 = 500_000;
    for (submitters, workers) in [(1, 1), (2, 1), (1, 2), (2, 2)] {
        let sums: Arc<[AtomicU64; 2]> = Arc::default();
        let theirs = sums.clone();
        let deliver = move |result: thread::Result<u64>| {
            theirs[0].fetch_add(result.unwrap(), SeqCst);
            theirs[1].fetch_add(1, SeqCst);
        };
        let pool = WorkerPool::start(&settings(workers, 256, 64), |job| job, deliver).unwrap();
        thread::scope(|scope| {
            (0..submitters).for_each(|_| {
                drop(scope.spawn(|| (0..JOBS).for_each(|job| pool.submit(job).unwrap())))
            });
        });
        pool.shutdown();
        accounted(&pool.metrics());
        let sum = submitters * (JOBS * (JOBS - 1) / 2);
        assert_eq!([sums[0].load(SeqCst), sums[1].load(SeqCst)], [sum, submitters * JOBS]);
    }
}

#[test]
fn the_compiler_refuses_a_job_that_must_not_change_threads() {
    let program = |job: &str| {
        format!(
            "use perf_proved::concurrency::worker_pool::{{Settings, WorkerPool}};
             fn main() {{
                 let pool = WorkerPool::start(&Settings::default(), drop, drop).unwrap();
                 pool.submit({job}).unwrap();
             }}"
        )
    };
    let codes = |name, job| {
        refusals(env!("CARGO_TARGET_TMPDIR"), name, &program(job))
            .into_iter()
            .map(|(code, _)| code)
            .collect::<Vec<_>>()
    };
    assert!(codes("pool_sends", "std::sync::Arc::new(1)").is_empty());
    assert!(codes("pool_refuses", "std::rc::Rc::new(1)").contains(&"E0277".to_owned()));
}

/// The pool that everybody writes first fails in the ways that its documentation lists.
mod naive {
    use perf_proved::concurrency::worker_pool::naive::{Pool, TICK};
    use std::panic::resume_unwind;
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
    use std::sync::mpsc::TrySendError;
    use std::sync::{Arc, Barrier};
    use std::thread;
    use std::time::Duration;

    const NEVER: Duration = Duration::from_secs(3600);
    const STILL: Duration = Duration::from_millis(100);

    /// Starts a pool, and returns it with the number of jobs that have begun.
    fn counting(
        workers: usize,
        queue: usize,
        batch: usize,
        tick: Duration,
    ) -> (Pool<u64, u64>, Arc<AtomicU64>) {
        let count = Arc::new(AtomicU64::new(0));
        let theirs = count.clone();
        let work = move |job| {
            theirs.fetch_add(1, SeqCst);
            job
        };
        (Pool::start(workers, queue, batch, tick, work).unwrap(), count)
    }

    #[test]
    fn a_canceled_pool_loses_its_queue_its_batches_and_the_results_of_what_was_running() {
        let (running, open) = (Arc::new(Barrier::new(3)), Arc::new(AtomicBool::new(false)));
        let theirs = (running.clone(), open.clone());
        let pool = Pool::start(2, 1000, 64, NEVER, move |job: u64| {
            theirs.0.wait();
            while !theirs.1.load(SeqCst) {
                thread::yield_now();
            }
            job
        })
        .unwrap();
        (0..1000).for_each(|job| pool.submit(job).unwrap());
        running.wait();
        pool.cancel();
        open.store(true, SeqCst);
        assert_eq!(pool.result(STILL), None, "the results of the two that ran are dropped");
        assert_eq!(pool.end(), 1000 - 2 * 64, "the other 126 were in the batches");
    }

    #[test]
    fn a_job_waits_for_the_ticker_though_the_worker_is_idle() {
        let (pool, count) = counting(1, 8, 2, NEVER);
        pool.submit(1).unwrap();
        assert_eq!(pool.result(STILL), None);
        assert_eq!(count.load(SeqCst), 0);
        pool.submit(2).unwrap();
        assert_eq!([pool.result(Duration::MAX), pool.result(Duration::MAX)], [Some(1), Some(2)]);

        let (pool, _) = counting(1, 8, 2, TICK);
        pool.submit(1).unwrap();
        assert_eq!(pool.result(Duration::MAX), Some(1));
    }

    #[test]
    fn batches_are_a_second_queue() {
        let open = Arc::new(AtomicBool::new(false));
        let theirs = open.clone();
        let pool = Pool::start(1, 4, 64, NEVER, move |_: u64| {
            while !theirs.load(SeqCst) {
                thread::yield_now();
            }
        })
        .unwrap();
        (0..64 + 4).for_each(|job| pool.submit(job).unwrap());
        assert_eq!(pool.try_submit(0), Err(TrySendError::Full(0)));
        open.store(true, SeqCst);
    }

    #[test]
    fn workers_stall_until_the_results_are_read() {
        let (pool, count) = counting(2, 4, 1, NEVER);
        (0..10).for_each(|job| pool.submit(job).unwrap());
        while count.load(SeqCst) < 4 + 2 {
            thread::yield_now();
        }
        thread::sleep(STILL);
        assert_eq!(
            count.load(SeqCst),
            4 + 2,
            "four in the channel, and one in each worker's hands"
        );
        let mut results: Vec<_> = (0..10).map(|_| pool.result(Duration::MAX).unwrap()).collect();
        results.sort_unstable();
        assert_eq!(results, (0..10).collect::<Vec<_>>());
    }

    #[test]
    fn a_panic_ends_the_worker_and_loses_the_rest_of_its_batch() {
        let pool = Pool::start(1, 8, 4, NEVER, |job: u64| {
            if job == 1 {
                resume_unwind(Box::new("no such file"));
            }
            job
        })
        .unwrap();
        (0..8).for_each(|job| pool.submit(job).unwrap());
        assert_eq!(pool.result(Duration::MAX), Some(0));
        assert_eq!(pool.result(STILL), None);
        assert_eq!(
            pool.end(),
            4,
            "two of the first batch are lost with it, and four stay in the queue"
        );
    }

    #[test]
    fn three_of_four_metrics_are_never_written() {
        let (pool, count) = counting(1, 16, 1, NEVER);
        (0..16).for_each(|job| pool.submit(job).unwrap());
        while count.load(SeqCst) < 16 {
            thread::yield_now();
        }
        while pool.metrics().processed.load(SeqCst) < 16 {
            thread::yield_now();
        }
        let metrics = pool.metrics();
        for never in [&metrics.average_duration, &metrics.last_processed_at, &metrics.queue_length]
        {
            assert_eq!(never.load(SeqCst), 0);
        }
    }
}

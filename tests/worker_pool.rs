//! The pool runs each job once or gives it back, whatever jobs, submitters and cancels do, and the naive one fails in the way that
//! its documentation lists.

use perf_proved::concurrency::worker_pool::{Metrics, Settings, WorkerPool};
use perf_proved_tests::refusals;
use proptest::prelude::*;
use std::io::ErrorKind;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::mpsc::{TrySendError, channel, sync_channel};
use std::sync::{Arc, Barrier, Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

fn settings(workers: usize, queue: usize, batch: usize) -> Settings {
    Settings { workers, queue, batch, cores: vec![] }
}

/// Submitted, run, failed, returned.
fn account<J>(pool: &WorkerPool<J>) -> [u64; 4] {
    let Metrics { submitted, run, failed, returned, .. } = pool.metrics();
    [submitted, run, failed, returned]
}

/// Waits for what must come.
fn until(come: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !come() {
        assert!(Instant::now() < end, "it does not come");
        thread::sleep(Duration::from_micros(100));
    }
}

/// A pool whose jobs wait until it is opened, and what has begun.
struct Gated {
    pool: WorkerPool<u64>,
    begun: Arc<AtomicU64>,
    open: Arc<AtomicBool>,
}

fn gated(settings: &Settings) -> Gated {
    let (begun, open) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let theirs = (begun.clone(), open.clone());
    let work = move |job| {
        theirs.0.fetch_add(1, SeqCst);
        until(|| theirs.1.load(SeqCst));
        job
    };
    Gated { pool: WorkerPool::start(settings, work, drop).unwrap(), begun, open }
}

#[test]
fn a_setting_of_zero_is_refused_by_name() {
    for (settings, name) in [(settings(0, 1, 1), "workers"), (settings(1, 0, 1), "queue"), (settings(1, 1, 0), "batch")]
    {
        let error = WorkerPool::start(&settings, |(): ()| (), drop).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains(name), "{error}");
    }
    assert!(Settings::default().workers > 0);
}

/// Every job is run once, by ones and by twos, through queues and batches of every small size.
#[test]
fn every_job_is_run_once() {
    for submitters in [1, 2] {
        for workers in [1, 2, 3] {
            for (queue, batch, jobs) in
                [(1, 1, 2000), (2, 1, 2000), (3, 8, 2000), (1024, 1, 200_000), (1024, 64, 200_000)]
            {
                let sum = Arc::new(AtomicU64::new(0));
                let theirs = sum.clone();
                let deliver = move |result: thread::Result<u64>| _ = theirs.fetch_add(result.unwrap(), SeqCst);
                let pool = WorkerPool::start(&settings(workers, queue, batch), |job: u64| job, deliver).unwrap();
                thread::scope(|scope| {
                    for submitter in 0..submitters {
                        let (pool, mine) = (&pool, (0..jobs).filter(move |job| job % submitters == submitter));
                        scope.spawn(move || mine.for_each(|job| pool.submit(job).unwrap()));
                    }
                });
                pool.submit_all(&mut (jobs..2 * jobs).collect()).unwrap();
                pool.shutdown();
                assert_eq!(sum.load(SeqCst), (0..2 * jobs).sum::<u64>());
                assert_eq!(account(&pool), [2 * jobs, 2 * jobs, 0, 0]);
            }
        }
    }
}

#[test]
fn a_lone_job_is_run_at_once_whatever_the_batch() {
    let (sender, results) = channel();
    let deliver = move |result: thread::Result<u64>| sender.send(result.unwrap()).unwrap();
    let pool = WorkerPool::start(&settings(2, 1024, 64), |job| job, deliver).unwrap();
    for job in 0..100 {
        pool.submit(job).unwrap();
        assert_eq!(results.recv_timeout(Duration::from_secs(20)), Ok(job));
    }
}

#[test]
fn a_full_queue_refuses_and_a_closed_pool_gives_the_job_back() {
    let Gated { pool, begun, open } = gated(&settings(1, 2, 1));
    pool.submit(0).unwrap();
    until(|| begun.load(SeqCst) == 1);
    assert_eq!([pool.try_submit(1), pool.try_submit(2)], [Ok(()), Ok(())]);
    assert_eq!(pool.try_submit(3), Err(TrySendError::Full(3)));
    assert_eq!(pool.metrics().queued, 2);
    open.store(true, SeqCst);
    pool.shutdown();
    assert_eq!(account(&pool), [3, 3, 0, 0]);
    assert_eq!(pool.try_submit(4), Err(TrySendError::Disconnected(4)));
    assert_eq!(pool.submit(5).unwrap_err().0, 5);
    let mut jobs = vec![6, 7];
    assert!(pool.submit_all(&mut jobs).is_err());
    assert_eq!(jobs, [6, 7]);
}

#[test]
fn who_waits_for_room_gets_the_job_back_when_the_pool_closes() {
    let Gated { pool, begun, open } = gated(&settings(1, 1, 1));
    pool.submit(0).unwrap();
    until(|| begun.load(SeqCst) == 1);
    pool.submit(1).unwrap();
    thread::scope(|scope| {
        let one = scope.spawn(|| pool.submit(2));
        let many = scope.spawn(|| {
            let mut jobs = vec![3, 4];
            pool.submit_all(&mut jobs).map_err(|_| jobs)
        });
        thread::sleep(Duration::from_millis(20));
        let cancelling = scope.spawn(|| pool.cancel());
        assert_eq!(one.join().unwrap().unwrap_err().0, 2);
        assert_eq!(many.join().unwrap(), Err(vec![3, 4]));
        open.store(true, SeqCst);
        assert_eq!(cancelling.join().unwrap(), [1]);
    });
    assert_eq!(account(&pool), [2, 1, 0, 1]);
}

#[test]
fn cancel_returns_what_lies_in_a_batch_too() {
    let Gated { pool, begun, open } = gated(&settings(1, 64, 8));
    // All of the first eight are one batch only if they lie there when the worker comes back from the gate.
    pool.submit(100).unwrap();
    until(|| begun.load(SeqCst) == 1);
    (0..20).for_each(|job| pool.submit(job).unwrap());
    let mut returned = thread::scope(|scope| {
        let cancelling = scope.spawn(|| pool.cancel());
        until(|| pool.try_submit(0).is_err_and(|why| matches!(why, TrySendError::Disconnected(_))));
        open.store(true, SeqCst);
        cancelling.join().unwrap()
    });
    returned.sort_unstable();
    returned.dedup();
    assert_eq!(returned, (0..20).collect::<Vec<_>>());
    assert!(pool.cancel().is_empty(), "once");
    let Metrics { submitted, run, returned, .. } = pool.metrics();
    assert_eq!((run, returned), (1, submitted - 1));
}

#[test]
fn a_panic_is_delivered_and_counted_and_ends_no_worker() {
    let (sender, results) = channel();
    let work = |job: u64| if job.is_multiple_of(3) { resume_unwind(Box::new(job)) } else { job };
    let deliver = move |result: thread::Result<u64>| {
        let result = result.map_err(|payload| *payload.downcast::<u64>().unwrap());
        sender.send(result).unwrap();
        if result == Ok(1) {
            resume_unwind(Box::new("a deliver that panics"));
        }
    };
    let pool = WorkerPool::start(&settings(1, 64, 8), work, deliver).unwrap();
    (0..30).for_each(|job| pool.submit(job).unwrap());
    pool.shutdown();
    let expected: Vec<_> = (0..30).map(|job| if job % 3 == 0 { Err(job) } else { Ok(job) }).collect();
    assert_eq!(results.try_iter().collect::<Vec<_>>(), expected);
    assert_eq!(account(&pool), [30, 20, 10, 0]);
}

#[test]
fn a_job_may_submit_to_its_pool_shut_it_down_and_cancel_it() {
    let own: Arc<OnceLock<WorkerPool<u64>>> = Arc::default();
    let (sender, seen) = sync_channel(64);
    let theirs = own.clone();
    let work = move |job| {
        let pool = theirs.wait();
        match job {
            0 => pool.submit(1).unwrap(),
            1 => {
                (2..5).for_each(|job| pool.submit(job).unwrap());
                sender.send(pool.cancel()).unwrap();
                pool.shutdown();
            }
            _ => unreachable!("cancelled before"),
        }
    };
    let pool = own.get_or_init(|| WorkerPool::start(&settings(1, 8, 4), work, drop).unwrap());
    pool.submit(0).unwrap();
    assert_eq!(seen.recv(), Ok(vec![2, 3, 4]));
    thread::scope(|scope| (0..3).for_each(|_| _ = scope.spawn(|| pool.shutdown())));
    assert_eq!(account(pool), [5, 2, 0, 3]);
}

#[test]
fn a_pool_that_is_dropped_has_run_everything() {
    let count = Arc::new(AtomicU64::new(0));
    let theirs = count.clone();
    let pool = WorkerPool::start(&settings(2, 64, 8), move |()| _ = theirs.fetch_add(1, SeqCst), drop).unwrap();
    (0..50).for_each(|_| pool.submit(()).unwrap());
    drop(pool);
    assert_eq!(count.load(SeqCst), 50);
    assert_eq!(Arc::strong_count(&count), 1, "the closures are dropped");
}

#[test]
fn a_job_that_is_not_send_does_not_compile() {
    let program = "
        use perf_proved::concurrency::worker_pool::{Settings, WorkerPool};
        fn main() {
            let pool = WorkerPool::start(&Settings::default(), |job: std::rc::Rc<u8>| *job, drop);
        }";
    let refused = refusals("worker_pool_rc", program);
    assert!(refused.iter().any(|(code, _)| code == "E0277"), "{refused:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    /// Jobs that panic, a cancel in the middle, several submitters: each job ends once, and is dropped once.
    #[test]
    fn submitted_is_run_and_failed_and_returned(
        workers in 1..4_usize,
        queue in 1..20_usize,
        batch in 1..10_usize,
        submitters in 1..4_u64,
        panics in 1..10_u64,
        cancel_after in 0..400_u64,
    ) {
        const EACH: u64 = 100;
        let alive = Arc::new(());
        let seen = Arc::new(Mutex::new(vec![]));
        let list = seen.clone();
        let work = move |(job, _token): (u64, Arc<()>)| {
            list.lock().unwrap().push(job);
            if job.is_multiple_of(panics + 1) {
                resume_unwind(Box::new(()));
            }
        };
        let pool = WorkerPool::start(&settings(workers, queue, batch), work, drop).unwrap();
        let accepted = AtomicU64::new(0);
        let start = Barrier::new(submitters as usize + 1);
        let returned = thread::scope(|scope| {
            for submitter in 0..submitters {
                let (pool, start, accepted, alive) = (&pool, &start, &accepted, &alive);
                scope.spawn(move || {
                    start.wait();
                    let jobs = submitter * EACH..(submitter + 1) * EACH;
                    let sent = jobs.map(|job| pool.submit((job, alive.clone()))).filter(Result::is_ok);
                    accepted.fetch_add(sent.count() as u64, SeqCst);
                });
            }
            start.wait();
            while pool.metrics().submitted < cancel_after.min(submitters * EACH) {
                thread::yield_now();
            }
            pool.cancel()
        });
        let metrics = pool.metrics();
        prop_assert_eq!(metrics.submitted, accepted.into_inner());
        prop_assert_eq!(metrics.submitted, metrics.run + metrics.failed + metrics.returned);
        prop_assert_eq!(metrics.returned, returned.len() as u64);
        let mut all = seen.lock().unwrap().clone();
        prop_assert_eq!(metrics.run + metrics.failed, all.len() as u64);
        all.extend(returned.iter().map(|(job, _)| job));
        all.sort_unstable();
        all.dedup();
        prop_assert_eq!(all.len() as u64, metrics.submitted, "each once");
        drop(returned);
        prop_assert_eq!(Arc::strong_count(&alive), 1);
    }
}

/// The pool that everybody writes first fails in the way that its documentation lists.
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

    /// A pool whose jobs count themselves.
    fn counting(workers: usize, queue: usize, batch: usize, tick: Duration) -> (Pool<u64, u64>, Arc<AtomicU64>) {
        let count = Arc::new(AtomicU64::new(0));
        let theirs = count.clone();
        let work = move |job| {
            theirs.fetch_add(1, SeqCst);
            job
        };
        (Pool::start(workers, queue, batch, tick, work), count)
    }

    #[test]
    fn a_cancelled_pool_loses_its_queue_its_batches_and_the_results_of_what_was_running() {
        let (running, open) = (Arc::new(Barrier::new(3)), Arc::new(AtomicBool::new(false)));
        let theirs = (running.clone(), open.clone());
        let pool = Pool::start(2, 1000, 64, NEVER, move |job: u64| {
            theirs.0.wait();
            while !theirs.1.load(SeqCst) {
                thread::yield_now();
            }
            job
        });
        (0..1000).for_each(|job| pool.submit(job).unwrap());
        running.wait();
        pool.cancel();
        open.store(true, SeqCst);
        assert_eq!(pool.result(STILL), None, "two were run to their end");
        assert_eq!(pool.end(), 1000 - 2 * 64, "and 126 were in the batches");
    }

    #[test]
    fn a_job_waits_for_the_ticker_though_the_worker_has_nothing_else_to_do() {
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
    fn batches_are_a_queue_that_nothing_bounds() {
        let open = Arc::new(AtomicBool::new(false));
        let theirs = open.clone();
        let pool = Pool::start(1, 4, 64, NEVER, move |_: u64| {
            while !theirs.load(SeqCst) {
                thread::yield_now();
            }
        });
        (0..64 + 4).for_each(|job| pool.submit(job).unwrap());
        assert_eq!(pool.try_submit(0), Err(TrySendError::Full(0)));
        open.store(true, SeqCst);
    }

    #[test]
    fn nobody_works_until_somebody_reads_the_results() {
        let (pool, count) = counting(2, 4, 1, NEVER);
        (0..10).for_each(|job| pool.submit(job).unwrap());
        while count.load(SeqCst) < 4 + 2 {
            thread::yield_now();
        }
        thread::sleep(STILL);
        assert_eq!(count.load(SeqCst), 4 + 2, "four in the channel, and one in each worker's hands");
        let mut results: Vec<_> = (0..10).map(|_| pool.result(Duration::MAX).unwrap()).collect();
        results.sort_unstable();
        assert_eq!(results, (0..10).collect::<Vec<_>>());
    }

    #[test]
    fn a_job_that_panics_takes_its_worker_along_and_the_rest_of_its_batch() {
        let pool = Pool::start(1, 8, 4, NEVER, |job: u64| {
            if job == 1 {
                resume_unwind(Box::new("no such file"));
            }
            job
        });
        (0..8).for_each(|job| pool.submit(job).unwrap());
        assert_eq!(pool.result(Duration::MAX), Some(0));
        assert_eq!(pool.result(STILL), None);
        assert_eq!(pool.end(), 4, "two of the first four vanish with it, and four are never looked at");
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
        for never in [&metrics.average_duration, &metrics.last_processed_at, &metrics.queue_length] {
            assert_eq!(never.load(SeqCst), 0);
        }
    }
}

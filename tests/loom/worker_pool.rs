//! Models of the worker pool: its account of jobs, its wake-ups, its workers' local queues.

use crate::explore;
use loom::sync::Arc;
use loom::thread;
use perf_proved::concurrency::worker_pool::{Metrics, Settings, WorkerPool};
use std::sync::Mutex;

/// A pool of one worker, and what it has run. The list is no part of the model.
fn pool(queue: usize) -> (Arc<WorkerPool<u8>>, std::sync::Arc<Mutex<Vec<u8>>>) {
    let run = std::sync::Arc::new(Mutex::new(vec![]));
    let list = run.clone();
    let settings = Settings { workers: 1, queue, batch: 2, cores: vec![] };
    let pool =
        WorkerPool::start(&settings, move |job| list.lock().unwrap().push(job), drop).unwrap();
    (Arc::new(pool), run)
}

/// Submits so many jobs and says which of them were accepted.
fn submit(pool: &WorkerPool<u8>, jobs: u8) -> Vec<u8> {
    (0..jobs).filter(|&job| pool.submit(job).is_ok()).collect()
}

#[test]
fn accounts() {
    explore(3, || {
        let (pool, run) = pool(2);
        let theirs = pool.clone();
        let submitting = thread::spawn(move || submit(&theirs, 2));
        let returned_jobs = pool.cancel();
        let accepted = submitting.join().unwrap();
        let run = run.lock().unwrap();
        assert_eq!(
            [&run[..], &returned_jobs].concat(),
            accepted,
            "run or returned, in their order"
        );
        let Metrics { submitted, returned, .. } = pool.metrics();
        assert_eq!((submitted, returned), (accepted.len() as u64, returned_jobs.len() as u64));
    });
}

#[test]
fn wakes() {
    explore(3, || {
        let (pool, run) = pool(1);
        let theirs = pool.clone();
        // The last one finds room only if the worker has come for the one before.
        let submitting = thread::spawn(move || submit(&theirs, 3));
        assert_eq!(submitting.join().unwrap(), [0, 1, 2], "nobody closes it meanwhile");
        pool.shutdown();
        assert_eq!(run.lock().unwrap()[..], [0, 1, 2]);
    });
}

#[test]
fn wakes_to_the_end() {
    explore(3, || {
        let (pool, run) = pool(1);
        let theirs = pool.clone();
        let submitting = thread::spawn(move || submit(&theirs, 2));
        pool.shutdown();
        assert_eq!(submitting.join().unwrap(), run.lock().unwrap()[..]);
    });
}

mod shelves {
    use crate::explore;
    use loom::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    use loom::sync::{Condvar, Mutex};
    use loom::thread;
    use perf_proved::concurrency::worker_pool::{Settings, WorkerPool};

    /// Two workers take batches, one from the other's shelf too, while the pool is canceled:
    /// each job is run or returned, once.
    #[test]
    fn accounts() {
        explore(3, || {
            let run = std::sync::Arc::new(std::sync::Mutex::new(vec![]));
            let list = run.clone();
            let settings = Settings { workers: 2, queue: 8, batch: 4, cores: vec![] };
            let pool =
                WorkerPool::start(&settings, move |job: u8| list.lock().unwrap().push(job), drop)
                    .unwrap();
            pool.submit_all(&mut (0..8).collect()).unwrap();
            let mut jobs = pool.cancel();
            jobs.extend(run.lock().unwrap().iter());
            jobs.sort_unstable();
            assert_eq!(jobs, (0..8).collect::<Vec<_>>());
        });
    }

    /// Two jobs that wait for each other, submitted one by one and at once, before the pool is
    /// shut down, which wakes everybody: no worker sleeps while a job waits.
    #[test]
    fn wakes_both() {
        for at_once in [false, true] {
            explore(3, move || {
                let here = std::sync::Arc::new((Mutex::new(0), Condvar::new()));
                let (theirs, ours) = (here.clone(), here);
                let wait = |here: &(Mutex<u8>, Condvar), coming: u8| {
                    let mut number = here.0.lock().unwrap();
                    *number += coming;
                    here.1.notify_all();
                    while *number < 2 {
                        number = here.1.wait(number).unwrap();
                    }
                };
                let settings = Settings { workers: 2, queue: 2, batch: 2, cores: vec![] };
                let pool =
                    WorkerPool::start(&settings, move |_: u8| wait(&theirs, 1), drop).unwrap();
                if at_once {
                    pool.submit_all(&mut vec![0, 1]).unwrap();
                } else {
                    (0..2).for_each(|job| pool.submit(job).unwrap());
                }
                wait(&ours, 0);
                pool.shutdown();
                assert_eq!(pool.metrics().run, 2);
            });
        }
    }

    /// The pool's way to sleep, alone: `length` jobs wait, and so many workers sleep.
    struct Bed {
        length: AtomicUsize,
        asleep: Mutex<usize>,
        work: Condvar,
    }

    impl Bed {
        fn call_if_asleep(&self) {
            let is_asleep = *self.asleep.lock().unwrap() > 0;
            if is_asleep {
                self.work.notify_one();
            }
        }

        /// One look under the lock before each sleep.
        fn wait(&self) {
            let mut asleep = self.asleep.lock().unwrap();
            while self.length.load(SeqCst) == 0 {
                *asleep += 1;
                asleep = self.work.wait(asleep).unwrap();
                *asleep -= 1;
            }
        }
    }

    /// A worker waits for the one job that is submitted.
    fn sleep(wait: fn(&Bed), submit: fn(&Bed)) {
        loom::model(move || {
            let bed =
                Bed { length: AtomicUsize::new(0), asleep: Mutex::new(0), work: Condvar::new() };
            // Not loom's, which is of no more use when a model has failed.
            let bed = std::sync::Arc::new(bed);
            let theirs = bed.clone();
            let worker = thread::spawn(move || wait(&theirs));
            submit(&bed);
            worker.join().unwrap();
        });
    }

    fn tell_then_call(bed: &Bed) {
        bed.length.store(1, SeqCst);
        bed.call_if_asleep();
    }

    #[test]
    fn a_look_under_the_lock_loses_no_wake_up() {
        sleep(Bed::wait, tell_then_call);
    }

    #[test]
    #[should_panic(expected = "deadlock")]
    fn a_look_without_the_lock_is_broken() {
        let wait = |bed: &Bed| {
            while bed.length.load(SeqCst) == 0 {
                let mut asleep = bed.asleep.lock().unwrap();
                *asleep += 1;
                asleep = bed.work.wait(asleep).unwrap();
                *asleep -= 1;
            }
        };
        sleep(wait, tell_then_call);
    }

    #[test]
    #[should_panic(expected = "deadlock")]
    fn a_call_before_the_job_is_there_is_broken() {
        let call_then_tell = |bed: &Bed| {
            bed.call_if_asleep();
            bed.length.store(1, SeqCst);
        };
        sleep(Bed::wait, call_then_tell);
    }
}

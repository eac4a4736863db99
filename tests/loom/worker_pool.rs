//! Models of the worker pool: its account of jobs, its wake-ups, its workers' local queues.

use crate::explore;
use loom::sync::Arc;
use loom::thread;
use perf_proved::concurrency::worker_pool::{Metrics, Settings, WorkerPool};
use std::sync::{Mutex, OnceLock};

/// Starts a pool of one worker, and returns it with the list of the jobs that it has run. The list
/// is not part of the model.
fn pool(queue: usize) -> (Arc<WorkerPool<u8>>, std::sync::Arc<Mutex<Vec<u8>>>) {
    let run = std::sync::Arc::new(Mutex::new(vec![]));
    let list = run.clone();
    let settings = Settings { workers: 1, queue, batch: 2, cores: vec![] };
    let pool =
        WorkerPool::start(&settings, move |job| list.lock().unwrap().push(job), drop).unwrap();
    (Arc::new(pool), run)
}

/// Submits the jobs from 0 to `jobs`, and returns those that were accepted.
fn submit(pool: &WorkerPool<u8>, jobs: u8) -> Vec<u8> {
    (0..jobs).filter(|&job| pool.submit(job).is_ok()).collect()
}

#[test]
fn accounts() {
    explore(3, || {
        let (pool, run) = pool(2);
        let shared = pool.clone();
        let submitting = thread::spawn(move || submit(&shared, 2));
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
        let shared = pool.clone();
        // The last job finds room only if the worker has been woken for the one before.
        let submitting = thread::spawn(move || submit(&shared, 3));
        assert_eq!(submitting.join().unwrap(), [0, 1, 2], "the pool stays open meanwhile");
        pool.shutdown();
        assert_eq!(run.lock().unwrap()[..], [0, 1, 2]);
    });
}

/// In a queue of three, one free place is less than half of it and does not wake a submitter. Two
/// submitters that sleep at once are woken one by the other.
#[test]
fn wakes_two_submitters() {
    explore(2, || {
        let (pool, run) = pool(3);
        let submitters = [4, 1].map(|jobs| {
            let shared = pool.clone();
            thread::spawn(move || submit(&shared, jobs).len())
        });
        let accepted: usize = submitters.into_iter().map(|thread| thread.join().unwrap()).sum();
        assert_eq!(accepted, 5, "the pool stays open meanwhile");
        pool.shutdown();
        assert_eq!(run.lock().unwrap().len(), 5);
    });
}

/// Two submitters that wait for room at once. Canceling the pool wakes both, and each gets its job
/// back.
#[test]
fn cancel_wakes_two_submitters() {
    explore(2, || {
        let (pool, run) = pool(1);
        let submitters = [(); 2].map(|()| {
            let shared = pool.clone();
            thread::spawn(move || submit(&shared, 2).len())
        });
        let returned_jobs = pool.cancel();
        let accepted: usize = submitters.into_iter().map(|thread| thread.join().unwrap()).sum();
        assert_eq!(accepted, run.lock().unwrap().len() + returned_jobs.len());
    });
}

#[test]
fn wakes_to_the_end() {
    explore(3, || {
        let (pool, run) = pool(1);
        let shared = pool.clone();
        let submitting = thread::spawn(move || submit(&shared, 2));
        pool.shutdown();
        assert_eq!(submitting.join().unwrap(), run.lock().unwrap()[..]);
    });
}

/// A job exceeds the full queue of its own pool instead of waiting. The jobs that it submits are
/// run or returned like any other, even if the pool is canceled meanwhile.
#[test]
fn accounts_for_jobs_of_jobs() {
    explore(3, || {
        // The job's way to its pool is not part of the model.
        let own = std::sync::Arc::new(OnceLock::<std::sync::Arc<WorkerPool<u8>>>::new());
        let set = own.clone();
        let work = move |job| {
            if job == 0 {
                (1..=2).for_each(|child| _ = own.get().unwrap().submit(child));
            }
        };
        let settings = Settings { workers: 1, queue: 1, batch: 2, cores: vec![] };
        let pool = std::sync::Arc::new(WorkerPool::start(&settings, work, drop).unwrap());
        assert!(set.set(pool.clone()).is_ok());
        pool.submit(0).unwrap();
        let returned_jobs = pool.cancel();
        let Metrics { submitted, run, returned, failed, .. } = pool.metrics();
        assert_eq!((submitted, failed), (run + returned, 0));
        assert_eq!(returned_jobs.len() as u64, returned);
    });
}

mod local_queues {
    use crate::explore;
    use loom::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    use loom::sync::{Condvar, Mutex};
    use loom::thread;
    use perf_proved::concurrency::worker_pool::{Settings, WorkerPool};

    /// Two workers take batches, and steal from each other, while the pool is canceled: each job is
    /// run or returned, once.
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

    /// Two jobs that wait for each other, submitted one by one or at once. The pool is shut down,
    /// which wakes all workers, only after both have begun: no worker sleeps while a job waits.
    #[test]
    fn wakes_both() {
        for at_once in [false, true] {
            explore(3, move || {
                let meeting = std::sync::Arc::new((Mutex::new(0), Condvar::new()));
                let (jobs, main) = (meeting.clone(), meeting);
                let meet = |meeting: &(Mutex<u8>, Condvar), arriving: u8| {
                    let mut number = meeting.0.lock().unwrap();
                    *number += arriving;
                    meeting.1.notify_all();
                    while *number < 2 {
                        number = meeting.1.wait(number).unwrap();
                    }
                };
                let settings = Settings { workers: 2, queue: 2, batch: 2, cores: vec![] };
                let pool = WorkerPool::start(&settings, move |_: u8| meet(&jobs, 1), drop).unwrap();
                if at_once {
                    pool.submit_all(&mut vec![0, 1]).unwrap();
                } else {
                    (0..2).for_each(|job| pool.submit(job).unwrap());
                }
                meet(&main, 0);
                pool.shutdown();
                assert_eq!(pool.metrics().run, 2);
            });
        }
    }

    /// The pool's sleep by itself: `length` jobs wait, and `asleep` workers sleep.
    struct Sleep {
        length: AtomicUsize,
        asleep: Mutex<usize>,
        work: Condvar,
    }

    impl Sleep {
        fn notify_if_asleep(&self) {
            let is_asleep = *self.asleep.lock().unwrap() > 0;
            if is_asleep {
                self.work.notify_one();
            }
        }

        /// Waits for a job, and checks for one under the lock before each sleep.
        fn wait(&self) {
            let mut asleep = self.asleep.lock().unwrap();
            while self.length.load(SeqCst) == 0 {
                *asleep += 1;
                asleep = self.work.wait(asleep).unwrap();
                *asleep -= 1;
            }
        }
    }

    /// Lets a worker wait for the one job that is submitted.
    fn sleep(wait: fn(&Sleep), submit: fn(&Sleep)) {
        loom::model(move || {
            let (length, asleep) = (AtomicUsize::new(0), Mutex::new(0));
            // Not loom's `Arc`, which panics once more when a model has failed.
            let sleep = std::sync::Arc::new(Sleep { length, asleep, work: Condvar::new() });
            let workers = sleep.clone();
            let worker = thread::spawn(move || wait(&workers));
            submit(&sleep);
            worker.join().unwrap();
        });
    }

    fn push_then_notify(sleep: &Sleep) {
        sleep.length.store(1, SeqCst);
        sleep.notify_if_asleep();
    }

    #[test]
    fn a_check_under_the_lock_loses_no_wake_up() {
        sleep(Sleep::wait, push_then_notify);
    }

    #[test]
    #[should_panic(expected = "deadlock")]
    fn a_check_without_the_lock_is_broken() {
        let wait = |sleep: &Sleep| {
            while sleep.length.load(SeqCst) == 0 {
                let mut asleep = sleep.asleep.lock().unwrap();
                *asleep += 1;
                asleep = sleep.work.wait(asleep).unwrap();
                *asleep -= 1;
            }
        };
        sleep(wait, push_then_notify);
    }

    #[test]
    #[should_panic(expected = "deadlock")]
    fn a_notification_before_the_job_is_there_is_broken() {
        let notify_then_push = |sleep: &Sleep| {
            sleep.notify_if_asleep();
            sleep.length.store(1, SeqCst);
        };
        sleep(Sleep::wait, notify_then_push);
    }
}

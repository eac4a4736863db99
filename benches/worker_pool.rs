//! The cost of a job on its way through a pool: by size of the job, submitted one by one and in
//! bulk, by batch, by number of workers, and alone.
//!
//! A job is a number of steps of arithmetic, each of which depends on the one before. One unit is
//! one job. All groups but the last ones measure the time from the first submission until all jobs
//! are run, by two workers that are not pinned; the submitter is a third thread. Queues hold 1,024
//! jobs, except those of threadpool and rayon, which have no bound. `inline` is the submitter that
//! runs the jobs itself. Each variant's sum of all results is compared with the expected one, so
//! that each has done the same work.
//!
//! `worker_pool_lone` is the time of one job through an idle pool, until its result is there.
//! `worker_pool_account` has no queue and no second thread: the bare job, and the job with what a
//! worker does around it. `worker_pool_reading` is one reading of the metrics of an idle pool.

use perf_proved::sys::cores::two_cores;
use perf_proved_benches::with;
use std::io;

fn main() -> io::Result<()> {
    with(two_cores(), &bench::GROUPS, bench::run)
}

mod bench {
    use criterion::Throughput;
    use perf_proved::concurrency::worker_pool::{Settings, WorkerPool, experiment, naive};
    use perf_proved::memory::cache_lines::CachePadded;
    use perf_proved_benches::{Group, Plan};
    use rayon::prelude::*;
    use std::hint::black_box;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
    use std::sync::mpsc::{channel, sync_channel};
    use std::time::{Duration, Instant};
    use std::{io, thread};

    pub const GROUPS: [&str; 7] = [
        "worker_pool",
        "worker_pool_bulk",
        "worker_pool_batches",
        "worker_pool_workers",
        "worker_pool_lone",
        "worker_pool_account",
        "worker_pool_reading",
    ];
    const QUEUE: usize = 1024;
    const WORKERS: usize = 2;
    const BATCH: usize = 64;

    pub fn run(cores: [usize; 2]) -> io::Result<()> {
        let mut bench = Bench { plan: Plan::new(), cores };
        bench.one_by_one();
        bench.bulk();
        bench.batches();
        bench.workers();
        bench.lone();
        bench.account();
        bench.reading();
        bench.plan.run()
    }

    /// A number of jobs, all of the same number of steps.
    #[derive(Clone, Copy)]
    struct Load {
        steps: u64,
        jobs: u64,
    }

    /// Does the work of a job.
    fn work(steps: u64, job: u64) -> u64 {
        let mut state = black_box(job % 64 + 1);
        for _ in 0..steps {
            state = (state ^ (state >> 7)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        }
        state
    }

    /// The sum of the results, in a cell per thread, each in a cache line of its own. Threads
    /// beyond the eighth share cells. It is a static, so that no peer has to clone an `Arc` for
    /// each job that it boxes.
    struct Sum([CachePadded<AtomicU64>; 8]);

    static SUM: Sum = Sum([const { CachePadded(AtomicU64::new(0)) }; 8]);

    impl Sum {
        fn add(&self, result: u64) {
            static THREADS: AtomicUsize = AtomicUsize::new(0);
            thread_local! {
                static THREAD: usize = THREADS.fetch_add(1, Relaxed);
            }
            // Relaxed: read after all threads have ended.
            self.0[THREAD.with(|thread| thread % 8)].fetch_add(result, Relaxed);
        }

        /// Returns the total, and starts again from 0.
        fn take(&self) -> u64 {
            self.0.iter().map(|cell| cell.swap(0, Relaxed)).fold(0, u64::wrapping_add)
        }
    }

    /// Runs a load, adds its results to [`SUM`], and returns the time from the first submission on.
    type Run = fn(Load) -> Duration;

    const ONE_BY_ONE: [(&str, Run); 7] = [
        ("inline", inline),
        ("pool", pool),
        ("mutex_mpsc", mutex_mpsc),
        ("crossbeam", crossbeam),
        ("flume", flume),
        ("threadpool", threadpool),
        ("rayon", rayon),
    ];

    struct Bench {
        plan: Plan<'static>,
        cores: [usize; 2],
    }

    impl Bench {
        /// Creates a group of one thread.
        fn alone(&mut self, name: &str) -> Loads<'_> {
            let group = self.plan.group(name);
            group.flat().throughput(Throughput::Elements(1));
            Loads(group)
        }

        /// Creates a group of threads that run on both cores.
        fn group(&mut self, name: &str) -> Loads<'_> {
            let cores = self.cores;
            let group = self.alone(name);
            group.0.witnessed(cores);
            group
        }

        fn one_by_one(&mut self) {
            let mut group = self.group("worker_pool");
            for (function, run) in ONE_BY_ONE {
                for steps in [100, 1000, 10_000, 100_000] {
                    group.load(function, &steps.to_string(), steps, run);
                }
            }
            group.0.again("pool");
        }

        fn bulk(&mut self) {
            let mut group = self.group("worker_pool_bulk");
            for steps in [100, 1000, 10_000] {
                group.load("pool", &steps.to_string(), steps, pool_all);
                group.load("rayon", &steps.to_string(), steps, rayon_all);
            }
            group.0.again_at("pool", 100);
        }

        fn batches(&mut self) {
            let mut group = self.group("worker_pool_batches");
            for steps in [100, 1000] {
                for batch in [1, 4, 16, 64, 256] {
                    group.load(&format!("{steps}_steps"), &batch.to_string(), steps, move |load| {
                        submitted(&Settings { batch, ..settings() }, load)
                    });
                }
            }
            group.0.again_at("100_steps", 64);
        }

        fn workers(&mut self) {
            let mut group = self.group("worker_pool_workers");
            for workers in [1, 2, 4] {
                group.load("pool", &workers.to_string(), 1000, move |load| {
                    submitted(&Settings { workers, ..settings() }, load)
                });
            }
            group.0.again_at("pool", 2);
        }

        fn lone(&mut self) {
            let mut group = self.group("worker_pool_lone");
            group.lone("pool", || {
                let (sender, results) = channel();
                let deliver = move |result| sender.send(result).unwrap();
                let pool = WorkerPool::start(&settings(), |job| work(100, job), deliver)?;
                Ok(move |job| {
                    pool.submit(job).unwrap();
                    results.recv().unwrap().unwrap()
                })
            });
            group.lone("crossbeam", || {
                let (jobs, waiting) = crossbeam_channel::bounded(QUEUE);
                let (sender, results) = channel();
                for _ in 0..WORKERS {
                    let (waiting, sender) = (waiting.clone(), sender.clone());
                    // The threads end when `jobs` is dropped.
                    thread::Builder::new().spawn(move || {
                        waiting.iter().for_each(|job| sender.send(work(100, job)).unwrap())
                    })?;
                }
                Ok(move |job| {
                    jobs.send(job).unwrap();
                    results.recv().unwrap()
                })
            });
            for (function, workers) in [("naive", 1), ("naive_of_two", 2)] {
                group.lone(function, move || {
                    let run = |job| work(100, job);
                    let pool = naive::Pool::start(workers, QUEUE, BATCH, naive::TICK, run)?;
                    Ok(move |job| {
                        pool.submit(job).unwrap();
                        pool.result(Duration::MAX).unwrap()
                    })
                });
            }
            group.0.again("pool");
        }

        fn account(&mut self) {
            let mut group = self.alone("worker_pool_account");
            for steps in [100, 1000] {
                group.load("inline", &steps.to_string(), steps, inline);
                group.load("counted", &steps.to_string(), steps, counted);
            }
            group.0.again_at("inline", 1000);
        }

        fn reading(&mut self) {
            let group = self.alone("worker_pool_reading").0;
            group.made("metrics", || {
                let pool = WorkerPool::start(&settings(), |job| work(100, job), drop)?;
                (0..1000).for_each(|job| pool.submit(job).unwrap());
                settle();
                Ok(move |times| {
                    let start = Instant::now();
                    (0..times).for_each(|_| _ = black_box(pool.metrics()));
                    start.elapsed()
                })
            });
            group.again("metrics");
        }
    }

    struct Loads<'p>(&'p mut Group<'static>);

    impl Loads<'_> {
        /// Measures a load of at least 15,000,000 steps, about 20 ms, whatever criterion asks for:
        /// a shorter one would measure how a pool starts and stops.
        fn load(
            &mut self,
            function: &str,
            parameter: &str,
            steps: u64,
            run: impl Fn(Load) -> Duration + 'static,
        ) {
            let each: Vec<u64> = (0..64).map(|job| work(steps, job)).collect();
            let expected = move |jobs: u64| {
                (0..jobs).map(|job| each[job as usize % 64]).fold(0, u64::wrapping_add)
            };
            self.0.at_least(15_000_000 / steps).bench((function, parameter), move |jobs| {
                let time = run(Load { steps, jobs });
                assert_eq!(SUM.take(), expected(jobs), "the sum of the results");
                time
            });
        }

        /// Measures one job after the other through a pool whose threads sleep.
        fn lone<R: Fn(u64) -> u64 + 'static>(
            &mut self,
            function: &str,
            make: impl Fn() -> io::Result<R> + 'static,
        ) {
            self.0.at_least(1).made(function, move || {
                let run = make()?;
                Ok(move |times| {
                    let alone = |job| {
                        thread::sleep(Duration::from_micros(200)); // until all threads sleep
                        let start = Instant::now();
                        let found = run(job);
                        let time = start.elapsed();
                        assert_eq!(found, work(100, job), "the result");
                        time
                    };
                    (0..times).map(alone).sum::<Duration>()
                })
            });
        }
    }

    fn settings() -> Settings {
        Settings { workers: WORKERS, queue: QUEUE, batch: BATCH, cores: vec![] }
    }

    /// Waits until the workers sleep, and returns the time.
    fn settle() -> Instant {
        thread::sleep(Duration::from_millis(1));
        Instant::now()
    }

    fn inline(load: Load) -> Duration {
        let start = settle();
        (0..load.jobs).for_each(|job| SUM.add(work(load.steps, job)));
        start.elapsed()
    }

    /// Runs a load like `inline`, with what a worker does around each job.
    fn counted(load: Load) -> Duration {
        settle();
        experiment::account(
            load.jobs,
            move |job| work(load.steps, job),
            |result| SUM.add(result.unwrap()),
        )
    }

    fn pool(load: Load) -> Duration {
        submitted(&settings(), load)
    }

    fn submitted(settings: &Settings, load: Load) -> Duration {
        with_pool(settings, load, |pool| (0..load.jobs).for_each(|job| pool.submit(job).unwrap()))
    }

    fn pool_all(load: Load) -> Duration {
        let jobs = Mutex::new((0..load.jobs).collect());
        with_pool(&settings(), load, |pool| pool.submit_all(&mut jobs.lock().unwrap()).unwrap())
    }

    fn with_pool(settings: &Settings, load: Load, submit: impl Fn(&WorkerPool<u64>)) -> Duration {
        let deliver = |result: thread::Result<u64>| SUM.add(result.unwrap());
        let pool = WorkerPool::start(settings, move |job| work(load.steps, job), deliver).unwrap();
        let start = settle();
        submit(&pool);
        pool.shutdown();
        start.elapsed()
    }

    fn mutex_mpsc(load: Load) -> Duration {
        let (sender, receiver) = sync_channel(QUEUE);
        let receiver = Mutex::new(receiver);
        let receive = || receiver.lock().unwrap().recv().ok();
        through_channel(load, sender, |sender, job| sender.send(job).unwrap(), receive)
    }

    fn crossbeam(load: Load) -> Duration {
        let (sender, receiver) = crossbeam_channel::bounded(QUEUE);
        through_channel(
            load,
            sender,
            |sender, job| sender.send(job).unwrap(),
            || receiver.recv().ok(),
        )
    }

    fn flume(load: Load) -> Duration {
        let (sender, receiver) = flume::bounded(QUEUE);
        through_channel(
            load,
            sender,
            |sender, job| sender.send(job).unwrap(),
            || receiver.recv().ok(),
        )
    }

    /// Runs a load on two threads that receive jobs until the channel is closed.
    fn through_channel<S>(
        load: Load,
        sender: S,
        send: impl Fn(&S, u64),
        receive: impl Fn() -> Option<u64> + Sync,
    ) -> Duration {
        let start = thread::scope(|scope| {
            for _ in 0..WORKERS {
                scope.spawn(|| {
                    while let Some(job) = receive() {
                        SUM.add(work(load.steps, job));
                    }
                });
            }
            let start = settle();
            (0..load.jobs).for_each(|job| send(&sender, job));
            drop(sender);
            start
        });
        start.elapsed()
    }

    fn threadpool(load: Load) -> Duration {
        let pool = threadpool::ThreadPool::new(WORKERS);
        let start = settle();
        for job in 0..load.jobs {
            pool.execute(move || SUM.add(work(load.steps, job)));
        }
        pool.join();
        start.elapsed()
    }

    fn rayon(load: Load) -> Duration {
        let pool = rayon_pool();
        let start = settle();
        pool.in_place_scope(|scope| {
            for job in 0..load.jobs {
                scope.spawn(move |_| SUM.add(work(load.steps, job)));
            }
        });
        start.elapsed()
    }

    fn rayon_all(load: Load) -> Duration {
        let (pool, jobs) = (rayon_pool(), (0..load.jobs).collect::<Vec<u64>>());
        let start = settle();
        pool.install(|| jobs.into_par_iter().for_each(|job| SUM.add(work(load.steps, job))));
        start.elapsed()
    }

    fn rayon_pool() -> rayon::ThreadPool {
        rayon::ThreadPoolBuilder::new().num_threads(WORKERS).build().unwrap()
    }
}

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

use perf_proved::measuring::limits::two_cores;
use perf_proved_benches::not_possible;
use std::io;

fn main() -> io::Result<()> {
    match two_cores() {
        Ok(_) => bench::run(),
        Err(reason) => {
            bench::GROUPS.iter().try_for_each(|id| not_possible(id, &reason.to_string()))
        }
    }
}

mod bench {
    use criterion::measurement::WallTime;
    use criterion::{BenchmarkGroup, BenchmarkId, Criterion, SamplingMode, Throughput};
    use perf_proved::concurrency::worker_pool::{Settings, WorkerPool, experiment, naive};
    use perf_proved::memory::cache_lines::CachePadded;
    use rayon::prelude::*;
    use std::hint::black_box;
    use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
    use std::sync::mpsc::{channel, sync_channel};
    use std::sync::{Arc, Mutex};
    use std::time::{Duration, Instant};
    use std::{io, thread};

    pub const GROUPS: [&str; 8] = [
        "worker_pool",
        "worker_pool_bulk",
        "worker_pool_batches",
        "worker_pool_workers",
        "worker_pool_lone",
        "worker_pool_account",
        "worker_pool_reading",
        "worker_pool_aa",
    ];
    const QUEUE: usize = 1024;
    const WORKERS: usize = 2;
    const BATCH: usize = 64;

    pub fn run() -> io::Result<()> {
        let mut criterion = Criterion::default().configure_from_args();
        let mut bench = Bench(&mut criterion);
        bench.one_by_one();
        bench.bulk();
        bench.batches();
        bench.workers();
        bench.lone();
        bench.account();
        bench.reading();
        bench.same_twice();
        criterion.final_summary();
        Ok(())
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
    /// beyond the eighth share cells.
    #[derive(Default)]
    struct Sum([CachePadded<AtomicU64>; 8]);

    impl Sum {
        fn add(&self, result: u64) {
            static THREADS: AtomicUsize = AtomicUsize::new(0);
            thread_local! {
                static THREAD: usize = THREADS.fetch_add(1, Relaxed);
            }
            // Relaxed: read after all threads have ended.
            self.0[THREAD.with(|thread| thread % 8)].fetch_add(result, Relaxed);
        }

        fn total(&self) -> u64 {
            self.0.iter().map(|cell| cell.load(Relaxed)).fold(0, u64::wrapping_add)
        }
    }

    /// Runs a load, adds up the results, and returns the time from the first submission on.
    type Run = fn(Load, &Arc<Sum>) -> Duration;

    const ONE_BY_ONE: [(&str, Run); 7] = [
        ("inline", inline),
        ("pool", pool),
        ("mutex_mpsc", mutex_mpsc),
        ("crossbeam", crossbeam),
        ("flume", flume),
        ("threadpool", threadpool),
        ("rayon", rayon),
    ];

    struct Bench<'a>(&'a mut Criterion);

    impl Bench<'_> {
        fn group(&mut self, name: &str) -> Group<'_> {
            let mut group = self.0.benchmark_group(name);
            group.sampling_mode(SamplingMode::Flat).throughput(Throughput::Elements(1));
            Group(group)
        }

        fn one_by_one(&mut self) {
            let mut group = self.group("worker_pool");
            for (function, run) in ONE_BY_ONE {
                for steps in [100, 1000, 10_000, 100_000] {
                    group.load(function, &steps.to_string(), steps, run);
                }
            }
        }

        fn bulk(&mut self) {
            let mut group = self.group("worker_pool_bulk");
            for steps in [100, 1000, 10_000] {
                group.load("pool", &steps.to_string(), steps, pool_all);
                group.load("rayon", &steps.to_string(), steps, rayon_all);
            }
        }

        fn batches(&mut self) {
            let mut group = self.group("worker_pool_batches");
            for steps in [100, 1000] {
                for batch in [1, 4, 16, 64, 256] {
                    group.load(
                        &format!("{steps}_steps"),
                        &batch.to_string(),
                        steps,
                        |load, sum| submitted(&Settings { batch, ..settings() }, load, sum),
                    );
                }
            }
        }

        fn workers(&mut self) {
            let mut group = self.group("worker_pool_workers");
            for workers in [1, 2, 4] {
                group.load("pool", &workers.to_string(), 1000, |load, sum| {
                    submitted(&Settings { workers, ..settings() }, load, sum)
                });
            }
        }

        fn lone(&mut self) {
            let mut group = self.group("worker_pool_lone");
            let (sender, results) = channel();
            let deliver = move |result: thread::Result<u64>| sender.send(result.unwrap()).unwrap();
            let pool = WorkerPool::start(&settings(), |job| work(100, job), deliver).unwrap();
            group.lone("pool", |job| pool.submit(job).unwrap(), || results.recv().unwrap());

            let (jobs, waiting) = crossbeam_channel::bounded(QUEUE);
            let (sender, results) = channel();
            thread::scope(|scope| {
                for _ in 0..WORKERS {
                    let (waiting, sender) = (waiting.clone(), sender.clone());
                    scope.spawn(move || {
                        waiting.iter().for_each(|job| sender.send(work(100, job)).unwrap())
                    });
                }
                group.lone("crossbeam", |job| jobs.send(job).unwrap(), || results.recv().unwrap());
                drop(jobs);
            });

            for (function, workers) in [("naive", 1), ("naive_of_two", 2)] {
                let pool =
                    naive::Pool::start(workers, QUEUE, BATCH, naive::TICK, |job| work(100, job))
                        .unwrap();
                group.lone(
                    function,
                    |job| pool.submit(job).unwrap(),
                    || pool.result(Duration::MAX).unwrap(),
                );
            }
        }

        fn account(&mut self) {
            let mut group = self.group("worker_pool_account");
            for steps in [100, 1000] {
                group.load("inline", &steps.to_string(), steps, inline);
                group.load("counted", &steps.to_string(), steps, counted);
            }
        }

        fn reading(&mut self) {
            let pool = WorkerPool::start(&settings(), |job| work(100, job), drop).unwrap();
            (0..1000).for_each(|job| pool.submit(job).unwrap());
            settle();
            self.group("worker_pool_reading")
                .0
                .bench_function("metrics", |bencher| bencher.iter(|| pool.metrics()));
        }

        fn same_twice(&mut self) {
            let mut group = self.group("worker_pool_aa");
            for function in ["first", "second"] {
                group.load(function, "1000", 1000, pool);
            }
        }
    }

    struct Group<'a>(BenchmarkGroup<'a, WallTime>);

    impl Group<'_> {
        /// Measures a load of at least 15,000,000 steps, about 20 ms, whatever criterion asks for:
        /// a shorter one would measure how a pool starts and stops.
        fn load(
            &mut self,
            function: &str,
            parameter: &str,
            steps: u64,
            run: impl Fn(Load, &Arc<Sum>) -> Duration,
        ) {
            let least = 15_000_000 / steps;
            let each: Vec<u64> = (0..64).map(|job| work(steps, job)).collect();
            let expected =
                |jobs: u64| (0..jobs).map(|job| each[job as usize % 64]).fold(0, u64::wrapping_add);
            self.0.bench_function(BenchmarkId::new(function, parameter), |bencher| {
                bencher.iter_custom(|times| {
                    let jobs = times.max(least);
                    let sum = Arc::default();
                    let time = run(Load { steps, jobs }, &sum);
                    assert_eq!(sum.total(), expected(jobs), "the sum of the results");
                    time.mul_f64(times as f64 / jobs as f64)
                });
            });
        }

        fn lone(&mut self, function: &str, submit: impl Fn(u64), result: impl Fn() -> u64) {
            self.0.bench_function(function, |bencher| {
                bencher.iter_custom(|times| {
                    let alone = |job| {
                        thread::sleep(Duration::from_micros(200)); // until all threads sleep
                        let start = Instant::now();
                        submit(job);
                        let found = result();
                        let time = start.elapsed();
                        assert_eq!(found, work(100, job), "the result");
                        time
                    };
                    (0..times).map(alone).sum()
                });
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

    fn inline(load: Load, sum: &Arc<Sum>) -> Duration {
        let start = settle();
        (0..load.jobs).for_each(|job| sum.add(work(load.steps, job)));
        start.elapsed()
    }

    /// Runs a load like `inline`, with what a worker does around each job.
    fn counted(load: Load, sum: &Arc<Sum>) -> Duration {
        let sum = sum.clone();
        settle();
        experiment::account(
            load.jobs,
            move |job| work(load.steps, job),
            move |result| sum.add(result.unwrap()),
        )
    }

    fn pool(load: Load, sum: &Arc<Sum>) -> Duration {
        submitted(&settings(), load, sum)
    }

    fn submitted(settings: &Settings, load: Load, sum: &Arc<Sum>) -> Duration {
        with_pool(settings, load, sum, |pool| {
            (0..load.jobs).for_each(|job| pool.submit(job).unwrap())
        })
    }

    fn pool_all(load: Load, sum: &Arc<Sum>) -> Duration {
        let jobs = Mutex::new((0..load.jobs).collect());
        with_pool(&settings(), load, sum, |pool| {
            pool.submit_all(&mut jobs.lock().unwrap()).unwrap()
        })
    }

    fn with_pool(
        settings: &Settings,
        load: Load,
        sum: &Arc<Sum>,
        submit: impl Fn(&WorkerPool<u64>),
    ) -> Duration {
        let sum = sum.clone();
        let deliver = move |result: thread::Result<u64>| sum.add(result.unwrap());
        let pool = WorkerPool::start(settings, move |job| work(load.steps, job), deliver).unwrap();
        let start = settle();
        submit(&pool);
        pool.shutdown();
        start.elapsed()
    }

    fn mutex_mpsc(load: Load, sum: &Arc<Sum>) -> Duration {
        let (sender, receiver) = sync_channel(QUEUE);
        let receiver = Mutex::new(receiver);
        let receive = || receiver.lock().unwrap().recv().ok();
        through_channel(load, sum, sender, |sender, job| sender.send(job).unwrap(), receive)
    }

    fn crossbeam(load: Load, sum: &Arc<Sum>) -> Duration {
        let (sender, receiver) = crossbeam_channel::bounded(QUEUE);
        through_channel(
            load,
            sum,
            sender,
            |sender, job| sender.send(job).unwrap(),
            || receiver.recv().ok(),
        )
    }

    fn flume(load: Load, sum: &Arc<Sum>) -> Duration {
        let (sender, receiver) = flume::bounded(QUEUE);
        through_channel(
            load,
            sum,
            sender,
            |sender, job| sender.send(job).unwrap(),
            || receiver.recv().ok(),
        )
    }

    /// Runs a load on two threads that receive jobs until the channel is closed.
    fn through_channel<S>(
        load: Load,
        sum: &Arc<Sum>,
        sender: S,
        send: impl Fn(&S, u64),
        receive: impl Fn() -> Option<u64> + Sync,
    ) -> Duration {
        let start = thread::scope(|scope| {
            for _ in 0..WORKERS {
                scope.spawn(|| {
                    while let Some(job) = receive() {
                        sum.add(work(load.steps, job));
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

    fn threadpool(load: Load, sum: &Arc<Sum>) -> Duration {
        let pool = threadpool::ThreadPool::new(WORKERS);
        let start = settle();
        for job in 0..load.jobs {
            let sum = sum.clone();
            pool.execute(move || sum.add(work(load.steps, job)));
        }
        pool.join();
        start.elapsed()
    }

    fn rayon(load: Load, sum: &Arc<Sum>) -> Duration {
        let pool = rayon_pool();
        let start = settle();
        pool.in_place_scope(|scope| {
            for job in 0..load.jobs {
                scope.spawn(move |_| sum.add(work(load.steps, job)));
            }
        });
        start.elapsed()
    }

    fn rayon_all(load: Load, sum: &Arc<Sum>) -> Duration {
        let (pool, jobs) = (rayon_pool(), (0..load.jobs).collect::<Vec<u64>>());
        let start = settle();
        pool.install(|| jobs.into_par_iter().for_each(|job| sum.add(work(load.steps, job))));
        start.elapsed()
    }

    fn rayon_pool() -> rayon::ThreadPool {
        rayon::ThreadPoolBuilder::new().num_threads(WORKERS).build().unwrap()
    }
}

//! The cost of shared words, locks and channels to one thread and to two, and the length of a
//! section at which a lock no longer matters.
//!
//! Threads are pinned. `sharing_alone` is one core; the unit is one operation. `sharing_both` is
//! two cores that run the same operation on the same word at once; the unit is one operation of
//! each. In `sharing_sections` the unit is one section, run by one core or divided between two; a
//! step is a multiplication and an addition that depend on the ones before. `sharing_channel` is
//! one thread that sends an item and receives it, `sharing_stream` one thread that sends to
//! another, through 1,024 slots where the channel has a bound, and `sharing_trips` an item, or a
//! word, there and back. What was added, done or received is checked.

use perf_proved::sys::cores;
use perf_proved_benches::{not_possible, with};
use std::io;

fn main() -> io::Result<()> {
    let groups = bench::ONE_CORE.map(|(group, _)| group);
    let all: Vec<_> = groups.into_iter().chain(bench::TWO_CORES).collect();
    with(cores::allowed(), &all, |cores| match cores::two_cores() {
        Ok(two) => bench::run(cores[0], Some(two)),
        Err(reason) => {
            bench::TWO_CORES
                .iter()
                .try_for_each(|group| not_possible(group, &reason.to_string()))?;
            bench::run(cores[0], None)
        }
    })
}

mod bench {
    use criterion::Throughput;
    use perf_proved::concurrency::sharing::counter::Counter;
    use perf_proved::concurrency::sharing::spin::SpinLock;
    use perf_proved::measuring::limits::threads;
    use perf_proved::sys::cores::together;
    use perf_proved_benches::Plan;
    use std::cell::Cell;
    use std::hint::black_box;
    use std::io;
    use std::sync::atomic::AtomicU64;
    use std::sync::atomic::Ordering::{Relaxed, SeqCst};
    use std::sync::mpsc::{channel, sync_channel};
    use std::sync::{Condvar, Mutex, RwLock};
    use std::time::Duration;

    pub const ONE_CORE: [(&str, &[(&str, Probe)]); 2] =
        [("sharing_alone", &ALONE), ("sharing_channel", &channels::ALONE)];
    pub const TWO_CORES: [&str; 4] =
        ["sharing_both", "sharing_sections", "sharing_stream", "sharing_trips"];
    const CAPACITY: usize = 1024;

    /// Runs an operation the given number of times on each of these cores, and returns the time.
    pub type Probe = fn(&[usize], u64) -> io::Result<Duration>;

    pub fn run(one: usize, two: Option<[usize; 2]>) -> io::Result<()> {
        let mut plan = Plan::new();
        let [(alone, alone_probes), (channel, channel_probes)] = ONE_CORE;
        group(&mut plan, alone, &[one], 100_000, alone_probes, "fetch_add");
        group(&mut plan, channel, &[one], 20_000, channel_probes, "sync_channel");
        if let Some(cores) = two {
            let [both, _, stream, trips] = TWO_CORES;
            group(&mut plan, both, &cores, 100_000, &BOTH, "fetch_add");
            all_sections(&mut plan, cores);
            group(&mut plan, stream, &cores, 20_000, &channels::STREAM, "sync_channel");
            group(&mut plan, trips, &cores, 200, &channels::TRIPS, "mpsc");
        }
        plan.run()
    }

    /// Registers a group whose benchmarks run at least `least` operations at a time: a few would
    /// measure how the threads start. `again` is measured twice.
    fn group(
        plan: &mut Plan<'_>,
        name: &str,
        cores: &[usize],
        least: u64,
        probes: &[(&str, Probe)],
        again: &str,
    ) {
        let group = plan.group(name);
        group.flat().throughput(Throughput::Elements(1)).at_least(least);
        if let &[first, second] = cores {
            group.witnessed([first, second]);
        }
        for &(function, probe) in probes {
            let cores = cores.to_vec();
            group.bench(function, move |times| probe(&cores, times));
        }
        group.again(again);
    }

    fn all_sections(plan: &mut Plan<'_>, cores: [usize; 2]) {
        let one = [cores[0]];
        let group = plan.group("sharing_sections");
        group.flat().throughput(Throughput::Elements(1)).witnessed(cores);
        for steps in [1, 16, 256, 4096] {
            group
                .at_least(100_000 / steps)
                .bench(("one_core", steps), move |times| sections(&one, times, steps))
                .bench(("one_core_mutex", steps), move |times| locked_sections(&one, times, steps))
                .bench(("two_cores_mutex", steps), move |times| {
                    locked_sections(&cores, times, steps)
                });
        }
        group.again_at("two_cores_mutex", 16);
    }

    const ALONE: [(&str, Probe); 10] = [
        ("plain", plain),
        ("thread_local", thread_local),
        ("load_store", load_store),
        ("seqcst_store", seqcst_store),
        ("fetch_add", fetch_add),
        ("exchange", exchange),
        ("spin", spin),
        ("mutex", mutex),
        ("parking_lot", parking_lot),
        ("rwlock_read", rwlock_read),
    ];

    const BOTH: [(&str, Probe); 8] = [
        ("thread_local", thread_local),
        ("load", load),
        ("fetch_add", fetch_add),
        ("exchange", exchange),
        ("spin", spin),
        ("mutex", mutex),
        ("parking_lot", parking_lot),
        ("rwlock_read", rwlock_read),
    ];

    /// Adds one, `times` times on each core, and checks the sum.
    fn additions(
        cores: &[usize],
        times: u64,
        add: impl Fn() + Sync,
        sum: impl Fn() -> u64,
    ) -> io::Result<Duration> {
        let time = together(cores, |_| (0..times).for_each(|_| add()));
        assert_eq!(sum(), times * cores.len() as u64, "what was added");
        time
    }

    fn plain(cores: &[usize], times: u64) -> io::Result<Duration> {
        together(cores, |_| {
            let mut sum = 0;
            (0..times).for_each(|_| *black_box(&mut sum) += 1);
            assert_eq!(sum, times, "what was added");
        })
    }

    fn thread_local(cores: &[usize], times: u64) -> io::Result<Duration> {
        thread_local!(static SUM: Cell<u64> = const { Cell::new(0) });
        together(cores, |_| {
            let add = |sum: &Cell<u64>| black_box(sum).set(black_box(sum).get() + 1);
            (0..times).for_each(|_| SUM.with(add));
            assert_eq!(SUM.get(), times, "what was added");
        })
    }

    fn load_store(cores: &[usize], times: u64) -> io::Result<Duration> {
        let sum = AtomicU64::new(0);
        additions(cores, times, || sum.store(sum.load(Relaxed) + 1, Relaxed), || sum.load(Relaxed))
    }

    fn seqcst_store(cores: &[usize], times: u64) -> io::Result<Duration> {
        let last = AtomicU64::new(0);
        let time = together(cores, |_| (1..=times).for_each(|number| last.store(number, SeqCst)));
        assert_eq!(last.into_inner(), times, "what was stored");
        time
    }

    /// Reads a word that no thread writes.
    fn load(cores: &[usize], times: u64) -> io::Result<Duration> {
        let one = AtomicU64::new(1);
        together(cores, |_| {
            let sum: u64 = (0..times).map(|_| black_box(&one).load(Relaxed)).sum();
            assert_eq!(sum, times, "what was read");
        })
    }

    fn fetch_add(cores: &[usize], times: u64) -> io::Result<Duration> {
        let counter = Counter::new();
        additions(cores, times, || counter.add(), || counter.get() as u64)
    }

    fn exchange(cores: &[usize], times: u64) -> io::Result<Duration> {
        let counter = Counter::new();
        let add = || {
            counter.add_by_compare_exchange();
        };
        additions(cores, times, add, || counter.get() as u64)
    }

    fn spin(cores: &[usize], times: u64) -> io::Result<Duration> {
        let sum = SpinLock::<u64>::new(0);
        additions(cores, times, || sum.with(|sum| *sum += 1), || sum.with(|sum| *sum))
    }

    fn mutex(cores: &[usize], times: u64) -> io::Result<Duration> {
        let sum = Mutex::new(0);
        additions(cores, times, || *sum.lock().unwrap() += 1, || *sum.lock().unwrap())
    }

    fn parking_lot(cores: &[usize], times: u64) -> io::Result<Duration> {
        let sum = parking_lot::Mutex::new(0);
        additions(cores, times, || *sum.lock() += 1, || *sum.lock())
    }

    /// Reads a word that no thread writes, under a read lock.
    fn rwlock_read(cores: &[usize], times: u64) -> io::Result<Duration> {
        let one = RwLock::new(1);
        together(cores, |_| {
            let sum: u64 = (0..times).map(|_| *one.read().unwrap()).sum();
            assert_eq!(sum, times, "what was read");
        })
    }

    /// The state that the sections change, one after the other.
    #[derive(Default)]
    struct Section {
        state: u64,
        done: u64,
    }

    impl Section {
        fn work(&mut self, steps: u64) {
            for _ in 0..steps {
                self.state =
                    self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(black_box(1));
            }
            self.done += 1;
        }
    }

    fn sections(cores: &[usize], times: u64, steps: u64) -> io::Result<Duration> {
        together(cores, |_| {
            let section = &mut Section::default();
            (0..times).for_each(|_| black_box(&mut *section).work(steps));
            assert_eq!(section.done, times, "sections done");
        })
    }

    /// Runs `times` sections in all, divided between the cores. If they cannot be divided, runs a
    /// few more, and returns the share of `times`.
    fn locked_sections(cores: &[usize], times: u64, steps: u64) -> io::Result<Duration> {
        let section = Mutex::new(Section::default());
        let each = times.div_ceil(cores.len() as u64);
        let time = together(cores, |_| (0..each).for_each(|_| section.lock().unwrap().work(steps)));
        let done = section.into_inner().unwrap().done;
        assert_eq!(done, each * cores.len() as u64, "sections done");
        Ok(time?.mul_f64(times as f64 / done as f64))
    }

    /// Channels, and other ways to wake another thread.
    mod channels {
        use super::*;

        pub const ALONE: [(&str, Probe); 3] = [
            ("mpsc", |cores, items| alone(cores, items, mpsc())),
            ("sync_channel", |cores, items| alone(cores, items, bounded())),
            ("crossbeam", |cores, items| alone(cores, items, crossbeam())),
        ];
        pub const STREAM: [(&str, Probe); 3] = [
            ("mpsc", |cores, items| stream(cores, items, mpsc())),
            ("sync_channel", |cores, items| stream(cores, items, bounded())),
            ("crossbeam", |cores, items| stream(cores, items, crossbeam())),
        ];
        pub const TRIPS: [(&str, Probe); 5] = [
            ("park", |cores, trips| Ok(threads::park_trips([cores[0], cores[1]], trips)?.time)),
            ("condvar", condvar),
            ("mpsc", |cores, items| there_and_back(cores, items, mpsc(), mpsc())),
            ("sync_channel", |cores, items| there_and_back(cores, items, bounded(), bounded())),
            ("crossbeam", |cores, items| there_and_back(cores, items, crossbeam(), crossbeam())),
        ];

        /// The two ends of a channel, each for one thread.
        type Ends<S, R> = (S, R);

        fn mpsc() -> Ends<impl FnMut(u64) + Send, impl FnMut() -> u64 + Send> {
            let (sender, receiver) = channel();
            (move |item| sender.send(item).unwrap(), move || receiver.recv().unwrap())
        }

        fn bounded() -> Ends<impl FnMut(u64) + Send, impl FnMut() -> u64 + Send> {
            let (sender, receiver) = sync_channel(CAPACITY);
            (move |item| sender.send(item).unwrap(), move || receiver.recv().unwrap())
        }

        fn crossbeam() -> Ends<impl FnMut(u64) + Send, impl FnMut() -> u64 + Send> {
            let (sender, receiver) = crossbeam_channel::bounded(CAPACITY);
            (move |item| sender.send(item).unwrap(), move || receiver.recv().unwrap())
        }

        fn alone<S: FnMut(u64) + Send, R: FnMut() -> u64 + Send>(
            cores: &[usize],
            items: u64,
            ends: Ends<S, R>,
        ) -> io::Result<Duration> {
            let ends = Mutex::new(ends);
            together(cores, |_| {
                let (send, receive) = &mut *ends.lock().unwrap();
                for item in 0..items {
                    send(item);
                    assert_eq!(receive(), item, "what arrived");
                }
            })
        }

        fn stream<S: FnMut(u64) + Send, R: FnMut() -> u64 + Send>(
            cores: &[usize],
            items: u64,
            (send, receive): Ends<S, R>,
        ) -> io::Result<Duration> {
            let (send, receive) = (Mutex::new(send), Mutex::new(receive));
            together(cores, |thread| match thread {
                0 => {
                    let send = &mut *send.lock().unwrap();
                    (0..items).for_each(send);
                }
                _ => {
                    let receive = &mut *receive.lock().unwrap();
                    (0..items).for_each(|item| assert_eq!(receive(), item, "what arrived"));
                }
            })
        }

        fn there_and_back<S: FnMut(u64) + Send, R: FnMut() -> u64 + Send>(
            cores: &[usize],
            trips: u64,
            (there, arriving): Ends<S, R>,
            (back, returning): Ends<S, R>,
        ) -> io::Result<Duration> {
            let sides = [Mutex::new((there, returning)), Mutex::new((back, arriving))];
            together(cores, |thread| {
                let (send, receive) = &mut *sides[thread].lock().unwrap();
                for trip in 0..trips {
                    if thread == 0 {
                        send(trip);
                    }
                    let item = receive();
                    assert_eq!(item, trip, "what arrived");
                    if thread == 1 {
                        send(item);
                    }
                }
            })
        }

        /// Lets two threads alternate by a counter and a condition variable.
        fn condvar(cores: &[usize], trips: u64) -> io::Result<Duration> {
            let (turn, changed) = (Mutex::new(0), Condvar::new());
            let time = together(cores, |thread| {
                for trip in 0..trips {
                    let mine = 2 * trip + thread as u64;
                    let mut turn =
                        changed.wait_while(turn.lock().unwrap(), |turn| *turn != mine).unwrap();
                    *turn += 1;
                    changed.notify_one();
                }
            });
            assert_eq!(turn.into_inner().unwrap(), 2 * trips, "turns taken");
            time
        }
    }
}

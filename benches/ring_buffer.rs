//! What an item costs on its way from one thread to another: the ring in steps, beside its peers,
//! in batches, with two threads at both ends, and there and back.
//!
//! Two threads, each on a core of its own. `ring_buffer`, `ring_buffer_batches` and
//! `ring_buffer_peers` are streams through 1,024 slots, one unit an item; a thread that has to wait
//! spins, except where the queue makes it sleep. It pauses 32 times between two looks, except in
//! the steps before `patient` and in the trips, where it pauses once. The two ends lie in lines of
//! their own, except in `ring_buffer_ends`, where they also lie beside each other.
//! `ring_buffer_both` is two threads that each push and pop in turn, one unit a pair.
//! `ring_buffer_trips` is one item there and back; its `line` is a bare word that both write in
//! turn. What arrived is summed up and compared.

use perf_proved::measuring::limits::two_cores;
use perf_proved_benches::with;
use std::io;

fn main() -> io::Result<()> {
    with(two_cores(), &bench::GROUPS, bench::run)
}

mod bench {
    use criterion::measurement::WallTime;
    use criterion::{Bencher, BenchmarkGroup, BenchmarkId, Criterion, SamplingMode, Throughput};
    use crossbeam_queue::ArrayQueue;
    use perf_proved::concurrency::ring_buffer::mpmc::{AtOnce, BackOff, Retry};
    use perf_proved::concurrency::ring_buffer::shared::{Bare, Padded, Place, Shared};
    use perf_proved::concurrency::ring_buffer::{
        AcquireRelease, Orderings, SequentiallyConsistent, blocking, blocking_mpmc, mpmc, spsc,
    };
    use perf_proved::measuring::limits::lines;
    use perf_proved::memory::cache_lines::CachePadded;
    use perf_proved::sys::cores;
    use std::collections::VecDeque;
    use std::hint::{black_box, spin_loop};
    use std::io;
    use std::sync::atomic::AtomicU64;
    use std::sync::atomic::Ordering::Relaxed;
    use std::sync::mpsc::sync_channel;
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    pub const GROUPS: [&str; 7] = [
        "ring_buffer",
        "ring_buffer_batches",
        "ring_buffer_peers",
        "ring_buffer_ends",
        "ring_buffer_both",
        "ring_buffer_trips",
        "ring_buffer_aa",
    ];
    const CAPACITY: usize = 1024;

    /// An item of `8 * N` bytes.
    type Item<const N: usize> = [u64; N];

    pub fn run(cores: [usize; 2]) -> io::Result<()> {
        let mut criterion = Criterion::default().configure_from_args();
        let mut bench = Bench { criterion: &mut criterion, cores };
        bench.steps();
        bench.batches();
        bench.peers();
        bench.ends();
        bench.both();
        bench.trips();
        bench.same_twice();
        criterion.final_summary();
        Ok(())
    }

    struct Bench<'a> {
        criterion: &'a mut Criterion,
        cores: [usize; 2],
    }

    impl Bench<'_> {
        fn group(&mut self, name: &str) -> Group<'_> {
            let mut group = self.criterion.benchmark_group(name);
            group.sampling_mode(SamplingMode::Flat).throughput(Throughput::Elements(1));
            Group { group, cores: self.cores }
        }

        fn steps(&mut self) {
            let mut group = self.group("ring_buffer");
            group.stream("seqcst", None, EAGER, shared::<Bare, SequentiallyConsistent>);
            group.stream("acquire_release", None, EAGER, shared::<Bare, AcquireRelease>);
            group.stream("padded", None, EAGER, shared::<Padded, AcquireRelease>);
            group.stream("cached", None, EAGER, spsc_ring::<1>);
            group.stream("patient", None, PATIENT, spsc_ring::<1>);
        }

        fn batches(&mut self) {
            let mut group = self.group("ring_buffer_batches");
            for batch in [1, 8, 32, 256] {
                group.batches("spsc", batch, || {
                    let (mut producer, mut consumer) = spsc::ring(CAPACITY);
                    (
                        move |items: &[u64]| producer.push_slice(items),
                        move |items: &mut [u64]| consumer.pop_slice(items),
                    )
                });
                group.batches("rtrb", batch, || {
                    let (mut producer, mut consumer) = rtrb::RingBuffer::new(CAPACITY);
                    (
                        move |items: &[u64]| producer.push_partial_slice(items).0.len(),
                        move |items: &mut [u64]| consumer.pop_partial_slice(items).0.len(),
                    )
                });
            }
        }

        fn peers(&mut self) {
            let mut group = self.group("ring_buffer_peers");
            group.peers::<1>("8B");
            group.peers::<8>("64B");
        }

        fn ends(&mut self) {
            let mut group = self.group("ring_buffer_ends");
            group.stream("spsc", Some("apart"), PATIENT, spsc_ring::<1>);
            group.stream_together("spsc", spsc_ring::<1>);
            group.stream("rtrb", Some("apart"), PATIENT, rtrb_ring::<1>);
            group.stream_together("rtrb", rtrb_ring::<1>);
        }

        fn both(&mut self) {
            let mut group = self.group("ring_buffer_both");
            group.both("at_once", mpmc_ring::<1, AtOnce>);
            group.both("mpmc", mpmc_ring::<1, BackOff>);
            group.both("array_queue", array_queue);
            group.both("blocking_mpmc", blocking_mpmc_ring);
            group.both("mutex_deque", mutex_deque);
        }

        fn trips(&mut self) {
            let mut group = self.group("ring_buffer_trips");
            group.bench("line", None, 200, lines::line_trips);
            group.trips("seqcst", shared::<Bare, SequentiallyConsistent>);
            group.trips("spsc", spsc_ring);
            group.trips("rtrb", rtrb_ring);
            group.trips("mpmc", mpmc_ring::<1, BackOff>);
            group.trips("blocking", blocking_ring);
            group.trips("blocking_mpmc", blocking_mpmc_ring);
            group.trips("sync_channel", channel);
        }

        fn same_twice(&mut self) {
            let mut group = self.group("ring_buffer_aa");
            for function in ["first", "second"] {
                group.stream(function, None, PATIENT, spsc_ring::<1>);
            }
        }
    }

    struct Group<'a> {
        group: BenchmarkGroup<'a, WallTime>,
        cores: [usize; 2],
    }

    /// One side of a queue: takes an item, or says that it has no room.
    trait Push<T>: FnMut(T) -> bool + Send {}
    impl<T, F: FnMut(T) -> bool + Send> Push<T> for F {}

    /// The other side: gives an item if it has one.
    trait Pop<T>: FnMut() -> Option<T> + Send {}
    impl<T, F: FnMut() -> Option<T> + Send> Pop<T> for F {}

    /// How often a thread pauses between two looks at a queue that is full or empty.
    #[derive(Clone, Copy)]
    struct Patience(u32);

    const EAGER: Patience = Patience(1);
    const PATIENT: Patience = Patience(32);

    impl Patience {
        fn pause(self) {
            (0..self.0).for_each(|_| spin_loop());
        }

        fn push<T: Copy>(self, push: &mut impl Push<T>, item: T) {
            while !push(item) {
                self.pause();
            }
        }

        fn pop<T>(self, pop: &mut impl Pop<T>) -> T {
            loop {
                match pop() {
                    Some(item) => return item,
                    None => self.pause(),
                }
            }
        }
    }

    impl Group<'_> {
        fn peers<const N: usize>(&mut self, size: &str) {
            self.stream("spsc", Some(size), PATIENT, spsc_ring::<N>);
            self.stream("rtrb", Some(size), PATIENT, rtrb_ring::<N>);
            self.stream("mpmc", Some(size), PATIENT, mpmc_ring::<N, BackOff>);
            self.stream("array_queue", Some(size), PATIENT, array_queue::<N>);
            self.stream("blocking", Some(size), PATIENT, blocking_ring::<N>);
            self.stream("blocking_mpmc", Some(size), PATIENT, blocking_mpmc_ring::<N>);
            self.stream("sync_channel", Some(size), PATIENT, channel::<N>);
            self.stream("mutex_deque", Some(size), PATIENT, mutex_deque::<N>);
        }

        /// At least `least` at a time, whatever criterion asks for: a few would measure how the
        /// threads begin.
        fn bench(
            &mut self,
            function: &str,
            parameter: Option<&str>,
            least: u64,
            time: impl Fn([usize; 2], u64) -> io::Result<Duration>,
        ) {
            let cores = self.cores;
            let routine = |bencher: &mut Bencher<'_>| {
                bencher.iter_custom(|times| {
                    let done = times.max(least);
                    time(cores, done).unwrap().mul_f64(times as f64 / done as f64)
                });
            };
            match parameter {
                Some(parameter) => {
                    self.group.bench_function(BenchmarkId::new(function, parameter), routine)
                }
                None => self.group.bench_function(function, routine),
            };
        }

        /// So many items, one after the other, through a queue of its own, whose ends lie apart.
        fn stream<const N: usize, P: Push<Item<N>>, Q: Pop<Item<N>>>(
            &mut self,
            function: &str,
            parameter: Option<&str>,
            patience: Patience,
            queue: impl Fn() -> (P, Q),
        ) {
            self.bench(function, parameter, 20_000, |cores, items| {
                let (producer, consumer) = queue();
                let (producer, consumer) =
                    (CachePadded(Mutex::new(producer)), CachePadded(Mutex::new(consumer)));
                stream_once(cores, items, patience, &producer.0, &consumer.0)
            });
        }

        /// The same through a queue whose ends lie beside each other, from the beginning of a line
        /// on.
        fn stream_together<const N: usize, P: Push<Item<N>>, Q: Pop<Item<N>>>(
            &mut self,
            function: &str,
            queue: impl Fn() -> (P, Q),
        ) {
            self.bench(function, Some("together"), 20_000, |cores, items| {
                let (producer, consumer) = queue();
                let CachePadded(Beside(producer, consumer)) =
                    &CachePadded(Beside(Mutex::new(producer), Mutex::new(consumer)));
                stream_once(cores, items, PATIENT, producer, consumer)
            });
        }

        /// The same in batches: `push` and `pop` say how many items they have moved.
        fn batches<P, Q>(&mut self, function: &str, batch: usize, queue: impl Fn() -> (P, Q))
        where
            P: FnMut(&[u64]) -> usize + Send,
            Q: FnMut(&mut [u64]) -> usize + Send,
        {
            self.bench(function, Some(&batch.to_string()), 20_000, |cores, items| {
                let (producer, consumer) = queue();
                let (producer, consumer) =
                    (CachePadded(Mutex::new(producer)), CachePadded(Mutex::new(consumer)));
                let sum = AtomicU64::new(0);
                let time = cores::together(&cores, |place| match place {
                    0 => {
                        let (push, mut buffer) = (&mut *producer.0.lock().unwrap(), vec![0; batch]);
                        let mut pushed = 0;
                        while pushed < items {
                            let length = batch.min((items - pushed) as usize);
                            buffer
                                .iter_mut()
                                .zip(pushed..)
                                .for_each(|(item, number)| *item = number);
                            let mut rest = &buffer[..length];
                            while !rest.is_empty() {
                                match push(rest) {
                                    0 => PATIENT.pause(),
                                    moved => rest = &rest[moved..],
                                }
                            }
                            pushed += length as u64;
                        }
                    }
                    _ => {
                        let (pop, mut buffer) = (&mut *consumer.0.lock().unwrap(), vec![0; batch]);
                        let (mut popped, mut total) = (0, 0);
                        while popped < items {
                            match pop(&mut buffer) {
                                0 => PATIENT.pause(),
                                moved => {
                                    total += buffer[..moved].iter().sum::<u64>();
                                    popped += moved as u64;
                                }
                            }
                        }
                        sum.store(total, Relaxed); // as in `stream`
                    }
                });
                assert_eq!(sum.into_inner(), (0..items).sum::<u64>(), "what arrived");
                time
            });
        }

        /// Two threads, each of which pushes an item and then pops one, whosever it is.
        fn both<P: Push<Item<1>> + Sync + Clone, Q: Pop<Item<1>> + Sync + Clone>(
            &mut self,
            function: &str,
            queue: impl Fn() -> (P, Q),
        ) {
            self.bench(function, None, 20_000, |cores, pairs| {
                let (producer, consumer) = queue();
                let sum = AtomicU64::new(0);
                let time = cores::together(&cores, |_| {
                    let (mut producer, mut consumer) = (producer.clone(), consumer.clone());
                    let pair = |item| {
                        PATIENT.push(&mut producer, [item]);
                        PATIENT.pop(&mut consumer)[0]
                    };
                    sum.fetch_add((0..pairs).map(pair).sum(), Relaxed); // read when both have ended
                });
                assert_eq!(sum.into_inner(), 2 * (0..pairs).sum::<u64>(), "what arrived");
                time
            });
        }

        /// One item there through a queue and back through another one.
        fn trips<P: Push<Item<1>>, Q: Pop<Item<1>>>(
            &mut self,
            function: &str,
            queue: impl Fn() -> (P, Q),
        ) {
            self.bench(function, None, 200, |cores, trips| {
                let ((there, arriving), (back, returning)) = (queue(), queue());
                let sides = [(there, returning), (back, arriving)]
                    .map(|side| CachePadded(Mutex::new(side)));
                cores::together(&cores, |place| {
                    let (producer, consumer) = &mut *sides[place].0.lock().unwrap();
                    for trip in 0..trips {
                        if place == 0 {
                            EAGER.push(producer, [trip]);
                        }
                        let item = EAGER.pop(consumer);
                        assert_eq!(item, [trip], "what arrived");
                        if place == 1 {
                            EAGER.push(producer, item);
                        }
                    }
                })
            });
        }
    }

    /// In this order, with nothing in between but what their alignments ask for.
    #[repr(C)]
    struct Beside<A, B>(A, B);

    fn stream_once<const N: usize, P: Push<Item<N>>, Q: Pop<Item<N>>>(
        cores: [usize; 2],
        items: u64,
        patience: Patience,
        producer: &Mutex<P>,
        consumer: &Mutex<Q>,
    ) -> io::Result<Duration> {
        let sum = AtomicU64::new(0);
        let time = cores::together(&cores, |place| match place {
            0 => {
                let producer = &mut *producer.lock().unwrap();
                (0..items).for_each(|item| patience.push(producer, [item; N]));
            }
            _ => {
                let consumer = &mut *consumer.lock().unwrap();
                // All of the item is taken: who wants one word is given one word by some of these
                // queues, and not by others.
                let total = (0..items).map(|_| black_box(patience.pop(consumer))[N - 1]).sum();
                sum.store(total, Relaxed); // read when both have ended
            }
        });
        assert_eq!(sum.into_inner(), (0..items).sum::<u64>(), "what arrived");
        time
    }

    fn shared<P: Place + Send + Sync, O: Orderings>() -> (impl Push<Item<1>>, impl Pop<Item<1>>) {
        let ring = Arc::new(Shared::<Item<1>, P, O>::new(CAPACITY));
        let theirs = ring.clone();
        // SAFETY: one closure pushes, the other one pops, and each is called by one thread at a
        // time.
        (move |item| unsafe { ring.push(item) }.is_ok(), move || unsafe { theirs.pop() })
    }

    fn spsc_ring<const N: usize>() -> (impl Push<Item<N>>, impl Pop<Item<N>>) {
        let (mut producer, mut consumer) = spsc::ring(CAPACITY);
        (move |item| producer.push(item).is_ok(), move || consumer.pop().ok())
    }

    fn rtrb_ring<const N: usize>() -> (impl Push<Item<N>>, impl Pop<Item<N>>) {
        let (mut producer, mut consumer) = rtrb::RingBuffer::new(CAPACITY);
        (move |item| producer.push(item).is_ok(), move || consumer.pop().ok())
    }

    fn mpmc_ring<const N: usize, R: Retry>()
    -> (impl Push<Item<N>> + Sync + Clone, impl Pop<Item<N>> + Sync + Clone) {
        let (producer, consumer) = mpmc::ring_with::<_, AcquireRelease, R>(CAPACITY, 0);
        (move |item| producer.push(item).is_ok(), move || consumer.pop().ok())
    }

    fn array_queue<const N: usize>()
    -> (impl Push<Item<N>> + Sync + Clone, impl Pop<Item<N>> + Sync + Clone) {
        let queue = Arc::new(ArrayQueue::new(CAPACITY));
        let theirs = queue.clone();
        (move |item| queue.push(item).is_ok(), move || theirs.pop())
    }

    fn mutex_deque<const N: usize>()
    -> (impl Push<Item<N>> + Sync + Clone, impl Pop<Item<N>> + Sync + Clone) {
        let queue = Arc::new(Mutex::new(VecDeque::with_capacity(CAPACITY)));
        let theirs = queue.clone();
        let push = move |item| {
            let mut queue = queue.lock().unwrap();
            let room = queue.len() < CAPACITY;
            if room {
                queue.push_back(item);
            }
            room
        };
        (push, move || theirs.lock().unwrap().pop_front())
    }

    fn blocking_ring<const N: usize>() -> (impl Push<Item<N>>, impl Pop<Item<N>>) {
        let (mut producer, mut consumer) = blocking::ring(CAPACITY);
        (move |item| producer.push(item).is_ok(), move || consumer.pop().ok())
    }

    fn blocking_mpmc_ring<const N: usize>()
    -> (impl Push<Item<N>> + Sync + Clone, impl Pop<Item<N>> + Sync + Clone) {
        let (producer, consumer) = blocking_mpmc::ring(CAPACITY);
        (move |item| producer.push(item).is_ok(), move || consumer.pop().ok())
    }

    fn channel<const N: usize>() -> (impl Push<Item<N>>, impl Pop<Item<N>>) {
        let (sender, receiver) = sync_channel(CAPACITY);
        (move |item| sender.send(item).is_ok(), move || receiver.recv().ok())
    }
}

//! The time that an item takes from one thread to another: through the ring step by step, beside
//! its peers, in batches, with two threads at both ends, and there and back.
//!
//! Two threads, each on a core of its own. `ring_buffer`, `ring_buffer_batches` and
//! `ring_buffer_peers` are streams through 1,024 slots; the unit is one item. A thread that has to
//! wait spins, unless the queue puts it to sleep. It pauses 32 times between two attempts, except
//! in the steps before `patient` and in the trips, where it pauses once, and in
//! `ring_buffer_pauses`, where the number of pauses is the parameter. Each thread owns its end, on
//! its own stack, except in `ring_buffer_ends`: there the ends lie in shared memory, apart or side
//! by side.
//! `ring_buffer_both` is two threads that each push and pop alternately; the unit is one pair.
//! `ring_buffer_trips` is one item there and back; its `line` is a bare word that the two threads
//! write alternately. The items that arrive are summed up, and the sum is checked.

use perf_proved::sys::cores::two_cores;
use perf_proved_benches::with;
use std::io;

fn main() -> io::Result<()> {
    with(two_cores(), &bench::GROUPS, bench::run)
}

mod bench {
    use criterion::Throughput;
    use crossbeam_queue::ArrayQueue;
    use perf_proved::concurrency::ring_buffer::mpmc::BackOff;
    use perf_proved::concurrency::ring_buffer::shared::{Padded, Unpadded};
    use perf_proved::concurrency::ring_buffer::spsc;
    use perf_proved::concurrency::ring_buffer::variants::{self, AtOnce, Pop, Push};
    use perf_proved::measuring::limits::lines;
    use perf_proved::memory::cache_lines::CachePadded;
    use perf_proved::sys::cores;
    use perf_proved_benches::{Group, Plan};
    use std::hint::{black_box, spin_loop};
    use std::io;
    use std::sync::atomic::AtomicU64;
    use std::sync::atomic::Ordering::Relaxed;
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    pub const GROUPS: [&str; 7] = [
        "ring_buffer",
        "ring_buffer_pauses",
        "ring_buffer_batches",
        "ring_buffer_peers",
        "ring_buffer_ends",
        "ring_buffer_both",
        "ring_buffer_trips",
    ];
    const CAPACITY: usize = 1024;

    /// An item of `8 * N` bytes.
    type Item<const N: usize> = [u64; N];

    pub fn run(cores: [usize; 2]) -> io::Result<()> {
        let mut bench = Bench { plan: Plan::new(), cores };
        bench.steps();
        bench.pauses();
        bench.batches();
        bench.peers();
        bench.ends();
        bench.both();
        bench.trips();
        bench.plan.run()
    }

    struct Bench {
        plan: Plan<'static>,
        cores: [usize; 2],
    }

    impl Bench {
        fn group(&mut self, name: &str) -> Pairs<'_> {
            let group = self.plan.group(name);
            group.flat().throughput(Throughput::Elements(1)).witnessed(self.cores);
            group.at_least(20_000);
            Pairs { group, cores: self.cores }
        }

        fn steps(&mut self) {
            let mut group = self.group("ring_buffer");
            group.stream("seqcst", None, EAGER, variants::seqcst::<Item<1>>);
            group.stream("acquire_release", None, EAGER, variants::shared::<Item<1>, Unpadded>);
            group.stream("padded", None, EAGER, variants::shared::<Item<1>, Padded>);
            group.stream("cached", None, EAGER, variants::spsc::<Item<1>>);
            group.stream("patient", None, PATIENT, variants::spsc::<Item<1>>);
            group.group.again("patient");
        }

        fn pauses(&mut self) {
            let mut group = self.group("ring_buffer_pauses");
            for pauses in [1, 8, 32, 128] {
                let (parameter, patience) = (pauses.to_string(), Patience(pauses));
                let at = Some(&*parameter);
                group.stream("spsc", at, patience, variants::spsc::<Item<1>>);
                group.stream("rtrb", at, patience, rtrb_ring::<Item<1>>);
                group.stream("mpmc", at, patience, variants::mpmc::<Item<1>, BackOff>);
                group.stream("array_queue", at, patience, array_queue::<Item<1>>);
            }
            group.group.again("spsc");
        }

        fn batches(&mut self) {
            let mut group = self.group("ring_buffer_batches");
            for batch in [1, 8, 32, 256] {
                group.batches("spsc", batch, |capacity| {
                    let (mut producer, mut consumer) = spsc::ring(capacity);
                    (
                        move |items: &[u64]| producer.push_slice(items),
                        move |items: &mut [u64]| consumer.pop_slice(items),
                    )
                });
                group.batches("rtrb", batch, |capacity| {
                    let (mut producer, mut consumer) = rtrb::RingBuffer::new(capacity);
                    (
                        move |items: &[u64]| producer.push_partial_slice(items).0.len(),
                        move |items: &mut [u64]| consumer.pop_partial_slice(items).0.len(),
                    )
                });
            }
            group.group.again_at("spsc", 32);
        }

        fn peers(&mut self) {
            let mut group = self.group("ring_buffer_peers");
            group.peers::<1>("8B");
            group.peers::<8>("64B");
            group.group.again("spsc");
        }

        fn ends(&mut self) {
            let mut group = self.group("ring_buffer_ends");
            group.stream_apart("spsc", variants::spsc::<Item<1>>);
            group.stream_together("spsc", variants::spsc::<Item<1>>);
            group.stream_apart("rtrb", rtrb_ring::<Item<1>>);
            group.stream_together("rtrb", rtrb_ring::<Item<1>>);
            group.group.again_at("spsc", "apart");
        }

        fn both(&mut self) {
            let mut group = self.group("ring_buffer_both");
            group.both("at_once", variants::mpmc::<Item<1>, AtOnce>);
            group.both("mpmc", variants::mpmc::<Item<1>, BackOff>);
            group.both("array_queue", array_queue::<Item<1>>);
            group.both("blocking_mpmc", variants::blocking_mpmc::<Item<1>>);
            group.both("mutex_deque", variants::mutex_deque::<Item<1>>);
            group.group.again("mpmc");
        }

        fn trips(&mut self) {
            let mut group = self.group("ring_buffer_trips");
            group.group.at_least(200);
            group.bench("line", None, lines::line_trips);
            group.trips("seqcst", variants::seqcst::<Item<1>>);
            group.trips("spsc", variants::spsc::<Item<1>>);
            group.trips("rtrb", rtrb_ring::<Item<1>>);
            group.trips("mpmc", variants::mpmc::<Item<1>, BackOff>);
            group.trips("blocking", variants::blocking::<Item<1>>);
            group.trips("blocking_mpmc", variants::blocking_mpmc::<Item<1>>);
            group.trips("sync_channel", variants::sync_channel::<Item<1>>);
            group.group.again("spsc");
        }
    }

    /// A group of benchmarks of two threads.
    struct Pairs<'p> {
        group: &'p mut Group<'static>,
        cores: [usize; 2],
    }

    /// The number of pauses between two attempts at a queue that is full or empty.
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

    impl Pairs<'_> {
        fn peers<const N: usize>(&mut self, size: &str) {
            self.stream("spsc", Some(size), PATIENT, variants::spsc::<Item<N>>);
            self.stream("rtrb", Some(size), PATIENT, rtrb_ring::<Item<N>>);
            self.stream("mpmc", Some(size), PATIENT, variants::mpmc::<Item<N>, BackOff>);
            self.stream("array_queue", Some(size), PATIENT, array_queue::<Item<N>>);
            self.stream("blocking", Some(size), PATIENT, variants::blocking::<Item<N>>);
            self.stream("blocking_mpmc", Some(size), PATIENT, variants::blocking_mpmc::<Item<N>>);
            self.stream("sync_channel", Some(size), PATIENT, variants::sync_channel::<Item<N>>);
            self.stream("mutex_deque", Some(size), PATIENT, variants::mutex_deque::<Item<N>>);
        }

        fn bench(
            &mut self,
            function: &str,
            parameter: Option<&str>,
            time: impl Fn([usize; 2], u64) -> io::Result<Duration> + 'static,
        ) {
            let cores = self.cores;
            let batch = move |times| time(cores, times);
            match parameter {
                Some(parameter) => self.group.bench((function, parameter), batch),
                None => self.group.bench(function, batch),
            };
        }

        /// Streams items, one after the other, through a new queue. Each thread owns its end.
        fn stream<const N: usize, P: Push<Item<N>>, Q: Pop<Item<N>>>(
            &mut self,
            function: &str,
            parameter: Option<&str>,
            patience: Patience,
            queue: impl Fn(usize) -> (P, Q) + 'static,
        ) {
            self.bench(function, parameter, move |cores, items| {
                let (producer, consumer) = queue(CAPACITY);
                let (producer, consumer) = (Mutex::new(Some(producer)), Mutex::new(Some(consumer)));
                let sum = AtomicU64::new(0);
                let time = cores::together(&cores, |thread| match thread {
                    0 => push_all(items, patience, &mut producer.lock().unwrap().take().unwrap()),
                    _ => {
                        let mut consumer = consumer.lock().unwrap().take().unwrap();
                        // Relaxed: read when both have ended.
                        sum.store(pop_all(items, patience, &mut consumer), Relaxed);
                    }
                });
                assert_eq!(sum.into_inner(), (0..items).sum::<u64>(), "what arrived");
                time
            });
        }

        /// Streams items through a queue whose ends lie in lines of their own, in memory that both
        /// threads share.
        fn stream_apart<const N: usize, P: Push<Item<N>>, Q: Pop<Item<N>>>(
            &mut self,
            function: &str,
            queue: impl Fn(usize) -> (P, Q) + 'static,
        ) {
            self.bench(function, Some("apart"), move |cores, items| {
                let (producer, consumer) = queue(CAPACITY);
                let (producer, consumer) =
                    (CachePadded(Mutex::new(producer)), CachePadded(Mutex::new(consumer)));
                stream_once(cores, items, PATIENT, &producer.0, &consumer.0)
            });
        }

        /// Streams items through a queue whose ends lie side by side, from the beginning of a cache
        /// line on.
        fn stream_together<const N: usize, P: Push<Item<N>>, Q: Pop<Item<N>>>(
            &mut self,
            function: &str,
            queue: impl Fn(usize) -> (P, Q) + 'static,
        ) {
            self.bench(function, Some("together"), move |cores, items| {
                let (producer, consumer) = queue(CAPACITY);
                let CachePadded(SideBySide(producer, consumer)) =
                    &CachePadded(SideBySide(Mutex::new(producer), Mutex::new(consumer)));
                stream_once(cores, items, PATIENT, producer, consumer)
            });
        }

        /// Streams items in batches. `push` and `pop` return the number of items that they moved.
        fn batches<P, Q>(
            &mut self,
            function: &str,
            batch: usize,
            queue: impl Fn(usize) -> (P, Q) + 'static,
        ) where
            P: FnMut(&[u64]) -> usize + Send,
            Q: FnMut(&mut [u64]) -> usize + Send,
        {
            self.bench(function, Some(&batch.to_string()), move |cores, items| {
                let (producer, consumer) = queue(CAPACITY);
                let (producer, consumer) =
                    (CachePadded(Mutex::new(producer)), CachePadded(Mutex::new(consumer)));
                let sum = AtomicU64::new(0);
                let time = cores::together(&cores, |thread| match thread {
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

        /// Runs two threads that each push an item and then pop one, whichever it is.
        fn both<P: Push<Item<1>> + Sync + Clone, Q: Pop<Item<1>> + Sync + Clone>(
            &mut self,
            function: &str,
            queue: impl Fn(usize) -> (P, Q) + 'static,
        ) {
            self.bench(function, None, move |cores, pairs| {
                let (producer, consumer) = queue(CAPACITY);
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

        /// Sends an item there through one queue and back through another.
        fn trips<P: Push<Item<1>>, Q: Pop<Item<1>>>(
            &mut self,
            function: &str,
            queue: impl Fn(usize) -> (P, Q) + 'static,
        ) {
            self.bench(function, None, move |cores, trips| {
                let ((there, arriving), (back, returning)) = (queue(CAPACITY), queue(CAPACITY));
                let sides = [(there, returning), (back, arriving)]
                    .map(|side| CachePadded(Mutex::new(side)));
                cores::together(&cores, |thread| {
                    let (producer, consumer) = &mut *sides[thread].0.lock().unwrap();
                    for trip in 0..trips {
                        if thread == 0 {
                            EAGER.push(producer, [trip]);
                        }
                        let item = EAGER.pop(consumer);
                        assert_eq!(item, [trip], "what arrived");
                        if thread == 1 {
                            EAGER.push(producer, item);
                        }
                    }
                })
            });
        }
    }

    /// Two values side by side, in this order, with only the padding that alignment requires.
    #[repr(C)]
    struct SideBySide<A, B>(A, B);

    fn stream_once<const N: usize, P: Push<Item<N>>, Q: Pop<Item<N>>>(
        cores: [usize; 2],
        items: u64,
        patience: Patience,
        producer: &Mutex<P>,
        consumer: &Mutex<Q>,
    ) -> io::Result<Duration> {
        let sum = AtomicU64::new(0);
        let time = cores::together(&cores, |thread| match thread {
            0 => push_all(items, patience, &mut *producer.lock().unwrap()),
            _ => {
                let total = pop_all(items, patience, &mut *consumer.lock().unwrap());
                sum.store(total, Relaxed); // read when both have ended
            }
        });
        assert_eq!(sum.into_inner(), (0..items).sum::<u64>(), "what arrived");
        time
    }

    #[inline(always)]
    fn push_all<const N: usize>(items: u64, patience: Patience, push: &mut impl Push<Item<N>>) {
        (0..items).for_each(|item| patience.push(push, [item; N]));
    }

    /// Pops `items` items, and returns the sum of their last words.
    #[inline(always)]
    fn pop_all<const N: usize>(items: u64, patience: Patience, pop: &mut impl Pop<Item<N>>) -> u64 {
        // The black box takes the whole item. Asked for one word of it, some of these queues would
        // copy one word, and others the item.
        (0..items).map(|_| black_box(patience.pop(pop))[N - 1]).sum()
    }

    fn rtrb_ring<T: Send>(capacity: usize) -> (impl Push<T>, impl Pop<T>) {
        let (mut producer, mut consumer) = rtrb::RingBuffer::new(capacity);
        (move |item| producer.push(item).is_ok(), move || consumer.pop().ok())
    }

    fn array_queue<T: Send>(
        capacity: usize,
    ) -> (impl Push<T> + Sync + Clone, impl Pop<T> + Sync + Clone) {
        let queue = Arc::new(ArrayQueue::new(capacity));
        let same = queue.clone();
        (move |item| queue.push(item).is_ok(), move || same.pop())
    }
}

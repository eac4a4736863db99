//! The rings hold exactly their capacity, deliver each item once and in order, and drop each item
//! once. The naive rings fail in the ways that their documentation lists.

use perf_proved::concurrency::ring_buffer::experiment::{
    Losses, State, losses, mpmc_from, spsc_from, steps as states, trips,
};
use perf_proved::concurrency::ring_buffer::naive::{AtomicRing, Ring};
use perf_proved::concurrency::ring_buffer::variants::Variant;
use perf_proved::concurrency::ring_buffer::{CapacityError, blocking, blocking_mpmc, mpmc, spsc};
use perf_proved::proof::allocations::{Counting, count};
#[cfg(unix)]
use perf_proved::proof::cpu;
use perf_proved::sys::cores::two_cores;
use perf_proved_tests::{refusals, root};
use proptest::prelude::*;
use std::collections::VecDeque;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::mpsc::{RecvError, TryRecvError, TrySendError};
use std::time::{Duration, Instant};
use std::{iter, thread};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Initial values of the counters. From some of them the counters wrap around during a test.
const STARTS: [usize; 4] = [0, usize::MAX, usize::MAX - 2, usize::MAX / 2];

// One thread.

/// The ring that a reader steps through on the chapter's page is this one.
#[test]
fn the_page_steps_through_this_ring() {
    let state = |of: State| format!("{},{},{}", of.items, of.room, of.known);
    let text = |start| {
        let lines: Vec<String> = states(4, start)
            .into_iter()
            .map(|(from, of)| {
                let [push, pop] = of.map(|step| {
                    format!("[{}, {}, {:?}]", step.succeeded, step.looked, state(step.to))
                });
                format!("{:?}: {{\"push\": {push}, \"pop\": {pop}}}", state(from))
            })
            .collect();
        format!("{{\n{}\n}}\n", lines.join(",\n"))
    };
    let expected = text(0);
    assert!(STARTS.iter().all(|&start| text(start) == expected));
    let page = "book/src/concurrency/ring-steps.json";
    if fs::read_to_string(root().join(page)).unwrap_or_default() != expected {
        let fresh = Path::new(env!("CARGO_TARGET_TMPDIR")).join("ring-steps.json");
        fs::write(&fresh, expected).unwrap();
        panic!("{page} is not what the ring does; {} is", fresh.display());
    }
}

#[test]
fn any_capacity_from_one_is_exact() {
    for capacity in [1, 2, 3, 4, 5, 7, 8, 9, 31, 32, 33, 1000] {
        for start in STARTS {
            let (mut producer, mut consumer) = spsc_from(capacity, start);
            let (shared_producer, shared_consumer) = mpmc_from(capacity, start);
            for lap in 0..3 {
                for item in 0..capacity {
                    assert_eq!(producer.push((lap, item)), Ok(()));
                    assert_eq!(shared_producer.push((lap, item)), Ok(()));
                }
                assert_eq!(
                    producer.push((9, 9)),
                    Err(TrySendError::Full((9, 9))),
                    "{capacity} from {start}"
                );
                assert_eq!(
                    shared_producer.push((9, 9)),
                    Err(TrySendError::Full((9, 9))),
                    "{capacity} from {start}"
                );
                for item in 0..capacity {
                    assert_eq!(consumer.pop(), Ok((lap, item)));
                    assert_eq!(shared_consumer.pop(), Ok((lap, item)));
                }
                assert_eq!(consumer.pop(), Err(TryRecvError::Empty));
                assert_eq!(shared_consumer.pop(), Err(TryRecvError::Empty));
            }
        }
    }
}

#[test]
#[should_panic(expected = "capacity 0")]
fn spsc_of_capacity_zero_panics() {
    let _ = spsc::ring::<u8>(0);
}

#[test]
#[should_panic(expected = "capacity 0")]
fn mpmc_of_capacity_zero_panics() {
    let _ = mpmc::ring::<u8>(0);
}

#[test]
#[should_panic(expected = "capacity 0")]
fn blocking_of_capacity_zero_panics() {
    let _ = blocking::ring::<u8>(0);
}

#[test]
#[should_panic(expected = "more slots than can be counted")]
fn a_capacity_above_every_power_of_two_panics() {
    let _ = spsc::ring::<()>(usize::MAX);
}

/// 2^44 slots are 128 TiB or more, which no address space of today has room for.
#[test]
fn a_capacity_beyond_memory_is_an_error_and_no_abort() {
    fn refusals(capacity: usize) -> [Option<CapacityError>; 4] {
        [
            spsc::try_ring::<u64>(capacity).err(),
            mpmc::try_ring::<u64>(capacity).err(),
            blocking::try_ring::<u64>(capacity).err(),
            blocking_mpmc::try_ring::<u64>(capacity).err(),
        ]
    }
    assert_eq!(refusals(8), [None; 4]);
    assert_eq!(refusals(0), [Some(CapacityError::Zero); 4]);
    assert_eq!(refusals(usize::MAX), [Some(CapacityError::TooManySlots(usize::MAX)); 4]);
    let error = CapacityError::OutOfMemory(1 << 44);
    assert_eq!(refusals(1 << 44), [Some(error); 4]);
    assert_eq!(error.to_string(), "a ring of capacity 17592186044416 does not fit into memory");
}

#[test]
fn each_variant_has_its_name_and_passes_an_item() {
    for name in Variant::NAMES {
        let variant = Variant::new(name).unwrap();
        assert_eq!(variant.name(), name);
        let (mut push, mut pop) = variant.ends(4);
        assert!(push(7), "{name}");
        assert_eq!(pop(), Some(7), "{name}");
    }
    let error = Variant::new("spmc").unwrap_err();
    assert!(error.to_string().starts_with("spmc: not one of naive, "), "{error}");
}

#[test]
fn the_other_side_sees_a_disconnect_after_the_last_item() {
    let (mut producer, mut consumer) = spsc::ring(2);
    producer.push(1).unwrap();
    drop(producer);
    assert_eq!(consumer.pop(), Ok(1));
    assert_eq!(consumer.pop(), Err(TryRecvError::Disconnected));

    let (producer, consumer) = mpmc::ring(2);
    let other = producer.clone();
    producer.push(1).unwrap();
    drop(producer);
    assert_eq!(consumer.pop(), Ok(1));
    assert_eq!(consumer.pop(), Err(TryRecvError::Empty), "one producer is left");
    drop(other);
    assert_eq!(consumer.clone().pop(), Err(TryRecvError::Disconnected));

    let (mut producer, consumer) = spsc::ring(1);
    drop(consumer);
    assert_eq!(producer.push(1), Ok(()), "there is room, so the push does not look");
    assert_eq!(producer.push(2), Err(TrySendError::Disconnected(2)));

    let (producer, consumer) = mpmc::ring(1);
    let other = consumer.clone();
    drop(consumer);
    producer.push(1).unwrap();
    assert_eq!(producer.push(2), Err(TrySendError::Full(2)), "one consumer is left");
    drop(other);
    assert_eq!(producer.push(2), Err(TrySendError::Disconnected(2)));
}

/// Counts its drops, and panics in its destructor if told so. The box lets valgrind detect an item
/// that is freed twice or never.
struct Counted<'a>(
    &'a AtomicU64,
    bool,
    #[expect(dead_code, reason = "it is only dropped")] Box<u8>,
);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, SeqCst);
        assert!(!self.1, "this destructor panics");
    }
}

#[test]
fn each_item_is_dropped_once_even_with_the_ring() {
    for start in STARTS {
        for inside in 0..=5 {
            let dropped = AtomicU64::new(0);
            let item = || Counted(&dropped, false, Box::new(0));
            let (mut producer, mut consumer) = spsc_from(5, start);
            let (shared_producer, shared_consumer) = mpmc_from(5, start);
            for _ in 0..3 {
                assert!(producer.push(item()).is_ok() && consumer.pop().is_ok());
                assert!(shared_producer.push(item()).is_ok() && shared_consumer.pop().is_ok());
            }
            assert_eq!(dropped.swap(0, SeqCst), 6);
            for _ in 0..inside {
                assert!(producer.push(item()).is_ok() && shared_producer.push(item()).is_ok());
            }
            drop((producer, shared_consumer));
            assert_eq!(dropped.load(SeqCst), 0, "the ring is still held");
            drop((consumer, shared_producer));
            assert_eq!(dropped.load(SeqCst), 2 * inside);
        }
    }
}

#[test]
fn a_destructor_that_panics_does_not_keep_the_other_items() {
    let dropped = AtomicU64::new(0);
    let items = || (0..5).map(|number| Counted(&dropped, number == 1, Box::new(0)));
    let (mut producer, consumer) = spsc::ring(5);
    items().for_each(|item| assert!(producer.push(item).is_ok()));
    drop(consumer);
    assert!(catch_unwind(AssertUnwindSafe(|| drop(producer))).is_err());
    assert_eq!(dropped.swap(0, SeqCst), 5);

    let (producer, consumer) = mpmc::ring(5);
    items().for_each(|item| assert!(producer.push(item).is_ok()));
    drop(producer);
    assert!(catch_unwind(AssertUnwindSafe(|| drop(consumer))).is_err());
    assert_eq!(dropped.load(SeqCst), 5);
}

#[test]
fn items_may_have_any_size_or_none() {
    let (mut producer, mut consumer) = spsc::ring(3);
    let (shared_producer, shared_consumer) = mpmc::ring(3);
    for _ in 0..3 {
        assert_eq!((producer.push(()), shared_producer.push(())), (Ok(()), Ok(())));
    }
    assert_eq!(producer.push(()), Err(TrySendError::Full(())));
    assert_eq!(shared_producer.push(()), Err(TrySendError::Full(())));
    assert_eq!((consumer.pop(), shared_consumer.pop()), (Ok(()), Ok(())));

    let (mut producer, mut consumer) = spsc::ring(3);
    let (shared_producer, shared_consumer) = mpmc::ring(3);
    for number in 0..10_u8 {
        producer.push([number; 4096]).unwrap();
        shared_producer.push([number; 4096]).unwrap();
        assert_eq!(consumer.pop(), Ok([number; 4096]));
        assert_eq!(shared_consumer.pop(), Ok([number; 4096]));
    }
}

#[test]
fn a_ring_allocates_nothing_after_its_creation() {
    let (mut producer, mut consumer) = spsc::ring(64);
    let (shared_producer, shared_consumer) = mpmc::ring(64);
    let ((), made) = count(|| {
        for item in 0..1000_u64 {
            producer.push(item).unwrap();
            shared_producer.push(item).unwrap();
            assert_eq!((consumer.pop(), shared_consumer.pop()), (Ok(item), Ok(item)));
        }
    });
    assert_eq!(made.calls, 0);
}

// Against a model.

#[derive(Clone, Debug)]
enum Step {
    Push(u8),
    Pop,
    PushSlice(Vec<u8>),
    PopSlice(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        any::<u8>().prop_map(Step::Push),
        Just(Step::Pop),
        prop::collection::vec(any::<u8>(), 0..12).prop_map(Step::PushSlice),
        (0_usize..12).prop_map(Step::PopSlice),
    ];
    prop::collection::vec(step, 0..200)
}

/// Returns what a ring of `capacity` must return for a push if it holds the items of `model`.
fn push<T>(model: &mut VecDeque<T>, capacity: usize, item: T) -> Result<(), TrySendError<T>> {
    if model.len() == capacity {
        return Err(TrySendError::Full(item));
    }
    model.push_back(item);
    Ok(())
}

proptest! {
    // The same cases in each run, so that a failure can be reproduced.
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        rng_seed: prop::test_runner::RngSeed::Fixed(1),
        ..ProptestConfig::default()
    })]

    #[test]
    fn spsc_is_a_bounded_queue(
        capacity in 1_usize..10,
        start in prop::sample::select(&STARTS[..]),
        steps in steps(),
    ) {
        let (mut producer, mut consumer) = spsc_from(capacity, start);
        let mut model = VecDeque::new();
        for step in steps {
            match step {
                Step::Push(item) => {
                    prop_assert_eq!(producer.push(item), push(&mut model, capacity, item));
                }
                Step::Pop => {
                    let expected = model.pop_front().ok_or(TryRecvError::Empty);
                    prop_assert_eq!(consumer.pop(), expected);
                }
                Step::PushSlice(items) => {
                    let pushed = producer.push_slice(&items);
                    prop_assert_eq!(pushed, items.len().min(capacity - model.len()));
                    model.extend(&items[..pushed]);
                }
                Step::PopSlice(length) => {
                    let mut items = vec![0; length];
                    let popped = consumer.pop_slice(&mut items);
                    prop_assert_eq!(popped, length.min(model.len()));
                    prop_assert!(model.drain(..popped).eq(items[..popped].iter().copied()));
                }
            }
        }
    }

    #[test]
    fn mpmc_is_a_bounded_queue(
        capacity in 1_usize..10,
        start in prop::sample::select(&STARTS[..]),
        steps in steps(),
    ) {
        let (producer, consumer) = mpmc_from(capacity, start);
        let mut model = VecDeque::new();
        for step in steps {
            match step {
                Step::Push(item) => {
                    prop_assert_eq!(producer.push(item), push(&mut model, capacity, item));
                }
                _ => prop_assert_eq!(consumer.pop(), model.pop_front().ok_or(TryRecvError::Empty)),
            }
        }
    }
}

// Several threads.

const ITEMS: u64 = 1_000_000;

/// Returns the number of `items`, their sum, and the sum of their squares: a check that each
/// arrived once, in any order.
fn checksum(items: impl IntoIterator<Item = u64>) -> [u64; 3] {
    items.into_iter().fold([0; 3], |[count, sum, squares], item| {
        [count + 1, sum.wrapping_add(item), squares.wrapping_add(item.wrapping_mul(item))]
    })
}

#[test]
fn spsc_delivers_a_million_items_in_order() {
    for capacity in [3, 1024] {
        let (mut producer, mut consumer) = spsc_from(capacity, usize::MAX - 1000);
        thread::scope(|scope| {
            scope.spawn(move || {
                for mut item in 0..ITEMS {
                    while let Err(TrySendError::Full(back)) = producer.push(item) {
                        item = back;
                        thread::yield_now();
                    }
                }
            });
            let mut next = 0;
            loop {
                match consumer.pop() {
                    Ok(item) => {
                        assert_eq!(item, next);
                        next += 1;
                    }
                    Err(TryRecvError::Empty) => thread::yield_now(),
                    Err(TryRecvError::Disconnected) => break,
                }
            }
            assert_eq!(next, ITEMS);
        });
    }
}

#[test]
fn spsc_delivers_a_million_items_in_batches() {
    let (mut producer, mut consumer) = spsc_from::<u64>(100, usize::MAX - 1000);
    thread::scope(|scope| {
        scope.spawn(move || {
            let mut pushed = 0;
            while pushed < ITEMS {
                let batch: Vec<u64> = (pushed..ITEMS.min(pushed + 1 + pushed % 64)).collect();
                pushed += producer.push_slice(&batch) as u64;
                thread::yield_now();
            }
        });
        let (mut next, mut batch) = (0, [0; 48]);
        while next < ITEMS {
            let popped = consumer.pop_slice(&mut batch);
            assert!(batch[..popped].iter().copied().eq(next..next + popped as u64));
            next += popped as u64;
            thread::yield_now();
        }
    });
}

#[test]
fn mpmc_delivers_a_million_items_once_each() {
    for (producers, consumers) in [(1, 1), (2, 1), (1, 2), (2, 2)] {
        let (producer, consumer) = mpmc_from(61, usize::MAX - 1);
        let share = ITEMS / producers;
        let arrived = thread::scope(|scope| {
            for number in 0..producers {
                let producer = producer.clone();
                scope.spawn(move || {
                    for mut item in number * share..(number + 1) * share {
                        while let Err(TrySendError::Full(back)) = producer.push(item) {
                            item = back;
                            thread::yield_now();
                        }
                    }
                });
            }
            drop(producer);
            let popping: Vec<_> = (0..consumers)
                .map(|_| consumer.clone())
                .map(|consumer| {
                    scope.spawn(move || {
                        let mut last = vec![None; producers as usize];
                        let items = std::iter::from_fn(|| {
                            loop {
                                match consumer.pop() {
                                    Ok(item) => {
                                        let last = &mut last[(item / share) as usize];
                                        assert!(
                                            *last < Some(item),
                                            "the items of one producer arrive in order"
                                        );
                                        *last = Some(item);
                                        return Some(item);
                                    }
                                    Err(TryRecvError::Empty) => thread::yield_now(),
                                    Err(TryRecvError::Disconnected) => return None,
                                }
                            }
                        });
                        checksum(items)
                    })
                })
                .collect();
            popping
                .into_iter()
                .map(|popping| popping.join().unwrap())
                .fold([0_u64; 3], |sum, part| [0, 1, 2].map(|i| sum[i].wrapping_add(part[i])))
        });
        assert_eq!(arrived, checksum(0..ITEMS), "{producers} and {consumers}");
    }
}

#[test]
fn blocking_delivers_every_item_when_its_threads_wait() {
    for capacity in [1, 64] {
        let (mut producer, mut consumer) = blocking::ring(capacity);
        let arrived = thread::scope(|scope| {
            scope.spawn(move || (0..20_000).for_each(|item| producer.push(item).unwrap()));
            checksum(std::iter::from_fn(|| consumer.pop().ok()))
        });
        assert_eq!(arrived, checksum(0..20_000));
    }
}

#[test]
fn blocking_wakes_a_sleeper_when_the_other_end_is_dropped() {
    let (producer, mut consumer) = blocking::ring::<u64>(1);
    thread::scope(|scope| {
        let popping = scope.spawn(move || consumer.pop());
        thread::sleep(Duration::from_millis(20));
        drop(producer);
        assert_eq!(popping.join().unwrap(), Err(RecvError));
    });
    let (mut producer, consumer) = blocking::ring(1);
    thread::scope(|scope| {
        let pushing = scope.spawn(move || (producer.push(1), producer.push(2)));
        thread::sleep(Duration::from_millis(20));
        drop(consumer);
        let (first, second) = pushing.join().unwrap();
        assert!(first.is_ok());
        assert_eq!(second.unwrap_err().0, 2);
    });
}

#[test]
#[should_panic(expected = "capacity 0")]
fn blocking_mpmc_of_capacity_zero_panics() {
    let _ = blocking_mpmc::ring::<u8>(0);
}

#[test]
fn blocking_mpmc_delivers_every_item_when_its_threads_wait() {
    for capacity in [1, 2, 61] {
        let (producer, consumer) = blocking_mpmc::ring(capacity);
        let arrived = thread::scope(|scope| {
            for half in [0..20_000, 20_000..40_000] {
                let producer = producer.clone();
                scope.spawn(move || half.for_each(|item| producer.push(item).unwrap()));
            }
            drop(producer);
            let popping = [consumer.clone(), consumer].map(|consumer| {
                scope.spawn(move || iter::from_fn(|| consumer.pop().ok()).collect::<Vec<u64>>())
            });
            popping.map(|popping| popping.join().unwrap()).concat()
        });
        assert_eq!(checksum(arrived), checksum(0..40_000), "{capacity} slots");
    }
}

/// Several threads may sleep on either side, and all of them wake when the last end of the other
/// side is dropped.
#[test]
fn blocking_mpmc_wakes_all_sleepers_at_the_last_drop() {
    let (producer, consumer) = blocking_mpmc::ring::<u64>(1);
    thread::scope(|scope| {
        let popping =
            [0; 3].map(|_| consumer.clone()).map(|consumer| scope.spawn(move || consumer.pop()));
        let other = producer.clone();
        thread::sleep(Duration::from_millis(20));
        drop(producer);
        thread::sleep(Duration::from_millis(20));
        assert!(popping.iter().all(|popping| !popping.is_finished()), "one producer is left");
        drop(other);
        popping.into_iter().for_each(|popping| assert_eq!(popping.join().unwrap(), Err(RecvError)));
    });
    let (producer, consumer) = blocking_mpmc::ring(1);
    producer.push(0).unwrap();
    thread::scope(|scope| {
        let pushing = [1, 2, 3]
            .map(|item| (item, producer.clone()))
            .map(|(item, producer)| scope.spawn(move || producer.push(item)));
        thread::sleep(Duration::from_millis(20));
        drop(consumer);
        let refused = pushing.map(|pushing| pushing.join().unwrap().unwrap_err().0);
        assert_eq!(refused, [1, 2, 3]);
    });
}

/// A clone that is dropped has no news for the sleepers, so it wakes none. The last one wakes them.
#[test]
#[cfg(target_os = "linux")]
fn only_the_last_drop_asks_the_kernel_to_wake_a_sleeper() {
    use perf_proved::proof::syscalls::trace;
    fn calls(end: impl Sized) -> u64 {
        trace(|| drop(end)).unwrap().1.total()
    }
    let (producer, consumer) = blocking_mpmc::ring::<u64>(1);
    thread::scope(|scope| {
        scope.spawn(move || consumer.pop());
        let clone = producer.clone();
        thread::sleep(Duration::from_millis(50)); // until the consumer sleeps
        assert_eq!(calls(clone), 0, "one producer is left");
        assert!(calls(producer) > 0, "the consumer sleeps");
    });
    let (producer, consumer) = blocking_mpmc::ring(1);
    producer.push(0).unwrap();
    thread::scope(|scope| {
        scope.spawn(move || producer.push(1));
        let clone = consumer.clone();
        thread::sleep(Duration::from_millis(50));
        assert_eq!(calls(clone), 0, "one consumer is left");
        assert!(calls(consumer) > 0, "the producer sleeps");
    });
}

/// While other work takes the cores away, a thread that spins gets less CPU time, but a thread that
/// sleeps gets no more.
#[test]
#[cfg(unix)]
fn a_thread_that_waits_for_a_blocking_ring_sleeps() {
    /// Returns the CPU time of `wait`, which `end` ends after a while.
    fn cpu_time(wait: impl FnOnce() + Send, end: impl FnOnce()) -> Duration {
        thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                let before = cpu::thread().unwrap();
                wait();
                cpu::thread().unwrap() - before
            });
            thread::sleep(Duration::from_millis(300));
            end();
            waiting.join().unwrap()
        })
    }
    let (mut producer, mut consumer) = blocking::ring(1);
    let pop = cpu_time(|| assert_eq!(consumer.pop(), Ok(1)), || producer.push(1).unwrap());
    producer.push(2).unwrap();
    let push = cpu_time(|| producer.push(3).unwrap(), || assert_eq!(consumer.pop(), Ok(2)));
    let (producer, consumer) = blocking_mpmc::ring(1);
    let pop_mpmc = cpu_time(|| assert_eq!(consumer.pop(), Ok(1)), || producer.push(1).unwrap());
    producer.push(2).unwrap();
    let push_mpmc = cpu_time(|| producer.push(3).unwrap(), || assert_eq!(consumer.pop(), Ok(2)));
    for (what, time) in
        [("pop", pop), ("push", push), ("MPMC pop", pop_mpmc), ("MPMC push", push_mpmc)]
    {
        assert!(time < Duration::from_millis(15), "{what} took {time:?} of CPU time");
    }
}

// The naive rings.

#[test]
fn naive_wastes_a_slot_and_accepts_nothing_at_size_one() {
    let accepted = |size: usize| {
        let mut ring = Ring::new(size);
        (0..16).filter(|&item| ring.push(item)).count()
    };
    assert_eq!([1, 2, 3, 8, 9].map(accepted), [0, 1, 3, 7, 15]);
    let mut ring = Ring::new(4);
    assert!(ring.push(1) && ring.push(2));
    assert_eq!([ring.pop(), ring.pop(), ring.pop()], [Some(1), Some(2), None]);
}

#[test]
#[should_panic(expected = "index out of bounds")]
fn naive_of_size_zero_panics_at_the_first_push() {
    Ring::new(0).push(1);
}

#[test]
fn naive_drops_what_it_has_no_room_for() {
    let item = Rc::new(());
    let mut ring = Ring::new(2);
    assert!(ring.push(item.clone()) && !ring.push(item.clone()));
    assert_eq!(Rc::strong_count(&item), 2);
}

/// Two threads push a million items and pop what they can: some items are lost or arrive twice,
/// though not in every attempt. The MPMC ring loses nothing in the same experiment.
#[test]
fn naive_loses_items_with_two_producers() {
    let Ok(cores) = two_cores() else { return };
    let naive = || {
        let ring = AtomicRing::new(1024);
        losses(cores, ITEMS, |item| ring.push(item), || ring.pop()).unwrap()
    };
    // While other work takes the cores away, the two threads collide more rarely.
    let end = Instant::now() + Duration::from_secs(60);
    let mut attempts = iter::from_fn(|| (Instant::now() < end).then(naive));
    assert!(attempts.any(|losses| losses != Losses::default()), "no item was lost in a minute");

    let (producer, consumer) = mpmc::ring(1024);
    let losses = losses(cores, ITEMS, |item| producer.push(item).is_ok(), || consumer.pop().ok());
    assert_eq!(losses.unwrap(), Losses::default());
}

#[test]
fn an_experiment_makes_as_many_trips_as_it_is_told() {
    let Ok(cores) = two_cores() else { return };
    let ((mut there, mut arriving), (mut back, mut returning)) =
        (blocking::ring(1), blocking::ring(1));
    let ping = || assert_eq!((there.push(1).is_ok(), returning.pop()), (true, Ok(2)));
    let pong = || assert_eq!((arriving.pop(), back.push(2).is_ok()), (Ok(1), true));
    let times = trips(cores, 100, ping, pong).unwrap();
    assert_eq!(times.len(), 100);
    assert!(times.iter().all(|time| !time.is_zero()));
}

// Programs that do not compile.

#[test]
fn the_compiler_refuses_a_second_producer_and_a_shared_consumer() {
    let codes = |name: &str, program: &str| {
        let program = format!(
            "use perf_proved::concurrency::ring_buffer::{{naive, spsc}};\nfn main() {{ {program} }}"
        );
        refusals(env!("CARGO_TARGET_TMPDIR"), name, &program)
            .into_iter()
            .map(|(code, _)| code)
            .collect::<Vec<_>>()
    };
    // One producer and one consumer, each in its own thread, compile.
    let well = "let (mut producer, mut consumer) = spsc::ring(4);
        std::thread::scope(|scope| {
            scope.spawn(move || producer.push(1));
            scope.spawn(move || consumer.pop());
        });";
    assert_eq!(codes("ring_buffer_well", well), [""; 0]);
    let cloned =
        "let (producer, _consumer) = spsc::ring::<u64>(4); let _second = producer.clone();";
    assert_eq!(codes("ring_buffer_cloned", cloned), ["E0599"]);
    let shared = "let (_producer, mut consumer) = spsc::ring::<u64>(4);
        std::thread::scope(|scope| {
            scope.spawn(|| consumer.pop());
            scope.spawn(|| consumer.pop());
        });";
    assert_eq!(codes("ring_buffer_shared", shared), ["E0499"]);
    let naive = "let mut ring = naive::Ring::new(4);
        std::thread::scope(|scope| {
            scope.spawn(|| ring.push(1));
            scope.spawn(|| ring.pop());
        });";
    assert_eq!(codes("ring_buffer_naive", naive), ["E0499"]);
}

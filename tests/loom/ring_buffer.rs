//! Models of the rings: both lock-free ones, and those that sleep.

use crate::explore;
use loom::alloc::Track;
use loom::sync::Arc;
use loom::thread;
use perf_proved::concurrency::ring_buffer::shared::{Padded, Shared};
use perf_proved::concurrency::ring_buffer::{
    AcquireRelease, Orderings, blocking, blocking_mpmc, mpmc, spsc,
};
use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::Ordering::{self, AcqRel, Relaxed};
use std::sync::mpsc::TryRecvError::{self, Disconnected, Empty};
use std::sync::mpsc::TrySendError::{self, Full};

weakened! {
    WrittenStore: WRITTEN_STORE = Relaxed;
    WrittenLoad: WRITTEN_LOAD = Relaxed;
    TakenStore: TAKEN_STORE = Relaxed;
    TakenLoad: TAKEN_LOAD = Relaxed;
    GoneStore: GONE_STORE = Relaxed;
    GoneLoad: GONE_LOAD = Relaxed;
    SleepFence: SLEEP_FENCE = AcqRel;
}

/// Drops what is in it, but not while a model fails: loom's types are then of no more use, and
/// a second panic ends the process.
struct Side<T>(ManuallyDrop<T>);

impl<T> Side<T> {
    fn new(side: T) -> Self {
        Self(ManuallyDrop::new(side))
    }
}

impl<T> Deref for Side<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for Side<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T> Drop for Side<T> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // SAFETY: this is the only place that drops it.
            unsafe { ManuallyDrop::drop(&mut self.0) };
        }
    }
}

/// Both sides of a ring.
fn sides<P, C>((producer, consumer): (P, C)) -> (Side<P>, Side<C>) {
    (Side::new(producer), Side::new(consumer))
}

/// Pushes the items `0..items`, each until there is room for it.
fn push_all(items: u32, mut push: impl FnMut(u32) -> Result<(), TrySendError<u32>>) {
    for mut item in 0..items {
        while let Err(Full(back)) = push(item) {
            item = back;
            thread::yield_now();
        }
    }
}

/// What arrives before the word that there is no more.
fn pop_all(mut pop: impl FnMut() -> Result<u32, TryRecvError>) -> Vec<u32> {
    let mut arrived = vec![];
    loop {
        match pop() {
            Ok(item) => arrived.push(item),
            Err(Empty) => thread::yield_now(),
            Err(Disconnected) => return arrived,
        }
    }
}

/// Three items through a ring of two, whose counters wrap around meanwhile: all arrive, once
/// each, in their order, the last one before the word that there are no more.
fn spsc_stream<O: Orderings + 'static>() {
    explore(3, || {
        let (mut producer, mut consumer) = sides(spsc::ring_from::<_, O>(2, usize::MAX - 1));
        let pushing = thread::spawn(move || push_all(3, |item| producer.push(item)));
        assert_eq!(pop_all(|| consumer.pop()), [0, 1, 2], "what arrived");
        pushing.join().unwrap();
    });
}

#[test]
fn spsc_loses_nothing() {
    spsc_stream::<AcquireRelease>();
}

/// As above, in batches; numbers, because a slice is copied.
#[test]
fn spsc_batches_lose_nothing() {
    explore(3, || {
        let (mut producer, mut consumer) =
            sides(spsc::ring_from::<u32, AcquireRelease>(2, usize::MAX));
        let pushing = thread::spawn(move || {
            let mut items = &[1, 2, 3][..];
            while !items.is_empty() {
                items = &items[producer.push_slice(items)..];
                thread::yield_now();
            }
        });
        let (mut arrived, mut batch) = (vec![], [0; 2]);
        while arrived.len() < 3 {
            let length = consumer.pop_slice(&mut batch);
            arrived.extend_from_slice(&batch[..length]);
            thread::yield_now();
        }
        assert_eq!(arrived, [1, 2, 3], "what arrived");
        pushing.join().unwrap();
    });
}

/// Whoever leaves last drops what is inside: loom misses what nobody drops.
#[test]
fn spsc_drops_what_is_left() {
    explore(3, || {
        let (mut producer, mut consumer) = sides(spsc::ring(2));
        let pushing = thread::spawn(move || {
            let _ = producer.push(Track::new(1));
            let _ = producer.push(Track::new(2));
        });
        let first = consumer.pop().ok().map(Track::into_inner);
        assert!(matches!(first, None | Some(1)));
        drop(consumer);
        pushing.join().unwrap();
    });
}

/// What a comment forbids and a type does not: two threads that push.
#[test]
#[should_panic(expected = "Causality violation")]
fn shared_with_two_producers_is_broken() {
    explore(3, || {
        let ring = Arc::new(Shared::<u32, Padded>::new(2));
        let theirs = ring.clone();
        // SAFETY: none: this is the model that must fail.
        let pushing = thread::spawn(move || unsafe { theirs.push(1) }.unwrap());
        // SAFETY: none, as above.
        unsafe { ring.push(2) }.unwrap();
        pushing.join().unwrap();
    });
}

/// Two items through so many slots, in their order, the last one before the word that there are
/// no more.
fn mpmc_stream<O: Orderings + 'static>(capacity: usize) {
    explore(3, move || {
        let (producer, consumer) = sides(mpmc::ring_from::<_, O>(capacity, usize::MAX));
        let pushing = thread::spawn(move || push_all(2, |item| producer.push(item)));
        assert_eq!(pop_all(|| consumer.pop()), [0, 1], "what arrived");
        pushing.join().unwrap();
    });
}

#[test]
fn mpmc_loses_nothing() {
    mpmc_stream::<AcquireRelease>(1);
    mpmc_stream::<AcquireRelease>(2);
}

/// So many producers try to push two items each, so many consumers try to pop twice, and nobody
/// tries again; the first producer is the first consumer too, in one thread. What was accepted
/// has arrived or is inside, once each, and each consumer gets the items of one producer in
/// their order.
fn mpmc_attempts(producers: u32, consumers: u32, capacity: usize) {
    // Three threads have so many interleavings that one preemption has to do.
    let preemptions = if producers + consumers > 3 { 1 } else { 2 };
    explore(preemptions, move || {
        let (producer, consumer) = mpmc::ring_from::<_, AcquireRelease>(capacity, usize::MAX);
        let push = |number| {
            let producer = producer.clone();
            thread::spawn(move || {
                let mut items = vec![2 * number, 2 * number + 1];
                items.retain(|&item| producer.push(item).is_ok());
                items
            })
        };
        let pop = |_| {
            let consumer = consumer.clone();
            thread::spawn(move || (0..2).filter_map(|_| consumer.pop().ok()).collect::<Vec<_>>())
        };
        let (pushing, popping): (Vec<_>, Vec<_>) =
            ((1..producers).map(push).collect(), (1..consumers).map(pop).collect());
        let mut accepted = vec![0, 1];
        accepted.retain(|&item| producer.push(item).is_ok());
        let mut arrived = vec![(0..2).filter_map(|_| consumer.pop().ok()).collect::<Vec<u32>>()];
        pushing.into_iter().for_each(|pushing| accepted.extend(pushing.join().unwrap()));
        arrived.extend(popping.into_iter().map(|popping| popping.join().unwrap()));
        drop(producer);
        arrived.push(std::iter::from_fn(|| consumer.pop().ok()).collect());
        assert_eq!(consumer.pop(), Err(Disconnected));

        for items in &arrived {
            for producer in 0..producers {
                let theirs = items.iter().filter(|&&item| item / 2 == producer);
                assert!(theirs.is_sorted(), "out of order: {items:?}");
            }
        }
        let mut arrived = arrived.concat();
        arrived.sort_unstable();
        accepted.sort_unstable();
        assert_eq!(arrived, accepted, "what arrived");
    });
}

#[test]
fn mpmc_of_two_producers_loses_nothing() {
    mpmc_attempts(2, 1, 1);
    mpmc_attempts(2, 1, 2);
}

#[test]
fn mpmc_of_two_consumers_loses_nothing() {
    mpmc_attempts(1, 2, 2);
    mpmc_attempts(2, 2, 2);
}

/// Two items each way round a ring of one, so that both sides have to sleep: a wake-up that is
/// lost leaves nobody to run.
fn blocking_stream<O: Orderings + 'static>() {
    explore(3, || {
        let (mut producer, mut consumer) = sides(blocking::ring_with::<_, O>(1));
        let pushing = thread::spawn(move || (0..2).for_each(|item| producer.push(item).unwrap()));
        let mut arrived = vec![];
        arrived.extend(std::iter::from_fn(|| consumer.pop().ok()));
        assert_eq!(arrived, [0, 1], "what arrived");
        pushing.join().unwrap();
    });
}

#[test]
fn blocking_loses_no_wake_up() {
    blocking_stream::<AcquireRelease>();
}

/// A producer that sleeps in front of a full ring hears that the consumer has gone.
#[test]
fn blocking_wakes_the_producer_that_is_left() {
    explore(3, || {
        let (mut producer, consumer) = sides(blocking::ring::<u32>(1));
        let pushing = thread::spawn(move || (producer.push(1), producer.push(2)));
        drop(consumer);
        let (first, second) = pushing.join().unwrap();
        assert!(second.is_err(), "{first:?}");
    });
}

/// As above through the ring for many, with the last word that there is no more.
fn blocking_mpmc_stream<O: Orderings + 'static>() {
    explore(3, || {
        let (producer, consumer) = sides(blocking_mpmc::ring_with::<_, O>(1));
        let pushing = thread::spawn(move || (0..2).for_each(|item| producer.push(item).unwrap()));
        let arrived: Vec<u32> = std::iter::from_fn(|| consumer.pop().ok()).collect();
        assert_eq!(arrived, [0, 1], "what arrived");
        pushing.join().unwrap();
    });
}

/// Two threads that push one item each, and two that pop one each. Where both of these sleep,
/// the item that was pushed second may be ready first, and wakes somebody in vain. No producer
/// leaves before the end, which would wake everybody.
fn blocking_mpmc_many<O: Orderings + 'static>() {
    explore(1, || {
        let (producer, consumer) = sides(blocking_mpmc::ring_with::<_, O>(2));
        let (other_producer, other_consumer) =
            (Side::new(producer.clone()), Side::new(consumer.clone()));
        let popping = thread::spawn(move || other_consumer.pop().unwrap());
        let pushing = [(producer, 0), (other_producer, 1)].map(|(producer, item)| {
            thread::spawn(move || {
                producer.push(item).unwrap();
                producer
            })
        });
        let mut arrived = [consumer.pop().unwrap(), popping.join().unwrap()];
        arrived.sort_unstable();
        assert_eq!(arrived, [0, 1], "what arrived");
        for pushing in pushing {
            drop(pushing.join().unwrap());
        }
    });
}

/// The same from the other end: two threads that push into a full ring, and two that make room.
fn blocking_mpmc_many_full<O: Orderings + 'static>() {
    explore(1, || {
        let (producer, consumer) = sides(blocking_mpmc::ring_with::<_, O>(2));
        (0..2).for_each(|item| producer.push(item).unwrap());
        let (other_producer, other_consumer) =
            (Side::new(producer.clone()), Side::new(consumer.clone()));
        let pushing = thread::spawn(move || other_producer.push(2).unwrap());
        let popping = [consumer, other_consumer].map(|consumer| {
            thread::spawn(move || {
                let item: u32 = consumer.pop().unwrap();
                (item, consumer)
            })
        });
        producer.push(3).unwrap();
        pushing.join().unwrap();
        let [(first, consumer), (second, _)] = popping.map(|popping| popping.join().unwrap());
        let mut arrived = [first, second, consumer.pop().unwrap(), consumer.pop().unwrap()];
        arrived.sort_unstable();
        assert_eq!(arrived, [0, 1, 2, 3], "what arrived");
    });
}

#[test]
fn blocking_mpmc_loses_no_wake_up() {
    blocking_mpmc_stream::<AcquireRelease>();
    blocking_mpmc_many::<AcquireRelease>();
    blocking_mpmc_many_full::<AcquireRelease>();
}

/// Two consumers that sleep in front of an empty ring both hear that the last producer has
/// gone.
#[test]
fn blocking_mpmc_wakes_all_that_are_left() {
    explore(2, || {
        let (producer, consumer) = sides(blocking_mpmc::ring::<u32>(1));
        let other = Side::new(consumer.clone());
        let popping = thread::spawn(move || other.pop());
        let leaving = thread::spawn(move || drop(producer));
        assert!(consumer.pop().is_err());
        assert!(popping.join().unwrap().is_err());
        leaving.join().unwrap();
    });
}

/// One model for each ordering that is weaker than it has to be.
mod weakened {
    use super::*;

    macro_rules! breaks {
        ($($name:ident: $model:expr, $says:literal;)*) => {
            $(
                #[test]
                #[should_panic(expected = $says)]
                fn $name() {
                    $model;
                }
            )*
        };
    }
    breaks! {
        spsc_written_store: spsc_stream::<WrittenStore>(), "Causality violation";
        spsc_written_load: spsc_stream::<WrittenLoad>(), "Causality violation";
        spsc_taken_store: spsc_stream::<TakenStore>(), "Causality violation";
        spsc_taken_load: spsc_stream::<TakenLoad>(), "Causality violation";
        spsc_gone_store: spsc_stream::<GoneStore>(), "what arrived";
        spsc_gone_load: spsc_stream::<GoneLoad>(), "what arrived";
        mpmc_written_store: mpmc_stream::<WrittenStore>(1), "Causality violation";
        mpmc_written_load: mpmc_stream::<WrittenLoad>(1), "Causality violation";
        mpmc_taken_store: mpmc_stream::<TakenStore>(1), "Causality violation";
        mpmc_taken_load: mpmc_stream::<TakenLoad>(1), "Causality violation";
        mpmc_gone_store: mpmc_stream::<GoneStore>(2), "what arrived";
        mpmc_gone_load: mpmc_stream::<GoneLoad>(2), "what arrived";
        blocking_sleep_fence: blocking_stream::<SleepFence>(), "deadlock";
        blocking_mpmc_sleep_fence: blocking_mpmc_stream::<SleepFence>(), "deadlock";
    }
}

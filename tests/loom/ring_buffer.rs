//! Models of the rings: those whose threads spin, and those whose threads sleep.
//!
//! `.ci/breaks/ring_buffer.toml` weakens each ordering in turn, and names the model that fails
//! then.

use crate::explore;
use loom::alloc::Track;
use loom::sync::Arc;
use loom::thread;
use perf_proved::concurrency::ring_buffer::experiment::{mpmc_from, spsc_from};
use perf_proved::concurrency::ring_buffer::shared::{Padded, Shared};
use perf_proved::concurrency::ring_buffer::{blocking, blocking_mpmc, spsc};
use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};
use std::sync::mpsc::TryRecvError::{self, Disconnected, Empty};
use std::sync::mpsc::TrySendError::{self, Full};

/// One end of a ring. It is dropped, unless its model is failing: loom's types are unusable then,
/// and a second panic would abort the process.
struct End<T>(ManuallyDrop<T>);

impl<T> End<T> {
    fn new(end: T) -> Self {
        Self(ManuallyDrop::new(end))
    }
}

impl<T> Deref for End<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for End<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T> Drop for End<T> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // SAFETY: nothing else drops it.
            unsafe { ManuallyDrop::drop(&mut self.0) };
        }
    }
}

/// Wraps both ends of a ring.
fn ends<P, C>((producer, consumer): (P, C)) -> (End<P>, End<C>) {
    (End::new(producer), End::new(consumer))
}

/// Pushes the items `0..items`, and retries each until there is room.
fn push_all(items: u32, mut push: impl FnMut(u32) -> Result<(), TrySendError<u32>>) {
    for mut item in 0..items {
        while let Err(Full(refused)) = push(item) {
            item = refused;
            thread::yield_now();
        }
    }
}

/// Pops until the producers have disconnected, and returns the items.
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

/// Three items through a ring of two, whose counters wrap around meanwhile: all arrive once, in
/// order, the last one before the disconnect.
#[test]
fn spsc_loses_nothing() {
    explore(3, || {
        let (mut producer, mut consumer) = ends(spsc_from(2, usize::MAX - 1));
        let pushing = thread::spawn(move || push_all(3, |item| producer.push(item)));
        assert_eq!(pop_all(|| consumer.pop()), [0, 1, 2], "what arrived");
        pushing.join().unwrap();
    });
}

/// As above, in batches. The items are numbers, because a slice is copied.
#[test]
fn spsc_batches_lose_nothing() {
    explore(3, || {
        let (mut producer, mut consumer) = ends(spsc_from::<u32>(2, usize::MAX));
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

/// The last end to be dropped drops the items that are left: loom reports an item that leaks.
#[test]
fn spsc_drops_what_is_left() {
    explore(3, || {
        let (mut producer, mut consumer) = ends(spsc::ring(2));
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

/// Two items through a shared ring of one, by one producer and one consumer.
#[test]
fn shared_loses_nothing() {
    explore(3, || {
        let ring = Arc::new(Shared::<u32, Padded>::new(1));
        let theirs = ring.clone();
        let pushing = thread::spawn(move || {
            // SAFETY: this is the only thread that pushes.
            push_all(2, |item| unsafe { theirs.push(item) }.map_err(Full));
        });
        let mut arrived = vec![];
        while arrived.len() < 2 {
            // SAFETY: this is the only thread that pops.
            arrived.extend(unsafe { ring.pop() });
            thread::yield_now();
        }
        assert_eq!(arrived, [0, 1], "what arrived");
        pushing.join().unwrap();
    });
}

/// Two threads that push, which a comment forbids and no type prevents.
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

/// Two items through a ring of one and of two: they arrive in order, the last one before the
/// disconnect.
#[test]
fn mpmc_loses_nothing() {
    for capacity in [1, 2] {
        explore(3, move || {
            let (producer, consumer) = ends(mpmc_from(capacity, usize::MAX));
            let pushing = thread::spawn(move || push_all(2, |item| producer.push(item)));
            assert_eq!(pop_all(|| consumer.pop()), [0, 1], "what arrived");
            pushing.join().unwrap();
        });
    }
}

/// Each producer tries to push two items and each consumer tries to pop twice, without a retry. The
/// first producer and the first consumer are one thread. Each accepted item has arrived once or is
/// still in the ring, and each consumer gets the items of one producer in order.
fn mpmc_attempts(producers: u32, consumers: u32, capacity: usize) {
    // Three threads have too many interleavings for more than one preemption.
    let preemptions = if producers + consumers > 3 { 1 } else { 2 };
    explore(preemptions, move || {
        let (producer, consumer) = mpmc_from(capacity, usize::MAX);
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

/// Two items through a ring of one, so that both threads have to sleep. After a lost wake-up no
/// thread can run.
#[test]
fn blocking_loses_no_wake_up() {
    explore(3, || {
        let (mut producer, mut consumer) = ends(blocking::ring(1));
        let pushing = thread::spawn(move || (0..2).for_each(|item| producer.push(item).unwrap()));
        let arrived: Vec<u32> = std::iter::from_fn(|| consumer.pop().ok()).collect();
        assert_eq!(arrived, [0, 1], "what arrived");
        pushing.join().unwrap();
    });
}

/// A producer that sleeps in front of a full ring wakes when the consumer is dropped.
#[test]
fn blocking_wakes_the_producer_at_a_disconnect() {
    explore(3, || {
        let (mut producer, consumer) = ends(blocking::ring::<u32>(1));
        let pushing = thread::spawn(move || (producer.push(1), producer.push(2)));
        drop(consumer);
        let (first, second) = pushing.join().unwrap();
        assert!(second.is_err(), "{first:?}");
    });
}

/// As [`blocking_loses_no_wake_up`], through the MPMC ring and up to the disconnect.
fn blocking_mpmc_stream() {
    explore(3, || {
        let (producer, consumer) = ends(blocking_mpmc::ring(1));
        let pushing = thread::spawn(move || (0..2).for_each(|item| producer.push(item).unwrap()));
        let arrived: Vec<u32> = std::iter::from_fn(|| consumer.pop().ok()).collect();
        assert_eq!(arrived, [0, 1], "what arrived");
        pushing.join().unwrap();
    });
}

/// Two threads that push one item each, and two that pop one each. While both consumers sleep, the
/// second item may be ready first, and wakes a consumer in vain. No producer is dropped before the
/// end, since that would wake all consumers.
fn blocking_mpmc_many() {
    explore(1, || {
        let (producer, consumer) = ends(blocking_mpmc::ring(2));
        let (other_producer, other_consumer) =
            (End::new(producer.clone()), End::new(consumer.clone()));
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

/// The same at the other end: two threads that push into a full ring, and two that make room.
fn blocking_mpmc_many_full() {
    explore(1, || {
        let (producer, consumer) = ends(blocking_mpmc::ring(2));
        (0..2).for_each(|item| producer.push(item).unwrap());
        let (other_producer, other_consumer) =
            (End::new(producer.clone()), End::new(consumer.clone()));
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
    blocking_mpmc_stream();
    blocking_mpmc_many();
    blocking_mpmc_many_full();
}

/// Two consumers that sleep in front of an empty ring both wake when the last producer is dropped.
#[test]
fn blocking_mpmc_wakes_all_that_are_left() {
    explore(2, || {
        let (producer, consumer) = ends(blocking_mpmc::ring::<u32>(1));
        let other = End::new(consumer.clone());
        let popping = thread::spawn(move || other.pop());
        let leaving = thread::spawn(move || drop(producer));
        assert!(consumer.pop().is_err());
        assert!(popping.join().unwrap().is_err());
        leaving.join().unwrap();
    });
}

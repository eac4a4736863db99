//! Any number of producers and consumers, and whoever has nothing to do sleeps.
//!
//! One push wakes one consumer. That is not enough by itself: items can become ready out of order,
//! and only the first one's producer wakes somebody with success. So whoever has slept looks, when
//! it has taken its item, whether there is another one, and wakes the next sleeper for it.

use super::bed::Beds;
use super::{AcquireRelease, Orderings, mpmc};
use crate::concurrency::sync::Arc;
use std::sync::mpsc::{RecvError, SendError, TryRecvError, TrySendError};

/// A ring that holds up to `capacity` items; it is allocated here, and nothing is later.
///
/// ```
/// use perf_proved::concurrency::ring_buffer::blocking_mpmc;
///
/// let (producer, consumer) = blocking_mpmc::ring(4);
/// std::thread::scope(|scope| {
///     for part in [0..500, 500..1000] {
///         let producer = producer.clone();
///         scope.spawn(move || part.for_each(|item| producer.push(item).unwrap()));
///     }
///     drop(producer);
///     assert_eq!(std::iter::from_fn(|| consumer.pop().ok()).sum::<u32>(), 499_500);
/// });
/// ```
///
/// # Panics
///
/// If the capacity is 0, or more than there can be slots.
pub fn ring<T>(capacity: usize) -> (Producer<T>, Consumer<T>) {
    ring_with(capacity)
}

/// As [`ring`], with orderings to choose.
#[doc(hidden)]
pub fn ring_with<T, O: Orderings>(capacity: usize) -> (Producer<T, O>, Consumer<T, O>) {
    let (producer, consumer) = mpmc::ring_from(capacity, 0);
    let beds = Arc::new(Beds::new());
    (
        Producer { ring: producer, beds: WakesConsumers(beds.clone()) },
        Consumer { ring: consumer, beds: WakesProducers(beds) },
    )
}

/// A side that pushes. There may be several.
pub struct Producer<T, O: Orderings = AcquireRelease> {
    ring: mpmc::Producer<T, O>,
    /// After `ring`, so that it is dropped after it: whoever is woken sees that this producer has
    /// gone.
    beds: WakesConsumers<O>,
}

/// A side that pops. There may be several.
pub struct Consumer<T, O: Orderings = AcquireRelease> {
    ring: mpmc::Consumer<T, O>,
    /// As the producer's.
    beds: WakesProducers<O>,
}

struct WakesConsumers<O: Orderings>(Arc<Beds<O>>);

struct WakesProducers<O: Orderings>(Arc<Beds<O>>);

impl<T, O: Orderings> Producer<T, O> {
    // ANCHOR: push
    /// Puts an item in, and waits while the ring is full. Makes a system call only to sleep, or to
    /// wake somebody.
    ///
    /// # Errors
    ///
    /// The item comes back if the ring is full and all consumers are gone.
    pub fn push(&self, mut item: T) -> Result<(), SendError<T>> {
        let (beds, mut slept) = (&self.beds.0, false);
        loop {
            match self.ring.push(item) {
                Ok(()) => {
                    beds.consumers.0.wake();
                    if slept {
                        beds.producers.0.pass_on(|| self.ring.may_push()); // woken for one slot, and there may be more
                    }
                    return Ok(());
                }
                Err(TrySendError::Disconnected(item)) => return Err(SendError(item)),
                Err(TrySendError::Full(back)) => item = back,
            }
            beds.producers.0.sleep_until(|| self.ring.may_push());
            slept = true;
        }
    }
    // ANCHOR_END: push
}

impl<T, O: Orderings> Consumer<T, O> {
    /// Takes the oldest item out, and waits while there is none. Makes a system call only to sleep,
    /// or to wake somebody.
    ///
    /// # Errors
    ///
    /// If nothing is inside and all producers are gone.
    pub fn pop(&self) -> Result<T, RecvError> {
        let (beds, mut slept) = (&self.beds.0, false);
        loop {
            match self.ring.pop() {
                Ok(item) => {
                    beds.producers.0.wake();
                    if slept {
                        beds.consumers.0.pass_on(|| self.ring.may_pop()); // woken for one item, and there may be more
                    }
                    return Ok(item);
                }
                Err(TryRecvError::Disconnected) => return Err(RecvError),
                Err(TryRecvError::Empty) => {}
            }
            beds.consumers.0.sleep_until(|| self.ring.may_pop());
            slept = true;
        }
    }
}

impl<T, O: Orderings> Clone for Producer<T, O> {
    fn clone(&self) -> Self {
        Self { ring: self.ring.clone(), beds: WakesConsumers(self.beds.0.clone()) }
    }
}

impl<T, O: Orderings> Clone for Consumer<T, O> {
    fn clone(&self) -> Self {
        Self { ring: self.ring.clone(), beds: WakesProducers(self.beds.0.clone()) }
    }
}

impl<O: Orderings> Drop for WakesConsumers<O> {
    fn drop(&mut self) {
        self.0.consumers.0.wake_all();
    }
}

impl<O: Orderings> Drop for WakesProducers<O> {
    fn drop(&mut self) {
        self.0.producers.0.wake_all();
    }
}

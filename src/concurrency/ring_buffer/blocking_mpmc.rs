//! Any number of producers and consumers, which sleep while they cannot go on.
//!
//! A push wakes one consumer. That alone is not enough: items can become ready out of order, and
//! then the second item's producer wakes a consumer in vain, while the first one's wakes a single
//! consumer for both items. So a consumer that has slept checks, once it has its item, whether
//! another one is ready, and wakes the next sleeper for it. Producers do the same for free slots.

use super::capacity::{CapacityError, expect};
use super::event_count::EventCounts;
use super::mpmc;
use crate::concurrency::sync::Arc;
use std::sync::mpsc::{RecvError, SendError, TryRecvError, TrySendError};

/// Creates a ring that holds up to `capacity` items. All its memory is allocated here.
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
/// If [`try_ring`] returns an error.
pub fn ring<T>(capacity: usize) -> (Producer<T>, Consumer<T>) {
    expect(try_ring(capacity))
}

/// Creates a ring as [`ring`] does, or returns the reason why it cannot be made.
///
/// # Errors
///
/// If `capacity` is 0, or larger than memory has room for.
pub fn try_ring<T>(capacity: usize) -> Result<(Producer<T>, Consumer<T>), CapacityError> {
    let ring = mpmc::Ring::new(capacity, 0)?;
    let shared = Arc::new(Shared { ring, events: EventCounts::new() });
    Ok((Producer(shared.clone()), Consumer(shared)))
}

/// The ring, and where its threads sleep.
struct Shared<T> {
    ring: mpmc::Ring<T>,
    events: EventCounts,
}

/// A producing end of a ring. Clone it for another producer.
pub struct Producer<T>(Arc<Shared<T>>);

/// A consuming end of a ring. Clone it for another consumer.
pub struct Consumer<T>(Arc<Shared<T>>);

impl<T> Producer<T> {
    // ANCHOR: push
    /// Pushes `item`, and sleeps while the ring is full. Makes a system call only to
    /// sleep or to wake another thread.
    ///
    /// # Errors
    ///
    /// Returns `item` if the ring is full and all consumers have been dropped.
    pub fn push(&self, mut item: T) -> Result<(), SendError<T>> {
        let (Shared { ring, events }, mut slept) = (&*self.0, false);
        loop {
            match ring.try_push(item) {
                Ok(()) => {
                    events.not_empty.0.notify_one();
                    if slept {
                        // Woken for one free slot, and there may be more.
                        events.not_full.0.notify_next_if(|| ring.may_push());
                    }
                    return Ok(());
                }
                Err(TrySendError::Disconnected(item)) => return Err(SendError(item)),
                Err(TrySendError::Full(refused)) => item = refused,
            }
            events.not_full.0.wait_until(|| ring.may_push());
            slept = true;
        }
    }
    // ANCHOR_END: push
}

impl<T> Consumer<T> {
    /// Pops the oldest item, and sleeps while the ring is empty. Makes a system call only to sleep
    /// or to wake another thread.
    ///
    /// # Errors
    ///
    /// If the ring is empty and all producers have been dropped.
    pub fn pop(&self) -> Result<T, RecvError> {
        let (Shared { ring, events }, mut slept) = (&*self.0, false);
        loop {
            match ring.try_pop() {
                Ok(item) => {
                    events.not_full.0.notify_one();
                    if slept {
                        // Woken for one item, and there may be more.
                        events.not_empty.0.notify_next_if(|| ring.may_pop());
                    }
                    return Ok(item);
                }
                Err(TryRecvError::Disconnected) => return Err(RecvError),
                Err(TryRecvError::Empty) => {}
            }
            events.not_empty.0.wait_until(|| ring.may_pop());
            slept = true;
        }
    }
}

impl<T> Clone for Producer<T> {
    fn clone(&self) -> Self {
        self.0.ring.add_producer();
        Self(self.0.clone())
    }
}

impl<T> Clone for Consumer<T> {
    fn clone(&self) -> Self {
        self.0.ring.add_consumer();
        Self(self.0.clone())
    }
}

impl<T> Drop for Producer<T> {
    fn drop(&mut self) {
        // Only the last producer has news for the consumers.
        if self.0.ring.remove_producer() {
            self.0.events.not_empty.0.notify_all();
        }
    }
}

impl<T> Drop for Consumer<T> {
    fn drop(&mut self) {
        // Only the last consumer has news for the producers.
        if self.0.ring.remove_consumer() {
            self.0.events.not_full.0.notify_all();
        }
    }
}

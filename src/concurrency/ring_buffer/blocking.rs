//! One producer and one consumer. A side that cannot proceed sleeps.
//!
//! Sleeping needs one thing that spinning does not. Each side writes one word and then reads the
//! other's: the producer writes `tail` and reads the number of sleepers, the consumer writes that
//! number and reads `tail`. With release and acquire alone both may read the old value; then the
//! consumer sleeps and the producer does not wake it. A sequentially consistent fence on each side
//! rules that out. Every item pays for the fence, which is why this is a type of its own.

use super::capacity::{CapacityError, expect};
use super::event_count::EventCounts;
use super::spsc;
use crate::concurrency::sync::Arc;
use std::sync::mpsc::{RecvError, SendError, TryRecvError, TrySendError};

/// Creates a ring that holds up to `capacity` items. All its memory is allocated here.
///
/// ```
/// use perf_proved::concurrency::ring_buffer::blocking;
///
/// let (mut producer, mut consumer) = blocking::ring(4);
/// std::thread::scope(|scope| {
///     scope.spawn(move || (0..1000).for_each(|item| producer.push(item).unwrap()));
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
    let (producer, consumer) = spsc::try_ring(capacity)?;
    let events = Arc::new(EventCounts::new());
    Ok((Producer { ring: producer, events: events.clone() }, Consumer { ring: consumer, events }))
}

/// The producing end of a ring.
pub struct Producer<T> {
    ring: spsc::Producer<T>,
    events: Arc<EventCounts>,
}

/// The consuming end of a ring.
pub struct Consumer<T> {
    ring: spsc::Consumer<T>,
    events: Arc<EventCounts>,
}

impl<T> Producer<T> {
    /// Pushes `item`, and sleeps while the ring is full. Makes a system call only to sleep or to
    /// wake the consumer.
    ///
    /// # Errors
    ///
    /// Returns `item` if the ring is full and the consumer has been dropped.
    pub fn push(&mut self, mut item: T) -> Result<(), SendError<T>> {
        loop {
            match self.ring.push(item) {
                Ok(()) => {
                    self.events.not_empty.0.notify_one();
                    return Ok(());
                }
                Err(TrySendError::Disconnected(item)) => return Err(SendError(item)),
                Err(TrySendError::Full(refused)) => item = refused,
            }
            let ring = &mut self.ring;
            self.events.not_full.0.wait_until(|| ring.room() > 0 || ring.is_disconnected());
        }
    }
}

impl<T> Consumer<T> {
    /// Pops the oldest item, and sleeps while the ring is empty. Makes a system call only to sleep
    /// or to wake the producer.
    ///
    /// # Errors
    ///
    /// If the ring is empty and the producer has been dropped.
    pub fn pop(&mut self) -> Result<T, RecvError> {
        loop {
            match self.ring.pop() {
                Ok(item) => {
                    self.events.not_full.0.notify_one();
                    return Ok(item);
                }
                Err(TryRecvError::Disconnected) => return Err(RecvError),
                Err(TryRecvError::Empty) => {}
            }
            let ring = &mut self.ring;
            self.events.not_empty.0.wait_until(|| ring.items() > 0 || ring.is_disconnected());
        }
    }
}

impl<T> Drop for Producer<T> {
    fn drop(&mut self) {
        self.ring.disconnect();
        self.events.not_empty.0.notify_one();
    }
}

impl<T> Drop for Consumer<T> {
    fn drop(&mut self) {
        self.ring.disconnect();
        self.events.not_full.0.notify_one();
    }
}

//! One producer, one consumer, and whoever has nothing to do sleeps.
//!
//! Sleeping needs one thing that spinning does not. Each side writes something and then reads what
//! the other one wrote: the producer `tail` and whether the consumer sleeps, the consumer that it
//! sleeps and `tail`. With release and acquire alone both may read the old value, and then one
//! sleeps and nobody wakes it. A sequentially consistent fence on each side forbids that, and has
//! to be paid for with every item: so this is a type of its own.

use super::bed::Beds;
use super::{AcquireRelease, Orderings, spsc};
use crate::concurrency::sync::Arc;
use std::sync::mpsc::{RecvError, SendError, TryRecvError, TrySendError};

/// A ring that holds up to `capacity` items; it is allocated here, and nothing is later.
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
/// If the capacity is 0, or more than there can be slots.
pub fn ring<T>(capacity: usize) -> (Producer<T>, Consumer<T>) {
    ring_with(capacity)
}

/// As [`ring`], with orderings to choose.
#[doc(hidden)]
pub fn ring_with<T, O: Orderings>(capacity: usize) -> (Producer<T, O>, Consumer<T, O>) {
    let (producer, consumer) = spsc::ring_from(capacity, 0);
    let beds = Arc::new(Beds::new());
    (Producer { ring: producer, beds: beds.clone() }, Consumer { ring: consumer, beds })
}

/// The side that pushes.
pub struct Producer<T, O: Orderings = AcquireRelease> {
    ring: spsc::Producer<T, O>,
    beds: Arc<Beds<O>>,
}

/// The side that pops.
pub struct Consumer<T, O: Orderings = AcquireRelease> {
    ring: spsc::Consumer<T, O>,
    beds: Arc<Beds<O>>,
}

impl<T, O: Orderings> Producer<T, O> {
    /// Puts an item in, and waits while the ring is full. Makes a system call only to sleep, or to
    /// wake the consumer.
    ///
    /// # Errors
    ///
    /// The item comes back if the ring is full and the consumer is gone.
    pub fn push(&mut self, mut item: T) -> Result<(), SendError<T>> {
        loop {
            match self.ring.push(item) {
                Ok(()) => {
                    self.beds.consumers.0.wake();
                    return Ok(());
                }
                Err(TrySendError::Disconnected(item)) => return Err(SendError(item)),
                Err(TrySendError::Full(back)) => item = back,
            }
            let ring = &mut self.ring;
            self.beds.producers.0.sleep_until(|| ring.room() > 0 || ring.consumer_gone());
        }
    }
}

impl<T, O: Orderings> Consumer<T, O> {
    /// Takes the oldest item out, and waits while there is none. Makes a system call only to sleep,
    /// or to wake the producer.
    ///
    /// # Errors
    ///
    /// If nothing is inside and the producer is gone.
    pub fn pop(&mut self) -> Result<T, RecvError> {
        loop {
            match self.ring.pop() {
                Ok(item) => {
                    self.beds.producers.0.wake();
                    return Ok(item);
                }
                Err(TryRecvError::Disconnected) => return Err(RecvError),
                Err(TryRecvError::Empty) => {}
            }
            let ring = &mut self.ring;
            self.beds.consumers.0.sleep_until(|| ring.items() > 0 || ring.producer_gone());
        }
    }
}

impl<T, O: Orderings> Drop for Producer<T, O> {
    fn drop(&mut self) {
        self.ring.close();
        self.beds.consumers.0.wake();
    }
}

impl<T, O: Orderings> Drop for Consumer<T, O> {
    fn drop(&mut self) {
        self.ring.close();
        self.beds.producers.0.wake();
    }
}

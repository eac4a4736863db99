//! One producer, one consumer, and whoever has nothing to do sleeps.
//!
//! Sleeping needs one thing that spinning does not. Each side writes something and then reads what the other one wrote: the
//! producer `tail` and whether the consumer sleeps, the consumer that it sleeps and `tail`. With release and acquire alone both
//! may read the old value, and then one sleeps and nobody wakes it. A sequentially consistent fence on each side forbids that, and
//! has to be paid for with every item: so this is a type of its own.

use super::{AcquireRelease, Orderings, spsc};
use crate::concurrency::sync::{Arc, AtomicBool, Condvar, Mutex, fence};
use crate::memory::cache_lines::CachePadded;
use std::marker::PhantomData;
use std::sync::PoisonError;
use std::sync::atomic::Ordering::Relaxed;
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
/// If the capacity is 0.
pub fn ring<T>(capacity: usize) -> (Producer<T>, Consumer<T>) {
    ring_with(capacity)
}

/// As [`ring`], with orderings to choose.
#[doc(hidden)]
pub fn ring_with<T, O: Orderings>(capacity: usize) -> (Producer<T, O>, Consumer<T, O>) {
    let (producer, consumer) = spsc::ring_from(capacity, 0);
    let beds = Arc::new(Beds { producer: CachePadded(Bed::new()), consumer: CachePadded(Bed::new()) });
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

/// Where each side sleeps.
struct Beds<O> {
    producer: CachePadded<Bed<O>>,
    consumer: CachePadded<Bed<O>>,
}

/// Where one thread sleeps until another one wakes it.
struct Bed<O> {
    /// Set before the last look at the ring, by the one that goes to sleep.
    asleep: AtomicBool,
    /// Held from before that last look until asleep, so that nobody calls in between.
    lock: Mutex<()>,
    called: Condvar,
    orderings: PhantomData<fn() -> O>,
}

impl<O: Orderings> Bed<O> {
    // ANCHOR: bed
    /// Sleeps until `ready`, which the other side makes true before it calls [`wake`](Self::wake).
    #[cold]
    fn sleep_until(&self, mut ready: impl FnMut() -> bool) {
        let mut lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            self.asleep.store(true, Relaxed);
            fence(O::SLEEP_FENCE); // pairs with the one in `wake`: either that sees `asleep`, or `ready` sees what it tells
            if ready() {
                break;
            }
            lock = self.called.wait(lock).unwrap_or_else(PoisonError::into_inner);
        }
        self.asleep.store(false, Relaxed);
    }

    /// Wakes the one that sleeps here, if it does.
    fn wake(&self) {
        fence(O::SLEEP_FENCE); // pairs with the one in `sleep_until`
        if self.asleep.load(Relaxed) {
            let lock = self.lock.lock(); // poisoned or not: it sleeps now, or has seen that it need not
            self.asleep.store(false, Relaxed); // one call is enough
            drop(lock);
            self.called.notify_one();
        }
    }
    // ANCHOR_END: bed

    fn new() -> Self {
        Self { asleep: AtomicBool::new(false), lock: Mutex::new(()), called: Condvar::new(), orderings: PhantomData }
    }
}

impl<T, O: Orderings> Producer<T, O> {
    /// Puts an item in, and waits while the ring is full. Makes a system call only to sleep, or to wake the consumer.
    ///
    /// # Errors
    ///
    /// The item comes back if the ring is full and the consumer is gone.
    pub fn push(&mut self, mut item: T) -> Result<(), SendError<T>> {
        loop {
            match self.ring.push(item) {
                Ok(()) => {
                    self.beds.consumer.0.wake();
                    return Ok(());
                }
                Err(TrySendError::Disconnected(item)) => return Err(SendError(item)),
                Err(TrySendError::Full(back)) => item = back,
            }
            let ring = &mut self.ring;
            self.beds.producer.0.sleep_until(|| ring.room() > 0 || ring.consumer_gone());
        }
    }
}

impl<T, O: Orderings> Consumer<T, O> {
    /// Takes the oldest item out, and waits while there is none. Makes a system call only to sleep, or to wake the producer.
    ///
    /// # Errors
    ///
    /// If nothing is inside and the producer is gone.
    pub fn pop(&mut self) -> Result<T, RecvError> {
        loop {
            match self.ring.pop() {
                Ok(item) => {
                    self.beds.producer.0.wake();
                    return Ok(item);
                }
                Err(TryRecvError::Disconnected) => return Err(RecvError),
                Err(TryRecvError::Empty) => {}
            }
            let ring = &mut self.ring;
            self.beds.consumer.0.sleep_until(|| ring.items() > 0 || ring.producer_gone());
        }
    }
}

impl<T, O: Orderings> Drop for Producer<T, O> {
    fn drop(&mut self) {
        self.ring.close();
        self.beds.consumer.0.wake();
    }
}

impl<T, O: Orderings> Drop for Consumer<T, O> {
    fn drop(&mut self) {
        self.ring.close();
        self.beds.producer.0.wake();
    }
}

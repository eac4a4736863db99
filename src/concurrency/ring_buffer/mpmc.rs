//! Any number of producers and consumers, after Dmitry Vyukov's [bounded queue][vyukov]: each slot
//! has a stamp that says which push or pop may use it next.
//!
//! A position has the slot in its lower bits and, in its upper ones, the lap: how often the counter
//! has gone round the ring ("lap" and "stamp" are the words of crossbeam's `ArrayQueue`). The stamp
//! of an empty slot is the position of the push that may fill it; the stamp of a full slot is one
//! more. A pop sets the stamp to the same slot's position in the next lap. So full and empty never
//! look alike, and any capacity from 1 is exact.
//!
//! [vyukov]: https://www.1024cores.net/home/lock-free-algorithms/queues/bounded-mpmc-queue

use super::capacity::{CapacityError, allocate, expect, slots_for};
use crate::concurrency::sync::{Arc, AtomicUsize, Slot, drop_each};
use crate::memory::cache_lines::CachePadded;
use std::hint::spin_loop;
use std::marker::PhantomData;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{TryRecvError, TrySendError};

/// Creates a ring that holds up to `capacity` items. All its memory is allocated here.
///
/// ```
/// use perf_proved::concurrency::ring_buffer::mpmc;
///
/// let (producer, consumer) = mpmc::ring(8);
/// std::thread::scope(|scope| {
///     for part in [0..4, 4..8] {
///         let producer = producer.clone();
///         scope.spawn(move || part.for_each(|item| producer.push(item).unwrap()));
///     }
/// });
/// assert_eq!((0..8).filter_map(|_| consumer.pop().ok()).sum::<u32>(), 28);
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
    Ring::new(capacity, 0).map(ends)
}

/// Returns the two ends of `ring`.
pub(super) fn ends<T, R: Retry>(ring: Ring<T, R>) -> (Producer<T, R>, Consumer<T, R>) {
    let ring = Arc::new(ring);
    (Producer(ring.clone()), Consumer(ring))
}

// ANCHOR: retry
/// The pause between a failed compare-exchange and the next attempt. A parameter, so that
/// the bench can leave it out.
pub trait Retry: Default {
    /// Waits, or returns at once.
    fn wait(&mut self);

    /// Waits, and then calls `next`.
    #[inline]
    fn wait_then<T>(&mut self, next: impl FnOnce() -> T) -> T {
        self.wait();
        next()
    }
}

/// Waits twice as long after each failure. Meanwhile the other thread has the cache lines
/// to itself.
#[derive(Default)]
pub struct BackOff(u32);
impl Retry for BackOff {
    #[cold]
    fn wait(&mut self) {
        (0..1 << self.0).for_each(|_| spin_loop());
        self.0 = (self.0 + 1).min(6); // up to 64 pauses
    }
}
// ANCHOR_END: retry

/// A slot and its stamp.
struct Stamped<T> {
    /// Written by the thread that has claimed the position: `position + 1` after its push,
    /// `position + one_lap` after the pop of that item.
    stamp: AtomicUsize,
    item: Slot<T>,
}

/// The state that all ends of a ring share.
pub(super) struct Ring<T, R = BackOff> {
    slots: Box<[Stamped<T>]>,
    /// A power of two, at least the number of slots.
    one_lap: usize,
    producers: AtomicUsize,
    consumers: AtomicUsize,
    /// The position of the next push. The thread that advances it has claimed that position.
    tail: CachePadded<AtomicUsize>,
    /// The position of the next pop.
    head: CachePadded<AtomicUsize>,
    retry: PhantomData<fn() -> R>,
}

/// A producing end of a ring. Clone it for another producer.
pub struct Producer<T, R: Retry = BackOff>(Arc<Ring<T, R>>);

/// A consuming end of a ring. Clone it for another consumer.
pub struct Consumer<T, R: Retry = BackOff>(Arc<Ring<T, R>>);

impl<T, R: Retry> Producer<T, R> {
    /// Pushes `item`. Makes no system call and allocates nothing.
    ///
    /// # Errors
    ///
    /// Returns `item` in `Full` if the next slot still holds an item, even one that a consumer is
    /// about to take out; in `Disconnected` if, besides, all consumers have been dropped.
    #[inline]
    pub fn push(&self, item: T) -> Result<(), TrySendError<T>> {
        self.0.try_push(item)
    }
}

impl<T, R: Retry> Consumer<T, R> {
    /// Pops the oldest item. Makes no system call and allocates nothing.
    ///
    /// # Errors
    ///
    /// `Empty` if the next slot holds no item yet: a producer that is stopped in the middle of a
    /// push holds up the items behind its own. `Disconnected` if the ring is empty and all
    /// producers have been dropped.
    #[inline]
    pub fn pop(&self) -> Result<T, TryRecvError> {
        self.0.try_pop()
    }
}

impl<T, R: Retry> Ring<T, R> {
    /// Creates a ring whose counters start at the lap `lap`.
    pub(super) fn new(capacity: usize, lap: usize) -> Result<Self, CapacityError> {
        // Two slots at least, so that the stamp of a full slot is not that of an empty one in the
        // next lap.
        let one_lap = slots_for(capacity)?.max(2);
        let start = lap.wrapping_mul(one_lap);
        let slot = |index| Stamped {
            stamp: AtomicUsize::new(start.wrapping_add(index)),
            item: Slot::empty(),
        };
        Ok(Self {
            slots: allocate(capacity, capacity, slot)?,
            one_lap,
            producers: AtomicUsize::new(1),
            consumers: AtomicUsize::new(1),
            tail: CachePadded(AtomicUsize::new(start)),
            head: CachePadded(AtomicUsize::new(start)),
            retry: PhantomData,
        })
    }

    /// Pushes `item`, as [`Producer::push`] says.
    #[inline]
    pub(super) fn try_push(&self, item: T) -> Result<(), TrySendError<T>> {
        self.push(item).map_err(|item| self.refused(item))
    }

    /// Pops the oldest item, as [`Consumer::pop`] says.
    #[inline]
    pub(super) fn try_pop(&self) -> Result<T, TryRecvError> {
        self.pop().map_or_else(|| self.nothing(), Ok)
    }

    #[inline]
    // ANCHOR: push
    fn push(&self, item: T) -> Result<(), T> {
        // Relaxed, here and below: `tail` only hands out positions.
        let (mut tail, mut retry) = (self.tail.0.load(Ordering::Relaxed), R::default());
        loop {
            let slot = self.slot(tail);
            // Pairs with the Release store in `pop`: the slot is empty.
            let stamp = slot.stamp.load(Ordering::Acquire);
            tail = match stamp.wrapping_sub(tail).cast_signed() {
                0 => match self.claim(&self.tail.0, tail) {
                    Ok(_) => {
                        // SAFETY: the stamp says that the slot is empty, and only one
                        // thread claims a position.
                        unsafe { slot.item.write(item) };
                        // Pairs with the Acquire load in `pop`: the item is written.
                        slot.stamp.store(tail.wrapping_add(1), Ordering::Release);
                        return Ok(());
                    }
                    Err(current) => retry.wait_then(|| current),
                },
                ..0 => return Err(item), // the item of the lap before is still there
                1.. => retry.wait_then(|| self.tail.0.load(Ordering::Relaxed)), // was old
            };
        }
    }
    // ANCHOR_END: push

    #[inline]
    fn pop(&self) -> Option<T> {
        // Relaxed, as in `push`.
        let (mut head, mut retry) = (self.head.0.load(Ordering::Relaxed), R::default());
        loop {
            let slot = self.slot(head);
            // Pairs with the Release store in `push`: the item is written.
            let stamp = slot.stamp.load(Ordering::Acquire);
            head = match stamp.wrapping_sub(head.wrapping_add(1)).cast_signed() {
                0 => match self.claim(&self.head.0, head) {
                    Ok(_) => {
                        // SAFETY: the stamp says that the slot is full, and only one thread
                        // claims a position.
                        let item = unsafe { slot.item.take() };
                        // Pairs with the Acquire load in `push`: the slot is empty.
                        slot.stamp.store(head.wrapping_add(self.one_lap), Ordering::Release);
                        return Some(item);
                    }
                    Err(current) => retry.wait_then(|| current),
                },
                ..0 => return None,
                1.. => retry.wait_then(|| self.head.0.load(Ordering::Relaxed)),
            };
        }
    }

    /// Advances `counter` from `position` to the next one, or returns the counter's current value
    /// if another thread has been faster. May also fail without reason.
    #[inline]
    fn claim(&self, counter: &AtomicUsize, position: usize) -> Result<usize, usize> {
        let next = self.after(position);
        counter.compare_exchange_weak(position, next, Ordering::Relaxed, Ordering::Relaxed)
    }

    /// Returns the error for an `item` that found no room.
    #[cold]
    fn refused(&self, item: T) -> TrySendError<T> {
        match self.consumers.load(Ordering::Relaxed) {
            0 => TrySendError::Disconnected(item), // the producer reads nothing of the consumers'
            _ => TrySendError::Full(item),
        }
    }

    /// Returns the error for a pop that found no item, or the item if one has come meanwhile.
    #[cold]
    fn nothing(&self) -> Result<T, TryRecvError> {
        if !self.no_producer_left() {
            return Err(TryRecvError::Empty);
        }
        // The last producer may have pushed its last item after the pop above and before it was
        // dropped. No more can come now, so one more pop decides.
        self.pop().ok_or(TryRecvError::Disconnected)
    }

    fn no_producer_left(&self) -> bool {
        // Pairs with the Release subtractions in `remove_producer`: all pushes are visible.
        self.producers.load(Ordering::Acquire) == 0
    }

    /// Returns `true` if a push may succeed, or would return `Disconnected`.
    pub(super) fn may_push(&self) -> bool {
        let tail = self.tail.0.load(Ordering::Relaxed);
        let stamp = self.slot(tail).stamp.load(Ordering::Relaxed); // `push` looks again
        stamp.wrapping_sub(tail).cast_signed() >= 0 || self.consumers.load(Ordering::Relaxed) == 0
    }

    /// Returns `true` if a pop may succeed, or would return `Disconnected`.
    pub(super) fn may_pop(&self) -> bool {
        let head = self.head.0.load(Ordering::Relaxed);
        let stamp = self.slot(head).stamp.load(Ordering::Relaxed); // `pop` looks again
        stamp.wrapping_sub(head.wrapping_add(1)).cast_signed() >= 0 || self.no_producer_left()
    }

    #[inline]
    fn slot(&self, position: usize) -> &Stamped<T> {
        &self.slots[position & (self.one_lap - 1)]
    }

    /// Returns the position after `position`: the next slot, or the first slot of the next lap.
    #[inline]
    fn after(&self, position: usize) -> usize {
        let slot = position & (self.one_lap - 1);
        if slot + 1 < self.slots.len() {
            position + 1
        } else {
            (position - slot).wrapping_add(self.one_lap)
        }
    }
}

impl<T, R> Ring<T, R> {
    /// Counts one more producer. The caller is a producer, so the count is not 0.
    pub(super) fn add_producer(&self) {
        self.producers.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts one more consumer. The caller is a consumer, so the count is not 0.
    pub(super) fn add_consumer(&self) {
        self.consumers.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts one producer less. Returns `true` if it was the last.
    pub(super) fn remove_producer(&self) -> bool {
        // Pairs with the Acquire load in `no_producer_left`. A load that sees the last subtraction
        // sees what all producers did, because each subtraction continues the one before.
        self.producers.fetch_sub(1, Ordering::Release) == 1
    }

    /// Counts one consumer less. Returns `true` if it was the last.
    pub(super) fn remove_consumer(&self) -> bool {
        self.consumers.fetch_sub(1, Ordering::Relaxed) == 1 // as in `refused`
    }
}

impl<T, R: Retry> Clone for Producer<T, R> {
    fn clone(&self) -> Self {
        self.0.add_producer();
        Self(self.0.clone())
    }
}

impl<T, R: Retry> Clone for Consumer<T, R> {
    fn clone(&self) -> Self {
        self.0.add_consumer();
        Self(self.0.clone())
    }
}

impl<T, R: Retry> Drop for Producer<T, R> {
    fn drop(&mut self) {
        self.0.remove_producer();
    }
}

impl<T, R: Retry> Drop for Consumer<T, R> {
    fn drop(&mut self) {
        self.0.remove_consumer();
    }
}

impl<T, R> Drop for Ring<T, R> {
    fn drop(&mut self) {
        let one_lap = self.one_lap;
        let mut slots = self.slots.iter().enumerate();
        drop_each(|| {
            // Relaxed: this thread holds the ring alone, and `Arc` has ordered what the others did
            // before. No push or pop is half done.
            let is_full = |&(index, slot): &(usize, &Stamped<T>)| {
                slot.stamp.load(Ordering::Relaxed) & (one_lap - 1) != index
            };
            // SAFETY: the stamp of an empty slot is a position of that slot, so any other stamp
            // says that it is full. The iterator passes it once.
            slots.find(is_full).map(|(_, slot)| unsafe { slot.item.take() })
        });
    }
}

//! One producer, one consumer. Each is a type that cannot be cloned and whose methods take `&mut
//! self`, so "only one" is not a comment: a second producer does not compile.
//!
//! Each side keeps a cached copy of the other side's index. It reads the other side's cache line
//! only when the ring seems full or empty by that copy. Until then the line stays where it is. It
//! reads its own index from the ring: no other thread writes that line, so it is in its cache.

use super::capacity::{CapacityError, allocate, expect, slots_for};
use crate::concurrency::sync::{Arc, AtomicBool, AtomicUsize, Slot, drop_each};
use crate::memory::cache_lines::CachePadded;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{TryRecvError, TrySendError};

/// Creates a ring that holds up to `capacity` items. All its memory is allocated here.
///
/// ```
/// use perf_proved::concurrency::ring_buffer::spsc;
/// use std::sync::mpsc::{TryRecvError, TrySendError};
///
/// let (mut producer, mut consumer) = spsc::ring(1);
/// producer.push("a")?;
/// assert_eq!(producer.push("b"), Err(TrySendError::Full("b")));
/// drop(producer);
/// assert_eq!(consumer.pop(), Ok("a"));
/// assert_eq!(consumer.pop(), Err(TryRecvError::Disconnected));
/// # Ok::<(), TrySendError<&str>>(())
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
    ring_from(capacity, 0)
}

/// Creates a ring whose counters begin at `start`.
pub(super) fn ring_from<T>(
    capacity: usize,
    start: usize,
) -> Result<(Producer<T>, Consumer<T>), CapacityError> {
    let index = || CachePadded(AtomicUsize::new(start));
    let ring = Arc::new(Ring {
        slots: allocate(capacity, slots_for(capacity)?, |_| Slot::empty())?,
        capacity,
        producer_disconnected: AtomicBool::new(false),
        consumer_disconnected: AtomicBool::new(false),
        tail: index(),
        head: index(),
    });
    let producer = Producer { ring: ring.clone(), end: start.wrapping_add(capacity) };
    Ok((producer, Consumer { ring, cached_tail: start }))
}

// ANCHOR: types
/// The state that both ends share. The item number `n` is in the slot `n & (slots - 1)`
/// while `head <= n < tail`.
struct Ring<T> {
    slots: Box<[Slot<T>]>,
    /// At most the number of slots.
    capacity: usize,
    producer_disconnected: AtomicBool,
    consumer_disconnected: AtomicBool,
    /// The number of items pushed, wrapping around. Only the producer writes it.
    tail: CachePadded<AtomicUsize>,
    /// The number of items popped, wrapping around. Only the consumer writes it.
    head: CachePadded<AtomicUsize>,
}

/// The producing end. It fills cache lines of its own, wherever the consumer lies.
#[repr(align(128))]
pub struct Producer<T> {
    ring: Arc<Ring<T>>,
    /// The cached `ring.head` plus the capacity: there is room up to here, or beyond.
    end: usize,
}
// ANCHOR_END: types

/// The consuming end. It fills cache lines of its own, as the producer does.
#[repr(align(128))]
pub struct Consumer<T> {
    ring: Arc<Ring<T>>,
    /// `ring.tail` when it was last read: the ring holds the items up to here, or more.
    cached_tail: usize,
}

// ANCHOR: compiled
static_assertions::assert_impl_all!(Producer<u64>: Send);
static_assertions::assert_impl_all!(Consumer<u64>: Send);
static_assertions::assert_not_impl_any!(Producer<u64>: Clone);
static_assertions::assert_not_impl_any!(Consumer<u64>: Clone);
// Items that must stay in their thread keep both ends there.
static_assertions::assert_not_impl_any!(Producer<std::rc::Rc<()>>: Send);
// ANCHOR_END: compiled

impl<T> Producer<T> {
    // ANCHOR: push
    /// Pushes `item`. Makes no system call, allocates nothing, and never waits.
    ///
    /// # Errors
    ///
    /// Returns `item` in `Full`, or in `Disconnected` if the ring is full and the
    /// consumer has been dropped. While there is room, a push succeeds even without a
    /// consumer; the ring drops what is never popped.
    #[inline]
    pub fn push(&mut self, item: T) -> Result<(), TrySendError<T>> {
        let tail = self.tail();
        if self.end == tail && self.room() == 0 {
            return Err(match self.is_disconnected() {
                true => TrySendError::Disconnected(item),
                false => TrySendError::Full(item),
            });
        }
        // SAFETY: there is room, so this slot is empty, as the load in `room` has seen.
        // The consumer stays behind `tail`, and there is no other producer.
        unsafe { self.ring.slot(tail).write(item) };
        self.advance_to(tail.wrapping_add(1));
        Ok(())
    }
    // ANCHOR_END: push

    /// Pushes as many of `items` as there is room for, from the first on, and returns their number.
    /// The consumer sees all of them at once.
    pub fn push_slice(&mut self, items: &[T]) -> usize
    where
        T: Copy,
    {
        let tail = self.tail();
        if self.end.wrapping_sub(tail) < items.len() {
            self.room();
        }
        let items = &items[..items.len().min(self.end.wrapping_sub(tail))];
        let (first, second) = self.ring.slots(tail, items.len());
        for (slot, item) in first.iter().chain(second).zip(items) {
            // SAFETY: as in `push`, for each slot up to `end`.
            unsafe { slot.write(*item) };
        }
        self.advance_to(tail.wrapping_add(items.len()));
        items.len()
    }

    /// Returns the number of items pushed.
    #[inline]
    fn tail(&self) -> usize {
        self.ring.tail.0.load(Ordering::Relaxed) // only this producer writes it
    }

    /// Reads the consumer's index, and returns the room that it leaves.
    #[inline]
    pub(super) fn room(&mut self) -> usize {
        // Pairs with the Release store of `head`: the items before it are taken out.
        let head = self.ring.head.0.load(Ordering::Acquire);
        self.end = head.wrapping_add(self.ring.capacity);
        self.end.wrapping_sub(self.tail())
    }

    /// Makes the slots before `tail`, which are written, the consumer's.
    #[inline]
    fn advance_to(&mut self, tail: usize) {
        // Pairs with the Acquire load of `tail`: the items before it are written.
        self.ring.tail.0.store(tail, Ordering::Release);
    }

    /// Returns `true` if the consumer has been dropped.
    pub(super) fn is_disconnected(&self) -> bool {
        // Relaxed: nothing else of the consumer's is read.
        self.ring.consumer_disconnected.load(Ordering::Relaxed)
    }

    /// Returns `tail`, and the room up to the cached limit.
    pub(super) fn known(&self) -> (usize, usize) {
        (self.tail(), self.end.wrapping_sub(self.tail()))
    }

    /// Tells the consumer that no more items will come.
    pub(super) fn disconnect(&mut self) {
        // Pairs with the Acquire load in the consumer's `is_disconnected`.
        self.ring.producer_disconnected.store(true, Ordering::Release);
    }
}

impl<T> Consumer<T> {
    /// Pops the oldest item. Makes no system call, allocates nothing, and never waits.
    ///
    /// # Errors
    ///
    /// `Empty`, or `Disconnected` if the ring is empty and the producer has been dropped.
    #[inline]
    pub fn pop(&mut self) -> Result<T, TryRecvError> {
        let head = self.head();
        if self.cached_tail == head && self.items() == 0 {
            if !self.is_disconnected() {
                return Err(TryRecvError::Empty);
            }
            // The producer may have pushed its last item just before it disconnected, so look once
            // more. No item can come after that.
            if self.items() == 0 {
                return Err(TryRecvError::Disconnected);
            }
        }
        // SAFETY: `tail` is beyond this slot, so it holds an item, as the load in `items` has seen.
        // The producer does not reuse the slot before `head` has passed it, and there is no other
        // consumer.
        let item = unsafe { self.ring.slot(head).take() };
        self.advance_to(head.wrapping_add(1));
        Ok(item)
    }

    /// Pops as many items as there are, up to the length of `items`, into the beginning of `items`,
    /// and returns their number. The producer sees the room at once. 0 means that the ring is
    /// empty; [`pop`](Self::pop) tells whether more items can come.
    pub fn pop_slice(&mut self, items: &mut [T]) -> usize
    where
        T: Copy,
    {
        let head = self.head();
        if self.cached_tail.wrapping_sub(head) < items.len() {
            self.items();
        }
        let length = items.len().min(self.cached_tail.wrapping_sub(head));
        let (first, second) = self.ring.slots(head, length);
        for (slot, item) in first.iter().chain(second).zip(items) {
            // SAFETY: as in `pop`, for each slot up to `tail`.
            *item = unsafe { slot.take() };
        }
        self.advance_to(head.wrapping_add(length));
        length
    }

    /// Returns the number of items popped.
    #[inline]
    fn head(&self) -> usize {
        self.ring.head.0.load(Ordering::Relaxed) // only this consumer writes it
    }

    /// Reads the producer's index, and returns the number of items.
    #[inline]
    pub(super) fn items(&mut self) -> usize {
        // Pairs with the Release store of `tail`: the items before it are written.
        self.cached_tail = self.ring.tail.0.load(Ordering::Acquire);
        self.cached_tail.wrapping_sub(self.head())
    }

    /// Makes the slots before `head`, which are empty, the producer's.
    #[inline]
    fn advance_to(&mut self, head: usize) {
        // Pairs with the Acquire load of `head`: the items before it are taken out.
        self.ring.head.0.store(head, Ordering::Release);
    }

    /// Returns `true` if the producer has been dropped. All that it pushed is then visible.
    pub(super) fn is_disconnected(&self) -> bool {
        // Pairs with the Release store in the producer's `disconnect`.
        self.ring.producer_disconnected.load(Ordering::Acquire)
    }

    /// Returns `head`, and the number of items before the cached `tail`.
    pub(super) fn known(&self) -> (usize, usize) {
        (self.head(), self.cached_tail.wrapping_sub(self.head()))
    }

    /// Tells the producer that no more items will be popped.
    pub(super) fn disconnect(&mut self) {
        self.ring.consumer_disconnected.store(true, Ordering::Relaxed); // publishes nothing else
    }
}

impl<T> Ring<T> {
    #[inline]
    fn slot(&self, position: usize) -> &Slot<T> {
        // The mask comes from the length, so the compiler knows that the index is in bounds and
        // leaves the check out.
        &self.slots[position & (self.slots.len() - 1)]
    }

    /// Returns the `length` slots from `position` on, in two parts: up to the end of the memory,
    /// and from its beginning.
    fn slots(&self, position: usize, length: usize) -> (&[Slot<T>], &[Slot<T>]) {
        let start = position & (self.slots.len() - 1);
        let first = length.min(self.slots.len() - start);
        (&self.slots[start..start + first], &self.slots[..length - first])
    }
}

impl<T> Drop for Producer<T> {
    fn drop(&mut self) {
        self.disconnect();
    }
}

impl<T> Drop for Consumer<T> {
    fn drop(&mut self) {
        self.disconnect();
    }
}

impl<T> Drop for Ring<T> {
    fn drop(&mut self) {
        // Relaxed: this thread holds the ring alone, and `Arc` has ordered what the other did
        // before.
        let (mut head, tail) =
            (self.head.0.load(Ordering::Relaxed), self.tail.0.load(Ordering::Relaxed));
        drop_each(|| {
            (head != tail).then(|| {
                // SAFETY: this slot holds an item that was pushed and not popped, and `head` passes
                // it once.
                let item = unsafe { self.slot(head).take() };
                head = head.wrapping_add(1);
                item
            })
        });
    }
}

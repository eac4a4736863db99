//! One producer, one consumer. Each is a type that cannot be cloned and whose methods want it for
//! themselves, so "only one" is not a comment: a second producer does not compile.
//!
//! Each side keeps its own index, and the last that it saw of the other side's. It looks at the
//! other one's cache line only when the ring seems full or empty by what it knows; in between, that
//! line stays where it is.

use super::{AcquireRelease, Orderings, slots_for};
use crate::concurrency::sync::{Arc, AtomicBool, AtomicUsize, Slot, drop_each};
use crate::memory::cache_lines::CachePadded;
use std::marker::PhantomData;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{TryRecvError, TrySendError};

/// A ring that holds up to `capacity` items; it is allocated here, and nothing is later.
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
/// If the capacity is 0, or more than there can be slots.
pub fn ring<T>(capacity: usize) -> (Producer<T>, Consumer<T>) {
    ring_from(capacity, 0)
}

/// As [`ring`], with orderings to choose, and with counters that begin at `start`: for tests, which
/// cannot wait for them to wrap around.
#[doc(hidden)]
pub fn ring_from<T, O: Orderings>(
    capacity: usize,
    start: usize,
) -> (Producer<T, O>, Consumer<T, O>) {
    let index = || CachePadded(AtomicUsize::new(start));
    let ring = Arc::new(Ring {
        slots: (0..slots_for(capacity)).map(|_| Slot::empty()).collect(),
        capacity,
        producer_gone: AtomicBool::new(false),
        consumer_gone: AtomicBool::new(false),
        tail: index(),
        head: index(),
        orderings: PhantomData,
    });
    (
        Producer { ring: ring.clone(), tail: start, end: start.wrapping_add(capacity) },
        Consumer { ring, tail: start, head: start },
    )
}

// ANCHOR: types
/// What both sides hold. The item number `n` is in the slot `n & (slots - 1)` from when `tail > n`
/// until `head > n`.
struct Ring<T, O> {
    slots: Box<[Slot<T>]>,
    /// At most as many as there are slots.
    capacity: usize,
    producer_gone: AtomicBool,
    consumer_gone: AtomicBool,
    /// How many items were pushed, wrapping around. Only the producer writes it, after the slot.
    tail: CachePadded<AtomicUsize>,
    /// How many were popped. Only the consumer writes it, after it has taken the item.
    head: CachePadded<AtomicUsize>,
    orderings: PhantomData<fn() -> O>,
}

/// The side that pushes. In lines of its own, so that it may lie beside the consumer on one stack.
#[repr(align(128))]
pub struct Producer<T, O: Orderings = AcquireRelease> {
    ring: Arc<Ring<T, O>>,
    /// `ring.tail`, which nobody else writes.
    tail: usize,
    /// Up to here there is room: `ring.head` as last seen, and the capacity. The real head is there
    /// or beyond it.
    end: usize,
}
// ANCHOR_END: types

/// The side that pops. In lines of its own, as the producer.
#[repr(align(128))]
pub struct Consumer<T, O: Orderings = AcquireRelease> {
    ring: Arc<Ring<T, O>>,
    /// `ring.tail` as last seen: the real one is here or beyond, so there are at least as many
    /// items as this says.
    tail: usize,
    /// `ring.head`, which nobody else writes.
    head: usize,
}

// ANCHOR: compiled
static_assertions::assert_impl_all!(Producer<u64>: Send);
static_assertions::assert_impl_all!(Consumer<u64>: Send);
static_assertions::assert_not_impl_any!(Producer<u64>: Clone);
static_assertions::assert_not_impl_any!(Consumer<u64>: Clone);
// What must stay in its thread makes both ends stay.
static_assertions::assert_not_impl_any!(Producer<std::rc::Rc<()>>: Send);
// ANCHOR_END: compiled

impl<T, O: Orderings> Producer<T, O> {
    // ANCHOR: push
    /// Puts an item in. Makes no system call, allocates nothing, and waits for nobody.
    ///
    /// # Errors
    ///
    /// The item comes back in `Full`, or in `Disconnected` if the ring is full and the consumer is
    /// gone. As long as there is room nobody looks whether the consumer is there, and what it will
    /// never pop is dropped with the ring.
    #[inline]
    pub fn push(&mut self, item: T) -> Result<(), TrySendError<T>> {
        if self.known_room() == 0 && self.room() == 0 {
            // Relaxed: nothing of the consumer's is read because of it.
            let gone = self.ring.consumer_gone.load(Relaxed);
            return Err(if gone {
                TrySendError::Disconnected(item)
            } else {
                TrySendError::Full(item)
            });
        }
        // SAFETY: there is room, so the item that was in this slot was taken, and the load in
        // `room` saw that. The consumer stays behind `tail`, and no other producer exists.
        unsafe { self.ring.slot(self.tail).write(item) };
        self.advance(1);
        Ok(())
    }
    // ANCHOR_END: push

    /// Puts in as many of these items as there is room for, from the first on, and returns how
    /// many. The consumer hears of all of them at once.
    pub fn push_slice(&mut self, items: &[T]) -> usize
    where
        T: Copy,
    {
        if self.known_room() < items.len() {
            self.room();
        }
        let items = &items[..items.len().min(self.known_room())];
        let (first, second) = self.ring.run(self.tail, items.len());
        for (slot, item) in first.iter().chain(second).zip(items) {
            // SAFETY: as in `push`, for each slot of the room.
            unsafe { slot.write(*item) };
        }
        self.advance(items.len());
        items.len()
    }

    /// For how many items there is room at least.
    #[inline]
    fn known_room(&self) -> usize {
        self.end.wrapping_sub(self.tail)
    }

    /// For how many items there is room now: this asks the consumer's line.
    #[inline]
    pub(super) fn room(&mut self) -> usize {
        self.end = self.ring.head.0.load(O::TAKEN_LOAD).wrapping_add(self.ring.capacity);
        self.known_room()
    }

    #[inline]
    fn advance(&mut self, by: usize) {
        self.tail = self.tail.wrapping_add(by);
        self.ring.tail.0.store(self.tail, O::WRITTEN_STORE);
    }

    pub(super) fn consumer_gone(&self) -> bool {
        self.ring.consumer_gone.load(Relaxed) // as in `push`
    }

    /// Says that nothing will be pushed any more.
    pub(super) fn close(&mut self) {
        self.ring.producer_gone.store(true, O::GONE_STORE);
    }
}

impl<T, O: Orderings> Consumer<T, O> {
    /// Takes the oldest item out. Makes no system call, allocates nothing, and waits for nobody.
    ///
    /// # Errors
    ///
    /// `Empty`, or `Disconnected` if nothing is inside and the producer is gone: what it pushed
    /// before comes first.
    #[inline]
    pub fn pop(&mut self) -> Result<T, TryRecvError> {
        if self.known_items() == 0 && self.items() == 0 {
            if !self.producer_gone() {
                return Err(TryRecvError::Empty);
            }
            // It may have pushed between the look at `tail` and its going. Now nothing more can
            // come.
            if self.items() == 0 {
                return Err(TryRecvError::Disconnected);
            }
        }
        // SAFETY: `tail` is beyond this slot, so an item is in it, and the load in `items` saw it
        // written. The producer does not come around before `head` says that it was taken, and no
        // other consumer exists.
        let item = unsafe { self.ring.slot(self.head).take() };
        self.advance(1);
        Ok(item)
    }

    /// Takes out as many items as there are, up to the length of `items`, whose beginning they
    /// fill, and returns how many. The producer hears of the room at once. 0 says that the ring is
    /// empty: [`pop`](Self::pop) says whether more can come.
    pub fn pop_slice(&mut self, items: &mut [T]) -> usize
    where
        T: Copy,
    {
        if self.known_items() < items.len() {
            self.items();
        }
        let length = items.len().min(self.known_items());
        let (first, second) = self.ring.run(self.head, length);
        for (slot, item) in first.iter().chain(second).zip(items) {
            // SAFETY: as in `pop`, for each slot up to `tail`.
            *item = unsafe { slot.take() };
        }
        self.advance(length);
        length
    }

    /// How many items there are at least.
    #[inline]
    fn known_items(&self) -> usize {
        self.tail.wrapping_sub(self.head)
    }

    /// How many items there are now: this asks the producer's line.
    #[inline]
    pub(super) fn items(&mut self) -> usize {
        self.tail = self.ring.tail.0.load(O::WRITTEN_LOAD);
        self.known_items()
    }

    #[inline]
    fn advance(&mut self, by: usize) {
        self.head = self.head.wrapping_add(by);
        self.ring.head.0.store(self.head, O::TAKEN_STORE);
    }

    pub(super) fn producer_gone(&self) -> bool {
        self.ring.producer_gone.load(O::GONE_LOAD)
    }

    /// Says that nothing will be popped any more.
    pub(super) fn close(&mut self) {
        self.ring.consumer_gone.store(true, Relaxed); // as in `push`
    }
}

impl<T, O> Ring<T, O> {
    #[inline]
    fn slot(&self, position: usize) -> &Slot<T> {
        // The mask is computed from the length, so the compiler sees that the index is in bounds,
        // and checks nothing.
        &self.slots[position & (self.slots.len() - 1)]
    }

    /// The slots of `length` items from `position` on: up to the end of the ring, and from its
    /// beginning.
    fn run(&self, position: usize, length: usize) -> (&[Slot<T>], &[Slot<T>]) {
        let start = position & (self.slots.len() - 1);
        let first = length.min(self.slots.len() - start);
        (&self.slots[start..start + first], &self.slots[..length - first])
    }
}

impl<T, O: Orderings> Drop for Producer<T, O> {
    fn drop(&mut self) {
        self.close();
    }
}

impl<T, O: Orderings> Drop for Consumer<T, O> {
    fn drop(&mut self) {
        self.close();
    }
}

impl<T, O> Drop for Ring<T, O> {
    fn drop(&mut self) {
        // Relaxed: whoever drops the ring is the last one to hold it, and `Arc` has ordered what
        // the others did before.
        let (mut head, tail) = (self.head.0.load(Relaxed), self.tail.0.load(Relaxed));
        drop_each(|| {
            (head != tail).then(|| {
                // SAFETY: an item that was pushed and not popped, and `head` passes it once.
                let item = unsafe { self.slot(head).take() };
                head = head.wrapping_add(1);
                item
            })
        });
    }
}

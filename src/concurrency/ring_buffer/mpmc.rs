//! Any number of producers and consumers, after Dmitry Vyukov's [bounded queue][vyukov]: each slot
//! has a stamp that says whose turn it is.
//!
//! A position counts laps in its upper bits and the slot in its lower ones. A slot's stamp is the
//! position of the push that it waits for, and one more while it holds that push's item. `pop`
//! makes it the same slot's position one lap on. So full and empty never look alike, and any
//! capacity from 1 is exact.
//!
//! [vyukov]: https://www.1024cores.net/home/lock-free-algorithms/queues/bounded-mpmc-queue

use super::{AcquireRelease, Orderings, slots_for};
use crate::concurrency::sync::{Arc, AtomicUsize, Slot, drop_each};
use crate::memory::cache_lines::CachePadded;
use std::hint::spin_loop;
use std::marker::PhantomData;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{TryRecvError, TrySendError};

/// A ring that holds up to `capacity` items; it is allocated here, and nothing is later.
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
/// If the capacity is 0, or more than there can be slots.
pub fn ring<T>(capacity: usize) -> (Producer<T>, Consumer<T>) {
    ring_from(capacity, 0)
}

/// As [`ring`], with orderings to choose, and beginning in a lap: for tests, which cannot wait for
/// the positions to wrap around.
#[doc(hidden)]
pub fn ring_from<T, O: Orderings>(
    capacity: usize,
    laps: usize,
) -> (Producer<T, O>, Consumer<T, O>) {
    ring_with(capacity, laps)
}

/// As [`ring_from`], and how a thread comes back that has lost its turn.
#[doc(hidden)]
pub fn ring_with<T, O: Orderings, R: Retry>(
    capacity: usize,
    laps: usize,
) -> (Producer<T, O, R>, Consumer<T, O, R>) {
    // Two slots at least, so that a stamp that says "item" is not the next lap's "empty".
    let lap = slots_for(capacity).max(2);
    let start = laps.wrapping_mul(lap);
    let slot =
        |index| Stamped { stamp: AtomicUsize::new(start.wrapping_add(index)), slot: Slot::empty() };
    let ring = Arc::new(Ring {
        slots: (0..capacity).map(slot).collect(),
        lap,
        producers: AtomicUsize::new(1),
        consumers: AtomicUsize::new(1),
        tail: CachePadded(AtomicUsize::new(start)),
        head: CachePadded(AtomicUsize::new(start)),
        parameters: PhantomData,
    });
    (Producer(ring.clone()), Consumer(ring))
}

// ANCHOR: retry
/// What a thread does before it tries again, when another one was faster. A parameter, so that the
/// bench can leave it out.
pub trait Retry: Default {
    /// Waits, or does not.
    fn wait(&mut self);

    /// What `next` says after that.
    #[inline]
    fn wait_then<T>(&mut self, next: impl FnOnce() -> T) -> T {
        self.wait();
        next()
    }
}

/// Waits, each time twice as long: while one thread stays away, the other one has all lines to
/// itself.
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

/// Tries again at once, and takes the line from the thread that was faster.
#[derive(Default)]
pub struct AtOnce;

impl Retry for AtOnce {
    #[inline]
    fn wait(&mut self) {}
}

struct Stamped<T> {
    /// Written by whoever has the turn: after the push at position `p` it is `p + 1`, after the pop
    /// of that item `p + lap`.
    stamp: AtomicUsize,
    slot: Slot<T>,
}

struct Ring<T, O, R> {
    slots: Box<[Stamped<T>]>,
    /// A power of two, at least as large as the number of slots.
    lap: usize,
    producers: AtomicUsize,
    consumers: AtomicUsize,
    /// The position of the next push. To advance it is to have the turn there.
    tail: CachePadded<AtomicUsize>,
    /// The position of the next pop.
    head: CachePadded<AtomicUsize>,
    parameters: PhantomData<fn() -> (O, R)>,
}

/// A side that pushes. There may be several.
pub struct Producer<T, O: Orderings = AcquireRelease, R: Retry = BackOff>(Arc<Ring<T, O, R>>);

/// A side that pops. There may be several.
pub struct Consumer<T, O: Orderings = AcquireRelease, R: Retry = BackOff>(Arc<Ring<T, O, R>>);

impl<T, O: Orderings, R: Retry> Producer<T, O, R> {
    /// Puts an item in. Makes no system call and allocates nothing.
    ///
    /// # Errors
    ///
    /// The item comes back in `Full` if the slot whose turn it is holds an item, also one that is
    /// being taken out at this moment; in `Disconnected` if besides no consumer is left.
    #[inline]
    pub fn push(&self, item: T) -> Result<(), TrySendError<T>> {
        self.0.push(item).map_err(|item| self.0.refused(item))
    }

    pub(super) fn may_push(&self) -> bool {
        self.0.has_room() || self.0.consumers.load(Relaxed) == 0 // as in `push`
    }
}

impl<T, O: Orderings, R: Retry> Consumer<T, O, R> {
    /// Takes the oldest item out. Makes no system call and allocates nothing.
    ///
    /// # Errors
    ///
    /// `Empty` if the slot whose turn it is holds no item yet: a producer that was stopped in the
    /// middle of a push holds up the items behind its own. `Disconnected` if nothing is inside and
    /// all producers are gone.
    #[inline]
    pub fn pop(&self) -> Result<T, TryRecvError> {
        self.0.pop().map_or_else(|| self.0.nothing(), Ok)
    }

    pub(super) fn may_pop(&self) -> bool {
        self.0.has_item() || self.0.producers.load(O::GONE_LOAD) == 0
    }
}

impl<T, O: Orderings, R: Retry> Ring<T, O, R> {
    #[inline]
    // ANCHOR: push
    fn push(&self, item: T) -> Result<(), T> {
        // Relaxed, here and below: `tail` only deals out turns. What is read and written, the
        // stamps order.
        let (mut tail, mut retry) = (self.tail.0.load(Relaxed), R::default());
        loop {
            let slot = &self.slots[tail & (self.lap - 1)];
            tail = match slot.stamp.load(O::TAKEN_LOAD).wrapping_sub(tail).cast_signed() {
                // The slot waits for this push. Whoever advances `tail` may write it.
                0 => match self.tail.0.compare_exchange_weak(
                    tail,
                    self.after(tail),
                    Relaxed,
                    Relaxed,
                ) {
                    Ok(_) => {
                        // SAFETY: its item was taken, and the load of the stamp saw that; nobody
                        // else has this turn.
                        unsafe { slot.slot.write(item) };
                        slot.stamp.store(tail.wrapping_add(1), O::WRITTEN_STORE);
                        return Ok(());
                    }
                    Err(now) => retry.wait_then(|| now),
                },
                // It belongs to the lap before.
                ..0 => return Err(item),
                // Another producer has had this turn, so `tail` was old.
                1.. => retry.wait_then(|| self.tail.0.load(Relaxed)),
            };
        }
    }
    // ANCHOR_END: push

    /// What to say when there was no room.
    #[cold]
    fn refused(&self, item: T) -> TrySendError<T> {
        match self.consumers.load(Relaxed) {
            0 => TrySendError::Disconnected(item), // nothing of the consumers' is read because of it
            _ => TrySendError::Full(item),
        }
    }

    /// What to say when there was no item.
    #[cold]
    fn nothing(&self) -> Result<T, TryRecvError> {
        if self.producers.load(O::GONE_LOAD) > 0 {
            return Err(TryRecvError::Empty);
        }
        // The last one may have pushed between the look at the slot and its going. Now nothing more
        // can come.
        self.pop().ok_or(TryRecvError::Disconnected)
    }

    #[inline]
    fn pop(&self) -> Option<T> {
        let (mut head, mut retry) = (self.head.0.load(Relaxed), R::default()); // as in `push`
        loop {
            let slot = &self.slots[head & (self.lap - 1)];
            head = match slot
                .stamp
                .load(O::WRITTEN_LOAD)
                .wrapping_sub(head.wrapping_add(1))
                .cast_signed()
            {
                0 => match self.head.0.compare_exchange_weak(
                    head,
                    self.after(head),
                    Relaxed,
                    Relaxed,
                ) {
                    Ok(_) => {
                        // SAFETY: an item is in it, and the load of the stamp saw it written;
                        // nobody else has this turn.
                        let item = unsafe { slot.slot.take() };
                        slot.stamp.store(head.wrapping_add(self.lap), O::TAKEN_STORE);
                        return Some(item);
                    }
                    Err(now) => retry.wait_then(|| now),
                },
                ..0 => return None,
                1.. => retry.wait_then(|| self.head.0.load(Relaxed)),
            };
        }
    }

    /// Whether a push would find room, unless another thread is faster.
    fn has_room(&self) -> bool {
        let tail = self.tail.0.load(Relaxed);
        self.slots[tail & (self.lap - 1)].stamp.load(Relaxed).wrapping_sub(tail).cast_signed() >= 0
    }

    /// Whether a pop would find an item, unless another thread is faster.
    fn has_item(&self) -> bool {
        let head = self.head.0.load(Relaxed);
        self.slots[head & (self.lap - 1)]
            .stamp
            .load(Relaxed)
            .wrapping_sub(head.wrapping_add(1))
            .cast_signed()
            >= 0
    }

    /// The position after this one: the next slot, or the first one of the next lap.
    fn after(&self, position: usize) -> usize {
        let slot = position & (self.lap - 1);
        if slot + 1 < self.slots.len() {
            position + 1
        } else {
            (position - slot).wrapping_add(self.lap)
        }
    }
}

impl<T, O: Orderings, R: Retry> Clone for Producer<T, O, R> {
    fn clone(&self) -> Self {
        self.0.producers.fetch_add(1, Relaxed); // this one exists, so nobody sees 0
        Self(self.0.clone())
    }
}

impl<T, O: Orderings, R: Retry> Clone for Consumer<T, O, R> {
    fn clone(&self) -> Self {
        self.0.consumers.fetch_add(1, Relaxed); // as in the producer's
        Self(self.0.clone())
    }
}

impl<T, O: Orderings, R: Retry> Drop for Producer<T, O, R> {
    fn drop(&mut self) {
        // Who sees the 0 sees all subtractions before it, since each reads the last one's result.
        self.0.producers.fetch_sub(1, O::GONE_STORE);
    }
}

impl<T, O: Orderings, R: Retry> Drop for Consumer<T, O, R> {
    fn drop(&mut self) {
        self.0.consumers.fetch_sub(1, Relaxed); // as in `push`
    }
}

impl<T, O, R> Drop for Ring<T, O, R> {
    fn drop(&mut self) {
        let lap = self.lap;
        let mut slots = self.slots.iter().enumerate();
        drop_each(|| {
            // Relaxed: whoever drops the ring is the last one to hold it, and `Arc` has ordered
            // what the others did before. No push or pop is half done.
            let full = |&(index, slot): &(usize, &Stamped<T>)| {
                slot.stamp.load(Relaxed) & (lap - 1) != index
            };
            // SAFETY: a stamp that is not the slot's position in any lap is one more: the slot
            // holds an item. It is passed once.
            slots.find(full).map(|(_, slot)| unsafe { slot.slot.take() })
        });
    }
}

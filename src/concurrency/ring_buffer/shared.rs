//! Any item, shared by `unsafe`: right for one producer and one consumer, if they keep to a
//! comment.
//!
//! Its orderings and where its indices lie are parameters, so that the bench can take one step at a
//! time: [`SequentiallyConsistent`] and [`Bare`] is the naive version, [`AcquireRelease`] the first
//! step, [`Padded`] the second one. The third is [`spsc`](super::spsc).
//!
//! [`SequentiallyConsistent`]: super::SequentiallyConsistent

use super::{AcquireRelease, Orderings, slots_for};
use crate::concurrency::sync::{AtomicUsize, Slot, drop_each};
use crate::memory::cache_lines::CachePadded;
use std::marker::PhantomData;
use std::sync::atomic::Ordering::Relaxed;

/// Where an index lies.
///
/// # Safety
///
/// The default's index is 0, it is the same word at each call, and nobody else writes it. With
/// less, safe code reads what was never written.
pub unsafe trait Place: Default {
    /// The index.
    #[doc(hidden)]
    fn index(&self) -> &AtomicUsize;
}

/// Wherever the compiler puts it: both indices, and what everybody reads, in one cache line.
#[derive(Default)]
pub struct Bare(AtomicUsize);

// SAFETY: one word, which is its own.
unsafe impl Place for Bare {
    fn index(&self) -> &AtomicUsize {
        &self.0
    }
}

/// In a cache line of its own.
#[derive(Default)]
pub struct Padded(CachePadded<AtomicUsize>);

// SAFETY: as in `Bare`.
unsafe impl Place for Padded {
    fn index(&self) -> &AtomicUsize {
        &self.0.0
    }
}

/// A ring for one thread that pushes and one that pops.
pub struct Shared<T, P: Place = Padded, O: Orderings = AcquireRelease> {
    slots: Box<[Slot<T>]>,
    capacity: usize,
    /// How many items were pushed, wrapping around. Only the producer writes it.
    tail: P,
    /// How many were popped. Only the consumer writes it.
    head: P,
    orderings: PhantomData<fn() -> O>,
}

impl<T, P: Place, O: Orderings> Shared<T, P, O> {
    /// An empty ring.
    ///
    /// # Panics
    ///
    /// If the capacity is 0, or more than there can be slots.
    pub fn new(capacity: usize) -> Self {
        let slots = (0..slots_for(capacity)).map(|_| Slot::empty()).collect();
        Self { slots, capacity, tail: P::default(), head: P::default(), orderings: PhantomData }
    }

    /// Puts an item in.
    ///
    /// # Errors
    ///
    /// The item, if the ring is full.
    ///
    /// # Safety
    ///
    /// One thread at a time calls this, and what one has done happens before the next one begins.
    /// So it is for `pop`.
    pub unsafe fn push(&self, item: T) -> Result<(), T> {
        let tail = self.tail.index().load(Relaxed); // nobody else writes it
        if tail.wrapping_sub(self.head.index().load(O::TAKEN_LOAD)) == self.capacity {
            return Err(item);
        }
        // SAFETY: fewer than `capacity` items are inside, so the one that was in this slot was
        // taken, and the load above saw that. No other producer is here, as the caller promises,
        // and the consumer stays behind `tail`.
        unsafe { self.slot(tail).write(item) };
        self.tail.index().store(tail.wrapping_add(1), O::WRITTEN_STORE);
        Ok(())
    }

    /// Takes the oldest item out.
    ///
    /// # Safety
    ///
    /// As [`push`](Self::push), among those that call `pop`.
    pub unsafe fn pop(&self) -> Option<T> {
        let head = self.head.index().load(Relaxed); // nobody else writes it
        if head == self.tail.index().load(O::WRITTEN_LOAD) {
            return None;
        }
        // SAFETY: `tail` is beyond this slot, so an item is in it, and the load above saw it
        // written. No other consumer is here, as the caller promises, and the producer does not
        // come around before `head` says that the item was taken.
        let item = unsafe { self.slot(head).take() };
        self.head.index().store(head.wrapping_add(1), O::TAKEN_STORE);
        Some(item)
    }

    fn slot(&self, position: usize) -> &Slot<T> {
        &self.slots[position & (self.slots.len() - 1)]
    }
}

impl<T, P: Place, O: Orderings> Drop for Shared<T, P, O> {
    fn drop(&mut self) {
        // SAFETY: `&mut self`: neither producer nor consumer is left. The indices are where `Place`
        // and the two have left them.
        drop_each(|| unsafe { self.pop() });
    }
}

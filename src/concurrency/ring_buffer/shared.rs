//! Items of any type, shared by `unsafe`: right for one producer and one consumer, as long as the
//! callers keep to a comment. [`spsc`](super::spsc) makes the comment a type.
//!
//! The storage of the two indices is a parameter, so that the bench can take one step at a time:
//! [`Unpadded`] and then [`Padded`].

use super::capacity::{allocate, expect, slots_for};
use crate::concurrency::sync::{AtomicUsize, Slot, drop_each};
use crate::memory::cache_lines::CachePadded;
use std::sync::atomic::Ordering;

/// Storage of an index.
///
/// # Safety
///
/// The index of the default is 0, `index` returns the same word at each call, and
/// nothing else writes that word. Otherwise safe code reads slots that were never written.
pub unsafe trait IndexCell: Default {
    /// Returns the index.
    #[doc(hidden)]
    fn index(&self) -> &AtomicUsize;
}

/// An index wherever the compiler puts it: both indices share a cache line with the fields that
/// both sides read.
#[derive(Default)]
pub struct Unpadded(AtomicUsize);

// SAFETY: a private word, 0 by default.
unsafe impl IndexCell for Unpadded {
    fn index(&self) -> &AtomicUsize {
        &self.0
    }
}

/// An index in a cache line of its own.
#[derive(Default)]
pub struct Padded(CachePadded<AtomicUsize>);

// SAFETY: as for `Unpadded`.
unsafe impl IndexCell for Padded {
    fn index(&self) -> &AtomicUsize {
        &self.0.0
    }
}

/// A ring for one thread that pushes and one that pops.
pub struct Shared<T, I: IndexCell = Padded> {
    slots: Box<[Slot<T>]>,
    capacity: usize,
    /// The number of items pushed, wrapping around. Only the producer writes it.
    tail: I,
    /// The number of items popped, wrapping around. Only the consumer writes it.
    head: I,
}

impl<T, I: IndexCell> Shared<T, I> {
    /// Creates an empty ring.
    ///
    /// # Panics
    ///
    /// If `capacity` is 0, or larger than memory has room for.
    pub fn new(capacity: usize) -> Self {
        let slots =
            slots_for(capacity).and_then(|slots| allocate(capacity, slots, |_| Slot::empty()));
        Self { slots: expect(slots), capacity, tail: I::default(), head: I::default() }
    }

    // ANCHOR: push
    /// Pushes `item`, or returns it if the ring is full.
    ///
    /// # Safety
    ///
    /// One thread at a time calls `push`, and each call happens before the next one. The
    /// same holds for `pop`.
    pub unsafe fn push(&self, item: T) -> Result<(), T> {
        let tail = self.tail.index().load(Ordering::Relaxed); // only the producer writes it
        // Pairs with the Release store in `pop`: the item that was in the slot is taken
        // out.
        let head = self.head.index().load(Ordering::Acquire);
        if tail.wrapping_sub(head) == self.capacity {
            return Err(item);
        }
        // SAFETY: fewer than `capacity` items are in the ring, so this slot is empty.
        // There is no other producer, as the caller promises, and the consumer stays
        // behind `tail`.
        unsafe { self.slot(tail).write(item) };
        // Pairs with the Acquire load in `pop`: the item is in its slot.
        self.tail.index().store(tail.wrapping_add(1), Ordering::Release);
        Ok(())
    }
    // ANCHOR_END: push

    /// Pops the oldest item.
    ///
    /// # Safety
    ///
    /// As for [`push`](Self::push).
    pub unsafe fn pop(&self) -> Option<T> {
        let head = self.head.index().load(Ordering::Relaxed); // only the consumer writes it
        // Pairs with the Release store in `push`: the item is in its slot.
        if head == self.tail.index().load(Ordering::Acquire) {
            return None;
        }
        // SAFETY: `tail` is beyond this slot, so it holds an item. There is no other consumer, as
        // the caller promises, and the producer does not reuse the slot before `head` has passed
        // it.
        let item = unsafe { self.slot(head).take() };
        // Pairs with the Acquire load in `push`: the item is taken out.
        self.head.index().store(head.wrapping_add(1), Ordering::Release);
        Some(item)
    }

    fn slot(&self, position: usize) -> &Slot<T> {
        &self.slots[position & (self.slots.len() - 1)]
    }
}

impl<T, I: IndexCell> Drop for Shared<T, I> {
    fn drop(&mut self) {
        // SAFETY: `&mut self`, so there is neither a producer nor another consumer.
        drop_each(|| unsafe { self.pop() });
    }
}

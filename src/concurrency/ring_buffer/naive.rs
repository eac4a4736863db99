//! The versions that everybody writes first. `tests/ring_buffer.rs` pins their faults and the
//! example shows them:
//!
//! - One slot is never used, so a ring of size 8 holds 7 items and a ring of size 1 none. Size 0
//!   panics at the first push.
//! - [`Ring`] cannot be shared: the compiler refuses.
//! - [`AtomicRing`] can be shared. It is right for one producer and one consumer only, and nothing
//!   says or enforces that. With two producers it loses items and delivers others twice.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

// ANCHOR: ring
/// The Go article's ring, for one thread.
pub struct Ring<T> {
    buffer: Vec<Option<T>>,
    mask: u64,
    head: u64,
    tail: u64,
}

impl<T> Ring<T> {
    /// Creates a ring of `size` slots, rounded up to a power of two.
    pub fn new(size: usize) -> Self {
        let size = if size == 0 { 0 } else { size.next_power_of_two() };
        let (buffer, mask) = ((0..size).map(|_| None).collect(), size as u64);
        Self { buffer, mask: mask.wrapping_sub(1), head: 0, tail: 0 }
    }

    /// Pushes `item`. Drops it and returns `false` if the ring is full.
    pub fn push(&mut self, item: T) -> bool {
        if (self.head + 1) & self.mask == self.tail & self.mask {
            return false;
        }
        self.buffer[(self.head & self.mask) as usize] = Some(item);
        self.head += 1;
        true
    }
    // ANCHOR_END: ring

    /// Pops the oldest item.
    pub fn pop(&mut self) -> Option<T> {
        if self.tail & self.mask == self.head & self.mask {
            return None;
        }
        let item = self.buffer[(self.tail & self.mask) as usize].take();
        self.tail += 1;
        item
    }
}

/// The same ring for numbers, shared: every field is atomic, and every access sequentially
/// consistent.
pub struct AtomicRing {
    buffer: Vec<AtomicU64>,
    mask: u64,
    head: AtomicU64,
    tail: AtomicU64,
}

impl AtomicRing {
    /// Creates a ring as [`Ring::new`] does.
    pub fn new(size: usize) -> Self {
        let Ring { buffer, mask, .. } = Ring::<()>::new(size);
        Self {
            buffer: buffer.iter().map(|_| AtomicU64::new(0)).collect(),
            mask,
            head: 0.into(),
            tail: 0.into(),
        }
    }

    // ANCHOR: atomic_push
    /// Pushes `item`. Returns `false` if the ring is full.
    pub fn push(&self, item: u64) -> bool {
        let (head, tail) = (self.head.load(SeqCst), self.tail.load(SeqCst));
        if (head + 1) & self.mask == tail & self.mask {
            return false;
        }
        // Here a second producer may have read the same `head`.
        self.buffer[(head & self.mask) as usize].store(item, SeqCst);
        self.head.store(head + 1, SeqCst);
        true
    }
    // ANCHOR_END: atomic_push

    /// Pops the oldest item.
    pub fn pop(&self) -> Option<u64> {
        let (tail, head) = (self.tail.load(SeqCst), self.head.load(SeqCst));
        if tail & self.mask == head & self.mask {
            return None;
        }
        let item = self.buffer[(tail & self.mask) as usize].load(SeqCst);
        self.tail.store(tail + 1, SeqCst);
        Some(item)
    }
}

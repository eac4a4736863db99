//! A counter for all threads.

use super::{Needed, Orderings};
use crate::concurrency::sync::AtomicUsize;
use std::marker::PhantomData;
use std::sync::atomic::Ordering::Relaxed;

/// Counts what several threads do. Its value orders nothing: whoever reads it may not conclude what
/// else has happened.
pub struct Counter<O: Orderings = Needed> {
    count: AtomicUsize,
    orderings: PhantomData<fn() -> O>,
}

impl<O: Orderings> Counter<O> {
    /// A counter at zero.
    pub fn new() -> Self {
        Self { count: AtomicUsize::new(0), orderings: PhantomData }
    }

    // ANCHOR: add
    /// Counts one. One step that always succeeds, where the processor has one.
    #[inline]
    pub fn add(&self) {
        self.count.fetch_add(1, O::ADD);
    }

    /// The same by compare-and-exchange: what a lock-free update looks like where there is no
    /// instruction for it. Returns how often another thread was faster.
    #[inline]
    pub fn add_by_exchange(&self) -> usize {
        let (mut seen, mut lost) = (self.count.load(Relaxed), 0);
        while let Err(now) =
            self.count.compare_exchange(seen, seen.wrapping_add(1), O::ADD, Relaxed)
        {
            (seen, lost) = (now, lost + 1);
        }
        lost
    }
    // ANCHOR_END: add

    /// How many were counted, as far as this thread has heard.
    #[inline]
    pub fn get(&self) -> usize {
        self.count.load(Relaxed)
    }
}

impl<O: Orderings> Default for Counter<O> {
    fn default() -> Self {
        Self::new()
    }
}

//! A counter that all threads share.

use crate::concurrency::sync::AtomicUsize;
use std::sync::atomic::Ordering;

/// Counts events of several threads. Its value orders nothing: a thread that reads it may not
/// conclude what else has happened.
pub struct Counter(AtomicUsize);

impl Counter {
    /// Creates a counter at zero.
    pub fn new() -> Self {
        Self(AtomicUsize::new(0))
    }

    // ANCHOR: add
    /// Adds one: a single step that always succeeds, on processors that have one.
    #[inline]
    pub fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed); // one step in any ordering
    }

    /// Adds one by compare-exchange, as a lock-free update does for which there is no
    /// instruction. Returns the number of failed attempts.
    #[inline]
    pub fn add_by_compare_exchange(&self) -> usize {
        let (mut seen, mut failed) = (self.0.load(Ordering::Relaxed), 0);
        while let Err(current) = self.0.compare_exchange(
            seen,
            seen.wrapping_add(1),
            Ordering::Relaxed, // one step in any ordering
            Ordering::Relaxed,
        ) {
            (seen, failed) = (current, failed + 1);
        }
        failed
    }
    // ANCHOR_END: add

    /// Returns the number of additions that this thread sees.
    #[inline]
    pub fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Default for Counter {
    fn default() -> Self {
        Self::new()
    }
}

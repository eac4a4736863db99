//! A counter of live bytes with a limit.

#[cfg(loom)]
use loom::sync::atomic::{AtomicUsize, Ordering::Relaxed};
#[cfg(not(loom))]
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

// ANCHOR: budget
/// Counts the bytes that are taken, and never lets them exceed the limit.
///
/// Check and addition are one atomic step. As two steps, two threads could both see room
/// for one request; and adding first, with a subtraction on excess, can refuse a request
/// that fits. The models `allocation::budget_…` show all three.
#[derive(Debug)]
pub struct Budget {
    live: AtomicUsize,
    limit: AtomicUsize,
}

impl Budget {
    /// Takes `bytes` bytes and returns `true`, or takes none and returns `false`.
    pub fn take(&self, bytes: usize) -> bool {
        // Relaxed: the counter publishes no other data, so it pairs with nothing.
        let limit = self.limit.load(Relaxed);
        let fits = |live: usize| live.checked_add(bytes).filter(|live| *live <= limit);
        self.live.fetch_update(Relaxed, Relaxed, fits).is_ok()
    }

    /// Returns `bytes` bytes that were taken.
    pub fn give_back(&self, bytes: usize) {
        self.live.fetch_sub(bytes, Relaxed);
    }
}
// ANCHOR_END: budget

impl Budget {
    /// Creates a budget of `limit` bytes, of which none is taken.
    #[cfg(not(loom))]
    pub const fn new(limit: usize) -> Self {
        Self { live: AtomicUsize::new(0), limit: AtomicUsize::new(limit) }
    }

    /// Creates a budget of `limit` bytes, of which none is taken.
    #[cfg(loom)]
    pub fn new(limit: usize) -> Self {
        Self { live: AtomicUsize::new(0), limit: AtomicUsize::new(limit) }
    }

    /// Returns the bytes that are taken.
    pub fn live(&self) -> usize {
        self.live.load(Relaxed)
    }

    /// Changes the limit. Bytes that are taken stay taken, even beyond it; requests then fail until
    /// enough was returned. A concurrent request may still be compared with the old limit.
    pub fn set_limit(&self, limit: usize) {
        self.limit.store(limit, Relaxed);
    }
}

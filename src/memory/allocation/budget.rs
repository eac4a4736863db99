//! How many bytes may be live at once, and how many are.

#[cfg(loom)]
use loom::sync::atomic::{AtomicUsize, Ordering::Relaxed};
#[cfg(not(loom))]
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

// ANCHOR: budget
/// Counts what is taken and never lets it be more than the limit.
///
/// "Does it fit?" and "count it" are one step. As two steps, two threads that ask at once both see
/// room for one; and who adds first and takes it back when it was too much makes another thread's
/// request fail that fits. The loom models `allocation::budget_keeps_its_limit`,
/// `…_of_two_steps_is_broken` and `…_that_backs_out_is_broken` show all three.
#[derive(Debug)]
pub struct Budget {
    live: AtomicUsize,
    limit: AtomicUsize,
}

impl Budget {
    /// Takes so many bytes, all or none, and says whether it has.
    pub fn take(&self, bytes: usize) -> bool {
        // Relaxed: the count is all that is shared. Whoever hands memory on orders what is in it.
        let limit = self.limit.load(Relaxed);
        let fits = |live: usize| live.checked_add(bytes).filter(|live| *live <= limit);
        self.live.fetch_update(Relaxed, Relaxed, fits).is_ok()
    }

    /// Gives back what was taken.
    pub fn give_back(&self, bytes: usize) {
        self.live.fetch_sub(bytes, Relaxed);
    }
}
// ANCHOR_END: budget

impl Budget {
    /// Nothing taken of so many bytes.
    #[cfg(not(loom))]
    pub const fn new(limit: usize) -> Self {
        Self { live: AtomicUsize::new(0), limit: AtomicUsize::new(limit) }
    }

    /// Nothing taken of so many bytes.
    #[cfg(loom)]
    pub fn new(limit: usize) -> Self {
        Self { live: AtomicUsize::new(0), limit: AtomicUsize::new(limit) }
    }

    /// How many bytes are taken.
    pub fn live(&self) -> usize {
        self.live.load(Relaxed)
    }

    /// Changes the limit. What is taken stays, also beyond it; then nothing more is to be had until
    /// enough was given back. A request that is being decided may still be held against the limit
    /// before.
    pub fn set_limit(&self, limit: usize) {
        self.limit.store(limit, Relaxed);
    }
}

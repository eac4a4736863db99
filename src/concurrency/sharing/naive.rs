//! What everybody writes first. The faults are pinned by `tests/sharing.rs` and shown by the
//! example:
//!
//! - [`TwoStepCounter`] is atomic and sequentially consistent, and loses additions;
//! - [`AnyOrder`] raises flags without a word about what was written before: its letters pass every test on x86-64, its doors do
//!   not, and both are wrong;
//! - [`TestAndSet`] never sleeps: where its holder does, or has lost its core, a waiter burns the time of a core for nothing.

use super::Orderings;
use crate::concurrency::sync::{AtomicBool, AtomicUsize};
use std::sync::atomic::Ordering::{self, AcqRel, Relaxed, SeqCst};

// ANCHOR: two_steps
/// A counter that is atomic in each of its steps, and "SeqCst, to be safe".
#[derive(Default)]
pub struct TwoStepCounter(AtomicUsize);

impl TwoStepCounter {
    /// Counts one, if nobody else does meanwhile.
    pub fn add(&self) {
        let seen = self.0.load(SeqCst);
        // Here another thread may add, and its addition is overwritten.
        self.0.store(seen + 1, SeqCst);
    }
    // ANCHOR_END: two_steps

    /// What is left of the additions.
    pub fn get(&self) -> usize {
        self.0.load(SeqCst)
    }
}

// ANCHOR: test_and_set
/// "A lock is slow, so spin."
#[derive(Default)]
pub struct TestAndSet(AtomicBool);

impl TestAndSet {
    /// Runs `work` alone.
    pub fn with<R>(&self, work: impl FnOnce() -> R) -> R {
        while self.0.swap(true, SeqCst) {}
        let result = work();
        self.0.store(false, SeqCst);
        result
    }
}
// ANCHOR_END: test_and_set

/// Too weak a fence where two threads knock, and no ordering where a flag tells of a letter. A lock
/// would need its own, and gets them.
pub struct AnyOrder;

// SAFETY: the lock's orderings are the trait's own.
unsafe impl Orderings for AnyOrder {
    const SEND: Ordering = Relaxed;
    const READ: Ordering = Relaxed;
    const BETWEEN: Ordering = AcqRel; // as much as Release and Acquire have already
}

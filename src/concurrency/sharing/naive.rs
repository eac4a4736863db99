//! The versions that everybody writes first. `tests/sharing.rs` pins the faults and the example
//! shows them:
//!
//! - [`TwoStepCounter`] is atomic and sequentially consistent, and loses additions.
//! - [`RelaxedMessage`] raises its flag without an ordering. It passes every test on x86-64, and is
//!   wrong.
//! - [`WeakDekker`] has a fence that is too weak. It fails even on x86-64.
//! - [`TestAndSet`] never sleeps. While its holder sleeps or has lost its core, a waiting thread
//!   burns CPU time for nothing.

use crate::concurrency::sync::{AtomicBool, AtomicUsize, fence};
use crate::memory::cache_lines::CachePadded;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst};

// ANCHOR: two_steps
/// A counter that is atomic in each of its steps, and "SeqCst, to be safe".
#[derive(Default)]
pub struct TwoStepCounter(AtomicUsize);

impl TwoStepCounter {
    /// Adds one, unless another thread adds at the same time.
    pub fn add(&self) {
        let seen = self.0.load(SeqCst);
        // Another thread may add here, and the store overwrites its addition.
        self.0.store(seen + 1, SeqCst);
    }
    // ANCHOR_END: two_steps

    /// Returns the number of additions that are left.
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

/// [`Message`](super::message_passing::Message) without orderings: nothing says that the value is
/// visible once the flag is.
#[derive(Default)]
pub struct RelaxedMessage {
    value: CachePadded<AtomicUsize>,
    is_sent: CachePadded<AtomicBool>,
}

impl RelaxedMessage {
    /// Writes `value`, and raises the flag.
    #[inline]
    pub fn send(&self, value: usize) {
        self.value.0.store(value, Relaxed);
        self.is_sent.0.store(true, Relaxed);
    }

    /// Returns the value that it finds, if the flag is raised.
    #[inline]
    pub fn receive(&self) -> Option<usize> {
        self.is_sent.0.load(Relaxed).then(|| self.value.0.load(Relaxed))
    }
}

/// [`Dekker`](super::store_buffering::Dekker) with a fence that orders no more than the release
/// store and the acquire load do already: both threads may enter.
#[derive(Default)]
pub struct WeakDekker {
    wants: [CachePadded<AtomicBool>; 2],
}

impl WeakDekker {
    /// Announces thread `me`, 0 or 1, and returns `true` if it may enter.
    ///
    /// # Panics
    ///
    /// If `me` is neither 0 nor 1.
    #[inline]
    pub fn try_enter(&self, me: usize) -> bool {
        self.wants[me].0.store(true, Release);
        fence(AcqRel); // allows the load to run before the store
        !self.wants[1 - me].0.load(Acquire)
    }
}

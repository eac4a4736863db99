//! Store buffering: each of two threads writes its own word and then reads the other's. Dekker's
//! algorithm begins like this, and so does going to sleep while another thread looks for sleepers.

use crate::concurrency::sync::{AtomicBool, fence};
use crate::memory::cache_lines::CachePadded;
use std::sync::atomic::Ordering;

/// The entry of Dekker's algorithm: each of two threads announces that it wants to enter, and
/// enters if the other has not announced the same.
pub struct Dekker {
    wants: [CachePadded<AtomicBool>; 2],
}

impl Dekker {
    /// Creates an entry that no thread wants to pass.
    pub fn new() -> Self {
        Self { wants: [(); 2].map(|()| CachePadded(AtomicBool::new(false))) }
    }

    // ANCHOR: enter
    /// Announces thread `me`, 0 or 1, and returns `true` if it may enter. Each thread
    /// calls this once. At most one enters; if both come at the same time, perhaps neither.
    ///
    /// # Panics
    ///
    /// If `me` is neither 0 nor 1.
    #[inline]
    pub fn try_enter(&self, me: usize) -> bool {
        self.wants[me].0.store(true, Ordering::Release); // pairs with the load below
        // Pairs with the other thread's fence: one of the two loads sees the other's
        // store.
        fence(Ordering::SeqCst);
        !self.wants[1 - me].0.load(Ordering::Acquire) // pairs with the store above
    }
    // ANCHOR_END: enter
}

impl Default for Dekker {
    fn default() -> Self {
        Self::new()
    }
}

//! Reference counting, without the value that is counted.

use crate::concurrency::sync::{AtomicUsize, fence};
use std::sync::atomic::Ordering;

/// The number of owners of something that the last of them tears down.
pub struct ReferenceCount(AtomicUsize);

impl ReferenceCount {
    /// Creates a count of `owners`.
    pub fn new(owners: usize) -> Self {
        Self(AtomicUsize::new(owners))
    }

    // ANCHOR: release
    /// Gives up one owner's reference. Returns `true` if it was the last: then everything
    /// that the other owners did has happened, and the caller may tear down.
    #[must_use = "the last owner tears down"]
    pub fn release(&self) -> bool {
        // Release pairs with the last owner's fence.
        let is_last = self.0.fetch_sub(1, Ordering::Release) == 1;
        if is_last {
            // Pairs with all other subtractions. Only the last owner pays for it.
            fence(Ordering::Acquire);
        }
        is_last
    }
    // ANCHOR_END: release
}

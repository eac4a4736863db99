//! Message passing: one thread writes a value and then raises a flag.

use crate::concurrency::sync::{AtomicBool, AtomicUsize};
use crate::memory::cache_lines::CachePadded;
use std::sync::atomic::Ordering;

/// A number that one thread sends and another receives, with a flag that says that it is there. The
/// two lie in cache lines of their own, as a message and its flag do in a program.
pub struct Message {
    value: CachePadded<AtomicUsize>,
    is_sent: CachePadded<AtomicBool>,
}

impl Message {
    /// Creates a message that has not been sent.
    pub fn new() -> Self {
        Self {
            value: CachePadded(AtomicUsize::new(0)),
            is_sent: CachePadded(AtomicBool::new(false)),
        }
    }

    // ANCHOR: message
    /// Writes `value`, and raises the flag.
    #[inline]
    pub fn send(&self, value: usize) {
        self.value.0.store(value, Ordering::Relaxed); // ordered by the flag
        self.is_sent.0.store(true, Ordering::Release); // pairs with `receive`'s load
    }

    /// Returns the value, if the flag is raised.
    #[inline]
    pub fn receive(&self) -> Option<usize> {
        let is_sent = self.is_sent.0.load(Ordering::Acquire); // pairs with `send`'s store
        is_sent.then(|| self.value.0.load(Ordering::Relaxed))
    }
    // ANCHOR_END: message
}

impl Default for Message {
    fn default() -> Self {
        Self::new()
    }
}

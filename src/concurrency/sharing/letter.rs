//! Message passing: something is written, then a flag is raised.

use super::{Needed, Orderings};
use crate::concurrency::sync::{AtomicBool, AtomicUsize};
use crate::memory::cache_lines::CachePadded;
use std::marker::PhantomData;
use std::sync::atomic::Ordering::Relaxed;

/// A number that one thread writes and another one reads when a flag says that it is there. The two
/// lie in lines of their own, as a message and the word of it do in a program.
pub struct Letter<O: Orderings = Needed> {
    text: CachePadded<AtomicUsize>,
    sent: CachePadded<AtomicBool>,
    orderings: PhantomData<fn() -> O>,
}

impl<O: Orderings> Letter<O> {
    /// A letter that nobody has written; its text is 0.
    pub fn new() -> Self {
        Self {
            text: CachePadded(AtomicUsize::new(0)),
            sent: CachePadded(AtomicBool::new(false)),
            orderings: PhantomData,
        }
    }

    // ANCHOR: letter
    /// Writes the text, and says so.
    #[inline]
    pub fn send(&self, text: usize) {
        self.text.0.store(text, Relaxed); // ordered by the flag
        self.sent.0.store(true, O::SEND); // pairs with the load in `read`
    }

    /// The text, if it was sent.
    #[inline]
    pub fn read(&self) -> Option<usize> {
        self.sent.0.load(O::READ).then(|| self.text.0.load(Relaxed)) // the flag's load pairs with the store in `send`
    }
    // ANCHOR_END: letter
}

impl<O: Orderings> Default for Letter<O> {
    fn default() -> Self {
        Self::new()
    }
}

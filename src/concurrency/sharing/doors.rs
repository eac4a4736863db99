//! Store buffering: each of two threads writes its own word and then reads the other's. Dekker's
//! algorithm begins so, and so does going to sleep while somebody else looks for sleepers.

use super::{Needed, Orderings};
use crate::concurrency::sync::{AtomicBool, fence};
use crate::memory::cache_lines::CachePadded;
use std::marker::PhantomData;
use std::sync::atomic::Ordering::{Acquire, Release};

/// Two doors to one room. Whoever has knocked and hears nobody at the other door goes in.
pub struct Doors<O: Orderings = Needed> {
    knocked: [CachePadded<AtomicBool>; 2],
    orderings: PhantomData<fn() -> O>,
}

impl<O: Orderings> Doors<O> {
    /// Nobody has knocked.
    pub fn new() -> Self {
        Self {
            knocked: [(); 2].map(|()| CachePadded(AtomicBool::new(false))),
            orderings: PhantomData,
        }
    }

    // ANCHOR: enter
    /// Knocks at door 0 or 1, and says whether the room is free. Each door has one visitor, who
    /// comes once. Never do both go in; if they come at the same time, it may be that none does.
    ///
    /// # Panics
    ///
    /// If there is no such door.
    #[inline]
    pub fn enter(&self, door: usize) -> bool {
        self.knocked[door].0.store(true, Release); // heard by the other's load, or not yet
        fence(O::BETWEEN); // pairs with the other's: one of the two loads below sees the other's store above
        !self.knocked[1 - door].0.load(Acquire)
    }
    // ANCHOR_END: enter
}

impl<O: Orderings> Default for Doors<O> {
    fn default() -> Self {
        Self::new()
    }
}

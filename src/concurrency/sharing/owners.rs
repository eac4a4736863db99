//! Reference counting, without what is counted.

use super::{Needed, Orderings};
use crate::concurrency::sync::{AtomicUsize, fence};
use std::marker::PhantomData;

/// How many still use something that the last of them is to tear down.
pub struct Owners<O: Orderings = Needed> {
    left: AtomicUsize,
    orderings: PhantomData<fn() -> O>,
}

impl<O: Orderings> Owners<O> {
    /// So many owners, all there.
    pub fn new(owners: usize) -> Self {
        Self { left: AtomicUsize::new(owners), orderings: PhantomData }
    }

    // ANCHOR: leave
    /// One owner leaves. Returns whether it was the last one: then whatever the others did has
    /// happened, and it may tear down.
    #[must_use = "the last one tears down"]
    pub fn leave(&self) -> bool {
        let last = self.left.fetch_sub(1, O::LEAVE) == 1;
        if last {
            fence(O::LAST); // pairs with every other owner's subtraction; only the last one pays for it
        }
        last
    }
    // ANCHOR_END: leave
}

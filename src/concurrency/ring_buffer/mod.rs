//! A bounded queue between threads, without a lock, in steps: from the version that everybody
//! writes first to one that is sound and fast, and why each step was taken.
//!
//! | step | what is new |
//! | --- | --- |
//! | [`naive::Ring`] | the ring, for one thread: the compiler refuses to share it |
//! | [`naive::AtomicRing`] | shared, in safe code; loses items with two producers |
//! | [`shared::Shared`] | any item, by `unsafe`; who may call is a comment; orderings and padding to choose |
//! | [`spsc`] | a producer and a consumer as types that cannot be misused, indices that are cached, batches |
//! | [`mpmc`] | any number of producers and consumers: each slot says whose turn it is |
//! | [`blocking`] | [`spsc`] for those who would rather sleep than spin |
//! | [`blocking_mpmc`] | [`mpmc`] for them: any number of sleepers on either side |
//!
//! A ring's indices are free-running counters: `tail` counts what was pushed, `head` what was
//! popped, both wrap around, and their difference is the number of items inside. So a ring holds
//! exactly as many items as its capacity says, from 1 on.

mod bed;
pub mod blocking;
pub mod blocking_mpmc;
pub mod mpmc;
pub mod naive;
pub mod probe;
pub mod shared;
pub mod spsc;

use std::sync::atomic::Ordering;

// ANCHOR: orderings
/// The memory orderings of a ring, each named for the event that it tells of and for the side that
/// tells or hears it.
///
/// They are a parameter so that a model can weaken one at a time and be seen to fail;
/// [`AcquireRelease`] is the one to use.
///
/// # Safety
///
/// A load is `Acquire` or `SeqCst`, a store `Release` or `SeqCst`, the fence `SeqCst`. With less,
/// safe code has data races.
pub unsafe trait Orderings {
    /// `push` tells that an item is in its slot. Pairs with [`WRITTEN_LOAD`](Self::WRITTEN_LOAD).
    const WRITTEN_STORE: Ordering = Ordering::Release;
    /// `pop` hears of it: what was written to the slot happened before it is read.
    const WRITTEN_LOAD: Ordering = Ordering::Acquire;
    /// `pop` tells that it has taken the item out. Pairs with [`TAKEN_LOAD`](Self::TAKEN_LOAD).
    const TAKEN_STORE: Ordering = Ordering::Release;
    /// `push` hears of it: the slot was read before it is written again.
    const TAKEN_LOAD: Ordering = Ordering::Acquire;
    /// A producer tells that it is gone. Pairs with [`GONE_LOAD`](Self::GONE_LOAD).
    const GONE_STORE: Ordering = Ordering::Release;
    /// `pop` hears of it: whatever the producer pushed before can be seen now.
    const GONE_LOAD: Ordering = Ordering::Acquire;
    /// Between telling the other side something and looking whether it sleeps, and between going to
    /// sleep and a last look at what it has told. Pairs with itself on the other side. Only
    /// [`blocking`] and [`blocking_mpmc`] have it.
    const SLEEP_FENCE: Ordering = Ordering::SeqCst;
}
// ANCHOR_END: orderings

/// The orderings that the rings need, and no more.
pub struct AcquireRelease;

// SAFETY: the trait's own values.
unsafe impl Orderings for AcquireRelease {}

/// Everything in one order that all threads agree on: what one writes when one has not thought
/// about it.
pub struct SequentiallyConsistent;

// SAFETY: stronger than what is asked for.
unsafe impl Orderings for SequentiallyConsistent {
    const WRITTEN_STORE: Ordering = Ordering::SeqCst;
    const WRITTEN_LOAD: Ordering = Ordering::SeqCst;
    const TAKEN_STORE: Ordering = Ordering::SeqCst;
    const TAKEN_LOAD: Ordering = Ordering::SeqCst;
    const GONE_STORE: Ordering = Ordering::SeqCst;
    const GONE_LOAD: Ordering = Ordering::SeqCst;
}

/// How many slots a ring of that capacity has: a power of two, so that finding an item's slot is
/// one `and`, and so that the counters may wrap around.
///
/// # Panics
///
/// If the capacity is 0, or if there is no such power.
fn slots_for(capacity: usize) -> usize {
    assert!(capacity > 0, "a ring of capacity 0 could never accept an item");
    let Some(slots) = capacity.checked_next_power_of_two() else {
        panic!("a ring of capacity {capacity} has more slots than can be counted");
    };
    slots
}

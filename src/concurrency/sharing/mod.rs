//! What it costs to share a word between threads, and what may be read of it: the pieces that
//! locks, counters and queues are made of, each small enough for a model.
//!
//! | piece | what it needs of the memory |
//! | --- | --- |
//! | [`counter::Counter`] | each addition is one step |
//! | [`letter::Letter`] | who sees the flag sees what was written before it |
//! | [`doors::Doors`] | of two that knock, one sees the other |
//! | [`spin::SpinLock`] | what one holder wrote, the next one sees |
//! | [`owners::Owners`] | whoever is last sees what all others did |
//! | [`naive`] | what everybody writes first: two steps, and a lock that only burns |
//!
//! They take their orderings as a parameter, [`Orderings`], so that a model can weaken one at a
//! time and be seen to fail. [`litmus`] asks the processor the same questions.

pub mod counter;
pub mod doors;
pub mod letter;
pub mod litmus;
pub mod naive;
pub mod owners;
pub mod spin;

use std::sync::atomic::Ordering;

// ANCHOR: orderings
/// The memory orderings of the pieces, each named for what it tells and to whom.
///
/// # Safety
///
/// `LOCK` is `Acquire` or stronger, `UNLOCK` `Release` or `SeqCst`. With less, safe code has data
/// races.
pub unsafe trait Orderings {
    /// [`counter::Counter`]: adding. An atomic addition is one step in any ordering.
    const ADD: Ordering = Ordering::Relaxed;
    /// [`letter::Letter`]: raising the flag. Pairs with [`READ`](Self::READ).
    const SEND: Ordering = Ordering::Release;
    /// Looking at the flag: what was written before it was raised can be seen.
    const READ: Ordering = Ordering::Acquire;
    /// [`doors::Doors`]: between one's own knock and listening for the other's. Pairs with itself on the other side.
    const BETWEEN: Ordering = Ordering::SeqCst;
    /// [`spin::SpinLock`]: taking it. Pairs with [`UNLOCK`](Self::UNLOCK) of the holder before.
    const LOCK: Ordering = Ordering::Acquire;
    /// Giving it back.
    const UNLOCK: Ordering = Ordering::Release;
    /// [`owners::Owners`]: leaving. What this owner did happened before the last one's [`LAST`](Self::LAST).
    const LEAVE: Ordering = Ordering::Release;
    /// A fence behind the leaving of the last one. Pairs with every other owner's
    /// [`LEAVE`](Self::LEAVE).
    const LAST: Ordering = Ordering::Acquire;
}
// ANCHOR_END: orderings

/// The orderings that the pieces need, and no more.
pub struct Needed;

// SAFETY: the trait's own values.
unsafe impl Orderings for Needed {}

//! Slots of a ring: how many a capacity needs, and the memory for them.

use std::{error, fmt};

/// The reason why a ring of some capacity cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CapacityError {
    /// The capacity is 0.
    Zero,
    /// No power of two that a `usize` can hold is as large as this capacity.
    TooManySlots(usize),
    /// Memory has no room for the slots of a ring of this capacity.
    OutOfMemory(usize),
}

impl fmt::Display for CapacityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Zero => f.write_str("a ring of capacity 0 could never accept an item"),
            Self::TooManySlots(capacity) => {
                write!(f, "a ring of capacity {capacity} has more slots than can be counted")
            }
            Self::OutOfMemory(capacity) => {
                write!(f, "a ring of capacity {capacity} does not fit into memory")
            }
        }
    }
}

impl error::Error for CapacityError {}

/// Returns the number of slots for `capacity` items: a power of two, so that finding an item's slot
/// is one `and`, and so that the counters may wrap around.
pub(super) fn slots_for(capacity: usize) -> Result<usize, CapacityError> {
    match capacity {
        0 => Err(CapacityError::Zero),
        _ => capacity.checked_next_power_of_two().ok_or(CapacityError::TooManySlots(capacity)),
    }
}

/// Allocates `slots` slots for a ring of `capacity` items, each made by `slot` from its index.
pub(super) fn allocate<S>(
    capacity: usize,
    slots: usize,
    slot: impl FnMut(usize) -> S,
) -> Result<Box<[S]>, CapacityError> {
    let mut memory = Vec::new();
    memory.try_reserve_exact(slots).map_err(|_| CapacityError::OutOfMemory(capacity))?;
    memory.extend((0..slots).map(slot));
    Ok(memory.into_boxed_slice())
}

/// Returns the ring, or panics with the reason why it cannot be made.
#[track_caller]
pub(super) fn expect<R>(ring: Result<R, CapacityError>) -> R {
    ring.unwrap_or_else(|error| panic!("{error}"))
}

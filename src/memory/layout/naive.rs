//! The version that everyone writes first. `tests/layout.rs` pins its faults:
//!
//! - the "optimized" order takes as many bytes as the other one, and the padding is not where its
//!   comments say;
//! - the packed struct saves the padding, but its fields can no longer be borrowed;
//! - a `repr(C)` that no foreign code reads keeps the compiler from ordering the fields itself
//!   ([`COrder`](super::records::COrder)).

#![allow(missing_docs, reason = "the fields are placeholders")]

use memoffset::offset_of;
use static_assertions::const_assert_eq;

// ANCHOR: seed
/// The order that the Go article calls optimized.
#[repr(C)]
pub struct Optimized {
    pub id: i64,
    pub active: bool, // "1 byte and 7 bytes of padding"
    pub name: [u8; 32],
    pub score: f64,
    pub created: i64,
}

/// The order that the Go article calls unoptimized.
#[repr(C)]
pub struct Unoptimized {
    pub active: bool,
    pub id: i64,
    pub name: [u8; 32],
    pub score: f64,
    pub created: i64,
}
// ANCHOR_END: seed

/// The same fields, in the order that the compiler chooses.
pub struct Unordered {
    pub active: bool,
    pub id: i64,
    pub name: [u8; 32],
    pub score: f64,
    pub created: i64,
}

/// The same fields, "to save memory".
#[repr(C, packed)]
pub struct Packed {
    pub active: bool,
    pub id: i64,
    pub name: [u8; 32],
    pub score: f64,
    pub created: i64,
}

// ANCHOR: sizes
#[cfg(target_pointer_width = "64")]
const _: () = {
    const_assert_eq!(size_of::<Optimized>(), 64);
    const_assert_eq!(size_of::<Unoptimized>(), 64);
    const_assert_eq!(size_of::<Unordered>(), 64);
    const_assert_eq!(size_of::<Packed>(), 57);
    const_assert_eq!(offset_of!(Optimized, name), 9); // the padding is after `name`, not before
};
// ANCHOR_END: sizes

//! The version that everybody writes first. Its faults are pinned by `tests/layout.rs`:
//!
//! - the order that is called optimized takes as many bytes as the other one, and the hole is elsewhere than its comments say;
//! - the packed one saves the hole, and its fields cannot be borrowed any more;
//! - a `repr(C)` that nothing foreign reads keeps the compiler from ordering the fields itself ([`COrder`](super::records::COrder)).

#![allow(missing_docs, reason = "the fields are numbers and a name, and mean nothing")]

use memoffset::offset_of;
use static_assertions::const_assert_eq;

// ANCHOR: seed
/// In the order that is called optimized.
#[repr(C)]
pub struct Optimized {
    pub id: i64,
    pub active: bool, // "1 byte and 7 bytes of padding"
    pub name: [u8; 32],
    pub score: f64,
    pub created: i64,
}

/// In the order that is called not optimized.
#[repr(C)]
pub struct Unoptimized {
    pub active: bool,
    pub id: i64,
    pub name: [u8; 32],
    pub score: f64,
    pub created: i64,
}
// ANCHOR_END: seed

/// The same fields, and the order left to the compiler.
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
    const_assert_eq!(offset_of!(Optimized, name), 9); // the hole is behind the name, not before it
};
// ANCHOR_END: sizes

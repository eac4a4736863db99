//! One event in four layouts, and what they cost in cache lines.

pub use super::event::Event;
use super::packed::Packed;
use super::picture::LINE;
use static_assertions::const_assert_eq;

// ANCHOR: orders
/// An event with its fields in the order in which they came to mind. C keeps that order.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct COrder {
    /// The kind of event.
    pub kind: u8,
    /// The time, in nanoseconds.
    pub at: u64,
    /// The amount.
    pub amount: u32,
}

/// The same event, ordered by hand, as `repr(C)` requires.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct ByHand {
    /// The time, in nanoseconds.
    pub at: u64,
    /// The amount.
    pub amount: u32,
    /// The kind of event.
    pub kind: u8,
}
// ANCHOR_END: orders

// ANCHOR: columns
/// Events as columns, one vector per field: no field has a neighbor that needs alignment.
#[derive(Default)]
pub struct Columns {
    pub(super) kind: Vec<u8>,
    pub(super) at: Vec<u64>,
    pub(super) amount: Vec<u32>,
}
// ANCHOR_END: columns

// ANCHOR: sizes
#[cfg(target_pointer_width = "64")]
const _: () = {
    const_assert_eq!(size_of::<COrder>(), 24);
    const_assert_eq!(size_of::<ByHand>(), 16);
    const_assert_eq!(size_of::<Event>(), 16);
};
// ANCHOR_END: sizes

/// Returns the number of cache lines that an array of `values` values of `size` bytes covers, if it
/// starts at a line.
// ANCHOR: lines
pub const fn lines(values: usize, size: usize) -> usize {
    (values * size).div_ceil(LINE)
}

#[cfg(target_pointer_width = "64")]
const _: () = {
    const_assert_eq!(lines(1 << 20, size_of::<COrder>()), 393_216);
    const_assert_eq!(lines(1 << 20, size_of::<Event>()), 262_144);
    const_assert_eq!(lines(1 << 20, size_of::<Packed>()), 212_992);
    const_assert_eq!(lines(1 << 20, size_of::<u32>()), 65_536); // the column of amounts
};
// ANCHOR_END: lines

/// Returns the number of 64 consecutive values of `size` bytes that straddle two lines, if the
/// first one starts at a line.
// ANCHOR: split
pub const fn split(size: usize) -> usize {
    let (mut value, mut found) = (0, 0);
    while value < 64 {
        let (first, last) = (value * size, (value + 1) * size - 1);
        found += (first / LINE != last / LINE) as usize;
        value += 1;
    }
    found
}

#[cfg(target_pointer_width = "64")]
const _: () = {
    const_assert_eq!(split(size_of::<COrder>()), 16);
    const_assert_eq!(split(size_of::<Event>()), 0);
    const_assert_eq!(split(size_of::<Packed>()), 12);
};
// ANCHOR_END: split

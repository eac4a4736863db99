//! A record without padding, whose fields need not be aligned.

use super::event::Event;

// ANCHOR: packed
/// Thirteen consecutive bytes, at any address.
#[derive(Clone, Copy)]
#[repr(C, packed)]
pub struct Packed {
    /// The kind of event.
    pub kind: u8,
    /// The time, in nanoseconds.
    pub at: u64,
    /// The amount.
    pub amount: u32,
}

static_assertions::const_assert_eq!(size_of::<Packed>(), 1 + 8 + 4);
static_assertions::const_assert_eq!(align_of::<Packed>(), 1);
// ANCHOR_END: packed

impl Packed {
    /// The size of a record within a byte buffer.
    pub const BYTES: usize = size_of::<Self>();

    /// Returns the fields, each copied to an aligned place.
    // ANCHOR: copy
    pub fn event(self) -> Event {
        let Self { kind, at, amount } = self; // copies: `ref at` would not compile
        Event { kind, at, amount }
    }
    // ANCHOR_END: copy

    /// Returns the amount of the record that `bytes` hold, without copying the record.
    // ANCHOR: raw
    pub fn amount_in(bytes: &[u8; Self::BYTES]) -> u32 {
        let record: *const Self = bytes.as_ptr().cast();
        // SAFETY: `bytes` are exactly one record, and every bit pattern is a valid
        // number. The address of the amount is computed without creating a reference, and
        // the read requires no alignment.
        unsafe { (&raw const (*record).amount).read_unaligned() }
    }
    // ANCHOR_END: raw
}

//! A record without padding, whose fields lie where they lie.

use super::picture::LINE;
use super::records::Event;

// ANCHOR: packed
/// Thirteen bytes, one behind the other, at any address.
#[derive(Clone, Copy)]
#[repr(C, packed)]
pub struct Packed {
    /// What happened.
    pub kind: u8,
    /// When, in nanoseconds.
    pub at: u64,
    /// How much.
    pub amount: u32,
}

static_assertions::const_assert_eq!(size_of::<Packed>(), 1 + 8 + 4);
static_assertions::const_assert_eq!(align_of::<Packed>(), 1);
// ANCHOR_END: packed

impl Packed {
    /// The length of a record among other bytes.
    pub const BYTES: usize = size_of::<Self>();

    /// The fields, each copied to where it is aligned.
    // ANCHOR: copy
    pub fn event(self) -> Event {
        let Self { kind, at, amount } = self; // copies: `ref at` would not compile
        Event { kind, at, amount }
    }
    // ANCHOR_END: copy

    /// The amount of a record among other bytes, without a copy of the record.
    // ANCHOR: raw
    pub fn amount_in(bytes: &[u8; Self::BYTES]) -> u32 {
        let record: *const Self = bytes.as_ptr().cast();
        // SAFETY: `bytes` are as many as a record has, and all patterns are numbers. The place of
        // the amount is computed without a reference to it, and the read expects no alignment.
        unsafe { (&raw const (*record).amount).read_unaligned() }
    }
    // ANCHOR_END: raw
}

/// The sum of one eight-byte number for each cache line of `bytes` but the last, `offset` (at most
/// 64) bytes behind its beginning: from 57 to 63, if `bytes` begin with a line, each number lies in
/// two of them.
///
/// # Panics
///
/// If there is no line, or `offset` is larger.
pub fn numbers_at(bytes: &[u8], offset: usize) -> u64 {
    let (lines, _) = bytes[offset..bytes.len() - LINE + offset].as_chunks::<LINE>();
    let (fours, rest) = lines.as_chunks::<4>();
    let number =
        |line: &[u8; LINE]| line.first_chunk().map_or(0, |number| u64::from_ne_bytes(*number));
    // Four sums: with one, each addition would wait for the one before, and hide what a load takes.
    let mut sums = [0_u64; 4];
    for four in fours {
        for (sum, line) in sums.iter_mut().zip(four) {
            *sum = sum.wrapping_add(number(line));
        }
    }
    sums.into_iter().chain(rest.iter().map(number)).fold(0, u64::wrapping_add)
}

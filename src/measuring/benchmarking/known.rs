//! Work that differs by a known share, to ask a benchmark tool what it finds.

/// The steps of the shorter work.
pub const LESS: u64 = 16_000;

/// The steps of the longer work: one in a hundred more.
pub const MORE: u64 = LESS + LESS / 100;

// ANCHOR: work
/// Makes `steps` steps, each of which needs the number of the one before.
#[inline(never)]
pub fn work(steps: u64) -> u64 {
    const FACTOR: u64 = 6_364_136_223_846_793_005;
    (0..steps).fold(1, |number: u64, step| number.wrapping_mul(FACTOR) ^ step)
}
// ANCHOR_END: work

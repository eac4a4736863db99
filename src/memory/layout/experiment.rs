//! Unaligned loads, clocked by the bench.

use super::picture::LINE;

/// Adds up one eight-byte number per cache line of `bytes` except the last, `offset` bytes into the
/// line. If `bytes` start with a line, an `offset` from 57 to 63 makes each number straddle two.
///
/// # Panics
///
/// If `bytes` are shorter than a line, or `offset` is above 64.
pub fn numbers_at(bytes: &[u8], offset: usize) -> u64 {
    let (lines, _) = bytes[offset..bytes.len() - LINE + offset].as_chunks::<LINE>();
    let (fours, rest) = lines.as_chunks::<4>();
    let number =
        |line: &[u8; LINE]| line.first_chunk().map_or(0, |number| u64::from_ne_bytes(*number));
    // Four sums: with a single one, each addition would wait for the previous one and hide the cost
    // of the load.
    let mut sums = [0_u64; 4];
    for four in fours {
        for (sum, line) in sums.iter_mut().zip(four) {
            *sum = sum.wrapping_add(number(line));
        }
    }
    sums.into_iter().chain(rest.iter().map(number)).fold(0, u64::wrapping_add)
}

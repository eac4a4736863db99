//! One loop at several places of a cache line: the same instructions, at other addresses.

use std::arch::asm;

/// The loop at one of its places.
pub type Loop = fn(u64) -> u64;

/// The places that are compared, in bytes from the start of a cache line, with the loop there.
pub const PLACES: [(usize, Loop); 8] = [
    (0, at::<0>),
    (8, at::<8>),
    (16, at::<16>),
    (24, at::<24>),
    (32, at::<32>),
    (40, at::<40>),
    (48, at::<48>),
    (56, at::<56>),
];

// ANCHOR: at
/// Counts down from `n`, and adds 7 at odd numbers and 5 at those whose second bit is set.
/// The loop starts `PLACE` bytes after the start of a cache line.
#[inline(never)]
fn at<const PLACE: usize>(mut n: u64) -> u64 {
    let mut sum = 0_u64;
    // SAFETY: touches the two registers and the flags, and the loop ends for every `n`: after
    // 2^64 iterations at the latest.
    unsafe {
        asm!(
            ".p2align 6",
            ".skip {place}, 0x90", // one-byte instructions that do nothing
            "2:",
            "test {n}, 1", "jz 3f", "add {sum}, 7", "3:",
            "test {n}, 2", "jz 4f", "add {sum}, 5", "4:",
            "dec {n}", "jnz 2b",
            place = const PLACE, n = inout(reg) n, sum = inout(reg) sum,
            options(nomem, nostack),
        );
    }
    sum + n
}
// ANCHOR_END: at

/// Returns the answer of the loop for `n` above zero.
pub fn answer(n: u64) -> u64 {
    (1..=n).map(|n| 7 * (n & 1) + 5 * (n >> 1 & 1)).sum()
}

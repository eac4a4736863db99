//! The smallest probe, which shows how to keep a loop in the program.

use std::hint::black_box;
use std::time::{Duration, Instant};

// ANCHOR: additions
/// Adds up `additions` numbers. Unit: one iteration of the loop, one to a few clock
/// cycles.
///
/// It does not measure an isolated addition: `black_box` passes each number through
/// memory, and a core makes several additions at once if none waits for another.
pub fn additions(additions: u64) -> Duration {
    let start = Instant::now();
    let mut sum = 0_u64;
    for number in 0..additions {
        // The compiler does not know the number, so it can neither precompute the sum nor
        // add several at a time.
        sum = sum.wrapping_add(black_box(number));
    }
    black_box(sum);
    start.elapsed()
}
// ANCHOR_END: additions

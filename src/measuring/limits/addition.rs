//! The smallest probe, to show what keeps a loop in the program.

use std::hint::black_box;
use std::time::{Duration, Instant};

// ANCHOR: additions
/// Adds `additions` numbers, each to the sum so far. Unit: one turn of the loop, one to a few clock
/// cycles.
///
/// Does not measure an addition by itself: `black_box` passes each number through memory, and a
/// core makes several additions at once when none waits for another.
pub fn additions(additions: u64) -> Duration {
    let start = Instant::now();
    let mut sum = 0_u64;
    for number in 0..additions {
        // The compiler may not know the number, so it can neither foresee the sum nor add several
        // at a time.
        sum = sum.wrapping_add(black_box(number));
    }
    black_box(sum);
    start.elapsed()
}
// ANCHOR_END: additions

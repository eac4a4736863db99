//! Two probes that everyone writes first. Both run, both print a number, and neither measures what
//! its name says.

use super::load::Chain;
use crate::harness::shuffle::Random;
use std::hint::black_box;
use std::time::{Duration, Instant};

// ANCHOR: naive_latency
/// "Latency of a random load": `loads` loads from random lines of the working set.
///
/// Wrong: no load needs the value of the previous one, so the core keeps many in flight,
/// and the time per load is the latency divided by their number.
pub fn latency(chain: &Chain, loads: u64) -> Duration {
    chain.warm();
    let (lines, mut random) = (chain.lines(), Random(1));
    let start = Instant::now();
    let mut sum = 0_u64;
    for _ in 0..loads {
        sum = sum.wrapping_add(lines[random.below(lines.len())].number());
    }
    black_box(sum);
    start.elapsed()
}
// ANCHOR_END: naive_latency

// ANCHOR: naive_additions
/// "Time of an addition": `black_box` makes sure that the result is used.
///
/// Wrong: the compiler knows every number in the sum and computes it without a loop.
/// Twice the work takes no longer.
pub fn additions(additions: u64) -> Duration {
    let start = Instant::now();
    let mut sum = 0_u64;
    for number in 0..additions {
        sum = sum.wrapping_add(number);
    }
    black_box(sum);
    start.elapsed()
}
// ANCHOR_END: naive_additions

//! The versions that everybody writes first. Their faults are pinned by `tests/cache_lines.rs`:
//!
//! - the two fields of [`Stats`] lie in one line, so two threads that share no variable wait for each other;
//! - so do the cells of `ShardedCounter<AtomicU64>`, an array with a place for each thread;
//! - [`plain`] sets out to measure that and finds nothing, because it makes none of its stores.

use std::mem::offset_of;
use std::sync::atomic::AtomicU64;
use std::thread;
use std::time::{Duration, Instant};

// ANCHOR: stats
/// What a connection has moved. One thread receives, another one sends.
#[derive(Debug, Default)]
pub struct Stats {
    /// Bytes received. Written by the receiving thread only.
    pub received: AtomicU64,
    /// Bytes sent. Written by the sending thread only.
    pub sent: AtomicU64,
}
// ANCHOR_END: stats

// ANCHOR: apart
static_assertions::const_assert_eq!(
    offset_of!(Stats, received).abs_diff(offset_of!(Stats, sent)),
    8
);
static_assertions::assert_eq_size!(Stats, [u8; 16]);
// ANCHOR_END: apart

/// "What two threads pay for one line": both add to their own of two neighboring counters. Unit:
/// one addition of each.
///
/// Wrong: nobody else may look at what is behind a `&mut`, so the compiler sums up in a register
/// and stores once. The line stays where it is, and twice the work takes no longer. What the time
/// shows is two threads that start and end.
// ANCHOR: plain
pub fn plain(additions: u64) -> Duration {
    let mut counters = [0_u64; 2];
    let start = Instant::now();
    thread::scope(|scope| {
        for counter in &mut counters {
            scope.spawn(move || (0..additions).for_each(|_| *counter = counter.wrapping_add(1)));
        }
    });
    let elapsed = start.elapsed();
    assert_eq!(counters, [additions; 2]);
    elapsed
}
// ANCHOR_END: plain

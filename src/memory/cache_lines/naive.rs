//! The versions that everyone writes first. `tests/cache_lines.rs` pins their faults:
//!
//! - the two fields of [`Stats`] lie in one line, so two threads that share no variable wait for
//!   each other;
//! - the same holds for the cells of `ShardedCounter<AtomicU64>`, an array with one cell per
//!   thread;
//! - [`plain`] sets out to measure this and finds nothing, because it makes none of its stores.

use std::mem::offset_of;
use std::sync::atomic::AtomicU64;
use std::thread;
use std::time::{Duration, Instant};

// ANCHOR: stats
/// The traffic of a connection. One thread receives, another one sends.
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

/// Measures "what two threads pay for sharing a line": each adds to its own of two neighboring
/// counters. Unit: one addition of each.
///
/// Wrong: no other thread may access the target of a `&mut`, so the compiler adds in a register and
/// stores once. The line never moves, and twice the work takes no longer. The time is that of two
/// threads starting and ending.
// ANCHOR: plain
pub fn plain(additions: u64) -> Duration {
    let mut counters = [0_u64; 2];
    let start = Instant::now();
    thread::scope(|scope| {
        for counter in &mut counters {
            scope.spawn(move || {
                for _ in 0..additions {
                    *counter = counter.wrapping_add(1);
                }
            });
        }
    });
    let elapsed = start.elapsed();
    assert_eq!(counters, [additions; 2]);
    elapsed
}
// ANCHOR_END: plain

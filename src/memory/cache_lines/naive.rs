//! The versions that everybody writes first. Their faults are pinned by `tests/cache_lines.rs`:
//!
//! - the two fields of [`Stats`] lie in one line, so two threads that share no variable wait for each other;
//! - so do the cells of `ShardedCounter<AtomicU64>`, an array with a place for each thread;
//! - [`plain`] sets out to measure that and finds nothing, because it makes none of its stores.

use crate::proof::cores::together;
use std::io;
use std::mem::offset_of;
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

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
static_assertions::const_assert_eq!(offset_of!(Stats, received).abs_diff(offset_of!(Stats, sent)), 8);
static_assertions::assert_eq_size!(Stats, [u8; 16]);
// ANCHOR_END: apart

/// "What two cores pay for one line": both add to their own of two neighboring counters. Unit: one addition of each core.
///
/// Wrong: the counter is not atomic, so the compiler may keep it in a register, and makes one store for all additions, if any.
/// The line stays where it is, and twice the work takes no longer.
///
/// # Errors
///
/// As [`together`].
// ANCHOR: plain
pub fn plain(cores: [usize; 2], additions: u64) -> io::Result<Duration> {
    let mut counters = [0_u64; 2];
    let [first, second] = &mut counters;
    let counters = [first, second].map(Mutex::new); // each locked once, by its thread
    together(&cores, |place| {
        let counter: &mut u64 = &mut counters[place].lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..additions {
            *counter = counter.wrapping_add(1);
        }
    })
}
// ANCHOR_END: plain

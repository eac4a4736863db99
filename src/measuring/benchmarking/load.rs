//! A server under load, in virtual time: every number is exact.

use std::ops::Range;

/// A server that answers one request after the other, and stalls once. Times are in µs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// The time of an answer.
    pub service: u64,
    /// The time in which it does nothing.
    pub stall: Range<u64>,
}

impl Server {
    /// Returns the time of the answer to a request that the server starts on at `start`. A stall in
    /// between delays it by the rest of the stall.
    pub fn done(&self, start: u64) -> u64 {
        let Range { start: from, end: to } = self.stall;
        let done = start + self.service;
        if start < to && done > from { done + to - start.max(from) } else { done }
    }
}

// ANCHOR: open_loop
/// Returns the latencies of `requests` requests that are due every `interval` µs, whether
/// or not the ones before have been answered. Each counts from when it was due.
pub fn open_loop(server: &Server, interval: u64, requests: u64) -> Vec<u64> {
    let mut free = 0;
    let request = |number| {
        let due = number * interval;
        free = server.done(free.max(due));
        free - due
    };
    (0..requests).map(request).collect()
}
// ANCHOR_END: open_loop

/// Returns the smallest latency that at least `percent` % of them do not exceed (the nearest rank).
///
/// # Panics
///
/// If there are no latencies, or `percent` is not in 1 to 100.
pub fn percentile(latencies: &[u64], percent: usize) -> u64 {
    assert!((1..=100).contains(&percent), "{percent} %");
    let mut sorted = latencies.to_vec();
    sorted.sort_unstable();
    sorted[(sorted.len() * percent).div_ceil(100) - 1]
}

/// Returns the mean, rounded down.
///
/// # Panics
///
/// If there are no numbers.
pub fn mean(numbers: &[u64]) -> u64 {
    numbers.iter().sum::<u64>() / numbers.len() as u64
}

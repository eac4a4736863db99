//! Benches that everyone writes first. Each runs, prints a number, and measures something else than
//! its name says. `tests/benchmarking.rs` pins each lie.

use super::load::Server;
use std::fs;
use std::hint::black_box;
use std::io;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

// ANCHOR: buffers
/// "A buffer from the allocator, filled and freed", `times` times.
///
/// Wrong: nothing reads the buffer, so the compiler removes it, and then the loop.
pub fn buffers(times: u64) {
    for _ in 0..times {
        let mut buffer = Vec::with_capacity(1024);
        buffer.extend_from_slice(b"test data");
    }
}
// ANCHOR_END: buffers

// ANCHOR: sort
/// "Sorting these values", `times` times.
///
/// Wrong: the first iteration uses up the input. The others sort what is sorted.
pub fn sort(values: &mut [u64], times: u64) -> Duration {
    let start = Instant::now();
    for _ in 0..times {
        black_box(&mut *values).sort_unstable();
    }
    start.elapsed()
}
// ANCHOR_END: sort

/// "Sorting these values", `times` times, from a fresh copy.
///
/// Wrong: the time has the allocation of the copy in it, and the copying.
pub fn sort_copies(values: &[u64], times: u64) -> Duration {
    let start = Instant::now();
    for _ in 0..times {
        let mut copy = values.to_vec();
        copy.sort_unstable();
        black_box(copy);
    }
    start.elapsed()
}

// ANCHOR: lines
/// "The fastest way to count lines."
///
/// Wrong: it counts them in a byte, of which one vector register holds many. From the
/// 256th line on, it answers another question.
pub fn lines(text: &[u8]) -> u64 {
    let is_end = |&byte: &u8| u8::from(byte == b'\n');
    text.iter().map(is_end).fold(0, u8::wrapping_add).into()
}
// ANCHOR_END: lines

// ANCHOR: copy
/// "Copying by `copy_file_range`."
///
/// Wrong: `fs::copy` tries the call, and goes another way if the kernel refuses it.
/// It does not say so.
pub fn copy(from: &Path, to: &Path) -> io::Result<u64> {
    fs::copy(from, to)
}
// ANCHOR_END: copy

// ANCHOR: closed_loop
/// The latencies of `requests` requests, one every `interval` µs.
///
/// Wrong: a request is sent when the answer to the one before has come. A server that
/// stalls makes its load wait, and is asked nothing while it would look bad.
pub fn closed_loop(server: &Server, interval: u64, requests: u64) -> Vec<u64> {
    let mut now = 0;
    let request = |_| {
        let sent = now;
        let done = server.done(sent);
        now = done.max(sent + interval);
        done - sent
    };
    (0..requests).map(request).collect()
}
// ANCHOR_END: closed_loop

// ANCHOR: average
/// "The 99th percentile": the average of the 99th percentiles of `windows` parts.
///
/// Wrong: a percentile of percentiles, or their average, is a percentile of nothing.
pub fn averaged_percentile(latencies: &[u64], windows: usize) -> u64 {
    let parts = latencies.chunks(latencies.len().div_ceil(windows));
    let of_parts: Vec<u64> = parts.map(|part| super::load::percentile(part, 99)).collect();
    super::load::mean(&of_parts)
}
// ANCHOR_END: average

// ANCHOR: build_and_run
/// `build; program`, as a script of a benchmark has it.
///
/// Wrong: if the build fails, the program of the last build runs.
pub fn build_and_run(build: &mut Command, program: &mut Command) -> io::Result<Output> {
    build.output()?;
    program.output()
}
// ANCHOR_END: build_and_run

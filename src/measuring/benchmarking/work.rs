//! The work that the lying benches claim to measure, measured.

use crate::zero_copy::copy_file_range::copy_file_range;
use std::fs::File;
use std::hint::black_box;
use std::io;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

// ANCHOR: buffers
/// Takes a buffer from the allocator, fills it and frees it, `times` times.
pub fn buffers(times: u64) {
    for _ in 0..times {
        // The compiler knows neither size nor data, nor what becomes of the buffer.
        let mut buffer = Vec::with_capacity(black_box(1024));
        buffer.extend_from_slice(black_box(b"test data"));
        black_box(&mut buffer);
    }
}
// ANCHOR_END: buffers

// ANCHOR: sort
/// Sorts `values`, `times` times: each time a copy, made before the clock started.
pub fn sort(values: &[u64], times: u64) -> Duration {
    const BATCH: u64 = 64; // a batch of copies takes far longer than reading the clock
    let mut copies = vec![values.to_vec(); times.min(BATCH) as usize];
    let mut taken = Duration::ZERO;
    for batch in (0..times).step_by(BATCH as usize) {
        let copies = &mut copies[..(times - batch).min(BATCH) as usize];
        copies.iter_mut().for_each(|copy| copy.copy_from_slice(values));
        let start = Instant::now();
        copies.iter_mut().for_each(|copy| black_box(copy).sort_unstable());
        taken += start.elapsed();
    }
    taken
}
// ANCHOR_END: sort

// ANCHOR: lines
/// Counts lines in bytes, and adds up before a byte overflows.
pub fn lines(text: &[u8]) -> u64 {
    let is_end = |&byte: &u8| u8::from(byte == b'\n');
    text.chunks(255).map(|part| u64::from(part.iter().map(is_end).sum::<u8>())).sum()
}
// ANCHOR_END: lines

// ANCHOR: copy
/// Copies by `copy_file_range` or not at all.
///
/// # Errors
///
/// The errors of the files, and of the call.
pub fn copy(from: &Path, to: &Path) -> io::Result<u64> {
    let (from, to) = (File::open(from)?, File::create(to)?);
    let (length, mut copied) = (from.metadata()?.len(), 0);
    while copied < length {
        match copy_file_range(&from, copied, &to, copied, length - copied)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()), // the file has shrunk
            more => copied += more as u64,
        }
    }
    Ok(copied)
}
// ANCHOR_END: copy

// ANCHOR: look_up
/// Adds up the entries of `table` at `keys`.
pub fn look_up(table: &[u64], keys: &[u32]) -> u64 {
    keys.iter().map(|&key| table[key as usize]).fold(0, u64::wrapping_add)
}
// ANCHOR_END: look_up

/// `build && program`: runs the program that was built just now, or none.
///
/// # Errors
///
/// If the build fails, or one of the two cannot be started.
pub fn build_and_run(build: &mut Command, program: &mut Command) -> io::Result<Output> {
    if !build.output()?.status.success() {
        return Err(io::Error::other("the build failed"));
    }
    program.output()
}

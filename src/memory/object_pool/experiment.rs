//! The experiments of the example: what buffers cost by their source, and what a source keeps.

use super::buffers::BufferPool;
use super::variants::{BOUND, Variant};
use crate::proof::allocations::{Allocations, count};
use crate::proof::usage::Usage;
use crate::proof::{memory_scan, resident};
use crate::sys::trying;
use std::io;
use std::thread;

const SMALL: usize = 4 << 10;
const MEDIUM: usize = 64 << 10;
const LARGE: usize = 10 << 20;

/// Counts the calls to the allocator for 64 small buffers, without the vector that holds them.
pub fn allocations(variant: &Variant) -> u64 {
    count(|| variant.burst(64, SMALL, 0)).1.calls - 1
}

/// Counts the pages that the kernel provides for 64 buffers of 64 KiB, when as many have just been
/// used and returned.
///
/// # Errors
///
/// The errors of `getrusage(2)`.
pub fn faults(variant: &Variant) -> io::Result<u64> {
    variant.burst(64, MEDIUM, 0);
    let before = Usage::of_thread()?;
    variant.burst(64, MEDIUM, 0);
    Ok((Usage::of_thread()? - before).minor_faults)
}

/// Fills 16 small buffers with a secret word, returns them, and counts the bytes in this process's
/// memory that still hold the word. Different values of `number` have different words.
///
/// # Errors
///
/// If the process cannot read its own memory.
pub fn secrets(variant: &Variant, number: u64) -> io::Result<u64> {
    // Not a constant: nothing but the buffers may hold it.
    let word = u64::from(std::process::id()).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ number;
    variant.burst(16, SMALL, word);
    trying("scanning /proc/self/mem", memory_scan::count(word))
}

/// The memory of 1,000 buffers of 64 KiB, during their life and after their return.
pub struct Footprint {
    /// Bytes from the allocator.
    pub allocated: Allocations,
    /// Growth of the resident memory in bytes: at its peak, and after the return.
    pub resident: io::Result<[u64; 2]>,
}

/// Measures the memory of 1,000 buffers of 64 KiB.
pub fn footprint(variant: &Variant) -> Footprint {
    let before = resident::now().and_then(|now| {
        trying("resetting the peak by /proc/self/clear_refs", resident::reset_peak())?;
        Ok(now)
    });
    let ((), allocated) = count(|| variant.burst(1000, MEDIUM, 0));
    let resident = before.and_then(|before| {
        Ok([resident::peak()?, resident::now()?].map(|bytes| bytes.saturating_sub(before)))
    });
    Footprint { allocated, resident }
}

/// Returns the bytes that a source keeps after one buffer of 10 MiB.
pub fn kept_of_one(variant: &Variant) -> u64 {
    count(|| variant.burst(1, LARGE, 0)).1.held.max(0) as u64
}

/// Lets two threads, one after the other, use one pool. Returns the calls of each to the allocator,
/// and the number of buffers that the pool has discarded.
///
/// # Errors
///
/// If a thread cannot be started.
pub fn two_threads() -> io::Result<([u64; 2], u64)> {
    let pool = BufferPool::new(BOUND);
    let thread = || {
        thread::scope(|scope| {
            let work = || allocations(&Variant::Pool(&pool.local()));
            let thread = thread::Builder::new().spawn_scoped(scope, work);
            let thread = trying("starting a thread that uses the pool", thread)?;
            thread.join().map_err(|_| io::Error::other("a thread panicked"))
        })
    };
    Ok(([thread()?, thread()?], pool.stats().discarded))
}

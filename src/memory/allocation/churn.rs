//! A load for an allocator: many live blocks of mixed sizes, each replaced now and then.

use super::block::Block;
use std::alloc::GlobalAlloc;
use std::array;

/// Blocks that are live at once, on each thread.
pub const LIVE: usize = 4096;
/// Blocks that are replaced after that.
pub const REPLACED: usize = 16384;
/// The sizes that they may have, in bytes.
pub const SIZES: [usize; 7] = [64, 128, 256, 512, 1024, 2048, 4096];

/// Fills a table, replaces blocks at random places by others of random sizes, and frees the table.
/// Returns the sum of the marks of all blocks that were freed: those from 0 up.
///
/// # Panics
///
/// If the allocator has no memory.
pub fn churn<A: GlobalAlloc>(allocator: &A, seed: u64) -> u64 {
    let mut random = seed | 1;
    let mut next = || {
        // Xorshift: Marsaglia, "Xorshift RNGs", 2003.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random as usize
    };
    let block = |random: usize, mark| {
        Block::new(allocator, SIZES[random % SIZES.len()], mark as u64)
            .expect("a load of a few megabytes")
    };
    let mut table: Box<[_; LIVE]> = Box::new(array::from_fn(|mark| block(next() >> 32, mark)));
    let mut sum = 0;
    for mark in LIVE..LIVE + REPLACED {
        let place = &mut table[next() % LIVE];
        sum += place.mark();
        *place = block(next() >> 32, mark);
    }
    table.iter().fold(sum, |sum, block| sum + block.mark())
}

/// What [`churn`] returns.
pub const SUM: u64 = {
    let blocks = (LIVE + REPLACED) as u64;
    blocks * (blocks - 1) / 2
};

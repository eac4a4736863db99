//! Loads on an allocator: many live blocks of mixed sizes that are replaced at random, and one
//! small block at a time.

use super::block::Block;
use std::alloc::GlobalAlloc;
use std::array;
use std::hint::black_box;

/// Blocks that are live at once on each thread.
pub const LIVE: usize = 4096;
/// Replacements of a block.
pub const REPLACED: usize = 16384;
/// The possible sizes of a block, in bytes.
pub const SIZES: [usize; 7] = [64, 128, 256, 512, 1024, 2048, 4096];

/// Fills a table, replaces random blocks by blocks of random sizes, and frees the table. Returns
/// the sum of the marks of all freed blocks, which are numbered from 0.
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
        let slot = &mut table[next() % LIVE];
        sum += slot.mark();
        *slot = block(next() >> 32, mark);
    }
    table.iter().fold(sum, |sum, block| sum + block.mark())
}

/// The result of [`churn`].
pub const SUM: u64 = {
    let blocks = (LIVE + REPLACED) as u64;
    blocks * (blocks - 1) / 2
};

/// Allocates a block of 64 bytes and frees it, `times` times. Unit: one block.
///
/// # Panics
///
/// If the allocator has no memory.
pub fn one_at_a_time<A: GlobalAlloc>(allocator: &A, times: u64) {
    for mark in 0..times {
        let block = Block::new(allocator, 64, mark).expect("64 bytes");
        assert_eq!(black_box(&block).mark(), mark);
    }
}

//! The bandwidth of one core that reads, writes and copies memory.

use crate::sys::region::{Pages, Region};
use std::hint::black_box;
use std::io;
use std::slice;
use std::time::{Duration, Instant};

/// A working set for sequential passes. Unit of every probe: one pass.
///
/// One core only: memory often delivers more to several cores. Bytes are those that the program
/// sees. A copy counts each byte once, although memory is read and written (McCalpin's STREAM
/// counts it twice), and before a store to a line that is not in the cache most processors read
/// that line.
pub struct Block {
    /// Holds the numbers from 0 up, eight bytes each, while no probe runs.
    region: Region,
}

impl Block {
    /// Creates a working set of `bytes`, a multiple of 128.
    ///
    /// # Errors
    ///
    /// See [`Region::new`].
    pub fn new(bytes: usize, pages: Pages) -> io::Result<Self> {
        let mut block = Self { region: Region::new(bytes, pages)? };
        block.number();
        Ok(block)
    }

    fn number(&mut self) {
        (0..).zip(self.words()).for_each(|(number, word)| *word = number);
    }

    /// Reads the words into the caches, from which other probes may have evicted them, and returns
    /// their sum.
    ///
    /// # Panics
    ///
    /// If the sum is wrong.
    fn warm(&mut self) -> u64 {
        let (count, sum) = (self.words().len() as u64, self.words().iter().sum());
        assert_eq!(count * (count - 1) / 2, sum, "the words are the numbers from 0 up");
        sum
    }

    /// Adds up all words, eight bytes each, `passes` times. A pass reads [`bytes`](Self::bytes).
    ///
    /// # Panics
    ///
    /// If a sum is wrong.
    // ANCHOR: read
    pub fn read(&mut self, passes: u64) -> Duration {
        let expected = self.warm().wrapping_mul(passes);
        let words = self.words();
        let start = Instant::now();
        let mut sums = [0_u64; 8];
        for _ in 0..passes {
            // The compiler must assume that the words have changed since the last pass.
            // Otherwise it makes a single pass.
            for line in black_box(&mut *words).chunks_exact(8) {
                // Eight sums: with a single one, each addition would wait for the
                // previous one, and that chain would be the limit.
                for (sum, word) in sums.iter_mut().zip(line) {
                    *sum = sum.wrapping_add(*word);
                }
            }
        }
        black_box(sums);
        let elapsed = start.elapsed();
        assert_eq!(
            sums.iter().fold(0, |all: u64, &sum| all.wrapping_add(sum)),
            expected,
            "the words were not read"
        );
        elapsed
    }
    // ANCHOR_END: read

    /// Fills the block `passes` times with the C library's `memset`. A pass writes
    /// [`bytes`](Self::bytes).
    ///
    /// # Panics
    ///
    /// If the block does not hold the bytes of the last pass.
    pub fn write(&mut self, passes: u64) -> Duration {
        self.warm();
        let bytes = self.raw();
        let start = Instant::now();
        for pass in 0..passes {
            black_box(&mut *bytes).fill(black_box(pass as u8));
        }
        black_box(&mut *bytes);
        let elapsed = start.elapsed();
        let last = passes.wrapping_sub(1) as u8;
        assert!(
            passes == 0 || bytes.iter().step_by(64).all(|&byte| byte == last),
            "the pass did not write the bytes"
        );
        self.number();
        elapsed
    }

    /// Copies the first half to the second `passes` times with the C library's `memcpy`. A pass
    /// copies [`bytes`](Self::bytes)` / 2`, so both halves together are the working set.
    ///
    /// For large copies, glibc bypasses the cache (`glibc.cpu.x86_non_temporal_threshold`).
    ///
    /// # Panics
    ///
    /// If the halves differ afterwards.
    pub fn copy(&mut self, passes: u64) -> Duration {
        self.warm();
        let words = self.words();
        let (from, to) = words.split_at_mut(words.len() / 2);
        assert!(from.len() == to.len() && from != to, "two different halves");
        let start = Instant::now();
        for _ in 0..passes {
            black_box(&mut *to).copy_from_slice(black_box(from));
        }
        black_box(&mut *to);
        let elapsed = start.elapsed();
        assert!(passes == 0 || from == to, "the pass did not copy the words");
        self.number();
        elapsed
    }

    /// Returns the size of the working set in bytes.
    pub fn bytes(&self) -> usize {
        self.region.bytes()
    }

    fn words(&mut self) -> &mut [u64] {
        // SAFETY: this value owns the region, which is aligned for words, and any bytes are valid.
        unsafe {
            slice::from_raw_parts_mut(
                self.region.start().cast(),
                self.region.bytes() / size_of::<u64>(),
            )
        }
    }

    fn raw(&mut self) -> &mut [u8] {
        // SAFETY: as in `words`.
        unsafe { slice::from_raw_parts_mut(self.region.start(), self.region.bytes()) }
    }
}

//! How many bytes a second one core reads, writes and copies.

use crate::sys::region::{Pages, Region};
use std::hint::black_box;
use std::io;
use std::slice;
use std::time::{Duration, Instant};

/// A working set for sequential passes. Unit of every probe: one pass.
///
/// One core only: a machine's memory often delivers more to several. Bytes are those that the
/// program sees: a copy counts each byte once, though memory is read and written (STREAM, by
/// McCalpin, counts it twice), and a store to a line that is not in the cache makes most processors
/// read that line first.
pub struct Block {
    /// Holds the numbers from 0 on, eight bytes each, whenever no probe runs.
    region: Region,
}

impl Block {
    /// A working set of `bytes`, a multiple of 128.
    ///
    /// # Errors
    ///
    /// As [`Region::new`].
    pub fn new(bytes: usize, pages: Pages) -> io::Result<Self> {
        let mut block = Self { region: Region::new(bytes, pages)? };
        block.number();
        Ok(block)
    }

    fn number(&mut self) {
        (0..).zip(self.words()).for_each(|(number, word)| *word = number);
    }

    /// Brings the words as far up the caches as they fit, after other probes have pushed them out,
    /// and returns their sum.
    ///
    /// # Panics
    ///
    /// If it is not the sum of the numbers that stand there.
    fn warm(&mut self) -> u64 {
        let (count, sum) = (self.words().len() as u64, self.words().iter().sum());
        assert_eq!(count * (count - 1) / 2, sum, "the words are the numbers from 0 on");
        sum
    }

    /// Adds up all words, eight bytes each, `passes` times: [`bytes`](Self::bytes) read a pass.
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
            // The compiler must take the words as changed since the last pass, or one pass is all
            // it makes.
            for line in black_box(&mut *words).chunks_exact(8) {
                // Eight sums: with one, each addition would wait for the one before, and their
                // chain would be the limit.
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

    /// Fills the block `passes` times, with the C library's `memset`: [`bytes`](Self::bytes)
    /// written a pass.
    ///
    /// # Panics
    ///
    /// If the last pass is not what stands in the block.
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

    /// Copies the first half over the second `passes` times, with the C library's `memcpy`:
    /// [`bytes`](Self::bytes)` / 2` copied a pass, so that both halves together are the working
    /// set.
    ///
    /// For large copies glibc stores past the cache (`glibc.cpu.x86_non_temporal_threshold`).
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

    /// The size of the working set.
    pub fn bytes(&self) -> usize {
        self.region.bytes()
    }

    fn words(&mut self) -> &mut [u64] {
        // SAFETY: the region is ours alone, aligned for words, and any bytes are valid ones.
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

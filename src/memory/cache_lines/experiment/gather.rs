//! Reads of lines in an order that is known in advance, with and without prefetching.

use super::super::prefetch::prefetch;
use super::words::{LINE, Words};
use crate::harness::shuffle::shuffle;
use std::io;
use std::time::{Duration, Instant};

/// The distance of the prefetched line from the one being read, in lines.
pub const AHEAD: usize = 16;

/// Lines of memory and the order in which to read them.
pub struct Gather {
    words: Words,
    /// The number of each line, once.
    order: Vec<u32>,
    /// The index in `order` of the next line to read.
    at: usize,
}

impl Gather {
    /// Fills `bytes` of memory, to be read in random order or in the order of the addresses.
    ///
    /// # Errors
    ///
    /// See [`Words::new`].
    pub fn new(bytes: usize, random: bool) -> io::Result<Self> {
        let words = Words::new(bytes / 8)?;
        let mut order: Vec<u32> = (0..(words.len() / LINE) as u32).collect();
        if random {
            shuffle(&mut order);
        }
        Ok(Self { words, order, at: 0 })
    }

    /// Reads the first word of each of `lines` lines, applies `work` to it, and adds up the
    /// results. Unit: one line.
    ///
    /// With `PREFETCH`, it first prefetches the line [`AHEAD`] steps further on.
    ///
    /// # Panics
    ///
    /// If the sum is wrong.
    // ANCHOR: lines
    pub fn lines<const PREFETCH: bool>(
        &mut self,
        lines: u64,
        work: impl Fn(u64) -> u64,
    ) -> Duration {
        let (mut left, from, mut sum) = (lines as usize, self.at, 0_u64);
        let start = Instant::now();
        while left > 0 {
            let run = left.min(self.order.len() - self.at);
            for at in self.at..self.at + run {
                if PREFETCH && let Some(&ahead) = self.order.get(at + AHEAD) {
                    prefetch(&self.words[ahead as usize * LINE]);
                }
                sum = sum.wrapping_add(work(self.words[self.order[at] as usize * LINE]));
            }
            left -= run;
            self.at = (self.at + run) % self.order.len();
        }
        let elapsed = start.elapsed();
        assert_eq!(sum, self.expected(from, lines, work), "the lines were not read");
        elapsed
    }
    // ANCHOR_END: lines

    fn expected(&self, from: usize, lines: u64, work: impl Fn(u64) -> u64) -> u64 {
        let order = self.order.iter().cycle().skip(from).take(lines as usize);
        order.fold(0, |sum, &line| sum.wrapping_add(work(u64::from(line) * LINE as u64)))
    }
}

/// Returns `word` unchanged.
pub fn nothing(word: u64) -> u64 {
    word
}

/// Works on `word` for an unpredictable number of rounds, 0 to 15, taken from a hash of it. The
/// core mispredicts the end of the loop, and begins again from there with what follows it.
pub fn rounds(word: u64) -> u64 {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15; // 2⁶⁴ divided by the golden ratio: spreads the bits
    (0..word.wrapping_mul(ODD) >> 60).fold(word, |word, _| (word ^ word >> 29).wrapping_mul(ODD))
}

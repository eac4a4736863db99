//! Walks through memory: with different strides, and through the rows and columns of a matrix.

use super::words::{LINE, Words};
use std::hint::black_box;
use std::io;
use std::time::{Duration, Instant};

/// A walk that reads one word per stride.
pub struct Strided {
    words: Words,
    /// In words.
    stride: usize,
    /// The index of the next word to load.
    at: usize,
}

impl Strided {
    /// Prepares a walk through `bytes` that reads a word every `stride` bytes, a power of two of at
    /// least 8.
    ///
    /// # Errors
    ///
    /// See [`Words::new`].
    ///
    /// # Panics
    ///
    /// If `stride` is not such a number or exceeds `bytes`.
    pub fn new(bytes: usize, stride: usize) -> io::Result<Self> {
        assert!(
            stride.is_power_of_two() && (8..=bytes).contains(&stride),
            "a stride of {stride} bytes"
        );
        Ok(Self { words: Words::new(bytes / 8)?, stride: stride / 8, at: 0 })
    }

    /// Adds up `loads` words. Unit: one load. At the end of the memory the walk starts over, one
    /// line further on, so that with any stride it visits every line before it repeats one.
    ///
    /// # Panics
    ///
    /// If the sum is wrong.
    pub fn loads(&mut self, loads: u64) -> Duration {
        let (words, stride) = (&*self.words, black_box(self.stride));
        let (mut left, mut sum, mut expected) = (loads as usize, 0_u64, 0_u64);
        let start = Instant::now();
        while left > 0 {
            let run = left.min((words.len() - self.at).div_ceil(stride));
            sum = words[self.at..]
                .iter()
                .step_by(stride)
                .take(run)
                .fold(sum, |sum, word| sum.wrapping_add(*word));
            expected = expected.wrapping_add(series(self.at, stride, run));
            left -= run;
            self.at += run * stride;
            if self.at >= words.len() {
                // A stride below a line visits every word of the line in one pass.
                self.at = (self.at % stride + LINE) % stride;
            }
        }
        let elapsed = start.elapsed();
        assert_eq!(sum, expected, "the words were not read");
        elapsed
    }
}

/// Returns the sum of the words of a walk, `first + (first + step) + …`, `count` terms.
fn series(first: usize, step: usize, count: usize) -> u64 {
    let (first, step, count) = (first as u64, step as u64, count as u64);
    (first * count).wrapping_add((count * count.saturating_sub(1) / 2).wrapping_mul(step))
}

/// A square matrix, stored row by row.
pub struct Matrix {
    words: Words,
    side: usize,
    /// The number of words from the start of a row to the start of the next.
    pitch: usize,
}

impl Matrix {
    /// Creates a matrix of `side` by `side` words, numbered row by row.
    ///
    /// # Errors
    ///
    /// See [`Words::new`].
    pub fn new(side: usize) -> io::Result<Self> {
        Self::with_pitch(side, side)
    }

    /// Creates a matrix whose rows start one line further apart than they need to. If the side is a
    /// power of two, the lines of a column are then spread over all sets of a cache, not a few.
    ///
    /// # Errors
    ///
    /// See [`Words::new`].
    pub fn padded(side: usize) -> io::Result<Self> {
        Self::with_pitch(side, side + LINE)
    }

    fn with_pitch(side: usize, pitch: usize) -> io::Result<Self> {
        let mut matrix = Self { words: Words::new(side * pitch)?, side, pitch };
        for row in 0..side {
            let words = &mut matrix.words[row * pitch..][..side];
            (row as u64 * side as u64..).zip(words).for_each(|(number, word)| *word = number);
        }
        Ok(matrix)
    }

    /// Returns the word at `row` and `column`.
    pub fn at(&self, row: usize, column: usize) -> u64 {
        self.words[row * self.pitch + column]
    }

    /// Adds up all words, row by row.
    pub fn by_rows(&self) -> u64 {
        self.walk(self.pitch, 1)
    }

    /// Adds up all words, column by column.
    pub fn by_columns(&self) -> u64 {
        self.walk(1, self.pitch)
    }

    /// Adds up all words in two nested loops with the given steps. It is never inlined, so that
    /// rows and columns run the same instructions at the same addresses: where a linker puts a loop
    /// can alone make it take almost twice as long.
    #[inline(never)]
    fn walk(&self, outer: usize, inner: usize) -> u64 {
        let (outer, inner) = (black_box(outer), black_box(inner));
        let mut sum = 0_u64;
        for start in (0..self.side).map(|step| step * outer) {
            for at in (0..self.side).map(|step| start + step * inner) {
                sum = sum.wrapping_add(self.words[at]);
            }
        }
        sum
    }

    /// Writes the transpose of `self` to `to`, in blocks of `block` by `block` words. A block of
    /// the whole side transposes row by row.
    ///
    /// # Panics
    ///
    /// If the sides differ or are not a multiple of `block`.
    // ANCHOR: transpose
    pub fn transpose(&self, block: usize, to: &mut Self) {
        let side = self.side;
        assert!(
            side == to.side && side.is_multiple_of(block),
            "{side} by {} in blocks of {block}",
            to.side
        );
        for top in (0..side).step_by(block) {
            for left in (0..side).step_by(block) {
                for row in top..top + block {
                    for column in left..left + block {
                        to.words[column * to.pitch + row] = self.at(row, column);
                    }
                }
            }
        }
    }
    // ANCHOR_END: transpose
}

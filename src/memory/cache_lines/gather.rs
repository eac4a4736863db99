//! Reading lines in an order that is known ahead, with and without asking for them early.

use super::words::{LINE, Words};
use crate::harness::shuffle::shuffle;
use std::io;
use std::time::{Duration, Instant};

/// How many lines ahead of the one that is read is asked for.
pub const AHEAD: usize = 16;

/// Lines to read, and the order in which to read them.
pub struct Gather {
    words: Words,
    /// Numbers of lines, each once.
    order: Vec<u32>,
    /// How many of `order` have been read.
    at: usize,
}

impl Gather {
    /// `bytes` of memory, read in a random order or in that of the addresses.
    ///
    /// # Errors
    ///
    /// As [`Words::new`].
    pub fn new(bytes: usize, random: bool) -> io::Result<Self> {
        let words = Words::new(bytes / 8)?;
        let mut order: Vec<u32> = (0..(words.len() / LINE) as u32).collect();
        if random {
            shuffle(&mut order);
        }
        Ok(Self { words, order, at: 0 })
    }

    /// Reads the first word of so many lines, does `work` with each, and adds up the results. Unit:
    /// one line.
    ///
    /// With `PREFETCH`, the line that is [`AHEAD`] steps further on is asked for first, where the
    /// processor has an instruction for it that [`prefetch`] knows.
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

/// Takes the word as it is.
pub fn nothing(word: u64) -> u64 {
    word
}

/// Work whose end nobody foresees: up to 15 rounds, as many as a hash of the word says. The core
/// guesses when the loop ends, guesses wrong, and has to go back, and what it had begun of the
/// lines behind is lost.
pub fn rounds(word: u64) -> u64 {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15; // 2⁶⁴ divided by the golden ratio: spreads the bits
    (0..word.wrapping_mul(ODD) >> 60).fold(word, |word, _| (word ^ word >> 29).wrapping_mul(ODD))
}

/// Asks the core for the line of `word` and goes on; does nothing where [`can_prefetch`] says no.
#[inline]
pub fn prefetch(word: &u64) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a hint changes nothing, whatever the address; this one is a live reference's.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(word).cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = word;
}

/// Whether [`prefetch`] asks for anything.
///
/// # Errors
///
/// `Unsupported` except on x86-64.
pub fn can_prefetch() -> io::Result<()> {
    if cfg!(target_arch = "x86_64") {
        return Ok(());
    }
    Err(crate::sys::unsupported("stable Rust has a prefetch instruction for x86-64 only"))
}

//! Loads from memory: how long one takes, and how many a core keeps under way.

use crate::harness::shuffle::shuffle;
use crate::sys::region::{Pages, Region};
use std::hint::black_box;
use std::io;
use std::slice;
use std::time::{Duration, Instant};

// ANCHOR: line
/// One cache line of 64 bytes, so that each load of the walk needs a line that no other load has
/// fetched.
#[repr(C, align(64))]
pub struct Line {
    next: *const Line,
    number: u64,
}

static_assertions::assert_eq_size!(Line, [u8; 64]);
static_assertions::const_assert_eq!(align_of::<Line>(), 64);
// ANCHOR_END: line

/// A working set, as cache lines that point to each other: one cycle through all of them in random
/// order.
///
/// Random, because the prefetchers follow anything regular. A load that misses the caches often
/// misses the TLB too, and then the time includes the page walk: compare [`Pages::Small`] with
/// [`Pages::Huge`]. Source of the method: lmbench's `lat_mem_rd` and its `-t` option (McVoy and
/// Staelin 1996, section 6.2).
pub struct Chain {
    /// Holds the lines, all written in `new` and never again: the pointers in them stay valid and
    /// the reads below sound.
    region: Region,
    /// The lines' numbers in the order of the cycle, each number once.
    order: Vec<u32>,
    /// Where in `order` the next walk starts.
    position: usize,
}

impl Chain {
    /// A working set of `bytes` (whole lines, at least one).
    ///
    /// # Errors
    ///
    /// As [`Region::new`].
    // ANCHOR: chain
    pub fn new(bytes: usize, pages: Pages) -> io::Result<Self> {
        let region = Region::new(bytes, pages)?;
        let lines: *mut Line = region.start().cast();
        let mut order: Vec<u32> = (0..(bytes / size_of::<Line>()) as u32).collect();
        shuffle(&mut order);
        let after = order.iter().skip(1).chain(&order[..1]); // the last points to the first
        for (&number, &next) in order.iter().zip(after) {
            // SAFETY: numbers are below `bytes / 64`, so both lines lie in the region, which is
            // aligned for them.
            unsafe {
                lines
                    .add(number as usize)
                    .write(Line { next: lines.add(next as usize), number: number.into() })
            };
        }
        Ok(Self { region, order, position: 0 })
    }
    // ANCHOR_END: chain

    /// Walks the cycle: `loads` loads, each of which needs the result of the one before. Unit: one
    /// load, its latency.
    ///
    /// Does not measure loads that a program issues side by side; see
    /// [`independent`](Self::independent).
    ///
    /// # Panics
    ///
    /// If the walk did not end where the order says: then it did not make the loads.
    // ANCHOR: dependent
    pub fn dependent(&mut self, loads: u64) -> Duration {
        self.warm();
        let mut line = self.line(self.position);
        let start = Instant::now();
        for _ in 0..loads {
            // SAFETY: starts on a line of the region, and each line points to another one.
            line = unsafe { (*line).next };
        }
        black_box(line);
        let elapsed = start.elapsed();
        // Go on from here next time: the first lines of the cycle are still in the cache.
        self.advance(loads);
        assert_eq!(line, self.line(self.position), "the walk left the cycle");
        elapsed
    }
    // ANCHOR_END: dependent

    /// Loads the same lines in the same order, but from a list, so that the core knows the next
    /// addresses before the values arrive. Unit: one load, as throughput: the time until the next
    /// one is done, not until this one is.
    ///
    /// Reading the list adds 4 sequential bytes a load.
    ///
    /// # Panics
    ///
    /// If the lines' numbers do not add up to what the order says.
    // ANCHOR: independent
    pub fn independent(&mut self, loads: u64) -> Duration {
        self.warm();
        let lines = self.lines();
        let (mut sum, mut left, mut from) = (0_u64, loads as usize, self.position);
        let start = Instant::now();
        while left > 0 {
            let run = &self.order[from..self.order.len().min(from.saturating_add(left))];
            sum = run
                .iter()
                .fold(sum, |sum, &number| sum.wrapping_add(lines[number as usize].number));
            (left, from) = (left - run.len(), 0);
        }
        black_box(sum);
        let elapsed = start.elapsed();
        assert_eq!(sum, self.sum(self.position, loads), "the loads did not read the lines");
        self.advance(loads);
        elapsed
    }
    // ANCHOR_END: independent

    /// The lines, in the order of their addresses.
    pub fn lines(&self) -> &[Line] {
        // SAFETY: `new` wrote as many lines as `order` names, and nobody writes while `self` lives.
        unsafe { slice::from_raw_parts(self.region.start().cast(), self.order.len()) }
    }

    /// How many steps lead from the first line back to it, if that is at most the number of lines.
    pub fn cycle(&self) -> Option<usize> {
        let first = self.line(0);
        let mut line = first;
        (1..=self.order.len()).find(|_| {
            // SAFETY: as in `dependent`.
            line = unsafe { (*line).next };
            line == first
        })
    }

    // ANCHOR: warm
    /// Brings the lines, and their order, to where a program that keeps using them has them: as far
    /// up the caches as they fit, after probes that take turns have pushed each other's out.
    ///
    /// Four times through, because a large cache may keep a line only when it is asked for again.
    /// Beyond 32 MiB not at all: part of the cycle would be in the cache, and a walk that starts
    /// there would find it.
    pub(super) fn warm(&self) {
        let lines = self.lines();
        if size_of_val(lines) <= 32 << 20 {
            let loads = (0..4).flat_map(|_| &self.order);
            black_box(
                loads.fold(0_u64, |sum, &number| sum.wrapping_add(lines[number as usize].number)),
            );
        }
    }
    // ANCHOR_END: warm

    fn line(&self, position: usize) -> *const Line {
        &raw const self.lines()[self.order[position] as usize]
    }

    fn advance(&mut self, loads: u64) {
        let lines = self.order.len() as u64;
        self.position = ((self.position as u64 + loads % lines) % lines) as usize;
    }

    /// The sum of the numbers that `loads` loads from `position` on meet.
    fn sum(&self, position: usize, loads: u64) -> u64 {
        let lines = self.order.len() as u64;
        let (cycles, rest) = (loads / lines, (loads % lines) as usize);
        let part: u64 = self
            .order
            .iter()
            .cycle()
            .skip(position)
            .take(rest)
            .map(|&number| u64::from(number))
            .sum();
        (lines * (lines - 1) / 2).wrapping_mul(cycles).wrapping_add(part)
    }
}

impl Line {
    /// The line's place in memory.
    pub fn number(&self) -> u64 {
        self.number
    }
}

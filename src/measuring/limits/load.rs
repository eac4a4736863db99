//! Loads from memory: their latency, and how many a core keeps in flight.

use crate::harness::shuffle::shuffle;
use crate::sys::region::{Pages, Region};
use std::hint::black_box;
use std::io;
use std::slice;
use std::time::{Duration, Instant};

// ANCHOR: line
/// One cache line of 64 bytes, so that each load of a walk needs a line that no other
/// load has fetched.
#[repr(C, align(64))]
pub struct Line {
    next: *const Line,
    number: u64,
}

static_assertions::assert_eq_size!(Line, [u8; 64]);
static_assertions::const_assert_eq!(align_of::<Line>(), 64);
// ANCHOR_END: line

/// A working set of cache lines that point to each other: one cycle through all of them in random
/// order.
///
/// The order is random because prefetchers follow regular ones. A load that misses the caches often
/// misses the TLB too, and then its time includes the page walk: compare [`Pages::Small`] with
/// [`Pages::Huge`]. Source of the method: lmbench's `lat_mem_rd` and its `-t` option (McVoy and
/// Staelin 1996, section 6.2).
pub struct Chain {
    /// Holds the lines. They are written in `new` only, so the pointers in them stay valid and the
    /// reads below sound.
    region: Region,
    /// The number of each line, once, in the order of the cycle.
    order: Vec<u32>,
    /// The index in `order` at which the next walk starts.
    position: usize,
}

impl Chain {
    /// Creates a working set of `bytes`: whole lines, at least one.
    ///
    /// # Errors
    ///
    /// See [`Region::new`].
    // ANCHOR: chain
    pub fn new(bytes: usize, pages: Pages) -> io::Result<Self> {
        let region = Region::new(bytes, pages)?;
        let lines: *mut Line = region.start().cast();
        let mut order: Vec<u32> = (0..(bytes / size_of::<Line>()) as u32).collect();
        shuffle(&mut order);
        let after = order.iter().skip(1).chain(&order[..1]); // the last points to the first
        for (&number, &next) in order.iter().zip(after) {
            // SAFETY: the numbers are below `bytes / 64`, so both lines are in the
            // region, which is aligned for them.
            unsafe {
                lines
                    .add(number as usize)
                    .write(Line { next: lines.add(next as usize), number: number.into() })
            };
        }
        Ok(Self { region, order, position: 0 })
    }
    // ANCHOR_END: chain

    /// Walks the cycle: `loads` loads, each of which needs the result of the previous one. Unit:
    /// one load, hence its latency.
    ///
    /// For loads that do not depend on each other, see [`independent`](Self::independent).
    ///
    /// # Panics
    ///
    /// If the walk did not end at the right line, which means that it did not make the loads.
    // ANCHOR: dependent
    pub fn dependent(&mut self, loads: u64) -> Duration {
        self.warm();
        let mut line = self.line(self.position);
        let start = Instant::now();
        for _ in 0..loads {
            // SAFETY: starts at a line of the region, and each line points to another
            // one.
            line = unsafe { (*line).next };
        }
        black_box(line);
        let elapsed = start.elapsed();
        // The next walk continues here: the first lines of the cycle are still in the
        // cache.
        self.advance(loads);
        assert_eq!(line, self.line(self.position), "the walk left the cycle");
        elapsed
    }
    // ANCHOR_END: dependent

    /// Loads the same lines in the same order, but takes the order from a list, so that the core
    /// knows the next addresses before the values arrive. Unit: one load, as throughput: the time
    /// between two completed loads, not that of one.
    ///
    /// Reading the list adds 4 sequential bytes per load.
    ///
    /// # Panics
    ///
    /// If the sum of the line numbers is wrong.
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

    /// Returns the lines in the order of their addresses.
    pub fn lines(&self) -> &[Line] {
        // SAFETY: `new` wrote `order.len()` lines, and nothing writes them while `self` lives.
        unsafe { slice::from_raw_parts(self.region.start().cast(), self.order.len()) }
    }

    /// Returns the length of the cycle through the first line, or `None` if it exceeds the number
    /// of lines.
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
    /// Reads the lines and their order into the caches, where a program that uses them
    /// all the time would have them, because probes that take turns evict each other's
    /// lines.
    ///
    /// It makes four passes, because a large cache may keep a line only when it is
    /// requested again. It makes none beyond 32 MiB: part of the cycle would be in the
    /// cache, and a walk that starts there would hit it.
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

    /// Returns the sum of the numbers that `loads` loads starting at `position` read.
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
    /// Returns the index of the line in memory.
    pub fn number(&self) -> u64 {
        self.number
    }
}

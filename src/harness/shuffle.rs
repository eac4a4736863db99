//! Random orders that are the same in every run.

/// Shuffles `numbers` by the method of Fisher and Yates, into the same order every time.
///
/// ```
/// let mut numbers: Vec<u32> = (0..1000).collect();
/// perf_proved::harness::shuffle::shuffle(&mut numbers);
/// assert!(!numbers.is_sorted());
/// numbers.sort_unstable();
/// assert!(numbers.into_iter().eq(0..1000));
/// ```
pub fn shuffle(numbers: &mut [u32]) {
    let mut random = Random(1);
    for last in (1..numbers.len()).rev() {
        numbers.swap(last, random.below(last + 1));
    }
}

/// A generator of numbers that no prefetcher predicts, with its state: any number but zero
/// (Marsaglia, "Xorshift RNGs", 2003).
pub struct Random(pub u64);

impl Random {
    /// Returns a number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((u128::from(self.0) * end as u128) >> 64) as usize
    }
}

//! Counts of observations by size.

use super::buckets::Buckets;
use super::gauge::update;
use super::metric::{Cell, Metric, Point, Private};
use crate::concurrency::sync::{Arc, AtomicU64};
use crate::memory::cache_lines::CachePadded;
use std::fmt;
use std::sync::atomic::Ordering;

/// A handle of a series that counts observations by size. Clones count in the same series.
///
/// ```
/// use perf_proved::measuring::monitor::{Buckets, Registry};
///
/// let registry = Registry::new();
/// let buckets = Buckets::new(&[0.001, 0.01, 0.1])?;
/// let seconds = registry.histogram("seconds", "Time of a request.", &[], buckets)?;
/// seconds.with(&[]).observe(0.02);
/// # Ok::<(), perf_proved::measuring::monitor::RegisterError>(())
/// ```
#[derive(Clone)]
pub struct Histogram(Option<Arc<CachePadded<HistogramCell>>>);

/// The counts of a series.
#[doc(hidden)]
pub struct HistogramCell {
    buckets: Buckets,
    /// One more than there are bounds. Each count is of one bucket alone.
    counts: Box<[AtomicU64]>,
    /// The bits of the sum.
    sum: AtomicU64,
    /// The number of observations that were clamped.
    clamped: AtomicU64,
}

impl Histogram {
    /// Counts an observation: a search for its bucket, and two atomic updates.
    ///
    /// A number that is negative or no number counts as 0, and an infinite one as the largest
    /// bound in the sum; each of them is also counted in `monitor_clamped_total`.
    #[inline]
    pub fn observe(&self, number: f64) {
        if let Some(cell) = &self.0 {
            cell.observe(number);
        }
    }
}

impl HistogramCell {
    // ANCHOR: observe
    #[inline]
    fn observe(&self, mut number: f64) {
        let bounds = self.buckets.bounds();
        let mut bucket = bounds.partition_point(|bound| *bound < number);
        if !(0.0..f64::INFINITY).contains(&number) {
            let is_large = number == f64::INFINITY;
            (bucket, number) =
                if is_large { (bounds.len(), bounds[bounds.len() - 1]) } else { (0, 0.0) };
            // Relaxed: as below.
            self.clamped.fetch_add(1, Ordering::Relaxed);
        }
        // Relaxed: the counts publish no other data. A reader may see one of the two and not
        // the other: the sum may lag behind the counts, or run ahead of them.
        self.counts[bucket].fetch_add(1, Ordering::Relaxed);
        update(&self.sum, |sum| (sum + number).min(f64::MAX));
    }
    // ANCHOR_END: observe
}

impl fmt::Debug for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Histogram").finish_non_exhaustive()
    }
}

impl Metric for Histogram {}

impl Private for Histogram {
    type Cell = HistogramCell;

    fn of(cell: Option<Arc<CachePadded<HistogramCell>>>) -> Self {
        Self(cell)
    }
}

impl Cell for HistogramCell {
    type Config = Buckets;

    fn new(buckets: &Buckets) -> Self {
        Self {
            buckets: buckets.clone(),
            counts: (0..=buckets.bounds().len()).map(|_| AtomicU64::new(0)).collect(),
            sum: AtomicU64::new(0), // the bits of 0.0
            clamped: AtomicU64::new(0),
        }
    }

    // ANCHOR: read
    /// Reads each bucket once. The count of all observations is the last of these sums, not a
    /// number of its own that could disagree with them.
    fn read(&self, cumulative: &mut Vec<u64>) -> Point {
        cumulative.clear();
        let mut sum = 0_u64;
        for count in &self.counts {
            sum = sum.wrapping_add(count.load(Ordering::Relaxed)); // Relaxed: as in `observe`
            cumulative.push(sum);
        }
        let sum = f64::from_bits(self.sum.load(Ordering::Relaxed)); // Relaxed: as above
        Point::Histogram { sum }
    }
    // ANCHOR_END: read

    fn clamped(&self) -> u64 {
        self.clamped.load(Ordering::Relaxed) // a count only
    }
}

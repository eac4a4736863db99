//! Counts that only grow.

use super::metric::{Cell, Metric, Point, Private};
use super::snapshot::Value;
use crate::concurrency::sync::{Arc, AtomicU64, Mutex, MutexGuard};
use crate::memory::cache_lines::CachePadded;
use std::fmt;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

/// A handle of a series that counts. Clones count in the same series.
///
/// ```
/// use perf_proved::measuring::monitor::Registry;
///
/// let registry = Registry::new();
/// let requests = registry.counter("requests", "Requests answered.", &["path"])?;
/// let home = requests.with(&["/"]); // once
/// home.increment(); // one atomic addition
/// home.add(2);
/// assert_eq!(requests.with(&["/"]).get(), 3);
/// # Ok::<(), perf_proved::measuring::monitor::RegisterError>(())
/// ```
#[derive(Clone)]
pub struct Counter(Option<Arc<CachePadded<CounterCell>>>);

/// The count of a series: what handles added, and the cells of the writers.
#[doc(hidden)]
pub struct CounterCell {
    count: AtomicU64,
    /// The cells of writers that were not dropped yet. The lock is held while a cell is added to
    /// `count` and removed, so that a reader sees it once.
    writers: Mutex<Vec<Arc<CachePadded<AtomicU64>>>>,
}

impl Counter {
    // ANCHOR: add
    /// Adds `number`, modulo 2⁶⁴, by one atomic addition. Never waits for a lock.
    #[inline]
    pub fn add(&self, number: u64) {
        if let Some(cell) = &self.0 {
            // Relaxed: a count publishes no other data, so this pairs with nothing.
            cell.count.fetch_add(number, Ordering::Relaxed);
        }
    }
    // ANCHOR_END: add

    /// Adds 1.
    #[inline]
    pub fn increment(&self) {
        self.add(1);
    }

    /// Returns the count: all additions that happened before this call, and perhaps some that are
    /// under way. 0 for a handle of a disabled registry.
    pub fn get(&self) -> u64 {
        self.0.as_ref().map_or(0, |cell| cell.sum())
    }

    /// Creates a cell of this series in cache lines of its own, for a thread that counts often:
    /// its additions never wait for another core.
    pub fn writer(&self) -> CounterWriter {
        let own = Arc::new(CachePadded(AtomicU64::new(0)));
        if let Some(cell) = &self.0 {
            cell.lock().push(own.clone());
        }
        CounterWriter { own, series: self.0.clone() }
    }
}

impl CounterCell {
    // ANCHOR: sum
    fn sum(&self) -> u64 {
        let writers = self.lock();
        // Relaxed: as in `add`. The lock keeps a dropped writer from being read twice.
        let count = self.count.load(Ordering::Relaxed);
        writers.iter().fold(count, |sum, own| sum.wrapping_add(own.load(Ordering::Relaxed)))
    }
    // ANCHOR_END: sum

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<CachePadded<AtomicU64>>>> {
        // No code panics while it holds the lock.
        self.writers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The only writer of a cell of a [`Counter`]: it cannot be cloned, and adding takes `&mut self`.
/// Dropping it moves its count to the series.
pub struct CounterWriter {
    own: Arc<CachePadded<AtomicU64>>,
    series: Option<Arc<CachePadded<CounterCell>>>,
}

impl CounterWriter {
    // ANCHOR: writer
    /// Adds `number`, modulo 2⁶⁴, by a load and a store: no other thread writes the cell.
    #[inline]
    pub fn add(&mut self, number: u64) {
        // Both Relaxed: the load returns what this writer stored last, and a reader of the
        // sum pairs with neither.
        let before = self.own.load(Ordering::Relaxed);
        self.own.store(before.wrapping_add(number), Ordering::Relaxed);
    }
    // ANCHOR_END: writer

    /// Adds 1.
    #[inline]
    pub fn increment(&mut self) {
        self.add(1);
    }
}

impl Drop for CounterWriter {
    fn drop(&mut self) {
        let Some(series) = &self.series else { return };
        let mut writers = series.lock();
        // Relaxed: the lock orders both with a reader of the sum.
        series.count.fetch_add(self.own.load(Ordering::Relaxed), Ordering::Relaxed);
        writers.retain(|own| !Arc::ptr_eq(own, &self.own));
    }
}

impl fmt::Debug for Counter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Counter").field(&self.get()).finish()
    }
}

impl fmt::Debug for CounterWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CounterWriter").finish_non_exhaustive()
    }
}

impl Metric for Counter {}

impl Private for Counter {
    type Cell = CounterCell;

    fn of(cell: Option<Arc<CachePadded<CounterCell>>>) -> Self {
        Self(cell)
    }
}

impl Cell for CounterCell {
    type Config = ();

    fn new((): &()) -> Self {
        Self { count: AtomicU64::new(0), writers: Mutex::new(vec![]) }
    }

    fn read(&self, _: &mut Vec<u64>) -> Point {
        Point::Number(Value::Integer(self.sum()))
    }
}

//! Numbers that go up and down.

use super::metric::{Cell, Metric, Point, Private};
use super::snapshot::Value;
use crate::concurrency::sync::{Arc, AtomicU64};
use crate::memory::cache_lines::CachePadded;
use std::fmt;
use std::sync::atomic::Ordering;

/// A handle of a series whose number is set. Clones set the same series.
#[derive(Clone)]
pub struct Gauge(Option<Arc<CachePadded<GaugeCell>>>);

/// The number of a series.
#[doc(hidden)]
pub struct GaugeCell {
    bits: AtomicU64,
}

impl Gauge {
    /// Sets the number, by one atomic store.
    #[inline]
    pub fn set(&self, number: f64) {
        if let Some(cell) = &self.0 {
            // Relaxed: the number publishes no other data, so this pairs with nothing.
            cell.bits.store(number.to_bits(), Ordering::Relaxed);
        }
    }

    /// Adds `number`, which may be negative. Retries if another thread adds or sets meanwhile.
    pub fn add(&self, number: f64) {
        if let Some(cell) = &self.0 {
            update(&cell.bits, |before| before + number);
        }
    }

    /// Returns the number; 0 for a handle of a disabled registry.
    pub fn get(&self) -> f64 {
        // Relaxed: as in `set`.
        self.0.as_ref().map_or(0.0, |cell| f64::from_bits(cell.bits.load(Ordering::Relaxed)))
    }
}

/// Replaces the number whose bits are in `cell` by `change` of it.
#[inline]
pub(super) fn update(cell: &AtomicU64, change: impl Fn(f64) -> f64) {
    // All Relaxed: only the number itself is exchanged, and the compare-exchange finds out whether
    // it is still the one that was read.
    let mut before = cell.load(Ordering::Relaxed);
    loop {
        let after = change(f64::from_bits(before)).to_bits();
        match cell.compare_exchange_weak(before, after, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => return,
            Err(now) => before = now,
        }
    }
}

impl fmt::Debug for Gauge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Gauge").field(&self.get()).finish()
    }
}

impl Metric for Gauge {}

impl Private for Gauge {
    type Cell = GaugeCell;

    fn of(cell: Option<Arc<CachePadded<GaugeCell>>>) -> Self {
        Self(cell)
    }
}

impl Cell for GaugeCell {
    type Config = ();

    fn new((): &()) -> Self {
        Self { bits: AtomicU64::new(0) } // the bits of 0.0
    }

    fn read(&self, _: &mut Vec<u64>) -> Point {
        // Relaxed: as in `Gauge::set`.
        Point::Number(Value::Float(f64::from_bits(self.bits.load(Ordering::Relaxed))))
    }
}

//! Handles of series, and what they update.

use super::snapshot::Value;
use crate::concurrency::sync::Arc;
use crate::memory::cache_lines::CachePadded;

/// A handle of a series: [`Counter`](super::Counter), [`Gauge`](super::Gauge) or
/// [`Histogram`](super::Histogram).
#[expect(private_bounds, reason = "no other crate adds kinds of metrics")]
pub trait Metric: Private {}

/// The parts of a [`Metric`] that callers do not see.
pub(super) trait Private: Clone + Send + Sync + 'static {
    type Cell: Cell;

    /// Creates a handle of a series, or one that does nothing.
    fn of(cell: Option<Arc<CachePadded<Self::Cell>>>) -> Self;
}

/// The numbers of a series, which its handles update.
pub(super) trait Cell: Send + Sync + 'static {
    type Config: Send + Sync + 'static;

    fn new(config: &Self::Config) -> Self;

    /// Reads the numbers; of a histogram, the cumulative counts go to `cumulative`.
    fn read(&self, cumulative: &mut Vec<u64>) -> Point;

    /// Returns the number of observations that were clamped.
    fn clamped(&self) -> u64 {
        0
    }
}

/// The numbers of a series at one time.
pub(super) enum Point {
    Number(Value),
    /// The counts are beside it.
    Histogram {
        sum: f64,
    },
}

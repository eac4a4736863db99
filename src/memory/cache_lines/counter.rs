//! One counter that several threads add to, a cell each.

use super::CachePadded;
use std::borrow::Borrow;

#[cfg(loom)]
use loom::sync::atomic::{AtomicU64, Ordering};
#[cfg(not(loom))]
use std::sync::atomic::{AtomicU64, Ordering};

/// A counter with a cell for each thread that adds.
///
/// ```
/// use perf_proved::memory::cache_lines::ShardedCounter;
///
/// let counter: ShardedCounter = ShardedCounter::new(2);
/// std::thread::scope(|scope| {
///     scope.spawn(|| counter.add(0, 2));
///     scope.spawn(|| counter.add(1, 3));
/// });
/// assert_eq!(counter.sum(), 5);
/// ```
// ANCHOR: counter
/// `C` is the cell: an `AtomicU64`, padded or not.
pub struct ShardedCounter<C = CachePadded<AtomicU64>> {
    cells: Box<[C]>,
}

impl<C: Default + Borrow<AtomicU64>> ShardedCounter<C> {
    /// A counter at zero, with so many cells.
    pub fn new(cells: usize) -> Self {
        Self { cells: (0..cells).map(|_| C::default()).collect() }
    }

    /// Adds to one cell, modulo 2⁶⁴. Any thread may add to any cell; two that add to one wait for
    /// each other.
    ///
    /// # Panics
    ///
    /// If there is no such cell.
    pub fn add(&self, cell: usize, number: u64) {
        // Relaxed: nothing is published with a count, so there is nothing to pair with.
        self.cells[cell].borrow().fetch_add(number, Ordering::Relaxed);
    }
    // ANCHOR_END: counter

    // ANCHOR: sum
    /// The cells' sum, modulo 2⁶⁴.
    ///
    /// No snapshot: cells that are read early may change while the others are read, and the result
    /// may be a value that the counter never had. It misses nothing that happened before: of a
    /// thread that was joined, every addition is in it (the loom model
    /// `cache_lines::sum_after_join`).
    pub fn sum(&self) -> u64 {
        // Relaxed: whoever must see an addition is told of it by something else, a join or a
        // channel.
        self.cells
            .iter()
            .fold(0, |sum, cell| sum.wrapping_add(cell.borrow().load(Ordering::Relaxed)))
    }
    // ANCHOR_END: sum

    /// A writer for each cell, and one who may look while they write.
    pub fn split(&mut self) -> (Vec<Writer<'_>>, Total<'_, C>) {
        let counter: &Self = self;
        (counter.cells.iter().map(|cell| Writer(cell.borrow())).collect(), Total(counter))
    }
}

// ANCHOR: writer
/// The only one that writes to a cell: it cannot be cloned, and `add` wants it whole.
pub struct Writer<'a>(&'a AtomicU64);

impl Writer<'_> {
    /// Adds to the cell, modulo 2⁶⁴, without an atomic addition: nobody writes between the load and
    /// the store.
    pub fn add(&mut self, number: u64) {
        // Relaxed, both: the load reads what this writer has stored, and `Total::sum` pairs with
        // neither.
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(number), Ordering::Relaxed);
    }
}
// ANCHOR_END: writer

/// Looks at a counter whose cells have their [`Writer`]s.
pub struct Total<'a, C>(&'a ShardedCounter<C>);

impl<C: Default + Borrow<AtomicU64>> Total<'_, C> {
    /// As [`ShardedCounter::sum`].
    pub fn sum(&self) -> u64 {
        self.0.sum()
    }
}

//! A counter that several threads add to, each in a cell of its own.

use super::CachePadded;
use std::borrow::Borrow;

#[cfg(loom)]
use loom::sync::atomic::{AtomicU64, Ordering};
#[cfg(not(loom))]
use std::sync::atomic::{AtomicU64, Ordering};

/// A counter with a cell for each thread that adds to it.
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
/// `C` is the type of a cell: an `AtomicU64`, padded or not.
pub struct ShardedCounter<C = CachePadded<AtomicU64>> {
    cells: Box<[C]>,
}

impl<C: Default + Borrow<AtomicU64>> ShardedCounter<C> {
    /// Creates a counter at zero with `cells` cells.
    pub fn new(cells: usize) -> Self {
        Self { cells: (0..cells).map(|_| C::default()).collect() }
    }

    /// Adds `number` to one cell, modulo 2⁶⁴. Any thread may add to any cell; threads
    /// that add to the same one wait for each other.
    ///
    /// # Panics
    ///
    /// If `cell` is out of bounds.
    pub fn add(&self, cell: usize, number: u64) {
        // Relaxed: the count publishes no other data, so this pairs with nothing.
        self.cells[cell].borrow().fetch_add(number, Ordering::Relaxed);
    }
    // ANCHOR_END: counter

    // ANCHOR: sum
    /// Returns the sum of the cells, modulo 2⁶⁴.
    ///
    /// The sum is no snapshot: a cell may change after it was read and before the last
    /// one is, so the result may be a value that the counter never had. Additions that
    /// happened before the call are all in it, for example those of a joined thread (the
    /// loom model `cache_lines::sum_after_join`).
    pub fn sum(&self) -> u64 {
        // Relaxed: a thread that must see an addition learns of it through something else
        // that synchronizes, such as a join or a channel.
        self.cells
            .iter()
            .fold(0, |sum, cell| sum.wrapping_add(cell.borrow().load(Ordering::Relaxed)))
    }
    // ANCHOR_END: sum

    /// Splits the counter into a writer for each cell and a reader of the sum.
    pub fn split(&mut self) -> (Vec<Writer<'_>>, Total<'_, C>) {
        let counter: &Self = self;
        (counter.cells.iter().map(|cell| Writer(cell.borrow())).collect(), Total(counter))
    }
}

// ANCHOR: writer
/// The only writer of a cell: it cannot be cloned, and `add` takes `&mut self`.
pub struct Writer<'a>(&'a AtomicU64);

impl Writer<'_> {
    /// Adds `number` to the cell, modulo 2⁶⁴, by a load and a store: no other thread can
    /// write in between.
    pub fn add(&mut self, number: u64) {
        // Both Relaxed: the load returns what this writer stored last, and `Total::sum`
        // pairs with neither.
        let before = self.0.load(Ordering::Relaxed);
        self.0.store(before.wrapping_add(number), Ordering::Relaxed);
    }
}
// ANCHOR_END: writer

/// Reads the sum of a counter whose cells belong to [`Writer`]s.
pub struct Total<'a, C>(&'a ShardedCounter<C>);

impl<C: Default + Borrow<AtomicU64>> Total<'_, C> {
    /// Returns the sum; see [`ShardedCounter::sum`].
    pub fn sum(&self) -> u64 {
        self.0.sum()
    }
}

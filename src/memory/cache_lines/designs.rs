//! The ways in which several threads can count, each timed the same way.

use super::{CachePadded, ShardedCounter};
use crate::sys::cores::together;
use std::borrow::Borrow;
use std::hint::black_box;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// A way to count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Design {
    /// One atomic for all.
    Shared,
    /// An array of atomics, one for each thread: neighbors in a line.
    Array,
    /// The same array, each cell with its lines to itself.
    Padded,
    /// The same, written by the cell's only writer with a load and a store.
    SingleWriter,
    /// A variable of each thread, merged into one atomic when it is done. Until then nobody can
    /// look.
    Local,
}

impl Design {
    /// In the order in which the chapter meets them.
    pub const ALL: [Self; 5] =
        [Self::Shared, Self::Array, Self::Padded, Self::SingleWriter, Self::Local];

    /// Its name in the figures.
    pub fn name(self) -> &'static str {
        match self {
            Self::Shared => "shared",
            Self::Array => "array",
            Self::Padded => "padded",
            Self::SingleWriter => "single_writer",
            Self::Local => "local",
        }
    }

    /// Adds one `additions` times on each of these cores at once. Unit: one addition of every core.
    ///
    /// The time is until the last core is done. One that is treated worse at a line has it to
    /// itself in the end.
    ///
    /// # Errors
    ///
    /// As [`together`].
    ///
    /// # Panics
    ///
    /// If an addition was lost.
    pub fn additions(self, cores: &[usize], additions: u64) -> io::Result<Duration> {
        let threads = cores.len();
        let (elapsed, sum) = match self {
            Self::Shared => {
                sharded(&ShardedCounter::<CachePadded<AtomicU64>>::new(1), cores, additions, |_| 0)
            }
            Self::Array => {
                sharded(&ShardedCounter::<AtomicU64>::new(threads), cores, additions, |place| place)
            }
            Self::Padded => sharded(
                &ShardedCounter::<CachePadded<_>>::new(threads),
                cores,
                additions,
                |place| place,
            ),
            Self::SingleWriter => {
                single_writer(&mut ShardedCounter::new(threads), cores, additions)
            }
            Self::Local => local(cores, additions),
        }?;
        assert_eq!(sum, additions * threads as u64, "{}", self.name());
        Ok(elapsed)
    }
}

/// The same code for the first three: all that differs is the type of the cells, and which cell is
/// whose.
fn sharded<C: Default + Borrow<AtomicU64> + Sync>(
    counter: &ShardedCounter<C>,
    cores: &[usize],
    additions: u64,
    cell_of: impl Fn(usize) -> usize + Sync,
) -> io::Result<(Duration, u64)> {
    let elapsed = together(cores, |place| {
        let cell = cell_of(place);
        for _ in 0..additions {
            counter.add(cell, black_box(1)); // a number that the compiler does not know, here and below
        }
    })?;
    Ok((elapsed, counter.sum()))
}

fn single_writer(
    counter: &mut ShardedCounter,
    cores: &[usize],
    additions: u64,
) -> io::Result<(Duration, u64)> {
    let (writers, total) = counter.split();
    let writers: Vec<_> = writers.into_iter().map(Mutex::new).collect(); // each locked once, by its thread
    let elapsed = together(cores, |place| {
        let mut writer = writers[place].lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..additions {
            writer.add(black_box(1));
        }
    })?;
    Ok((elapsed, total.sum()))
}

fn local(cores: &[usize], additions: u64) -> io::Result<(Duration, u64)> {
    let total = AtomicU64::new(0);
    let elapsed = together(cores, |_| {
        let mut sum = 0_u64;
        for _ in 0..additions {
            sum = sum.wrapping_add(black_box(1));
        }
        total.fetch_add(sum, Ordering::Relaxed); // a count only
    })?;
    Ok((elapsed, total.into_inner()))
}

//! The designs of a counter that the chapter compares, each timed in the same way.

use super::{CachePadded, ShardedCounter};
use crate::sys::cores::together;
use std::borrow::Borrow;
use std::hint::black_box;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The design of a counter for several threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// One atomic that all threads share.
    Shared,
    /// An array of atomics, one for each thread, next to each other in a line.
    Array,
    /// The same array, with each cell padded to lines of its own.
    Padded,
    /// The padded array, with each cell written by a load and a store of its only writer.
    SingleWriter,
    /// A local variable of each thread, added to one atomic at the end. Until then no other thread
    /// sees it.
    Local,
}

impl Variant {
    /// All variants, in the order of the chapter.
    pub const ALL: [Self; 5] =
        [Self::Shared, Self::Array, Self::Padded, Self::SingleWriter, Self::Local];

    /// Returns its name in the figures.
    pub fn name(self) -> &'static str {
        match self {
            Self::Shared => "shared",
            Self::Array => "array",
            Self::Padded => "padded",
            Self::SingleWriter => "single_writer",
            Self::Local => "local",
        }
    }

    /// Adds one `additions` times on each of `cores` at once, and returns the time until the last
    /// core is done. Unit: one addition on every core.
    ///
    /// A core that gets a contended line less often has it to itself at the end.
    ///
    /// # Errors
    ///
    /// See [`together`].
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
                sharded(&ShardedCounter::<AtomicU64>::new(threads), cores, additions, |thread| {
                    thread
                })
            }
            Self::Padded => sharded(
                &ShardedCounter::<CachePadded<_>>::new(threads),
                cores,
                additions,
                |thread| thread,
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

/// Runs the first three variants, which differ only in the type of the cells and in the cell that
/// each thread uses.
fn sharded<C: Default + Borrow<AtomicU64> + Sync>(
    counter: &ShardedCounter<C>,
    cores: &[usize],
    additions: u64,
    cell_of: impl Fn(usize) -> usize + Sync,
) -> io::Result<(Duration, u64)> {
    let elapsed = together(cores, |thread| {
        let cell = cell_of(thread);
        for _ in 0..additions {
            counter.add(cell, black_box(1)); // hides the number from the compiler, here and below
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
    // Each is locked once, by its own thread.
    let writers: Vec<_> = writers.into_iter().map(Mutex::new).collect();
    let elapsed = together(cores, |thread| {
        let mut writer = writers[thread].lock().unwrap_or_else(PoisonError::into_inner);
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

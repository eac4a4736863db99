//! The locks that the example compares: one sleeps while it waits, one spins.

use super::spin::SpinLock;
use crate::harness;
use crate::sys::cores;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A lock that two cores want at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// The standard library's [`Mutex`].
    Mutex,
    /// [`SpinLock`].
    Spin,
}

impl Variant {
    /// The names of the variants.
    pub const NAMES: [&str; 2] = ["mutex", "spin"];

    /// Returns the variant with this name.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if there is none.
    pub fn new(name: &str) -> io::Result<Self> {
        match name {
            "mutex" => Ok(Self::Mutex),
            "spin" => Ok(Self::Spin),
            _ => Err(harness::unknown(name, &Self::NAMES)),
        }
    }

    /// Adds one under the lock, `additions` times on each of `cores`, and returns the sum.
    ///
    /// # Errors
    ///
    /// As [`cores::together`].
    pub fn add(self, cores: [usize; 2], additions: usize) -> io::Result<usize> {
        let each = |add: &(dyn Fn() + Sync)| {
            cores::together(&cores, |_| (0..additions).for_each(|_| add()))
        };
        match self {
            Self::Mutex => {
                let sum = Mutex::new(0);
                each(&|| *lock(&sum) += 1)?;
                Ok(*lock(&sum))
            }
            Self::Spin => {
                let sum = SpinLock::new(0);
                each(&|| sum.with(|sum| *sum += 1))?;
                Ok(sum.with(|sum| *sum))
            }
        }
    }
}

/// Locks `mutex`, poisoned or not.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

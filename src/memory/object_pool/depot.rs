//! The shared store of magazines, behind one lock that is taken once per magazine.

use std::mem;
use std::ops::AddAssign;
use std::sync::PoisonError;

#[cfg(loom)]
use loom::sync::{Mutex, MutexGuard};
#[cfg(not(loom))]
use std::sync::{Mutex, MutexGuard};

/// Limits on what a pool keeps: at most this in the depot, and two more magazines in each
/// [`Local`](super::local::Local).
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Maximum weight of an object, in bytes. A heavier one is dropped when it returns.
    pub largest: usize,
    /// Number of objects in a magazine, at least 1. A whole magazine changes hands under one lock.
    pub magazine: usize,
    /// Maximum number of objects in the depot.
    pub objects: usize,
    /// Maximum weight of the objects in the depot, in bytes.
    pub bytes: usize,
}

/// Counts of requests and of returned objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Requests served from the pool.
    pub hits: u64,
    /// Requests for which an object was made.
    pub misses: u64,
    /// Returned objects that were dropped: too heavy, no room in the depot, or a panic of their
    /// thread. An object whose reset panics is not counted.
    pub discarded: u64,
}

impl AddAssign for Stats {
    fn add_assign(&mut self, other: Self) {
        self.hits += other.hits;
        self.misses += other.misses;
        self.discarded += other.discarded;
    }
}

// ANCHOR: depot
/// A store of magazines with objects, and of empty ones to exchange for them.
///
/// It checks for room and takes it in one step under one lock, and likewise finds a
/// magazine and takes it. In two steps, threads could exceed the bound: see the loom
/// models `object_pool::depot_keeps_to_its_bound` and
/// `object_pool::depot_of_two_steps_is_broken`. No code of the pool's user runs under the
/// lock.
pub struct Depot<T> {
    state: Mutex<State<T>>,
    limits: Limits,
}

struct State<T> {
    /// Magazines, none of them empty, each with the weight of its objects.
    stored: Vec<(Vec<T>, usize)>,
    /// Empty magazines, at most as many as `stored` ever held.
    empty: Vec<Vec<T>>,
    /// Number of objects in `stored`: at most `limits.objects`.
    objects: usize,
    /// Their weight: at most `limits.bytes`.
    bytes: usize,
    stats: Stats,
}
// ANCHOR_END: depot

impl<T> Depot<T> {
    /// Creates an empty depot.
    pub fn new(limits: Limits) -> Self {
        let state = State {
            stored: Vec::new(),
            empty: Vec::new(),
            objects: 0,
            bytes: 0,
            stats: Stats::default(),
        };
        Self { state: Mutex::new(state), limits }
    }

    // ANCHOR: exchange
    /// Exchanges an empty magazine for one with objects, if there is one.
    pub fn take(&self, magazine: &mut Vec<T>, counted: Stats) {
        let mut state = self.lock();
        state.stats += counted;
        if let Some((found, weight)) = state.stored.pop() {
            state.objects -= found.len();
            state.bytes -= weight;
            let empty = mem::replace(magazine, found);
            if empty.capacity() > 0 {
                state.empty.push(empty);
            }
        }
    }

    /// Exchanges a magazine for an empty one, if there is room for its `weight`.
    pub fn give(&self, magazine: &mut Vec<T>, weight: usize, counted: Stats) {
        let mut state = self.lock();
        state.stats += counted;
        if !magazine.is_empty() && state.has_room(&self.limits, magazine.len(), weight) {
            state.objects += magazine.len();
            state.bytes += weight;
            let empty = state.empty.pop().unwrap_or_default();
            state.stored.push((mem::replace(magazine, empty), weight));
        }
    }
    // ANCHOR_END: exchange

    /// Stores one object of weight `weight`.
    ///
    /// # Errors
    ///
    /// Returns the object if there is no room.
    pub fn put(&self, object: T, weight: usize) -> Result<(), T> {
        let mut state = self.lock();
        if !state.has_room(&self.limits, 1, weight) {
            return Err(object);
        }
        state.objects += 1;
        state.bytes += weight;
        match state.stored.last_mut() {
            Some((magazine, weights)) if magazine.len() < self.limits.magazine => {
                magazine.push(object);
                *weights += weight;
            }
            _ => {
                let mut magazine = state.empty.pop().unwrap_or_default();
                magazine.push(object);
                state.stored.push((magazine, weight));
            }
        }
        Ok(())
    }

    /// Adds the counts of a [`Local`](super::local::Local).
    pub fn count(&self, counted: Stats) {
        self.lock().stats += counted;
    }

    /// Returns the sum of all counts so far.
    pub fn stats(&self) -> Stats {
        self.lock().stats
    }

    /// Returns the number of objects stored.
    pub fn objects(&self) -> usize {
        self.lock().objects
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        // Nothing panics under the lock. An allocation that fails there ends the process.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> State<T> {
    fn has_room(&self, limits: &Limits, objects: usize, bytes: usize) -> bool {
        self.objects + objects <= limits.objects && self.bytes.saturating_add(bytes) <= limits.bytes
    }
}

//! Where the magazines of all threads meet: one lock, taken once a magazine.

use super::{Limits, Stats};
use std::mem;
use std::sync::PoisonError;

#[cfg(loom)]
use loom::sync::{Mutex, MutexGuard};
#[cfg(not(loom))]
use std::sync::{Mutex, MutexGuard};

// ANCHOR: depot
/// Magazines that have objects, and empty ones to swap them for.
///
/// That there is room and that it is taken are one step under one lock, and so are finding a
/// magazine and taking it. As two steps they exceed the bound: the loom models
/// `object_pool::depot_keeps_to_its_bound` and `object_pool::depot_of_two_steps_is_broken` show
/// both. No code of the pool's user runs under the lock.
pub struct Depot<T> {
    state: Mutex<State<T>>,
    limits: Limits,
}

struct State<T> {
    /// None of them empty, each with what its objects weigh.
    stored: Vec<(Vec<T>, usize)>,
    /// At most as many as `stored` has had at some time.
    empty: Vec<Vec<T>>,
    /// How many objects lie in `stored`: at most `limits.objects`.
    objects: usize,
    /// What they weigh: at most `limits.bytes`.
    bytes: usize,
    stats: Stats,
}
// ANCHOR_END: depot

impl<T> Depot<T> {
    /// A depot that holds nothing.
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
    /// Swaps an empty magazine for one with objects, if there is one.
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

    /// Swaps a magazine whose objects weigh so much for an empty one, if there is room. Otherwise
    /// the caller keeps it.
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

    /// Stores one object that weighs so much, or gives it back if there is no room.
    ///
    /// # Errors
    ///
    /// The object.
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

    /// Adds what somebody has counted.
    pub fn count(&self, counted: Stats) {
        self.lock().stats += counted;
    }

    /// What was counted so far.
    pub fn stats(&self) -> Stats {
        self.lock().stats
    }

    /// How many objects are stored.
    pub fn objects(&self) -> usize {
        self.lock().objects
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        // Nothing under the lock panics but an allocator without memory, which ends the process.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> State<T> {
    fn has_room(&self, limits: &Limits, objects: usize, bytes: usize) -> bool {
        self.objects + objects <= limits.objects && self.bytes.saturating_add(bytes) <= limits.bytes
    }
}

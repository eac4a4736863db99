//! Where threads sleep until there is something for them to do: one bed for the producers of a
//! ring, one for its consumers.

use super::Orderings;
use crate::concurrency::sync::{AtomicUsize, Condvar, Mutex, fence};
use crate::memory::cache_lines::CachePadded;
use std::marker::PhantomData;
use std::sync::PoisonError;
use std::sync::atomic::Ordering::Relaxed;

/// Where each side sleeps.
pub(super) struct Beds<O> {
    pub(super) producers: CachePadded<Bed<O>>,
    pub(super) consumers: CachePadded<Bed<O>>,
}

impl<O: Orderings> Beds<O> {
    pub(super) fn new() -> Self {
        Self { producers: CachePadded(Bed::new()), consumers: CachePadded(Bed::new()) }
    }
}

/// Where any number of threads sleep until others wake them.
pub(super) struct Bed<O> {
    /// At least as many as sleep here and were not called: one that wakes by itself is counted
    /// twice, and then somebody calls in vain. Written only under the lock.
    asleep: AtomicUsize,
    /// Held from before a last look at the ring until asleep, so that nobody calls in between.
    lock: Mutex<()>,
    called: Condvar,
    orderings: PhantomData<fn() -> O>,
}

impl<O: Orderings> Bed<O> {
    // ANCHOR: bed
    /// Sleeps until `ready`, which the other side makes true before it calls [`wake`](Self::wake).
    #[cold]
    pub(super) fn sleep_until(&self, mut ready: impl FnMut() -> bool) {
        let mut lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            self.asleep.fetch_add(1, Relaxed);
            fence(O::SLEEP_FENCE); // pairs with the one in `wake`: either that sees `asleep`, or `ready` sees what it tells
            if ready() {
                break;
            }
            lock = self.called.wait(lock).unwrap_or_else(PoisonError::into_inner);
        }
        self.asleep.fetch_sub(1, Relaxed);
    }

    /// Wakes one that sleeps here, if any does.
    pub(super) fn wake(&self) {
        fence(O::SLEEP_FENCE); // pairs with the one in `sleep_until`
        if self.asleep.load(Relaxed) > 0 {
            self.call(1, Condvar::notify_one);
        }
    }
    // ANCHOR_END: bed

    /// Wakes another one that sleeps here if `ready`, for one that has slept itself and took only a
    /// part of what was ready.
    pub(super) fn pass_on(&self, ready: impl FnOnce() -> bool) {
        fence(O::SLEEP_FENCE); // pairs with the one in `wake`: `ready` sees what was told before it
        if ready() {
            self.wake();
        }
    }

    /// Wakes all that sleep here.
    pub(super) fn wake_all(&self) {
        fence(O::SLEEP_FENCE); // as in `wake`
        if self.asleep.load(Relaxed) > 0 {
            self.call(usize::MAX, Condvar::notify_all);
        }
    }

    /// Calls so many, and crosses them off, so that the next ones are called only if there are
    /// more.
    #[cold]
    fn call(&self, number: usize, notify: fn(&Condvar)) {
        let lock = self.lock.lock(); // poisoned or not: they sleep now, or have seen that they need not
        self.asleep.store(self.asleep.load(Relaxed).saturating_sub(number), Relaxed);
        drop(lock);
        notify(&self.called);
    }

    fn new() -> Self {
        Self {
            asleep: AtomicUsize::new(0),
            lock: Mutex::new(()),
            called: Condvar::new(),
            orderings: PhantomData,
        }
    }
}

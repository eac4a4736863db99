//! An event count: threads sleep on it until a condition holds, and threads that make the condition
//! true wake them. The name is Dmitry Vyukov's; folly has one as `EventCount`.
//!
//! A notification without sleepers costs a fence and a load, and no system call.

use crate::concurrency::sync::{AtomicUsize, Condvar, Mutex, fence};
use crate::memory::cache_lines::CachePadded;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

/// The two event counts of a ring.
pub(super) struct EventCounts {
    /// Producers sleep here while the ring is full.
    pub(super) not_full: CachePadded<EventCount>,
    /// Consumers sleep here while the ring is empty.
    pub(super) not_empty: CachePadded<EventCount>,
}

impl EventCounts {
    pub(super) fn new() -> Self {
        let [not_full, not_empty] = [(); 2].map(|()| CachePadded(EventCount::new()));
        Self { not_full, not_empty }
    }
}

/// A place for any number of threads to sleep until another thread wakes them.
pub(super) struct EventCount {
    /// At least the number of threads that sleep here and have not been notified. A thread that
    /// wakes up spuriously is counted twice; then one notification wakes no thread. Written only
    /// under the lock.
    sleepers: AtomicUsize,
    /// Held from the registration of a sleeper until it sleeps, so that no notification falls in
    /// between.
    lock: Mutex<()>,
    notified: Condvar,
}

impl EventCount {
    fn new() -> Self {
        Self { sleepers: AtomicUsize::new(0), lock: Mutex::new(()), notified: Condvar::new() }
    }

    // ANCHOR: event_count
    /// Sleeps until `ready`, which another thread makes true before it notifies.
    #[cold]
    pub(super) fn wait_until(&self, mut ready: impl FnMut() -> bool) {
        let mut lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            self.sleepers.fetch_add(1, Ordering::Relaxed); // ordered by the fence
            // Pairs with `notify_one`'s: it sees `sleepers`, or `ready` sees its news.
            fence(Ordering::SeqCst);
            if ready() {
                break;
            }
            lock = self.notified.wait(lock).unwrap_or_else(PoisonError::into_inner);
        }
        self.sleepers.fetch_sub(1, Ordering::Relaxed);
    }

    /// Wakes one sleeper, if there is one.
    pub(super) fn notify_one(&self) {
        fence(Ordering::SeqCst); // pairs with the one in `wait_until`
        if self.sleepers.load(Ordering::Relaxed) > 0 {
            self.wake(1, Condvar::notify_one);
        }
    }
    // ANCHOR_END: event_count

    /// Wakes another sleeper if `ready`. A thread that has slept here calls this after it has used
    /// up a part of what was ready.
    pub(super) fn notify_next_if(&self, ready: impl FnOnce() -> bool) {
        if ready() {
            self.notify_one();
        }
    }

    /// Wakes all sleepers.
    pub(super) fn notify_all(&self) {
        fence(Ordering::SeqCst); // pairs with the one in `wait_until`, as `notify_one`'s does
        if self.sleepers.load(Ordering::Relaxed) > 0 {
            self.wake(usize::MAX, Condvar::notify_all);
        }
    }

    /// Wakes up to `n` sleepers and removes them from the count.
    #[cold]
    fn wake(&self, n: usize, notify: fn(&Condvar)) {
        // Poisoned or not: the sleepers now sleep, or have seen that they need not.
        let lock = self.lock.lock();
        let sleepers = self.sleepers.load(Ordering::Relaxed);
        self.sleepers.store(sleepers.saturating_sub(n), Ordering::Relaxed);
        drop(lock);
        notify(&self.notified);
    }
}

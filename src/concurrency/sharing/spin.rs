//! A lock whose waiters never sleep.

use super::{Needed, Orderings};
use crate::concurrency::sync::AtomicBool;
use cell::Cell;
use std::marker::PhantomData;
use std::sync::atomic::Ordering::Relaxed;

#[cfg(loom)]
use loom::hint::spin_loop;
#[cfg(not(loom))]
use std::hint::spin_loop;

/// A value for one thread at a time. Whoever finds it taken keeps its core and looks again: right
/// for sections of a few instructions whose holder cannot lose its core, and nowhere else. Makes no
/// system call.
///
/// ```
/// use perf_proved::concurrency::sharing::spin::SpinLock;
///
/// let total: SpinLock<_> = SpinLock::new(0);
/// std::thread::scope(|scope| {
///     for _ in 0..2 {
///         scope.spawn(|| (0..1000).for_each(|_| total.with(|total| *total += 1)));
///     }
/// });
/// assert_eq!(total.with(|total| *total), 2000);
/// ```
pub struct SpinLock<T, O: Orderings = Needed> {
    /// Whoever has changed it from `false` to `true` may touch `value`, until it writes `false`.
    taken: AtomicBool,
    value: Cell<T>,
    orderings: PhantomData<fn() -> O>,
}

// SAFETY: `with` hands the value to one thread at a time, and orders them. The value goes from
// thread to thread, so it must be `Send`; two never see it at once, so it need not be `Sync`.
unsafe impl<T: Send, O: Orderings> Sync for SpinLock<T, O> {}

// ANCHOR: compiled
static_assertions::assert_impl_all!(SpinLock<std::cell::Cell<u64>>: Sync);
static_assertions::assert_not_impl_any!(SpinLock<std::rc::Rc<u64>>: Sync);
// ANCHOR_END: compiled

impl<T, O: Orderings> SpinLock<T, O> {
    /// A lock that nobody holds.
    pub fn new(value: T) -> Self {
        Self { taken: AtomicBool::new(false), value: Cell::new(value), orderings: PhantomData }
    }

    // ANCHOR: with
    /// Runs `work` with the value, alone. If it panics, the lock is given back as it is: nothing is
    /// poisoned. `work` that takes the same lock waits forever.
    #[inline]
    pub fn with<R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
        // Acquire pairs with the Release of whoever held it before. A failure reads nothing, so it
        // is relaxed.
        while self.taken.compare_exchange_weak(false, true, O::LOCK, Relaxed).is_err() {
            while self.taken.load(Relaxed) {
                spin_loop(); // only reads, so that waiters share the line until it is written
            }
        }
        let _held = Held::<O>(&self.taken, PhantomData);
        // SAFETY: this thread has changed `taken` from `false` to `true`, and `_held` writes
        // `false` after this.
        self.value.with_mut(|value| work(unsafe { &mut *value }))
    }
    // ANCHOR_END: with
}

/// Gives the lock back, also when the work panics.
struct Held<'a, O: Orderings>(&'a AtomicBool, PhantomData<fn() -> O>);

impl<O: Orderings> Drop for Held<'_, O> {
    #[inline]
    fn drop(&mut self) {
        self.0.store(false, O::UNLOCK); // pairs with the next holder's exchange
    }
}

/// The cell of the value: for models loom's, which notices two accesses that nothing orders.
#[cfg(loom)]
mod cell {
    pub(super) use loom::cell::UnsafeCell as Cell;
}

#[cfg(not(loom))]
mod cell {
    use std::cell::UnsafeCell;

    pub(super) struct Cell<T>(UnsafeCell<T>);

    impl<T> Cell<T> {
        pub(super) fn new(value: T) -> Self {
            Self(UnsafeCell::new(value))
        }

        #[inline]
        pub(super) fn with_mut<R>(&self, work: impl FnOnce(*mut T) -> R) -> R {
            work(self.0.get())
        }
    }
}

//! A lock whose waiting threads never sleep.

use crate::concurrency::sync::AtomicBool;
use cell::Cell;
use std::sync::atomic::Ordering;

#[cfg(loom)]
use loom::hint::spin_loop;
#[cfg(not(loom))]
use std::hint::spin_loop;

/// A value for one thread at a time. A thread that finds the lock taken keeps its core and looks
/// again: right for sections of a few instructions whose holder cannot lose its core, and nowhere
/// else. Makes no system call.
///
/// ```
/// use perf_proved::concurrency::sharing::spin::SpinLock;
///
/// let total = SpinLock::new(0);
/// std::thread::scope(|scope| {
///     for _ in 0..2 {
///         scope.spawn(|| (0..1000).for_each(|_| total.with(|total| *total += 1)));
///     }
/// });
/// assert_eq!(total.with(|total| *total), 2000);
/// ```
pub struct SpinLock<T> {
    /// The thread that changes it from `false` to `true` has `value` to itself until it stores
    /// `false`.
    is_locked: AtomicBool,
    value: Cell<T>,
}

// SAFETY: `with` hands the value to one thread at a time, and orders them. The value moves from
// thread to thread, so it must be `Send`; two threads never see it at once, so it need not be
// `Sync`.
unsafe impl<T: Send> Sync for SpinLock<T> {}

// ANCHOR: compiled
static_assertions::assert_impl_all!(SpinLock<std::cell::Cell<u64>>: Sync);
static_assertions::assert_not_impl_any!(SpinLock<std::rc::Rc<u64>>: Sync);
// ANCHOR_END: compiled

impl<T> SpinLock<T> {
    /// Creates an unlocked lock.
    pub fn new(value: T) -> Self {
        Self { is_locked: AtomicBool::new(false), value: Cell::new(value) }
    }

    // ANCHOR: with
    /// Runs `work` with exclusive access to the value. Releases the lock even if `work`
    /// panics; nothing is poisoned. If `work` takes the same lock, it waits forever.
    #[inline]
    pub fn with<R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
        // Acquire pairs with the store in `Guard::drop`. A failure reads nothing.
        while self
            .is_locked
            .compare_exchange_weak(false, true, Ordering::Acquire, Ordering::Relaxed)
            .is_err()
        {
            while self.is_locked.load(Ordering::Relaxed) {
                spin_loop(); // only reads, so waiting threads share the line
            }
        }
        let _guard = Guard(&self.is_locked);
        // SAFETY: this thread has changed `is_locked` from `false` to `true`, and
        // `_guard` stores `false` after this.
        self.value.with_mut(|value| work(unsafe { &mut *value }))
    }
    // ANCHOR_END: with
}

/// Releases the lock when it is dropped.
struct Guard<'a>(&'a AtomicBool);

impl Drop for Guard<'_> {
    #[inline]
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release); // pairs with the next holder's compare-exchange
    }
}

/// The cell of the value. In models it is loom's, which detects two accesses that nothing orders.
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

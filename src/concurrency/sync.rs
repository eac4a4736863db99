//! Threads, locks, atomics and cells for the concurrent code of the techniques: those of the
//! standard library, or those of [loom](https://docs.rs/loom) under `cfg(loom)`, so that the models
//! explore the very code that runs.

#[cfg(loom)]
pub(crate) use loom::{
    sync::{
        Arc, Condvar, Mutex, MutexGuard, RwLock,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, fence},
    },
    thread,
};
#[cfg(not(loom))]
pub(crate) use std::{
    sync::{
        Arc, Condvar, Mutex, MutexGuard, RwLock,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, fence},
    },
    thread,
};

#[cfg(not(loom))]
use std::{cell::UnsafeCell, mem::MaybeUninit};

/// Memory for one item that one thread writes and another takes. A slot does not know whether it
/// holds an item, so it never drops one.
#[cfg(not(loom))]
#[repr(transparent)]
pub(crate) struct Slot<T>(UnsafeCell<MaybeUninit<T>>);

// SAFETY: both methods require exclusive access to the slot. An item that one thread writes and
// another takes moves between threads, so it must be `Send`; two threads never share a reference to
// it, so it need not be `Sync`.
unsafe impl<T: Send> Sync for Slot<T> {}

#[cfg(not(loom))]
impl<T> Slot<T> {
    /// Creates a slot without an item.
    pub(crate) fn empty() -> Self {
        Self(UnsafeCell::new(MaybeUninit::uninit()))
    }

    /// Writes `item` into the slot.
    ///
    /// # Safety
    ///
    /// The slot is empty, and every other access to it happens before this one or after it.
    #[inline]
    pub(crate) unsafe fn write(&self, item: T) {
        // SAFETY: the caller promises that no other access is concurrent.
        unsafe { (*self.0.get()).write(item) };
    }

    /// Takes the item out of the slot.
    ///
    /// # Safety
    ///
    /// The slot holds an item, and every other access to it happens before this one or after it.
    #[inline]
    pub(crate) unsafe fn take(&self) -> T {
        // SAFETY: as in `write`; and the caller promises that the slot holds an item. It is empty
        // from here on, so the item is read once.
        unsafe { (*self.0.get()).assume_init_read() }
    }
}

/// A [`Slot`] for models. Loom's cell detects unordered accesses; the `Option` detects a read of an
/// empty slot and a write over an item.
#[cfg(loom)]
pub(crate) struct Slot<T>(loom::cell::UnsafeCell<Option<T>>);

#[cfg(loom)]
impl<T> Slot<T> {
    pub(crate) fn empty() -> Self {
        Self(loom::cell::UnsafeCell::new(None))
    }

    pub(crate) unsafe fn write(&self, item: T) {
        // SAFETY: loom ends the model if another access is concurrent.
        let before = self.0.with_mut(|slot| unsafe { (*slot).replace(item) });
        assert!(before.is_none(), "an item was overwritten");
    }

    pub(crate) unsafe fn take(&self) -> T {
        // SAFETY: as in `write`.
        self.0
            .with_mut(|slot| unsafe { (*slot).take() })
            .expect("a slot was read that holds no item")
    }
}

/// Drops every item that `next` returns, even if the destructor of one panics. (A second panic
/// during unwinding aborts the process, as it does in a `Vec`.)
pub(crate) fn drop_each<T>(mut next: impl FnMut() -> Option<T>) {
    struct Rest<'a, T, F: FnMut() -> Option<T>>(&'a mut F);

    impl<T, F: FnMut() -> Option<T>> Drop for Rest<'_, T, F> {
        fn drop(&mut self) {
            while let Some(item) = (self.0)() {
                drop(item);
            }
        }
    }

    while let Some(item) = next() {
        let rest = Rest(&mut next);
        drop(item);
        // No panic: the loop drops the rest, not the guard.
        std::mem::forget(rest);
    }
}

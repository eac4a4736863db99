//! What the lock-free code of this part is built from: the standard library's types, or those of
//! [loom](https://docs.rs/loom) under `cfg(loom)`, whose models then explore the very code that
//! runs.

#[cfg(loom)]
pub(crate) use loom::{
    sync::{
        Arc, Condvar, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicUsize, fence},
    },
    thread,
};
#[cfg(not(loom))]
pub(crate) use std::{
    sync::{
        Arc, Condvar, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicUsize, fence},
    },
    thread,
};

#[cfg(not(loom))]
use std::{cell::UnsafeCell, mem::MaybeUninit};

/// Room for one item, which threads hand to each other. It does not know whether an item is in it,
/// so it drops none.
#[cfg(not(loom))]
#[repr(transparent)]
pub(crate) struct Slot<T>(UnsafeCell<MaybeUninit<T>>);

// SAFETY: both methods ask their callers to be alone with the slot. An item that one thread writes
// and another one takes has moved between them, so it must be `Send`; two threads never see it at
// once, so it need not be `Sync`.
unsafe impl<T: Send> Sync for Slot<T> {}

#[cfg(not(loom))]
impl<T> Slot<T> {
    pub(crate) fn empty() -> Self {
        Self(UnsafeCell::new(MaybeUninit::uninit()))
    }

    /// Puts an item in.
    ///
    /// # Safety
    ///
    /// The slot is empty, and every other access to it happened before this one or happens after
    /// it.
    #[inline]
    pub(crate) unsafe fn write(&self, item: T) {
        // SAFETY: nobody else looks at the slot meanwhile, as the caller promises.
        unsafe { (*self.0.get()).write(item) };
    }

    /// Takes the item out.
    ///
    /// # Safety
    ///
    /// An item is in the slot, and every other access to it happened before this one or happens
    /// after it.
    #[inline]
    pub(crate) unsafe fn take(&self) -> T {
        // SAFETY: as in `write`; and the caller promises an item, which nobody takes a second time.
        unsafe { (*self.0.get()).assume_init_read() }
    }
}

/// A [`Slot`] for models: loom's cell notices accesses that are not ordered, and the `Option` a
/// read of what was never written and a write over what was never read.
#[cfg(loom)]
pub(crate) struct Slot<T>(loom::cell::UnsafeCell<Option<T>>);

#[cfg(loom)]
impl<T> Slot<T> {
    pub(crate) fn empty() -> Self {
        Self(loom::cell::UnsafeCell::new(None))
    }

    pub(crate) unsafe fn write(&self, item: T) {
        // SAFETY: loom ends the model if somebody else has access meanwhile.
        let before = self.0.with_mut(|slot| unsafe { (*slot).replace(item) });
        assert!(before.is_none(), "an item is overwritten");
    }

    pub(crate) unsafe fn take(&self) -> T {
        // SAFETY: as in `write`.
        self.0
            .with_mut(|slot| unsafe { (*slot).take() })
            .expect("an item is read that was not written")
    }
}

/// Drops the items that `next` gives, all of them, even if a destructor panics. (One that panics
/// during that ends the process, as it does in a `Vec`.)
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
        // It did not panic, so the loop goes on instead.
        std::mem::forget(rest);
    }
}

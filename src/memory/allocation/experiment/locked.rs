//! The allocator of the folklore, which takes a global lock each time.

use std::alloc::{GlobalAlloc, Layout};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// An allocator on top of another one that lets one thread in at a time.
pub struct Locked<A> {
    inner: A,
    lock: Mutex<()>,
}

impl<A> Locked<A> {
    /// Puts one lock in front of `inner`.
    pub const fn new(inner: A) -> Self {
        Self { inner, lock: Mutex::new(()) }
    }

    fn lock(&self) -> MutexGuard<'_, ()> {
        // An allocator does not panic, and the lock guards no data of ours.
        self.lock.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// SAFETY: every block comes from `inner`, with unchanged arguments. Locking neither allocates nor
// panics.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Locked<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _one_at_a_time = self.lock();
        // SAFETY: the caller upholds the contract of `GlobalAlloc::alloc`, which `inner` shares.
        unsafe { self.inner.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let _one_at_a_time = self.lock();
        // SAFETY: as in `alloc`; `block` came from `inner`.
        unsafe { self.inner.dealloc(block, layout) }
    }
}

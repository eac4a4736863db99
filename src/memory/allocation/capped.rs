//! A global allocator with a limit.

use super::budget::Budget;
use std::alloc::{GlobalAlloc, Layout};

/// An allocator on top of another one, which refuses requests that would bring the live bytes of
/// the program beyond a limit.
///
/// It counts the bytes that were requested. The overhead of the inner allocator, and memory that it
/// keeps after a free, come on top.
///
/// ```
/// use perf_proved::memory::allocation::capped::Capped;
/// use std::alloc::System;
///
/// #[global_allocator]
/// static ALLOCATOR: Capped<System> = Capped::new(System, 64 << 20);
///
/// let mut bytes = Vec::<u8>::new();
/// let error = bytes.try_reserve(65 << 20).unwrap_err();
/// assert!(error.to_string().contains("memory allocation failed"));
/// assert!(bytes.try_reserve(32 << 20).is_ok());
/// ```
pub struct Capped<A> {
    inner: A,
    budget: Budget,
}

// SAFETY: every block comes from `inner`, with unchanged arguments. A refused request returns null,
// as the contract allows. Counting neither allocates nor panics.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Capped<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller upholds the contract of `GlobalAlloc::alloc`, which `inner` shares.
        self.within(layout.size(), || unsafe { self.inner.alloc(layout) })
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as in `alloc`; `block` came from `inner`. The bytes return to the budget only
        // after they are free.
        unsafe { self.inner.dealloc(block, layout) }
        self.budget.give_back(layout.size());
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as in `alloc`. Forwarded, because the default would zero large blocks itself.
        self.within(layout.size(), || unsafe { self.inner.alloc_zeroed(layout) })
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // While a block moves, the inner allocator may hold it twice. The limit is on requested
        // bytes.
        let more = new_size.saturating_sub(layout.size());
        // SAFETY: as in `dealloc`.
        let moved = self.within(more, || unsafe { self.inner.realloc(block, layout, new_size) });
        if !moved.is_null() {
            self.budget.give_back(layout.size().saturating_sub(new_size));
        }
        moved
    }
}

impl<A> Capped<A> {
    /// Wraps `inner` with a limit of `limit` bytes.
    pub const fn new(inner: A, limit: usize) -> Self {
        Self { inner, budget: Budget::new(limit) }
    }

    /// Returns the counter of live bytes and its limit.
    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    // ANCHOR: within
    /// Takes `bytes` from the budget, then calls `block`. Returns the bytes if the block
    /// is null.
    fn within(&self, bytes: usize, block: impl FnOnce() -> *mut u8) -> *mut u8 {
        if !self.budget.take(bytes) {
            return std::ptr::null_mut();
        }
        let block = block();
        if block.is_null() {
            self.budget.give_back(bytes);
        }
        block
    }
    // ANCHOR_END: within
}

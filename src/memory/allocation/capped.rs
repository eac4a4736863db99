//! A global allocator with a limit.

use super::budget::Budget;
use std::alloc::{GlobalAlloc, Layout};

/// Another allocator, which refuses what would bring the live bytes of the program beyond a limit.
///
/// It counts the bytes that were asked for. What the allocator beneath adds, and what it keeps
/// after a free, comes on top.
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

// SAFETY: every block comes from `inner`, with the arguments unchanged; what is refused is null, as
// the contract allows. Counting neither allocates nor panics.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Capped<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps `GlobalAlloc::alloc`'s contract, which is `inner`'s too.
        self.within(layout.size(), || unsafe { self.inner.alloc(layout) })
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as in `alloc`; `block` came from `inner`. Only then are its bytes anybody's.
        unsafe { self.inner.dealloc(block, layout) }
        self.budget.give_back(layout.size());
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as in `alloc`. Forwarded, so that large zeroed blocks stay lazily zeroed.
        self.within(layout.size(), || unsafe { self.inner.alloc_zeroed(layout) })
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // While a block moves, the allocator beneath may hold it twice; the limit is on what was
        // asked for.
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
    /// `inner`, with so many bytes to give.
    pub const fn new(inner: A, limit: usize) -> Self {
        Self { inner, budget: Budget::new(limit) }
    }

    /// What is live, and the limit.
    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    // ANCHOR: within
    /// Takes the bytes, then the block; without the one there is not the other.
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

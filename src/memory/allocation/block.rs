//! A block of any allocator, owned: so that allocators can be compared in one program, which has
//! one global allocator.

use std::alloc::{GlobalAlloc, Layout};
use std::ptr::NonNull;

/// Bytes from `A`, given back to it when this is dropped, on whatever thread.
pub struct Block<'a, A: GlobalAlloc> {
    allocator: &'a A,
    start: NonNull<u8>,
    /// What `start` was allocated with.
    layout: Layout,
}

// SAFETY: a block owns its bytes, and `GlobalAlloc` is to be called from any thread.
unsafe impl<A: GlobalAlloc + Sync> Send for Block<'_, A> {}

impl<'a, A: GlobalAlloc> Block<'a, A> {
    /// At least eight bytes that begin with `mark`, so that the block is touched; `None` if the
    /// allocator refuses, or for a size that no block can have.
    pub fn new(allocator: &'a A, size: usize, mark: u64) -> Option<Self> {
        let layout = Layout::from_size_align(size.max(8), 8).ok()?;
        // SAFETY: the layout is not empty.
        let start = NonNull::new(unsafe { allocator.alloc(layout) })?;
        // SAFETY: at least eight bytes, aligned to eight, ours alone.
        unsafe { start.cast::<u64>().write(mark) };
        Some(Self { allocator, start, layout })
    }

    /// What the block begins with.
    pub fn mark(&self) -> u64 {
        // SAFETY: written by `new`, and only we can write it again.
        unsafe { self.start.cast::<u64>().read() }
    }

    /// Marks the block anew.
    pub fn set_mark(&mut self, mark: u64) {
        // SAFETY: as in `new`.
        unsafe { self.start.cast::<u64>().write(mark) }
    }
}

impl<A: GlobalAlloc> Drop for Block<'_, A> {
    fn drop(&mut self) {
        // SAFETY: allocated by this allocator with this layout, and dropped once.
        unsafe { self.allocator.dealloc(self.start.as_ptr(), self.layout) }
    }
}

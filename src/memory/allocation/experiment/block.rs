//! An owned block of any allocator, so that one program can compare several allocators although it
//! has only one global allocator.

use std::alloc::{GlobalAlloc, Layout};
use std::ptr::NonNull;

/// Bytes from `A`, which are returned to it on drop, on any thread.
pub struct Block<'a, A: GlobalAlloc> {
    allocator: &'a A,
    start: NonNull<u8>,
    /// The layout that `start` was allocated with.
    layout: Layout,
}

// SAFETY: a block owns its bytes, and a `GlobalAlloc` may be called from any thread.
unsafe impl<A: GlobalAlloc + Sync> Send for Block<'_, A> {}

impl<'a, A: GlobalAlloc> Block<'a, A> {
    /// Allocates `size` bytes, at least eight, and writes `mark` to the first eight, so that the
    /// block is touched. Returns `None` if the allocator refuses or the size is impossible.
    pub fn new(allocator: &'a A, size: usize, mark: u64) -> Option<Self> {
        let layout = Layout::from_size_align(size.max(8), 8).ok()?;
        // SAFETY: the layout is not empty.
        let start = NonNull::new(unsafe { allocator.alloc(layout) })?;
        // SAFETY: the block has at least eight bytes, is aligned to eight, and has no other owner.
        unsafe { start.cast::<u64>().write(mark) };
        Some(Self { allocator, start, layout })
    }

    /// Returns the first eight bytes of the block.
    pub fn mark(&self) -> u64 {
        // SAFETY: `new` wrote them, and only `set_mark` writes them again.
        unsafe { self.start.cast::<u64>().read() }
    }

    /// Overwrites the first eight bytes of the block.
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

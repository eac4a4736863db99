//! An arena: it places values one after the other in chunks and frees all of them at once.

use std::alloc::{self, Layout};
use std::cell::{Cell, RefCell};
use std::ptr::{self, NonNull};
use std::{error, fmt};

/// The size of the first chunk of an arena, in bytes. Each further chunk is twice as large as the
/// previous one, as far as the limit allows.
pub const FIRST: usize = 4 << 10;
/// The alignment of each chunk.
const ALIGN: usize = 16;

/// Places values one after the other in chunks of at most `limit` bytes in total.
///
/// It takes `Copy` types, which have no `Drop` that the arena would skip. References that it
/// returns live until [`reset`](Self::reset) or until the arena is dropped; nothing is freed
/// earlier.
///
/// ```
/// use perf_proved::memory::allocation::arena::{Arena, Full};
///
/// let mut arena = Arena::new(1 << 20);
/// let number = arena.alloc(41_u64)?;
/// let word = arena.alloc_slice(b"word")?;
/// *number += 1;
/// assert_eq!((*number, &*word), (42, &b"word"[..]));
/// arena.reset(); // the borrow checker rejects any use of `number` or `word` after this
/// assert!(arena.alloc([0_u8; 2 << 20]).is_err());
/// # Ok::<(), Full>(())
/// ```
pub struct Arena {
    /// The start of the current chunk, which is the last one. Dangling while there is none.
    start: Cell<NonNull<u8>>,
    /// The bytes of the current chunk that are in use: never more than `size`.
    used: Cell<usize>,
    /// The size of the current chunk in bytes.
    size: Cell<usize>,
    chunks: RefCell<Vec<Chunk>>,
    /// The limit on the total size of the chunks, in bytes.
    limit: usize,
}

/// Memory from the global allocator, freed on drop.
struct Chunk {
    start: NonNull<u8>,
    /// The layout that `start` was allocated with; not empty.
    layout: Layout,
}

/// The error of an arena that has reached its limit, or to which the allocator refuses a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the arena has reached its limit, or no memory is left")
    }
}

impl error::Error for Full {}

impl Arena {
    /// Creates an empty arena that takes at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        let (start, chunks) = (Cell::new(NonNull::dangling()), RefCell::new(Vec::new()));
        Self { start, used: Cell::new(0), size: Cell::new(0), chunks, limit }
    }

    /// Places `value` in the arena.
    ///
    /// # Errors
    ///
    /// [`Full`] if there is no room.
    #[expect(clippy::mut_from_ref, reason = "each call returns memory that no other call returned")]
    pub fn alloc<T: Copy>(&self, value: T) -> Result<&mut T, Full> {
        let place = self.place::<T>(1)?;
        // SAFETY: `place` is aligned, has room for a `T`, and is not handed out again until `reset`
        // or `drop`, which need exclusive access to the arena, when no reference is left.
        unsafe {
            place.write(value);
            Ok(&mut *place.as_ptr())
        }
    }

    /// Places a copy of `values` in the arena.
    ///
    /// # Errors
    ///
    /// [`Full`] if there is no room.
    #[expect(clippy::mut_from_ref, reason = "each call returns memory that no other call returned")]
    pub fn alloc_slice<T: Copy>(&self, values: &[T]) -> Result<&mut [T], Full> {
        let place = self.place::<T>(values.len())?;
        // SAFETY: as in `alloc`, with room for `values.len()` values. `values` existed before, so
        // the two do not overlap.
        unsafe {
            ptr::copy_nonoverlapping(values.as_ptr(), place.as_ptr(), values.len());
            Ok(&mut *ptr::slice_from_raw_parts_mut(place.as_ptr(), values.len()))
        }
    }

    // ANCHOR: place
    /// Returns uninitialized memory for `count` values; dangling if they have no size.
    fn place<T>(&self, count: usize) -> Result<NonNull<T>, Full> {
        // An error stands for more bytes than the address space has.
        let layout = Layout::array::<T>(count).map_err(|_| Full)?;
        if layout.size() == 0 {
            return Ok(NonNull::dangling());
        }
        if let Some(place) = self.bump(layout) {
            return Ok(place.cast());
        }
        self.add_chunk(layout)?;
        self.bump(layout).map(NonNull::cast).ok_or(Full)
    }

    /// Returns the next memory of the current chunk, or `None` if it has no room.
    fn bump(&self, layout: Layout) -> Option<NonNull<u8>> {
        let (start, used) = (self.start.get(), self.used.get());
        let padding = (start.addr().get() + used).wrapping_neg() & (layout.align() - 1);
        let begin = used + padding; // both far below isize::MAX
        let end = begin.checked_add(layout.size()).filter(|end| *end <= self.size.get())?;
        self.used.set(end);
        // SAFETY: `begin <= end <= size`, so the result stays inside the chunk, whose
        // provenance `start` has.
        Some(unsafe { start.add(begin) })
    }
    // ANCHOR_END: place

    // ANCHOR: add_chunk
    /// Adds a chunk with room for `layout` and makes it the current one. The rest of the
    /// previous one stays unused until `reset`.
    #[cold]
    fn add_chunk(&self, layout: Layout) -> Result<(), Full> {
        let mut chunks = self.chunks.borrow_mut();
        let padding = layout.align().saturating_sub(ALIGN);
        let needed = layout.size().checked_add(padding).ok_or(Full)?;
        let left = self.limit - chunks.iter().map(|chunk| chunk.layout.size()).sum::<usize>();
        let twice = chunks.last().map_or(FIRST, |last| last.layout.size().saturating_mul(2));
        let size = twice.min(left).max(needed);
        if size > left {
            return Err(Full);
        }
        chunks.try_reserve(1).map_err(|_| Full)?;
        let chunk = Chunk::new(size).ok_or(Full)?;
        self.start.set(chunk.start);
        self.size.set(size);
        self.used.set(0);
        chunks.push(chunk);
        Ok(())
    }
    // ANCHOR_END: add_chunk

    /// Returns the total size of the chunks in bytes.
    pub fn held(&self) -> usize {
        self.chunks.borrow().iter().map(|chunk| chunk.layout.size()).sum()
    }

    /// Frees everything at once. Keeps the last chunk, which is usually the largest, and returns
    /// the others to the allocator.
    pub fn reset(&mut self) {
        let chunks = self.chunks.get_mut();
        chunks.drain(..chunks.len().saturating_sub(1));
        self.used.set(0);
    }
}

impl Chunk {
    fn new(size: usize) -> Option<Self> {
        let layout =
            Layout::from_size_align(size, ALIGN).ok().filter(|layout| layout.size() > 0)?;
        // SAFETY: the layout is not empty.
        NonNull::new(unsafe { alloc::alloc(layout) }).map(|start| Self { start, layout })
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout by `new`, and dropped once.
        unsafe { alloc::dealloc(self.start.as_ptr(), self.layout) }
    }
}

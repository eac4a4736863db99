//! Memory that an operation owns until the kernel has answered.

use crate::sys::region;
use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::io;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::slice;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Memory of a fixed length for one operation. It moves into the operation and comes back with the
/// [`Completion`](super::Completion). In between only the kernel uses it, because there is no other
/// way to reach it.
///
/// Moving a `Buffer` moves none of its bytes.
#[derive(Debug)]
pub struct Buffer(Memory);

#[derive(Debug)]
enum Memory {
    Vec(Vec<u8>),
    Aligned(Aligned),
    Lent(Lent),
}

impl Buffer {
    /// Allocates `length` zeroed bytes whose address is a multiple of `alignment`, as `O_DIRECT`
    /// requires.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if `alignment` is not a power of two, or `length` is 0 or beyond what can be
    /// allocated.
    pub fn aligned(length: usize, alignment: usize) -> io::Result<Self> {
        match Layout::from_size_align(length, alignment) {
            Ok(layout) if length > 0 => Ok(Self(Memory::Aligned(Aligned::zeroed(layout)))),
            _ => Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("no buffer has {length} bytes aligned to {alignment}"),
            )),
        }
    }

    /// Returns the bytes as a `Vec`. Unless the buffer was made from one, they are copied.
    pub fn into_vec(self) -> Vec<u8> {
        match self.0 {
            Memory::Vec(bytes) => bytes,
            Memory::Aligned(bytes) => bytes.to_vec(),
            Memory::Lent(bytes) => bytes.to_vec(),
        }
    }

    /// Returns the number of this buffer in `set`, if it is one of those.
    pub(super) fn index_in(&self, set: &Arc<BufferSet>) -> Option<u16> {
        match &self.0 {
            Memory::Lent(lent) if Arc::ptr_eq(&lent.set, set) => Some(lent.index),
            _ => None,
        }
    }
}

impl From<Vec<u8>> for Buffer {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Memory::Vec(bytes))
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Memory::Vec(bytes) => bytes,
            Memory::Aligned(bytes) => bytes,
            Memory::Lent(bytes) => bytes,
        }
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        match &mut self.0 {
            Memory::Vec(bytes) => bytes,
            Memory::Aligned(bytes) => bytes,
            Memory::Lent(bytes) => bytes,
        }
    }
}

/// Zeroed memory with an alignment of its own.
#[derive(Debug)]
struct Aligned {
    start: NonNull<u8>,
    layout: Layout,
}

impl Aligned {
    /// Allocates memory for `layout`, whose size is not 0.
    fn zeroed(layout: Layout) -> Self {
        assert!(layout.size() > 0, "an empty allocation");
        // SAFETY: the size is not 0.
        let start = unsafe { alloc_zeroed(layout) };
        Self { start: NonNull::new(start).unwrap_or_else(|| handle_alloc_error(layout)), layout }
    }
}

impl Deref for Aligned {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: `zeroed` has allocated and initialized that many bytes, which live as long as
        // `self` and are borrowed with it.
        unsafe { slice::from_raw_parts(self.start.as_ptr(), self.layout.size()) }
    }
}

impl DerefMut for Aligned {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above; the borrow of `self` is exclusive.
        unsafe { slice::from_raw_parts_mut(self.start.as_ptr(), self.layout.size()) }
    }
}

impl Drop for Aligned {
    fn drop(&mut self) {
        // SAFETY: allocated by `zeroed` with this layout, and no borrow is left.
        unsafe { dealloc(self.start.as_ptr(), self.layout) };
    }
}

// SAFETY: an `Aligned` owns its memory alone, as a `Box<[u8]>` does.
unsafe impl Send for Aligned {}
// SAFETY: a shared `Aligned` gives out shared borrows only.
unsafe impl Sync for Aligned {}

/// Buffers of one length in one piece of memory, lent one by one. A ring can register them: the
/// kernel then pins their pages once.
#[derive(Debug)]
pub(super) struct BufferSet {
    memory: Aligned,
    length: usize,
    /// The numbers of the buffers that are not lent.
    free: Mutex<Vec<u16>>,
}

impl BufferSet {
    /// Allocates `count` zeroed buffers of `length` bytes, rounded up to whole pages.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if there are more than a ring can register, or more bytes than can be
    /// allocated.
    pub(super) fn new(count: u16, length: usize) -> io::Result<Arc<Self>> {
        let page = region::page_size();
        let length = length.checked_next_multiple_of(page);
        let whole = length.and_then(|length| length.checked_mul(count.into()));
        match (length, whole.and_then(|whole| Layout::from_size_align(whole, page).ok())) {
            (Some(length), Some(layout)) if layout.size() > 0 && count <= MOST => {
                Ok(Arc::new(Self {
                    memory: Aligned::zeroed(layout),
                    length,
                    free: Mutex::new((0..count).rev().collect()),
                }))
            }
            _ => Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{count} buffers: a set has 1 to {MOST}, of at least a byte"),
            )),
        }
    }

    /// Lends a buffer, with the bytes of its last use. Returns `None` if all are lent.
    pub(super) fn lend(self: &Arc<Self>) -> Option<Buffer> {
        let index = self.free().pop()?;
        Some(Buffer(Memory::Lent(Lent { set: self.clone(), index })))
    }

    pub(super) fn count(&self) -> usize {
        self.memory.layout.size() / self.length
    }

    pub(super) fn length(&self) -> usize {
        self.length
    }

    /// Describes the buffers in their order, for the kernel.
    pub(super) fn parts(&self) -> Vec<libc::iovec> {
        let part = |index| libc::iovec { iov_base: self.start(index).cast(), iov_len: self.length };
        (0..self.count()).map(part).collect()
    }

    /// Returns the address of a buffer.
    fn start(&self, index: usize) -> *mut u8 {
        assert!(index < self.count(), "no buffer has this number");
        self.memory.start.as_ptr().wrapping_add(index * self.length)
    }

    fn free(&self) -> MutexGuard<'_, Vec<u16>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner) // nothing panics under it
    }
}

/// The largest number of buffers that a ring can register (`IORING_MAX_REG_BUFFERS`, 16,384).
const MOST: u16 = 1 << 14;

/// The only access to one buffer of a set.
#[derive(Debug)]
struct Lent {
    set: Arc<BufferSet>,
    index: u16,
}

impl Deref for Lent {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: `start` is the address of that many bytes of the set, which are initialized, and
        // live because `self` holds the set. A number is lent once at a time, so only `self`
        // reaches them, and is borrowed.
        unsafe { slice::from_raw_parts(self.set.start(self.index.into()), self.set.length) }
    }
}

impl DerefMut for Lent {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above; the borrow of `self` is exclusive.
        unsafe { slice::from_raw_parts_mut(self.set.start(self.index.into()), self.set.length) }
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.set.free().push(self.index);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_of_a_set_is_lent_to_one_at_a_time() {
        let set = BufferSet::new(3, 1).unwrap();
        assert_eq!((set.count(), set.length()), (3, region::page_size()));
        let mut lent: Vec<Buffer> = std::iter::from_fn(|| set.lend()).collect();
        let indices: Vec<_> = lent.iter().map(|buffer| buffer.index_in(&set)).collect();
        assert_eq!(indices, [Some(0), Some(1), Some(2)]);
        (1..).zip(&mut lent).for_each(|(byte, buffer)| buffer.fill(byte));
        assert!((1..).zip(&lent).all(|(byte, buffer)| buffer.iter().all(|it| *it == byte)));
        let parts = set.parts();
        assert!(
            lent.iter().zip(&parts).all(|(buffer, part)| buffer.as_ptr() == part.iov_base.cast())
        );
        drop(lent.remove(1));
        assert_eq!(set.lend().unwrap().index_in(&set), Some(1));
        assert_eq!(lent[0].index_in(&BufferSet::new(3, 1).unwrap()), None, "another set");
        assert_eq!(Buffer::from(vec![1]).index_in(&set), None);
        assert!(BufferSet::new(0, 1).is_err() && BufferSet::new(1, 0).is_err());
        assert!(BufferSet::new(1, usize::MAX).is_err() && BufferSet::new(MOST + 1, 1).is_err());
    }

    #[test]
    fn an_aligned_buffer_is_aligned_and_zeroed() {
        for alignment in [1, 512, 4096, 1 << 20] {
            let mut buffer = Buffer::aligned(5000, alignment).unwrap();
            assert_eq!(buffer.as_ptr().addr() % alignment, 0);
            assert!(buffer.len() == 5000 && buffer.iter().all(|byte| *byte == 0));
            buffer.fill(7);
            assert_eq!(buffer.into_vec(), [7; 5000]);
        }
        assert!(Buffer::aligned(0, 1).is_err() && Buffer::aligned(1, 3).is_err());
    }
}

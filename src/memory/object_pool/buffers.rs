//! Byte buffers by size: a [`Pool`] for each power of two from 64 bytes to 1 MiB.

use super::local::{Local, Pooled, Sendable};
use super::{Factory, Limits, Pool, Stats};
use std::array;
use std::io;
use std::ops::{Deref, DerefMut};

/// Capacity of the smallest buffers.
pub const SMALLEST: usize = 64;
/// Capacity of the largest buffers that are pooled.
pub const LARGEST: usize = 1 << 20;
/// Number of capacities.
pub const CLASSES: usize = (LARGEST / SMALLEST).ilog2() as usize + 1;
/// Maximum weight of a magazine, in bytes, where that is less than 32 buffers: a thread must not
/// keep 64 buffers of 1 MiB to itself.
const MAGAZINE: usize = 256 << 10;

// ANCHOR: block
/// A buffer of fixed capacity. Its user reads and writes the first `len` bytes, and
/// cannot see the others.
pub struct Block {
    /// All initialized. Those from `used` on are zero.
    bytes: Box<[u8]>,
    /// At most `used`.
    len: usize,
    /// The largest `len` since all bytes were last zero.
    used: usize,
}

impl Block {
    fn zeroed(capacity: usize) -> Self {
        Self { bytes: vec![0; capacity].into(), len: 0, used: 0 }
    }

    /// Makes all bytes zero again, at a cost proportional to `used`, not to the capacity.
    #[inline]
    fn clear(&mut self) {
        self.bytes[..self.used].fill(0);
        (self.len, self.used) = (0, 0);
    }
    // ANCHOR_END: block

    /// Returns the largest possible length.
    #[inline]
    pub fn capacity(&self) -> usize {
        self.bytes.len()
    }

    /// Sets the buffer's length. New bytes are zero.
    ///
    /// # Panics
    ///
    /// If `len` exceeds the capacity.
    // ANCHOR: resize
    #[inline]
    pub fn resize(&mut self, len: usize) {
        let (before, used) = (self.len, self.used);
        self.set_len(len);
        if len > before {
            // Left behind by a longer buffer. From `used` on, the bytes are zero already.
            self.bytes[before..len.min(used).max(before)].fill(0);
        }
    }
    // ANCHOR_END: resize

    /// Sets the buffer's length, and leaves its bytes as they are.
    ///
    /// # Panics
    ///
    /// If `len` exceeds the capacity.
    #[inline]
    fn set_len(&mut self, len: usize) {
        assert!(len <= self.capacity(), "a buffer of {} bytes cannot hold {len}", self.capacity());
        self.len = len;
        self.used = self.used.max(len);
    }
}

impl Deref for Block {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl DerefMut for Block {
    #[inline]
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[..self.len]
    }
}

/// Appends as many bytes as there is room for. `write_all` of more fails with `WriteZero`.
impl io::Write for Block {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = bytes.len().min(self.capacity() - self.len);
        let end = self.len + length;
        self.bytes[self.len..end].copy_from_slice(&bytes[..length]);
        self.len = end;
        self.used = self.used.max(end);
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The factory of blocks of one capacity.
pub struct Class {
    capacity: usize,
    /// `true` if a returned block is cleared.
    clears: bool,
}

impl Factory for Class {
    /// Boxed, so that guards, magazines and the depot move one word. Moving the block itself would
    /// read its `len` and `used` together right after each was written by itself, which a core
    /// cannot forward from one to the other.
    type Object = Box<Block>;

    fn make(&self) -> Box<Block> {
        Box::new(Block::zeroed(self.capacity))
    }

    #[inline]
    fn reset(&self, block: &mut Box<Block>) {
        if self.clears {
            block.clear();
        } else {
            block.len = 0; // `used` stays: `resize` clears what it shows again
        }
        // A user may have swapped it, by `mem::swap`, for a block of another class.
        if block.capacity() != self.capacity {
            *block = self.make();
        }
    }

    #[inline]
    fn weigh(&self, block: &Box<Block>) -> usize {
        block.capacity() + size_of::<Block>()
    }
}

/// A buffer that returns to its thread's part of the pool when it is dropped.
pub type Buffer<'l> = Pooled<'l, Class>;
/// A buffer that another thread may drop.
pub type SendableBuffer<'p> = Sendable<'p, Class>;

// ANCHOR: pool
/// The shared part of a pool of buffers.
///
/// ```
/// use perf_proved::memory::object_pool::buffers::BufferPool;
/// use std::io::Write;
///
/// let pool = BufferPool::new(16 << 20);
/// let local = pool.local();
/// let mut line = local.get(100);
/// line.write_all(b"password=hunter2")?;
/// assert_eq!((line.len(), line.capacity()), (16, 128));
/// drop(line); // clears 16 bytes
/// assert!(local.zeroed(128).iter().all(|byte| *byte == 0));
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct BufferPool([Pool<Class>; CLASSES]);

/// One thread's part of a pool of buffers.
pub struct LocalBuffers<'p>([Local<'p, Class>; CLASSES]);
// ANCHOR_END: pool

impl BufferPool {
    /// Creates an empty pool, which keeps at most `bytes` bytes in the depot of each of its
    /// [`CLASSES`]. It clears a buffer when it is returned.
    pub fn new(bytes: usize) -> Self {
        Self::with(bytes, true)
    }

    /// Creates an empty pool like [`new`](Self::new) that does not clear returned buffers.
    ///
    /// What a user has written stays in memory until another user overwrites it, and
    /// [`unzeroed`](LocalBuffers::unzeroed) shows it to that user. Not for secrets.
    pub fn uncleared(bytes: usize) -> Self {
        Self::with(bytes, false)
    }

    fn with(bytes: usize, clears: bool) -> Self {
        Self(array::from_fn(|class| {
            let capacity = SMALLEST << class;
            let limits = Limits {
                largest: usize::MAX, // a block does not grow
                magazine: (MAGAZINE / capacity).clamp(1, 32),
                objects: usize::MAX,
                bytes,
            };
            Pool::new(Class { capacity, clears }, limits)
        }))
    }

    /// Creates the calling thread's part of the pool.
    pub fn local(&self) -> LocalBuffers<'_> {
        LocalBuffers(array::from_fn(|class| self.0[class].local()))
    }

    /// Returns the sum of [`Pool::stats`] over all classes.
    pub fn stats(&self) -> Stats {
        let mut sum = Stats::default();
        self.0.iter().for_each(|pool| sum += pool.stats());
        sum
    }
}

impl<'p> LocalBuffers<'p> {
    /// Returns an empty buffer of at least this capacity, to append to. One above
    /// [`LARGEST`] has exactly this capacity, and comes from the allocator and returns
    /// to it.
    #[inline]
    pub fn get(&self, capacity: usize) -> Buffer<'_> {
        match class(capacity) {
            Some(class) => self.0[class].get(),
            None => Pooled::unpooled(Box::new(Block::zeroed(capacity))),
        }
    }

    // ANCHOR: buffers
    /// Returns a buffer of `len` zeros.
    #[inline]
    pub fn zeroed(&self, len: usize) -> Buffer<'_> {
        let mut buffer = self.get(len);
        buffer.resize(len);
        buffer
    }

    /// Returns a buffer of `len` bytes to be overwritten. They are zeros in a pool that
    /// clears, and may be an earlier user's bytes in one that does not.
    #[inline]
    pub fn unzeroed(&self, len: usize) -> Buffer<'_> {
        let mut buffer = self.get(len);
        buffer.set_len(len);
        buffer
    }
    // ANCHOR_END: buffers

    /// Returns a buffer, like [`get`](Self::get), that another thread may drop.
    #[inline]
    pub fn get_sendable(&self, capacity: usize) -> SendableBuffer<'p> {
        match class(capacity) {
            Some(class) => self.0[class].get_sendable(),
            None => Sendable::unpooled(Box::new(Block::zeroed(capacity))),
        }
    }

    /// Takes a buffer back, like [`Local::take_back`].
    #[inline]
    pub fn take_back(&self, buffer: SendableBuffer<'_>) {
        if let Some(class) = class(buffer.capacity()) {
            self.0[class].take_back(buffer);
        }
    }
}

/// Returns the index of the smallest class with this capacity, or `None` above [`LARGEST`].
#[inline]
fn class(capacity: usize) -> Option<usize> {
    let bits = usize::BITS - (capacity.max(SMALLEST) - 1).leading_zeros();
    (capacity <= LARGEST).then_some((bits - SMALLEST.ilog2()) as usize)
}

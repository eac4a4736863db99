//! Byte buffers by size: a [`Pool`] for each power of two from 64 bytes to 1 MiB.

use super::local::{Local, Pooled, Sendable};
use super::{Limits, Pool, Recipe, Stats};
use std::array;
use std::io;
use std::ops::{Deref, DerefMut};

/// The capacity of the smallest buffers.
pub const SMALLEST: usize = 64;
/// The capacity of the largest buffers that are kept.
pub const LARGEST: usize = 1 << 20;
/// How many capacities there are.
pub const CLASSES: usize = (LARGEST / SMALLEST).ilog2() as usize + 1;
/// What a magazine may weigh, where that is less than 32 buffers: a thread's part of the pool must
/// not hold 64 of 1 MiB.
const MAGAZINE: usize = 256 << 10;

// ANCHOR: block
/// A buffer of fixed capacity. Its `len` bytes are what one reads and writes; the others exist, and
/// nobody sees them.
pub struct Block {
    /// All of them initialized. Those from `used` on are zero.
    bytes: Box<[u8]>,
    /// At most `used`.
    len: usize,
    /// The largest `len` since all bytes were zero.
    used: usize,
}

impl Block {
    fn zeroed(capacity: usize) -> Self {
        Self { bytes: vec![0; capacity].into(), len: 0, used: 0 }
    }

    /// Makes all bytes zero again. The cost is that of what was used, not of the capacity.
    fn clear(&mut self) {
        self.bytes[..self.used].fill(0);
        (self.len, self.used) = (0, 0);
    }
    // ANCHOR_END: block

    /// How long the buffer can become.
    pub fn capacity(&self) -> usize {
        self.bytes.len()
    }

    /// Makes the buffer longer or shorter. New bytes are zero.
    ///
    /// # Panics
    ///
    /// If `len` is more than the capacity.
    // ANCHOR: resize
    pub fn resize(&mut self, len: usize) {
        assert!(len <= self.capacity(), "a buffer of {} bytes cannot hold {len}", self.capacity());
        if len > self.len {
            // What a longer one has left behind: from `used` on there are zeros already.
            self.bytes[self.len..len.min(self.used).max(self.len)].fill(0);
        }
        self.len = len;
        self.used = self.used.max(len);
    }
    // ANCHOR_END: resize
}

impl Deref for Block {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl DerefMut for Block {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[..self.len]
    }
}

/// Appends as much as there is room for; `write_all` of more is an error of kind `WriteZero`.
impl io::Write for Block {
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

/// Blocks of one capacity.
pub struct Class {
    capacity: usize,
}

impl Recipe for Class {
    type Object = Block;

    fn make(&self) -> Block {
        Block::zeroed(self.capacity)
    }

    fn reset(&self, block: &mut Block) {
        block.clear();
        // `mem::swap` brings a block of another class here, and a class must keep its promise.
        if block.capacity() != self.capacity {
            *block = self.make();
        }
    }

    fn weigh(&self, block: &Block) -> usize {
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

/// One thread's part.
pub struct LocalBuffers<'p>([Local<'p, Class>; CLASSES]);
// ANCHOR_END: pool

impl BufferPool {
    /// An empty pool whose depots keep at most so many bytes for each of the [`CLASSES`].
    pub fn new(bytes: usize) -> Self {
        Self(array::from_fn(|class| {
            let capacity = SMALLEST << class;
            let limits = Limits {
                largest: usize::MAX, // a block does not grow
                magazine: (MAGAZINE / capacity).clamp(1, 32),
                objects: usize::MAX,
                bytes,
            };
            Pool::new(Class { capacity }, limits)
        }))
    }

    /// The calling thread's part of the pool.
    pub fn local(&self) -> LocalBuffers<'_> {
        LocalBuffers(array::from_fn(|class| self.0[class].local()))
    }

    /// As [`Pool::stats`], of all classes.
    pub fn stats(&self) -> Stats {
        let mut sum = Stats::default();
        self.0.iter().for_each(|pool| sum += pool.stats());
        sum
    }
}

impl<'p> LocalBuffers<'p> {
    // ANCHOR: buffers
    /// An empty buffer for at least so many bytes, to be appended to. What is above [`LARGEST`]
    /// comes from the allocator with that very capacity, and goes back to it.
    pub fn get(&self, capacity: usize) -> Buffer<'_> {
        match class(capacity) {
            Some(class) => self.0[class].get(),
            None => Pooled::homeless(Block::zeroed(capacity)),
        }
    }

    /// A buffer of `len` zeros, to be written anywhere.
    pub fn zeroed(&self, len: usize) -> Buffer<'_> {
        let mut buffer = self.get(len);
        buffer.resize(len);
        buffer
    }
    // ANCHOR_END: buffers

    /// As [`get`](Self::get), for a buffer that another thread may drop.
    pub fn get_sendable(&self, capacity: usize) -> SendableBuffer<'p> {
        match class(capacity) {
            Some(class) => self.0[class].get_sendable(),
            None => Sendable::homeless(Block::zeroed(capacity)),
        }
    }

    /// As [`Local::take_back`].
    pub fn take_back(&self, buffer: SendableBuffer<'_>) {
        if let Some(class) = class(buffer.capacity()) {
            self.0[class].take_back(buffer);
        }
    }
}

/// Which of the classes has room for so many bytes, if one has.
fn class(capacity: usize) -> Option<usize> {
    (capacity <= LARGEST)
        .then(|| (capacity.max(SMALLEST).next_power_of_two() / SMALLEST).ilog2() as usize)
}

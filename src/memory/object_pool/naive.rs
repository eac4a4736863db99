//! The version that everybody writes first. `tests/object_pool.rs` pins its faults:
//!
//! - Reset runs when the next user comes, so an object in the pool keeps what its last user wrote.
//! - The reset of a buffer sets its length, so its bytes stay where they are, readable up to the
//!   capacity.
//! - Nothing bounds the pool, neither the number of objects nor their size.
//! - `put` is a call, and an early return skips it.
//! - The factory runs under the lock, because a temporary guard lives until the end of its
//!   statement. A factory that panics poisons the pool for all threads, and one that uses the pool
//!   waits for itself.
//! - All threads meet at one lock.
//!
//! One fault is impossible even here: `put` takes the object by value, so no one can use it
//! afterwards or return it twice.

use std::sync::Mutex;

// ANCHOR: pool
/// A pool of objects, which are made when it has none.
pub struct ObjectPool<T> {
    free: Mutex<Vec<T>>,
    factory: fn() -> T,
    reset: fn(&mut T),
}

impl<T> ObjectPool<T> {
    /// Creates an empty pool.
    pub fn new(factory: fn() -> T, reset: fn(&mut T)) -> Self {
        Self { free: Mutex::new(Vec::new()), factory, reset }
    }

    /// Returns an object, reset.
    pub fn get(&self) -> T {
        let mut object = self.free.lock().unwrap().pop().unwrap_or_else(self.factory);
        (self.reset)(&mut object);
        object
    }

    /// Keeps the object for the next `get`.
    pub fn put(&self, object: T) {
        self.free.lock().unwrap().push(object);
    }
}
// ANCHOR_END: pool

// ANCHOR: buffers
/// A buffer, of which the first `len` bytes are in use.
pub struct Buffer {
    /// The whole buffer, whichever user wrote it.
    pub bytes: Box<[u8]>,
    /// Number of bytes in use.
    pub len: usize,
}

/// Creates a pool of buffers of 4 KiB, unless a user replaces them by larger ones.
pub fn buffers() -> ObjectPool<Buffer> {
    let factory = || Buffer { bytes: vec![0; 4096].into(), len: 0 };
    ObjectPool::new(factory, |buffer| buffer.len = 0)
}
// ANCHOR_END: buffers

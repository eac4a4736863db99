//! The version that everybody writes first. Its faults are pinned by `tests/object_pool.rs`:
//!
//! - reset runs when the next user comes, so an object that lies in the pool keeps what its last user wrote;
//! - what resets a buffer sets its length, so its bytes stay where they are: whoever can see the capacity reads them;
//! - nothing bounds the pool, neither how many objects it keeps nor how large they are;
//! - `put` is a call, and an early return leaves it out;
//! - the factory runs under the lock, since a temporary guard lives until the end of its statement. One that panics poisons
//!   the pool for everybody, and one that uses the pool waits for itself;
//! - all threads meet at one lock.
//!
//! What the compiler prevents even here: `put` takes the object, so nobody uses it afterwards or
//! gives it back twice.

use std::sync::Mutex;

// ANCHOR: pool
/// Objects for whoever comes, made when there is none.
pub struct ObjectPool<T> {
    free: Mutex<Vec<T>>,
    factory: fn() -> T,
    reset: fn(&mut T),
}

impl<T> ObjectPool<T> {
    /// An empty pool.
    pub fn new(factory: fn() -> T, reset: fn(&mut T)) -> Self {
        Self { free: Mutex::new(Vec::new()), factory, reset }
    }

    /// An object, reset.
    pub fn get(&self) -> T {
        let mut object = self.free.lock().unwrap().pop().unwrap_or_else(self.factory);
        (self.reset)(&mut object);
        object
    }

    /// Keeps the object for the next one who comes.
    pub fn put(&self, object: T) {
        self.free.lock().unwrap().push(object);
    }
}
// ANCHOR_END: pool

// ANCHOR: buffers
/// A buffer, and how much of it is in use.
pub struct Buffer {
    /// All of it, whoever wrote it.
    pub bytes: Box<[u8]>,
    /// The first so many are this user's.
    pub len: usize,
}

/// A pool of buffers of 4 KiB, or of what they are replaced by.
pub fn buffers() -> ObjectPool<Buffer> {
    ObjectPool::new(|| Buffer { bytes: vec![0; 4096].into(), len: 0 }, |buffer| buffer.len = 0)
}
// ANCHOR_END: buffers

//! A pool of pipes: making one takes several system calls.

use super::Pipe;
use std::io;
use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, PoisonError};

/// Keeps up to a bound of empty pipes for the next connections. Threads may share it.
///
/// All pipes have one capacity, or less where the user is not allowed as much. By default, a user
/// may have 64 pipes of 1 MiB, and those in the pool count.
#[derive(Debug)]
pub struct PipePool {
    idle: Mutex<Vec<Pipe>>,
    capacity: usize,
    bound: usize,
}

impl PipePool {
    /// Makes an empty pool of pipes that hold `capacity` bytes. It keeps at most `bound` of them.
    pub fn new(capacity: usize, bound: usize) -> Self {
        Self { idle: Mutex::new(Vec::new()), capacity, bound }
    }

    /// Takes a pipe out of the pool, or makes a new one. It is empty.
    ///
    /// # Errors
    ///
    /// As [`Pipe::up_to`].
    pub fn take(&self) -> io::Result<Pooled<'_>> {
        // No code panics in the middle of a change to the `Vec`, so it is whole even if the lock is
        // poisoned.
        let kept = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let pipe = kept.map_or_else(|| Pipe::up_to(self.capacity), Ok)?;
        Ok(Pooled { pipe: Some(pipe), pool: self })
    }

    /// Returns the number of pipes in the pool.
    pub fn idle(&self) -> usize {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

/// A pipe taken out of a [`PipePool`]. Dropping it puts the pipe back if it is empty, and closes it
/// otherwise: the bytes of one connection must not reach another.
#[derive(Debug)]
pub struct Pooled<'a> {
    /// `None` only inside `drop`.
    pipe: Option<Pipe>,
    pool: &'a PipePool,
}

impl Deref for Pooled<'_> {
    type Target = Pipe;

    fn deref(&self) -> &Pipe {
        self.pipe.as_ref().expect("taken only by `drop`")
    }
}

impl DerefMut for Pooled<'_> {
    fn deref_mut(&mut self) -> &mut Pipe {
        self.pipe.as_mut().expect("taken only by `drop`")
    }
}

// ANCHOR: give_back
impl Drop for Pooled<'_> {
    fn drop(&mut self) {
        if let Some(pipe) = self.pipe.take_if(|pipe| pipe.held() == 0) {
            let mut idle = self.pool.idle.lock().unwrap_or_else(PoisonError::into_inner);
            if idle.len() < self.pool.bound {
                idle.push(pipe);
            }
        }
    }
}
// ANCHOR_END: give_back

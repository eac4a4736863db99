//! Pipes for the next connection: making one costs several system calls, and a large one its
//! memory.

use super::Pipe;
use super::carrier::Carrier;
use std::io;
use std::net::TcpStream;
use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, PoisonError};

/// Keeps empty pipes of one capacity (less where the user may not have that much), up to a bound.
/// May be shared between threads.
#[derive(Debug)]
pub struct PipePool {
    idle: Mutex<Vec<Pipe>>,
    capacity: usize,
    bound: usize,
}

impl PipePool {
    /// An empty pool of pipes that hold `capacity` bytes, of which at most `bound` are kept.
    pub fn new(capacity: usize, bound: usize) -> Self {
        Self { idle: Mutex::new(Vec::new()), capacity, bound }
    }

    /// A pipe that was kept, or a new one. It is empty.
    ///
    /// # Errors
    ///
    /// As [`Pipe::up_to`].
    pub fn take(&self) -> io::Result<Pooled<'_>> {
        // A `Vec` of pipes is whole at every moment: nothing is broken where a holder of the lock
        // panicked.
        let kept = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let pipe = kept.map_or_else(|| Pipe::up_to(self.capacity), Ok)?;
        Ok(Pooled { pipe: Some(pipe), pool: self })
    }

    /// Pipes that are kept now.
    pub fn idle(&self) -> usize {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

/// A pipe on loan. It goes back when this is dropped, if it is empty; otherwise it is closed: its
/// bytes are one connection's and must not reach another.
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

impl Carrier for Pooled<'_> {
    fn held(&self) -> usize {
        (**self).held()
    }

    fn take_from(&mut self, from: &TcpStream) -> io::Result<usize> {
        (**self).take_from(from)
    }

    fn give_to(&mut self, to: &TcpStream) -> io::Result<usize> {
        (**self).give_to(to)
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

//! A pool of objects that threads reuse: typed ([`Pool`]), and of byte buffers by size
//! ([`buffers`]).
//!
//! The design is the [magazine
//! layer](https://www.usenix.org/conference/2001-usenix-annual-technical-conference/magazines-and-vmem-extending-slab-allocator-many)
//! of the Solaris allocator: each thread has a [`Local`](local::Local) with two magazines of
//! objects, which no other thread touches, and exchanges whole magazines with the pool's [`Depot`]
//! under one lock. A guard returns its object when it is dropped, on its own thread or on another:
//!
//! - The object is [reset](Factory::reset) before it is kept, so what the pool holds contains
//!   nothing of its last user.
//! - An object that has grown beyond [`Limits::largest`] is dropped, and so is one for which the
//!   depot has no room.
//! - An object whose guard is dropped during a panic is dropped too: the panic may have left it in
//!   any state, and a reset that panics as well would abort the process.
//!
//! [`naive`] is the version that everybody writes first. [`variants`] and [`experiment`] are what
//! the chapter compares, and how.
//!
//! The book's chapter: [object_pool](../../../../memory/object-pool.html).

pub mod buffers;
pub mod depot;
#[cfg(target_os = "linux")]
pub mod experiment;
pub mod local;
pub mod naive;
pub mod variants;

use depot::Depot;
pub use depot::{Limits, Stats};
use std::thread;

// ANCHOR: factory
/// Makes, resets and weighs the objects of a pool.
///
/// If `make` panics, the pool is as it was. If `reset` or `weigh` panics, the object is
/// dropped.
pub trait Factory {
    /// The type of the objects.
    type Object;

    /// Makes a new object. Called when the pool has none.
    fn make(&self) -> Self::Object;

    /// Removes everything that its user has left in a returned object.
    fn reset(&self, object: &mut Self::Object);

    /// Returns the number of bytes that the object occupies, including those that it owns
    /// on the heap.
    fn weigh(&self, object: &Self::Object) -> usize;
}
// ANCHOR_END: factory

/// The shared part of a pool. Each thread that uses the pool makes a [`Local`](local::Local) for
/// itself.
///
/// ```
/// use perf_proved::memory::object_pool::{Factory, Limits, Pool};
///
/// struct Lines;
///
/// impl Factory for Lines {
///     type Object = Vec<String>;
///
///     fn make(&self) -> Vec<String> {
///         Vec::with_capacity(64)
///     }
///
///     fn reset(&self, lines: &mut Vec<String>) {
///         lines.clear();
///     }
///
///     fn weigh(&self, lines: &Vec<String>) -> usize {
///         lines.capacity() * size_of::<String>()
///     }
/// }
///
/// let limits = Limits { largest: 1 << 16, magazine: 8, objects: 64, bytes: 1 << 20 };
/// let pool = Pool::new(Lines, limits);
/// let local = pool.local();
/// let mut lines = local.get();
/// lines.push("GET / HTTP/1.1".to_owned());
/// drop(lines);
/// assert!(local.get().is_empty()); // the same object, reset
/// drop(local);
/// assert_eq!((pool.stats().hits, pool.stats().misses), (1, 1));
/// ```
pub struct Pool<F: Factory> {
    factory: F,
    limits: Limits,
    depot: Depot<F::Object>,
}

impl<F: Factory> Pool<F> {
    /// Creates an empty pool.
    ///
    /// # Panics
    ///
    /// If `limits.magazine` is 0.
    pub fn new(factory: F, limits: Limits) -> Self {
        assert!(limits.magazine > 0, "a magazine holds at least one object");
        Self { factory, limits, depot: Depot::new(limits) }
    }

    /// Returns the sum of the counts of all [`Local`](local::Local)s. A `Local` adds its counts
    /// whenever it meets the depot, at the latest when it is dropped.
    pub fn stats(&self) -> Stats {
        self.depot.stats()
    }

    /// Returns the number of objects in the depot.
    pub fn stored(&self) -> usize {
        self.depot.objects()
    }

    // ANCHOR: receive
    /// Resets a returned object, unless it is not fit to be kept. Then it is dropped.
    fn receive(&self, mut object: F::Object) -> Option<F::Object> {
        if thread::panicking() || self.factory.weigh(&object) > self.limits.largest {
            return None;
        }
        self.factory.reset(&mut object);
        Some(object)
    }
    // ANCHOR_END: receive
}

//! A pool of objects that threads reuse: typed ([`Pool`]), and of byte buffers by size
//! ([`buffers`]).
//!
//! The design is the [magazine
//! layer](https://www.usenix.org/conference/2001-usenix-annual-technical-conference/magazines-and-vmem-extending-slab-allocator-many)
//! of the Solaris allocator: each thread has a [`Local`] with two magazines of objects, which no
//! other thread touches, and exchanges whole magazines with the pool's [`Depot`] under one lock. A
//! guard returns its object when it is dropped, on its own thread or on another:
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

pub mod buffers;
pub mod depot;
#[cfg(target_os = "linux")]
pub mod experiment;
pub mod local;
pub mod naive;
pub mod variants;

use depot::Depot;
use local::Local;
use std::ops::AddAssign;
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

// ANCHOR: limits
/// How much a pool keeps: the depot at most this, and each [`Local`] two more magazines.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Maximum weight of an object, in bytes. A heavier one is dropped when it returns.
    pub largest: usize,
    /// Number of objects in a magazine, at least 1. A whole magazine changes hands under
    /// one lock.
    pub magazine: usize,
    /// Maximum number of objects in the depot.
    pub objects: usize,
    /// Maximum weight of the objects in the depot, in bytes.
    pub bytes: usize,
}
// ANCHOR_END: limits

/// Counts of requests and of returned objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Requests served from the pool.
    pub hits: u64,
    /// Requests for which an object was made.
    pub misses: u64,
    /// Returned objects that were dropped: too heavy, no room in the depot, or a panic of their
    /// thread. An object whose reset panics is not counted.
    pub discarded: u64,
}

impl AddAssign for Stats {
    fn add_assign(&mut self, other: Self) {
        self.hits += other.hits;
        self.misses += other.misses;
        self.discarded += other.discarded;
    }
}

/// The shared part of a pool. Each thread that uses the pool makes a [`Local`] for itself.
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
/// let pool = Pool::new(Lines, Limits { largest: 1 << 16, magazine: 8, objects: 64, bytes: 1 << 20 });
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

    /// Creates the calling thread's part of the pool.
    pub fn local(&self) -> Local<'_, F> {
        Local::new(self)
    }

    /// Returns the sum of the counts of all [`Local`]s. A `Local` adds its counts whenever it meets
    /// the depot, at the latest when it is dropped.
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

//! A pool of objects that threads reuse: typed ([`Pool`]), and of byte buffers by size
//! ([`buffers`]).
//!
//! The shape is that of the [magazine
//! layer](https://www.usenix.org/conference/2001-usenix-annual-technical-conference/magazines-and-vmem-extending-slab-allocator-many)
//! of Solaris's allocator: each thread has a [`Local`] with two magazines of objects, which nobody
//! else touches, and exchanges whole magazines with the pool's [`Depot`] under one lock. A guard
//! gives its object back when it is dropped, on its own thread or on another:
//!
//! - the object is [reset](Recipe::reset) before it is kept, so what lies in the pool holds nothing of its last user;
//! - one that has grown beyond [`Limits::largest`] is dropped, and so is what the depot has no room for;
//! - one whose guard is dropped while its thread panics is dropped too: nobody knows in which state the panic left it, and a
//!   reset that panics as well would abort the process.
//!
//! [`naive`] is the version that everybody writes first.

pub mod buffers;
pub mod depot;
pub mod local;
pub mod naive;

use depot::Depot;
use local::Local;
use std::ops::AddAssign;
use std::thread;

// ANCHOR: recipe
/// How the objects of a pool are made, reset and weighed.
///
/// If `make` panics, nobody has got an object and the pool is as it was. If `reset` or `weigh`
/// panics, the object is dropped.
pub trait Recipe {
    /// What the pool holds.
    type Object;

    /// A new object, for when the pool has none.
    fn make(&self) -> Self::Object;

    /// Removes from a returned object all that its user has left in it.
    fn reset(&self, object: &mut Self::Object);

    /// How many bytes the object keeps from everybody else, those that it owns on the heap
    /// included.
    fn weigh(&self, object: &Self::Object) -> usize;
}
// ANCHOR_END: recipe

// ANCHOR: limits
/// How much a pool keeps at most: in the depot what is said here, and in each [`Local`] two
/// magazines of such objects.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of one object. A heavier one is dropped when it comes back.
    pub largest: usize,
    /// Objects in a magazine, at least 1: so many change hands under one lock.
    pub magazine: usize,
    /// Objects in the depot.
    pub objects: usize,
    /// Bytes in the depot.
    pub bytes: usize,
}
// ANCHOR_END: limits

/// What became of requests and of returned objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Requests that got an object from the pool.
    pub hits: u64,
    /// Requests for which one was made.
    pub misses: u64,
    /// Returned objects that were dropped: too heavy, no room, or a thread that panicked. One whose
    /// reset panics is not counted.
    pub discarded: u64,
}

impl AddAssign for Stats {
    fn add_assign(&mut self, other: Self) {
        self.hits += other.hits;
        self.misses += other.misses;
        self.discarded += other.discarded;
    }
}

/// The shared part of a pool. Each thread that uses it makes itself a [`Local`].
///
/// ```
/// use perf_proved::memory::object_pool::{Limits, Pool, Recipe};
///
/// struct Lines;
///
/// impl Recipe for Lines {
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
pub struct Pool<R: Recipe> {
    recipe: R,
    limits: Limits,
    depot: Depot<R::Object>,
}

impl<R: Recipe> Pool<R> {
    /// An empty pool.
    ///
    /// # Panics
    ///
    /// If `limits.magazine` is 0.
    pub fn new(recipe: R, limits: Limits) -> Self {
        assert!(limits.magazine > 0, "a magazine holds at least one object");
        Self { recipe, limits, depot: Depot::new(limits) }
    }

    /// The calling thread's part of the pool.
    pub fn local(&self) -> Local<'_, R> {
        Local::new(self)
    }

    /// What all [`Local`]s have counted up to when they last met the depot, which is also when they
    /// are dropped.
    pub fn stats(&self) -> Stats {
        self.depot.stats()
    }

    /// How many objects the depot holds now.
    pub fn stored(&self) -> usize {
        self.depot.objects()
    }

    // ANCHOR: receive
    /// A returned object with its weight, reset and fit to be kept. Otherwise it is dropped here.
    fn receive(&self, mut object: R::Object) -> Option<(R::Object, usize)> {
        if thread::panicking() {
            return None;
        }
        let weight = self.recipe.weigh(&object);
        if weight > self.limits.largest {
            return None;
        }
        self.recipe.reset(&mut object);
        Some((object, weight))
    }
    // ANCHOR_END: receive
}

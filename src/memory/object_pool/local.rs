//! One thread's part of a pool, and the guards that it hands out.

use super::{Pool, Recipe, Stats};
use std::cell::{Cell, RefCell};
use std::mem;
use std::ops::{Deref, DerefMut};

// ANCHOR: local
/// One thread's magazines. It is not `Sync`, so nobody else can touch them and no atomic operation
/// is needed.
///
/// Objects that come back to it stay with it, up to two magazines of them; beyond that a whole
/// magazine goes to the depot. When it is dropped, all go there: a thread's end loses nothing.
pub struct Local<'p, R: Recipe> {
    pool: &'p Pool<R>,
    magazines: RefCell<Magazines<R::Object>>,
    /// Since this last met the depot.
    counted: Cell<Stats>,
}

/// With one magazine, whoever alternates at its edge would meet the depot each time; with two, only
/// after a magazine's worth of requests in one direction.
struct Magazines<T> {
    loaded: Vec<T>,
    previous: Vec<T>,
}
// ANCHOR_END: local

// ANCHOR: guards
/// An object that returns to the [`Local`] it came from when it is dropped. It cannot leave its
/// thread.
///
/// `mem::forget` loses the object, and nothing else.
pub struct Pooled<'l, R: Recipe> {
    /// `None` only while it is dropped.
    object: Option<R::Object>,
    /// `None` for what belongs to no pool.
    home: Option<&'l Local<'l, R>>,
}

/// An object that may be sent to another thread. Dropped there, it goes to the depot, which takes
/// the lock for this one object; [`Local::take_back`] is cheaper.
pub struct Sendable<'p, R: Recipe> {
    object: Option<R::Object>,
    home: Option<&'p Pool<R>>,
}
// ANCHOR_END: guards

impl<'p, R: Recipe> Local<'p, R> {
    pub(super) fn new(pool: &'p Pool<R>) -> Self {
        let magazines = Magazines { loaded: Vec::new(), previous: Vec::new() };
        Self { pool, magazines: RefCell::new(magazines), counted: Cell::default() }
    }

    /// An object as the recipe makes or resets it.
    ///
    /// Takes no lock while this thread has one.
    pub fn get(&self) -> Pooled<'_, R> {
        Pooled { object: Some(self.object()), home: Some(self) }
    }

    /// An object that another thread may give back.
    pub fn get_sendable(&self) -> Sendable<'p, R> {
        Sendable { object: Some(self.object()), home: Some(self.pool) }
    }

    /// Gives an object back here that another thread has got, so that its way to the depot is
    /// shared by a whole magazine. One of another pool goes to that pool's depot.
    pub fn take_back(&self, mut sendable: Sendable<'_, R>) {
        if sendable.home.is_some_and(|home| std::ptr::eq(home, self.pool))
            && let Some(object) = sendable.object.take()
        {
            self.put(object);
        }
    }

    // ANCHOR: get
    fn object(&self) -> R::Object {
        let loaded = self.magazines.borrow_mut().loaded.pop();
        if let Some(object) = loaded.or_else(|| self.reload()) {
            self.count(|counted| counted.hits += 1);
            return object;
        }
        let object = self.pool.recipe.make();
        self.count(|counted| counted.misses += 1);
        object
    }

    #[cold]
    fn reload(&self) -> Option<R::Object> {
        let mut magazines = self.magazines.borrow_mut();
        let Magazines { loaded, previous } = &mut *magazines;
        mem::swap(loaded, previous);
        if loaded.is_empty() {
            self.pool.depot.take(loaded, self.counted.take());
        }
        loaded.pop()
    }
    // ANCHOR_END: get

    // ANCHOR: put
    fn put(&self, object: R::Object) {
        let Some((object, _)) = self.pool.receive(object) else {
            return self.count(|counted| counted.discarded += 1);
        };
        let mut magazines = self.magazines.borrow_mut();
        if magazines.loaded.len() < self.pool.limits.magazine {
            return magazines.loaded.push(object);
        }
        drop(magazines);
        let too_many = self.make_room();
        self.magazines.borrow_mut().loaded.push(object);
        // Only now: the destructors are somebody else's code.
        drop(too_many);
    }

    /// Sees to it that the loaded magazine has room, and returns what the depot had none for.
    #[cold]
    fn make_room(&self) -> Vec<R::Object> {
        let mut magazines = self.magazines.borrow_mut();
        let Magazines { loaded, previous } = &mut *magazines;
        mem::swap(loaded, previous);
        let full = loaded.len() == self.pool.limits.magazine;
        if full { self.give(loaded) } else { Vec::new() }
    }
    // ANCHOR_END: put

    /// Leaves an empty magazine, and returns what the depot had no room for.
    fn give(&self, magazine: &mut Vec<R::Object>) -> Vec<R::Object> {
        let weight = magazine.iter().map(|object| self.pool.recipe.weigh(object)).sum();
        self.pool.depot.give(magazine, weight, self.counted.take());
        let refused = mem::take(magazine);
        if refused.is_empty() {
            *magazine = refused; // the depot's empty one, with its capacity
            return Vec::new();
        }
        self.count(|counted| counted.discarded += refused.len() as u64);
        refused
    }

    fn count(&self, change: impl FnOnce(&mut Stats)) {
        let mut counted = self.counted.get();
        change(&mut counted);
        self.counted.set(counted);
    }
}

impl<R: Recipe> Drop for Local<'_, R> {
    fn drop(&mut self) {
        let Magazines { mut loaded, mut previous } = mem::replace(
            self.magazines.get_mut(),
            Magazines { loaded: Vec::new(), previous: Vec::new() },
        );
        let refused = [self.give(&mut loaded), self.give(&mut previous)];
        self.pool.depot.count(self.counted.take());
        drop(refused);
    }
}

impl<R: Recipe> Pooled<'_, R> {
    /// An object of no pool: dropping the guard drops it.
    pub(super) fn homeless(object: R::Object) -> Self {
        Self { object: Some(object), home: None }
    }
}

impl<R: Recipe> Sendable<'_, R> {
    /// As [`Pooled::homeless`].
    pub(super) fn homeless(object: R::Object) -> Self {
        Self { object: Some(object), home: None }
    }
}

impl<R: Recipe> Drop for Pooled<'_, R> {
    fn drop(&mut self) {
        if let (Some(object), Some(home)) = (self.object.take(), self.home) {
            home.put(object);
        }
    }
}

// ANCHOR: sendable_drop
impl<R: Recipe> Drop for Sendable<'_, R> {
    fn drop(&mut self) {
        let (Some(object), Some(home)) = (self.object.take(), self.home) else { return };
        let kept = home.receive(object).map(|(object, weight)| home.depot.put(object, weight));
        if !matches!(kept, Some(Ok(()))) {
            home.depot.count(Stats { discarded: 1, ..Stats::default() });
        }
    }
}
// ANCHOR_END: sendable_drop

macro_rules! deref {
    ($guard:ident) => {
        impl<R: Recipe> Deref for $guard<'_, R> {
            type Target = R::Object;

            fn deref(&self) -> &R::Object {
                self.object.as_ref().expect("a guard has its object until it is dropped")
            }
        }

        impl<R: Recipe> DerefMut for $guard<'_, R> {
            fn deref_mut(&mut self) -> &mut R::Object {
                self.object.as_mut().expect("a guard has its object until it is dropped")
            }
        }
    };
}

deref!(Pooled);
deref!(Sendable);

// ANCHOR: threads
static_assertions::assert_not_impl_any!(Local<'static, super::buffers::Class>: Sync);
static_assertions::assert_not_impl_any!(Pooled<'static, super::buffers::Class>: Send, Sync, Clone);
static_assertions::assert_impl_all!(Sendable<'static, super::buffers::Class>: Send);
// ANCHOR_END: threads

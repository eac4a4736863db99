//! One thread's part of a pool, and the guards that it returns.

use super::{Factory, Pool, Stats};
use std::cell::{Cell, RefCell};
use std::mem;
use std::ops::{Deref, DerefMut};
use std::thread;

// ANCHOR: local
/// One thread's magazines. It is not `Sync`: no other thread can touch them, and no
/// atomic operation is needed.
///
/// It keeps up to two magazines of the objects that return to it; beyond that, a whole
/// magazine goes to the depot. When it is dropped, all of them do, so a thread's end
/// loses none. If it is dropped during a panic, it drops them.
pub struct Local<'p, F: Factory> {
    pool: &'p Pool<F>,
    magazines: RefCell<Magazines<F::Object>>,
    /// Counts since this last met the depot.
    counted: Cell<Stats>,
}

/// With one magazine, a thread that alternates at its edge would meet the depot each
/// time. With two, it takes a magazine's worth of requests in one direction.
struct Magazines<T> {
    loaded: Vec<T>,
    previous: Vec<T>,
}
// ANCHOR_END: local

// ANCHOR: guards
/// A guard that returns its object to the [`Local`] it came from when it is dropped. It
/// cannot leave its thread.
///
/// `mem::forget` loses the object, and nothing else.
pub struct Pooled<'l, F: Factory> {
    /// `None` only during the drop.
    object: Option<F::Object>,
    /// `None` for an object of no pool.
    local: Option<&'l Local<'l, F>>,
}

/// A guard that may be sent to another thread. When it is dropped, the object goes to the
/// depot, under a lock taken for this one object; [`Local::take_back`] is cheaper.
pub struct Sendable<'p, F: Factory> {
    object: Option<F::Object>,
    pool: Option<&'p Pool<F>>,
}
// ANCHOR_END: guards

impl<F: Factory> Pool<F> {
    /// Creates the calling thread's part of the pool.
    pub fn local(&self) -> Local<'_, F> {
        Local::new(self)
    }
}

impl<'p, F: Factory> Local<'p, F> {
    pub(super) fn new(pool: &'p Pool<F>) -> Self {
        let magazines = Magazines { loaded: Vec::new(), previous: Vec::new() };
        Self { pool, magazines: RefCell::new(magazines), counted: Cell::default() }
    }

    /// Returns an object, new or reset. Takes the depot's lock only if both magazines are empty.
    pub fn get(&self) -> Pooled<'_, F> {
        Pooled { object: Some(self.object()), local: Some(self) }
    }

    /// Returns an object, like [`get`](Self::get), that another thread may return.
    pub fn get_sendable(&self) -> Sendable<'p, F> {
        Sendable { object: Some(self.object()), pool: Some(self.pool) }
    }

    /// Returns to this thread's magazines an object that another thread has got, so that a whole
    /// magazine of them takes the depot's lock once. An object of another pool goes to that pool's
    /// depot.
    pub fn take_back(&self, mut sendable: Sendable<'_, F>) {
        if sendable.pool.is_some_and(|pool| std::ptr::eq(pool, self.pool))
            && let Some(object) = sendable.object.take()
        {
            self.put(object);
        }
    }

    // ANCHOR: get
    fn object(&self) -> F::Object {
        let loaded = self.magazines.borrow_mut().loaded.pop();
        if let Some(object) = loaded.or_else(|| self.reload()) {
            self.count(|counted| counted.hits += 1);
            return object;
        }
        let object = self.pool.factory.make();
        self.count(|counted| counted.misses += 1);
        object
    }

    #[cold]
    fn reload(&self) -> Option<F::Object> {
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
    fn put(&self, object: F::Object) {
        let Some(object) = self.pool.receive(object) else {
            return self.count(|counted| counted.discarded += 1);
        };
        let mut magazines = self.magazines.borrow_mut();
        if magazines.loaded.len() < self.pool.limits.magazine {
            return magazines.loaded.push(object);
        }
        drop(magazines);
        let refused = self.make_room();
        self.magazines.borrow_mut().loaded.push(object);
        // Last, with nothing borrowed: destructors are the user's code.
        drop(refused);
    }

    /// Makes room in the loaded magazine, and returns the objects that the depot refused.
    #[cold]
    fn make_room(&self) -> Vec<F::Object> {
        let mut magazines = self.magazines.borrow_mut();
        let Magazines { loaded, previous } = &mut *magazines;
        mem::swap(loaded, previous);
        let full = loaded.len() == self.pool.limits.magazine;
        if full { self.give(loaded) } else { Vec::new() }
    }
    // ANCHOR_END: put

    /// Exchanges a magazine for an empty one, and returns the objects that the depot refused.
    fn give(&self, magazine: &mut Vec<F::Object>) -> Vec<F::Object> {
        let weight = magazine.iter().map(|object| self.pool.factory.weigh(object)).sum();
        self.pool.depot.give(magazine, weight, self.counted.take());
        let refused = mem::take(magazine);
        if refused.is_empty() {
            *magazine = refused; // the empty one from the depot, which keeps its capacity
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

impl<F: Factory> Drop for Local<'_, F> {
    fn drop(&mut self) {
        let Magazines { mut loaded, mut previous } = mem::replace(
            self.magazines.get_mut(),
            Magazines { loaded: Vec::new(), previous: Vec::new() },
        );
        if thread::panicking() {
            // To give them to the depot, they would have to be weighed, by the user's code. If that
            // panicked as well, the process would abort.
            let discarded = (loaded.len() + previous.len()) as u64;
            self.count(|counted| counted.discarded += discarded);
            return self.pool.depot.count(self.counted.take());
        }
        let refused = [self.give(&mut loaded), self.give(&mut previous)];
        self.pool.depot.count(self.counted.take());
        drop(refused);
    }
}

impl<F: Factory> Pooled<'_, F> {
    /// Wraps an object of no pool: dropping the guard drops it.
    pub(super) fn unpooled(object: F::Object) -> Self {
        Self { object: Some(object), local: None }
    }
}

impl<F: Factory> Sendable<'_, F> {
    /// Wraps an object of no pool, like [`Pooled::unpooled`].
    pub(super) fn unpooled(object: F::Object) -> Self {
        Self { object: Some(object), pool: None }
    }
}

impl<F: Factory> Drop for Pooled<'_, F> {
    fn drop(&mut self) {
        if let (Some(object), Some(local)) = (self.object.take(), self.local) {
            local.put(object);
        }
    }
}

// ANCHOR: sendable_drop
impl<F: Factory> Drop for Sendable<'_, F> {
    fn drop(&mut self) {
        let (Some(object), Some(pool)) = (self.object.take(), self.pool) else { return };
        let kept = pool.receive(object).map(|object| {
            // After the reset, which may change the weight.
            let weight = pool.factory.weigh(&object);
            pool.depot.put(object, weight)
        });
        if !matches!(kept, Some(Ok(()))) {
            pool.depot.count(Stats { discarded: 1, ..Stats::default() });
        }
    }
}
// ANCHOR_END: sendable_drop

macro_rules! deref {
    ($guard:ident) => {
        impl<F: Factory> Deref for $guard<'_, F> {
            type Target = F::Object;

            fn deref(&self) -> &F::Object {
                self.object.as_ref().expect("a guard keeps its object until it is dropped")
            }
        }

        impl<F: Factory> DerefMut for $guard<'_, F> {
            fn deref_mut(&mut self) -> &mut F::Object {
                self.object.as_mut().expect("a guard keeps its object until it is dropped")
            }
        }
    };
}

deref!(Pooled);
deref!(Sendable);

/// A factory for the assertions below, of objects that may be sent and shared.
enum Numbers {}

impl Factory for Numbers {
    type Object = u64;

    fn make(&self) -> u64 {
        match *self {}
    }

    fn reset(&self, _: &mut u64) {}

    fn weigh(&self, _: &u64) -> usize {
        size_of::<u64>()
    }
}

// ANCHOR: threads
static_assertions::assert_not_impl_any!(Local<'static, Numbers>: Sync);
static_assertions::assert_not_impl_any!(Pooled<'static, Numbers>: Send, Sync, Clone);
static_assertions::assert_impl_all!(Sendable<'static, Numbers>: Send);
// ANCHOR_END: threads

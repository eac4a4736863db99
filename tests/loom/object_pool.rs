//! Models of the depot that the threads of an object pool share.

use loom::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use loom::sync::{Arc, Mutex};
use loom::thread;
use perf_proved::memory::object_pool::depot::Depot;
use perf_proved::memory::object_pool::{Limits, Stats};

/// A store of objects that threads share, so that one model judges both the depot and its broken
/// twin.
trait Store: Send + Sync + 'static {
    fn take(&self) -> Vec<u32>;
    /// Stores the objects, or returns them if there is no room.
    fn give(&self, objects: Vec<u32>) -> Vec<u32>;
}

impl Store for Depot<u32> {
    fn take(&self) -> Vec<u32> {
        let mut magazine = Vec::new();
        Depot::take(self, &mut magazine, Stats::default());
        magazine
    }

    fn give(&self, mut objects: Vec<u32>) -> Vec<u32> {
        let weight = objects.len();
        Depot::give(self, &mut objects, weight, Stats::default());
        objects
    }
}

fn depot(objects: usize) -> Depot<u32> {
    Depot::new(Limits { largest: 1, magazine: 2, objects, bytes: usize::MAX })
}

/// A store that checks for room before it takes the lock, which seems to spare others the wait.
struct TwoSteps {
    objects: AtomicUsize,
    stored: Mutex<Vec<Vec<u32>>>,
    limit: usize,
}

impl Store for TwoSteps {
    fn take(&self) -> Vec<u32> {
        let found = self.stored.lock().unwrap().pop().unwrap_or_default();
        self.objects.fetch_sub(found.len(), SeqCst);
        found
    }

    fn give(&self, objects: Vec<u32>) -> Vec<u32> {
        if self.objects.load(SeqCst) + objects.len() > self.limit {
            return objects;
        }
        // Here the other thread may have seen the same room.
        self.objects.fetch_add(objects.len(), SeqCst);
        self.stored.lock().unwrap().push(objects);
        vec![]
    }
}

/// Checks that a store for three objects keeps no more than that when two threads give it two each.
fn bound<S: Store>(store: fn() -> S) {
    loom::model(move || {
        let store = Arc::new(store());
        let shared = store.clone();
        let other = thread::spawn(move || shared.give(vec![3, 4]));
        let refused = store.give(vec![1, 2]).len() + other.join().unwrap().len();
        assert_eq!(store.take().len() + store.take().len() + refused, 4, "one is lost");
        assert!(refused >= 2, "more than the bound is kept");
    });
}

#[test]
fn depot_keeps_to_its_bound() {
    bound(|| depot(3));
}

#[test]
#[should_panic(expected = "more than the bound is kept")]
fn depot_of_two_steps_is_broken() {
    bound(|| TwoSteps { objects: AtomicUsize::new(0), stored: Mutex::new(vec![]), limit: 3 });
}

/// Two threads take the objects that they find, return them, and give one of their own; one of them
/// gives it singly, like a guard that is dropped on a thread without a part of the pool.
#[test]
fn depot_gives_each_object_to_one() {
    loom::model(|| {
        let depot = Arc::new(depot(8));
        assert!(Store::give(&*depot, vec![1, 2]).is_empty(), "there is room");
        // Counts the threads that have object 1 and 2: never more than one.
        let out = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
        let use_it = |depot: &Depot<u32>, out: &[AtomicUsize; 2], own: u32| {
            let found = Store::take(depot);
            let first: Vec<usize> =
                found.iter().map(|id| *id as usize - 1).filter(|id| *id < 2).collect();
            first.iter().for_each(|id| {
                assert_eq!(out[*id].fetch_add(1, SeqCst), 0, "two threads have the same object")
            });
            first.iter().for_each(|id| assert_eq!(out[*id].fetch_sub(1, SeqCst), 1));
            assert!(Store::give(depot, found).is_empty(), "there is room");
            if own == 3 {
                depot.put(own, 1).expect("there is room");
            } else {
                assert!(Store::give(depot, vec![own]).is_empty(), "there is room");
            }
        };
        let (shared_depot, shared_out) = (depot.clone(), out.clone());
        let other = thread::spawn(move || use_it(&shared_depot, &shared_out, 3));
        use_it(&depot, &out, 4);
        other.join().unwrap();
        let mut left: Vec<u32> = (0..4).flat_map(|_| Store::take(&*depot)).collect();
        left.sort_unstable();
        assert_eq!(left, [1, 2, 3, 4], "an object is lost, or there twice");
        assert_eq!(depot.objects(), 0);
    });
}

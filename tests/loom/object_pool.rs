//! Models of the depot that the threads of an object pool share.

use loom::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use loom::sync::{Arc, Mutex};
use loom::thread;
use perf_proved::memory::object_pool::depot::Depot;
use perf_proved::memory::object_pool::{Limits, Stats};

/// What a thread's part of a pool needs of the shared one, so that one model judges the right
/// one and the broken one.
trait Store: Send + Sync + 'static {
    fn take(&self) -> Vec<u32>;
    /// Returns what there is no room for.
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

/// The store that one writes first to spare the others the lock: whether there is room is asked
/// before.
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
        // Here the other one has seen the same room.
        self.objects.fetch_add(objects.len(), SeqCst);
        self.stored.lock().unwrap().push(objects);
        vec![]
    }
}

/// Two threads bring two objects each to a store for three.
fn bound<S: Store>(store: fn() -> S) {
    loom::model(move || {
        let store = Arc::new(store());
        let theirs = store.clone();
        let other = thread::spawn(move || theirs.give(vec![3, 4]));
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

/// Two threads take what they find, bring it back, and bring one of their own; one of them
/// singly, as a guard does on a thread that has no part of the pool.
#[test]
fn depot_gives_each_object_to_one() {
    loom::model(|| {
        let depot = Arc::new(depot(8));
        assert!(Store::give(&*depot, vec![1, 2]).is_empty(), "there is room");
        // Who has object 1 or 2: nobody else may.
        let out = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
        let use_it = |depot: &Depot<u32>, out: &[AtomicUsize; 2], own: u32| {
            let found = Store::take(depot);
            let first: Vec<usize> =
                found.iter().map(|id| *id as usize - 1).filter(|id| *id < 2).collect();
            first.iter().for_each(|id| {
                assert_eq!(out[*id].fetch_add(1, SeqCst), 0, "two have the same object")
            });
            first.iter().for_each(|id| assert_eq!(out[*id].fetch_sub(1, SeqCst), 1));
            assert!(Store::give(depot, found).is_empty(), "there is room");
            if own == 3 {
                depot.put(own, 1).expect("there is room");
            } else {
                assert!(Store::give(depot, vec![own]).is_empty(), "there is room");
            }
        };
        let (their_depot, their_out) = (depot.clone(), out.clone());
        let other = thread::spawn(move || use_it(&their_depot, &their_out, 3));
        use_it(&depot, &out, 4);
        other.join().unwrap();
        let mut left: Vec<u32> = (0..4).flat_map(|_| Store::take(&*depot)).collect();
        left.sort_unstable();
        assert_eq!(left, [1, 2, 3, 4], "lost, or there twice");
        assert_eq!(depot.objects(), 0);
    });
}

//! Models of the sharded counter.

use loom::sync::Arc;
use loom::sync::atomic::Ordering::{self, Acquire, Relaxed, Release};
use loom::sync::atomic::{AtomicBool, AtomicU64};
use loom::thread;
use perf_proved::memory::cache_lines::ShardedCounter;

/// Checks that a sum after the join of two threads has all additions, while another sum runs.
#[test]
fn sum_after_join() {
    loom::model(|| {
        let counter = Arc::new(ShardedCounter::<AtomicU64>::new(2));
        let threads = [0, 1].map(|cell| {
            let counter = counter.clone();
            thread::spawn(move || (0..2).for_each(|_| counter.add(cell, 1)))
        });
        assert!(counter.sum() <= 4);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(counter.sum(), 4);
    });
}

/// Checks that a sum after a flag, stored and loaded like this, has the addition before it.
fn sum_after_a_flag(store: Ordering, load: Ordering) {
    loom::model(move || {
        let shared = Arc::new((ShardedCounter::<AtomicU64>::new(2), AtomicBool::new(false)));
        let theirs = shared.clone();
        let thread = thread::spawn(move || {
            theirs.0.add(0, 1);
            theirs.1.store(true, store);
        });
        if shared.1.load(load) {
            assert_eq!(shared.0.sum(), 1, "the flag was faster than the addition");
        }
        thread.join().unwrap();
    });
}

#[test]
fn sum_after_a_release() {
    sum_after_a_flag(Release, Acquire);
}

#[test]
#[should_panic(expected = "the flag was faster than the addition")]
fn sum_after_a_relaxed_flag_is_broken() {
    sum_after_a_flag(Relaxed, Relaxed);
}

/// A cell's writer needs no atomic addition, because it is the only one.
#[test]
fn writers_lose_nothing() {
    // Loom's threads outlive a borrow, so the writers borrow from a counter that is never dropped.
    loom::model(|| {
        let counter = Box::leak(Box::new(ShardedCounter::<AtomicU64>::new(2)));
        let (writers, total) = counter.split();
        let threads: Vec<_> = writers
            .into_iter()
            .map(|mut writer| thread::spawn(move || (0..2).for_each(|_| writer.add(1))))
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(total.sum(), 4);
    });
}

/// Shows that two threads that add to one cell as `Writer::add` does lose an addition.
#[test]
#[should_panic(expected = "an addition is lost")]
fn two_writers_of_a_cell_are_broken() {
    loom::model(|| {
        let cell = Arc::new(AtomicU64::new(0));
        let threads = [(); 2].map(|()| {
            let cell = cell.clone();
            thread::spawn(move || cell.store(cell.load(Relaxed) + 1, Relaxed))
        });
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(cell.load(Relaxed), 2, "an addition is lost");
    });
}

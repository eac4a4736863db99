//! Every interleaving of the small concurrent pieces, explored by loom. One module a technique.
//!
//!     cargo explore
#![cfg(loom)]

use loom::model::Builder;

/// Every interleaving in which threads lose their core at most so many times against their will. A
/// loop that waits for another thread gives it away by itself.
fn explore(preemptions: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(model);
}

/// Orderings of which one is weaker than it has to be.
macro_rules! weakened {
    ($($name:ident: $field:ident = $ordering:expr;)*) => {
        $(
            struct $name;
            // SAFETY: none. These are the models that must fail, and loom ends them before anything
            // is read.
            unsafe impl Orderings for $name {
                const $field: Ordering = $ordering;
            }
        )*
    };
}

mod sendfile {
    use loom::sync::Arc;
    use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
    use loom::thread;
    use perf_proved::zero_copy::sendfile::gate::{Gate, Refused};

    /// What a server needs of a gate, so that one model judges the right one and the broken one.
    trait Admission: Send + Sync + 'static {
        /// Runs `inside` if it is let in.
        fn visit(&self, inside: impl FnOnce());
        /// Lets nobody in from now on, and returns when all have left.
        fn shut_down(&self);
    }

    impl Admission for Gate {
        fn visit(&self, inside: impl FnOnce()) {
            if let Ok(_pass) = self.enter() {
                inside();
            }
        }

        fn shut_down(&self) {
            self.close();
            assert_eq!(self.wait_until_empty(None), 0);
            assert_eq!(self.enter().err(), Some(Refused::Closed));
        }
    }

    /// The gate that one writes first: each field is atomic, the pair is not.
    struct TwoAtomics {
        closed: AtomicBool,
        inside: AtomicUsize,
    }

    impl Admission for TwoAtomics {
        fn visit(&self, inside: impl FnOnce()) {
            if !self.closed.load(SeqCst) {
                // Here the gate may close, and `shut_down` see nobody inside.
                self.inside.fetch_add(1, SeqCst);
                inside();
                self.inside.fetch_sub(1, SeqCst);
            }
        }

        fn shut_down(&self) {
            self.closed.store(true, SeqCst);
            while self.inside.load(SeqCst) > 0 {
                thread::yield_now();
            }
        }
    }

    /// Two visitors and a shutdown. What they visit is torn down as soon as `shut_down` returns.
    fn explore<G: Admission>(gate: fn() -> G) {
        loom::model(move || {
            let gate = Arc::new(gate());
            let torn_down = Arc::new(AtomicBool::new(false));
            let visitors = [(); 2].map(|()| {
                let (gate, torn_down) = (gate.clone(), torn_down.clone());
                thread::spawn(move || {
                    gate.visit(|| assert!(!torn_down.load(SeqCst), "inside after shutdown"))
                })
            });
            gate.shut_down();
            torn_down.store(true, SeqCst);
            visitors.into_iter().for_each(|visitor| visitor.join().unwrap());
        });
    }

    #[test]
    fn gate_admits_nobody_after_shutdown() {
        explore(|| Gate::new(2));
    }

    #[test]
    #[should_panic(expected = "inside after shutdown")]
    fn gate_of_two_atomics_is_broken() {
        explore(|| TwoAtomics { closed: AtomicBool::new(false), inside: AtomicUsize::new(0) });
    }

    #[test]
    fn gate_keeps_to_its_limit() {
        loom::model(|| {
            let gate = Arc::new(Gate::new(1));
            let inside = Arc::new(AtomicUsize::new(0));
            let visit = |gate: &Gate, inside: &AtomicUsize| {
                gate.visit(|| {
                    assert_eq!(inside.fetch_add(1, SeqCst), 0);
                    inside.fetch_sub(1, SeqCst);
                });
            };
            let (their_gate, their_inside) = (gate.clone(), inside.clone());
            let visitor = thread::spawn(move || visit(&their_gate, &their_inside));
            visit(&gate, &inside);
            visitor.join().unwrap();
            gate.shut_down();
        });
    }
}

mod cache_lines {
    use loom::sync::Arc;
    use loom::sync::atomic::Ordering::{self, Acquire, Relaxed, Release};
    use loom::sync::atomic::{AtomicBool, AtomicU64};
    use loom::thread;
    use perf_proved::memory::cache_lines::ShardedCounter;

    /// Two threads add to two cells and are joined; meanwhile somebody looks.
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

    /// A thread adds and says so by a flag, which is stored and loaded like this.
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
        // loom's threads outlive a borrow, so that the writers borrow from a counter that is never
        // dropped.
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

    /// What `Writer::add` does, by two threads to one cell.
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
}

mod object_pool {
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
}

mod allocation {
    use loom::sync::Arc;
    use loom::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    use loom::thread;
    use perf_proved::memory::allocation::budget::Budget;

    const LIMIT: usize = 10;

    /// What an allocator needs of a budget, so that one model judges the right one and the broken
    /// ones.
    trait Counted: Send + Sync + 'static {
        fn take(&self, bytes: usize) -> bool;
        fn give_back(&self, bytes: usize);
    }

    impl Counted for Budget {
        fn take(&self, bytes: usize) -> bool {
            self.take(bytes)
        }

        fn give_back(&self, bytes: usize) {
            self.give_back(bytes);
        }
    }

    /// Asks first and counts then.
    struct TwoSteps(AtomicUsize);

    impl Counted for TwoSteps {
        fn take(&self, bytes: usize) -> bool {
            let fits = self.0.load(SeqCst) + bytes <= LIMIT;
            if fits {
                // Here another thread may have seen the same.
                self.0.fetch_add(bytes, SeqCst);
            }
            fits
        }

        fn give_back(&self, bytes: usize) {
            self.0.fetch_sub(bytes, SeqCst);
        }
    }

    /// Counts first, and takes it back if it was too much.
    struct BacksOut(AtomicUsize);

    impl Counted for BacksOut {
        fn take(&self, bytes: usize) -> bool {
            let fits = self.0.fetch_add(bytes, SeqCst) + bytes <= LIMIT;
            if !fits {
                // Until here, what nobody has is counted, and may be in the way of another thread.
                self.0.fetch_sub(bytes, SeqCst);
            }
            fits
        }

        fn give_back(&self, bytes: usize) {
            self.0.fetch_sub(bytes, SeqCst);
        }
    }

    /// Two threads that take 6 bytes of 10 and give them back: never are 12 taken, and then all 10
    /// are to be had.
    fn keeps_its_limit<B: Counted>(budget: fn() -> B) {
        loom::model(move || {
            let shared = Arc::new((budget(), AtomicUsize::new(0)));
            let visit = |shared: &(B, AtomicUsize)| {
                if shared.0.take(6) {
                    assert!(shared.1.fetch_add(6, SeqCst) + 6 <= LIMIT, "beyond the limit");
                    shared.1.fetch_sub(6, SeqCst);
                    shared.0.give_back(6);
                }
            };
            let theirs = shared.clone();
            let other = thread::spawn(move || visit(&theirs));
            visit(&shared);
            other.join().unwrap();
            assert!(shared.0.take(LIMIT), "something is still taken");
        });
    }

    /// One thread asks for more than there is, the other for what fits.
    fn serves_what_fits<B: Counted>(budget: fn() -> B) {
        loom::model(move || {
            let budget = Arc::new(budget());
            let theirs = budget.clone();
            let other = thread::spawn(move || assert!(!theirs.take(LIMIT + 1)));
            assert!(budget.take(LIMIT), "refused, and it fits");
            other.join().unwrap();
        });
    }

    #[test]
    fn budget_keeps_its_limit() {
        keeps_its_limit(|| Budget::new(LIMIT));
        serves_what_fits(|| Budget::new(LIMIT));
    }

    #[test]
    #[should_panic(expected = "beyond the limit")]
    fn budget_of_two_steps_is_broken() {
        keeps_its_limit(|| TwoSteps(AtomicUsize::new(0)));
    }

    #[test]
    #[should_panic(expected = "refused, and it fits")]
    fn budget_that_backs_out_is_broken() {
        serves_what_fits(|| BacksOut(AtomicUsize::new(0)));
    }
}

mod ring_buffer {
    use super::explore;
    use loom::alloc::Track;
    use loom::sync::Arc;
    use loom::thread;
    use perf_proved::concurrency::ring_buffer::shared::{Padded, Shared};
    use perf_proved::concurrency::ring_buffer::{
        AcquireRelease, Orderings, blocking, blocking_mpmc, mpmc, spsc,
    };
    use std::mem::ManuallyDrop;
    use std::ops::{Deref, DerefMut};
    use std::sync::atomic::Ordering::{self, AcqRel, Relaxed};
    use std::sync::mpsc::TryRecvError::{self, Disconnected, Empty};
    use std::sync::mpsc::TrySendError::{self, Full};

    weakened! {
        WrittenStore: WRITTEN_STORE = Relaxed;
        WrittenLoad: WRITTEN_LOAD = Relaxed;
        TakenStore: TAKEN_STORE = Relaxed;
        TakenLoad: TAKEN_LOAD = Relaxed;
        GoneStore: GONE_STORE = Relaxed;
        GoneLoad: GONE_LOAD = Relaxed;
        SleepFence: SLEEP_FENCE = AcqRel;
    }

    /// Drops what is in it, but not while a model fails: loom's types are then of no more use, and
    /// a second panic ends the process.
    struct Side<T>(ManuallyDrop<T>);

    impl<T> Side<T> {
        fn new(side: T) -> Self {
            Self(ManuallyDrop::new(side))
        }
    }

    impl<T> Deref for Side<T> {
        type Target = T;

        fn deref(&self) -> &T {
            &self.0
        }
    }

    impl<T> DerefMut for Side<T> {
        fn deref_mut(&mut self) -> &mut T {
            &mut self.0
        }
    }

    impl<T> Drop for Side<T> {
        fn drop(&mut self) {
            if !std::thread::panicking() {
                // SAFETY: this is the only place that drops it.
                unsafe { ManuallyDrop::drop(&mut self.0) };
            }
        }
    }

    /// Both sides of a ring.
    fn sides<P, C>((producer, consumer): (P, C)) -> (Side<P>, Side<C>) {
        (Side::new(producer), Side::new(consumer))
    }

    /// Pushes the items `0..items`, each until there is room for it.
    fn push_all(items: u32, mut push: impl FnMut(u32) -> Result<(), TrySendError<u32>>) {
        for mut item in 0..items {
            while let Err(Full(back)) = push(item) {
                item = back;
                thread::yield_now();
            }
        }
    }

    /// What arrives before the word that there is no more.
    fn pop_all(mut pop: impl FnMut() -> Result<u32, TryRecvError>) -> Vec<u32> {
        let mut arrived = vec![];
        loop {
            match pop() {
                Ok(item) => arrived.push(item),
                Err(Empty) => thread::yield_now(),
                Err(Disconnected) => return arrived,
            }
        }
    }

    /// Three items through a ring of two, whose counters wrap around meanwhile: all arrive, once
    /// each, in their order, the last one before the word that there are no more.
    fn spsc_stream<O: Orderings + 'static>() {
        explore(3, || {
            let (mut producer, mut consumer) = sides(spsc::ring_from::<_, O>(2, usize::MAX - 1));
            let pushing = thread::spawn(move || push_all(3, |item| producer.push(item)));
            assert_eq!(pop_all(|| consumer.pop()), [0, 1, 2], "what arrived");
            pushing.join().unwrap();
        });
    }

    #[test]
    fn spsc_loses_nothing() {
        spsc_stream::<AcquireRelease>();
    }

    /// As above, in batches; numbers, because a slice is copied.
    #[test]
    fn spsc_batches_lose_nothing() {
        explore(3, || {
            let (mut producer, mut consumer) =
                sides(spsc::ring_from::<u32, AcquireRelease>(2, usize::MAX));
            let pushing = thread::spawn(move || {
                let mut items = &[1, 2, 3][..];
                while !items.is_empty() {
                    items = &items[producer.push_slice(items)..];
                    thread::yield_now();
                }
            });
            let (mut arrived, mut batch) = (vec![], [0; 2]);
            while arrived.len() < 3 {
                let length = consumer.pop_slice(&mut batch);
                arrived.extend_from_slice(&batch[..length]);
                thread::yield_now();
            }
            assert_eq!(arrived, [1, 2, 3], "what arrived");
            pushing.join().unwrap();
        });
    }

    /// Whoever leaves last drops what is inside: loom misses what nobody drops.
    #[test]
    fn spsc_drops_what_is_left() {
        explore(3, || {
            let (mut producer, mut consumer) = sides(spsc::ring(2));
            let pushing = thread::spawn(move || {
                let _ = producer.push(Track::new(1));
                let _ = producer.push(Track::new(2));
            });
            let first = consumer.pop().ok().map(Track::into_inner);
            assert!(matches!(first, None | Some(1)));
            drop(consumer);
            pushing.join().unwrap();
        });
    }

    /// What a comment forbids and a type does not: two threads that push.
    #[test]
    #[should_panic(expected = "Causality violation")]
    fn shared_with_two_producers_is_broken() {
        explore(3, || {
            let ring = Arc::new(Shared::<u32, Padded>::new(2));
            let theirs = ring.clone();
            // SAFETY: none: this is the model that must fail.
            let pushing = thread::spawn(move || unsafe { theirs.push(1) }.unwrap());
            // SAFETY: none, as above.
            unsafe { ring.push(2) }.unwrap();
            pushing.join().unwrap();
        });
    }

    /// Two items through so many slots, in their order, the last one before the word that there are
    /// no more.
    fn mpmc_stream<O: Orderings + 'static>(capacity: usize) {
        explore(3, move || {
            let (producer, consumer) = sides(mpmc::ring_from::<_, O>(capacity, usize::MAX));
            let pushing = thread::spawn(move || push_all(2, |item| producer.push(item)));
            assert_eq!(pop_all(|| consumer.pop()), [0, 1], "what arrived");
            pushing.join().unwrap();
        });
    }

    #[test]
    fn mpmc_loses_nothing() {
        mpmc_stream::<AcquireRelease>(1);
        mpmc_stream::<AcquireRelease>(2);
    }

    /// So many producers try to push two items each, so many consumers try to pop twice, and nobody
    /// tries again; the first producer is the first consumer too, in one thread. What was accepted
    /// has arrived or is inside, once each, and each consumer gets the items of one producer in
    /// their order.
    fn mpmc_attempts(producers: u32, consumers: u32, capacity: usize) {
        // Three threads have so many interleavings that one preemption has to do.
        let preemptions = if producers + consumers > 3 { 1 } else { 2 };
        explore(preemptions, move || {
            let (producer, consumer) = mpmc::ring_from::<_, AcquireRelease>(capacity, usize::MAX);
            let push = |number| {
                let producer = producer.clone();
                thread::spawn(move || {
                    let mut items = vec![2 * number, 2 * number + 1];
                    items.retain(|&item| producer.push(item).is_ok());
                    items
                })
            };
            let pop = |_| {
                let consumer = consumer.clone();
                thread::spawn(move || {
                    (0..2).filter_map(|_| consumer.pop().ok()).collect::<Vec<_>>()
                })
            };
            let (pushing, popping): (Vec<_>, Vec<_>) =
                ((1..producers).map(push).collect(), (1..consumers).map(pop).collect());
            let mut accepted = vec![0, 1];
            accepted.retain(|&item| producer.push(item).is_ok());
            let mut arrived =
                vec![(0..2).filter_map(|_| consumer.pop().ok()).collect::<Vec<u32>>()];
            pushing.into_iter().for_each(|pushing| accepted.extend(pushing.join().unwrap()));
            arrived.extend(popping.into_iter().map(|popping| popping.join().unwrap()));
            drop(producer);
            arrived.push(std::iter::from_fn(|| consumer.pop().ok()).collect());
            assert_eq!(consumer.pop(), Err(Disconnected));

            for items in &arrived {
                for producer in 0..producers {
                    let theirs = items.iter().filter(|&&item| item / 2 == producer);
                    assert!(theirs.is_sorted(), "out of order: {items:?}");
                }
            }
            let mut arrived = arrived.concat();
            arrived.sort_unstable();
            accepted.sort_unstable();
            assert_eq!(arrived, accepted, "what arrived");
        });
    }

    #[test]
    fn mpmc_of_two_producers_loses_nothing() {
        mpmc_attempts(2, 1, 1);
        mpmc_attempts(2, 1, 2);
    }

    #[test]
    fn mpmc_of_two_consumers_loses_nothing() {
        mpmc_attempts(1, 2, 2);
        mpmc_attempts(2, 2, 2);
    }

    /// Two items each way round a ring of one, so that both sides have to sleep: a wake-up that is
    /// lost leaves nobody to run.
    fn blocking_stream<O: Orderings + 'static>() {
        explore(3, || {
            let (mut producer, mut consumer) = sides(blocking::ring_with::<_, O>(1));
            let pushing =
                thread::spawn(move || (0..2).for_each(|item| producer.push(item).unwrap()));
            let mut arrived = vec![];
            arrived.extend(std::iter::from_fn(|| consumer.pop().ok()));
            assert_eq!(arrived, [0, 1], "what arrived");
            pushing.join().unwrap();
        });
    }

    #[test]
    fn blocking_loses_no_wake_up() {
        blocking_stream::<AcquireRelease>();
    }

    /// A producer that sleeps in front of a full ring hears that the consumer has gone.
    #[test]
    fn blocking_wakes_the_producer_that_is_left() {
        explore(3, || {
            let (mut producer, consumer) = sides(blocking::ring::<u32>(1));
            let pushing = thread::spawn(move || (producer.push(1), producer.push(2)));
            drop(consumer);
            let (first, second) = pushing.join().unwrap();
            assert!(second.is_err(), "{first:?}");
        });
    }

    /// As above through the ring for many, with the last word that there is no more.
    fn blocking_mpmc_stream<O: Orderings + 'static>() {
        explore(3, || {
            let (producer, consumer) = sides(blocking_mpmc::ring_with::<_, O>(1));
            let pushing =
                thread::spawn(move || (0..2).for_each(|item| producer.push(item).unwrap()));
            let arrived: Vec<u32> = std::iter::from_fn(|| consumer.pop().ok()).collect();
            assert_eq!(arrived, [0, 1], "what arrived");
            pushing.join().unwrap();
        });
    }

    /// Two threads that push one item each, and two that pop one each. Where both of these sleep,
    /// the item that was pushed second may be ready first, and wakes somebody in vain. No producer
    /// leaves before the end, which would wake everybody.
    fn blocking_mpmc_many<O: Orderings + 'static>() {
        explore(1, || {
            let (producer, consumer) = sides(blocking_mpmc::ring_with::<_, O>(2));
            let (other_producer, other_consumer) =
                (Side::new(producer.clone()), Side::new(consumer.clone()));
            let popping = thread::spawn(move || other_consumer.pop().unwrap());
            let pushing = [(producer, 0), (other_producer, 1)].map(|(producer, item)| {
                thread::spawn(move || {
                    producer.push(item).unwrap();
                    producer
                })
            });
            let mut arrived = [consumer.pop().unwrap(), popping.join().unwrap()];
            arrived.sort_unstable();
            assert_eq!(arrived, [0, 1], "what arrived");
            for pushing in pushing {
                drop(pushing.join().unwrap());
            }
        });
    }

    /// The same from the other end: two threads that push into a full ring, and two that make room.
    fn blocking_mpmc_many_full<O: Orderings + 'static>() {
        explore(1, || {
            let (producer, consumer) = sides(blocking_mpmc::ring_with::<_, O>(2));
            (0..2).for_each(|item| producer.push(item).unwrap());
            let (other_producer, other_consumer) =
                (Side::new(producer.clone()), Side::new(consumer.clone()));
            let pushing = thread::spawn(move || other_producer.push(2).unwrap());
            let popping = [consumer, other_consumer].map(|consumer| {
                thread::spawn(move || {
                    let item: u32 = consumer.pop().unwrap();
                    (item, consumer)
                })
            });
            producer.push(3).unwrap();
            pushing.join().unwrap();
            let [(first, consumer), (second, _)] = popping.map(|popping| popping.join().unwrap());
            let mut arrived = [first, second, consumer.pop().unwrap(), consumer.pop().unwrap()];
            arrived.sort_unstable();
            assert_eq!(arrived, [0, 1, 2, 3], "what arrived");
        });
    }

    #[test]
    fn blocking_mpmc_loses_no_wake_up() {
        blocking_mpmc_stream::<AcquireRelease>();
        blocking_mpmc_many::<AcquireRelease>();
        blocking_mpmc_many_full::<AcquireRelease>();
    }

    /// Two consumers that sleep in front of an empty ring both hear that the last producer has
    /// gone.
    #[test]
    fn blocking_mpmc_wakes_all_that_are_left() {
        explore(2, || {
            let (producer, consumer) = sides(blocking_mpmc::ring::<u32>(1));
            let other = Side::new(consumer.clone());
            let popping = thread::spawn(move || other.pop());
            let leaving = thread::spawn(move || drop(producer));
            assert!(consumer.pop().is_err());
            assert!(popping.join().unwrap().is_err());
            leaving.join().unwrap();
        });
    }

    /// One model for each ordering that is weaker than it has to be.
    mod weakened {
        use super::*;

        macro_rules! breaks {
            ($($name:ident: $model:expr, $says:literal;)*) => {
                $(
                    #[test]
                    #[should_panic(expected = $says)]
                    fn $name() {
                        $model;
                    }
                )*
            };
        }
        breaks! {
            spsc_written_store: spsc_stream::<WrittenStore>(), "Causality violation";
            spsc_written_load: spsc_stream::<WrittenLoad>(), "Causality violation";
            spsc_taken_store: spsc_stream::<TakenStore>(), "Causality violation";
            spsc_taken_load: spsc_stream::<TakenLoad>(), "Causality violation";
            spsc_gone_store: spsc_stream::<GoneStore>(), "what arrived";
            spsc_gone_load: spsc_stream::<GoneLoad>(), "what arrived";
            mpmc_written_store: mpmc_stream::<WrittenStore>(1), "Causality violation";
            mpmc_written_load: mpmc_stream::<WrittenLoad>(1), "Causality violation";
            mpmc_taken_store: mpmc_stream::<TakenStore>(1), "Causality violation";
            mpmc_taken_load: mpmc_stream::<TakenLoad>(1), "Causality violation";
            mpmc_gone_store: mpmc_stream::<GoneStore>(2), "what arrived";
            mpmc_gone_load: mpmc_stream::<GoneLoad>(2), "what arrived";
            blocking_sleep_fence: blocking_stream::<SleepFence>(), "deadlock";
            blocking_mpmc_sleep_fence: blocking_mpmc_stream::<SleepFence>(), "deadlock";
        }
    }
}

mod sharing {
    use loom::cell::UnsafeCell;
    use loom::model;
    use loom::sync::Arc;
    use loom::thread;
    use perf_proved::concurrency::sharing::counter::Counter;
    use perf_proved::concurrency::sharing::doors::Doors;
    use perf_proved::concurrency::sharing::letter::Letter;
    use perf_proved::concurrency::sharing::naive::TwoStepCounter;
    use perf_proved::concurrency::sharing::owners::Owners;
    use perf_proved::concurrency::sharing::spin::SpinLock;
    use perf_proved::concurrency::sharing::{Needed, Orderings};
    use std::sync::atomic::Ordering::{self, AcqRel, Relaxed, Release};

    weakened! {
        Send: SEND = Relaxed;
        Read: READ = Relaxed;
        Between: BETWEEN = AcqRel;
        Lock: LOCK = Relaxed;
        Unlock: UNLOCK = Relaxed;
        Leave: LEAVE = Relaxed;
        // A fence cannot be relaxed; as a release it hears of nothing.
        Last: LAST = Release;
    }

    /// `work` in two threads, on something that both share; then `after`.
    fn two<S: std::marker::Send + Sync + 'static>(
        new: impl Fn() -> S + std::marker::Send + Sync + 'static,
        work: impl Fn(&S, usize) + std::marker::Send + Sync + Copy + 'static,
        after: impl Fn(&S) + std::marker::Send + Sync + 'static,
    ) {
        model(move || {
            let shared = Arc::new(new());
            let theirs = shared.clone();
            let other = thread::spawn(move || work(&theirs, 1));
            work(&shared, 0);
            other.join().unwrap();
            after(&shared);
        });
    }

    /// One sends, the other looks once.
    fn message<O: Orderings + 'static>() {
        let work = |letter: &Letter<O>, me| match me {
            0 => assert_ne!(letter.read(), Some(0), "an old text"),
            _ => letter.send(1),
        };
        two(Letter::<O>::new, work, |letter| assert_eq!(letter.read(), Some(1)));
    }

    #[test]
    fn message_is_read_whole() {
        message::<Needed>();
    }

    /// One visitor at each door.
    fn visits<O: Orderings + 'static>() {
        model(|| {
            let doors = Arc::new(Doors::<O>::new());
            let theirs = doors.clone();
            let other = thread::spawn(move || theirs.enter(1));
            let entered = doors.enter(0);
            assert!(!(other.join().unwrap() && entered), "both went in");
        });
    }

    #[test]
    fn doors_let_one_in() {
        visits::<Needed>();
    }

    #[test]
    fn counter_loses_nothing() {
        two(
            Counter::<Needed>::new,
            |counter, _| (0..2).for_each(|_| counter.add()),
            |counter| assert_eq!(counter.get(), 4),
        );
        let work =
            |counter: &Counter, _| (0..2).for_each(|_| assert!(counter.add_by_exchange() <= 2));
        two(Counter::<Needed>::new, work, |counter| assert_eq!(counter.get(), 4));
    }

    /// Sequential consistency orders the steps, and does not make one of two.
    #[test]
    #[should_panic(expected = "an addition is lost")]
    fn counter_of_two_steps_is_broken() {
        two(
            TwoStepCounter::default,
            |counter, _| counter.add(),
            |counter| assert_eq!(counter.get(), 2, "an addition is lost"),
        );
    }

    /// Two threads that each take the lock twice.
    fn sections<O: Orderings + 'static>() {
        let work = |lock: &SpinLock<u32, O>, _| (0..2).for_each(|_| lock.with(|value| *value += 1));
        two(|| SpinLock::<u32, O>::new(0), work, |lock| assert_eq!(lock.with(|value| *value), 4));
    }

    #[test]
    fn spin_lock_lets_one_in_and_passes_its_writes_on() {
        sections::<Needed>();
    }

    /// Something shared, which the last owner clears.
    struct Shared<O: Orderings>(Owners<O>, UnsafeCell<u32>);

    // SAFETY: what the models are about; loom ends those in which it is not so.
    unsafe impl<O: Orderings> std::marker::Send for Shared<O> {}
    // SAFETY: as above.
    unsafe impl<O: Orderings> Sync for Shared<O> {}

    /// Two owners that read and leave.
    fn leaving<O: Orderings + 'static>() {
        let work = |shared: &Shared<O>, _| {
            // SAFETY: this owner has not left, so nobody writes.
            shared.1.with(|value| assert_eq!(unsafe { *value }, 7));
            if shared.0.leave() {
                // SAFETY: all others have left, as the models check.
                shared.1.with_mut(|value| unsafe { *value = 0 });
            }
        };
        let after = |shared: &Shared<O>| {
            shared.1.with(|value| assert_eq!(unsafe { *value }, 0, "nobody was last"))
        };
        two(|| Shared(Owners::<O>::new(2), UnsafeCell::new(7)), work, after);
    }

    #[test]
    fn last_owner_is_alone() {
        leaving::<Needed>();
    }

    /// One model for each ordering that is weaker than it has to be.
    mod weakened {
        use super::*;

        macro_rules! breaks {
            ($($name:ident: $model:expr, $says:literal;)*) => {
                $(
                    #[test]
                    #[should_panic(expected = $says)]
                    fn $name() {
                        $model;
                    }
                )*
            };
        }
        breaks! {
            message_send: message::<Send>(), "an old text";
            message_read: message::<Read>(), "an old text";
            doors_between: visits::<Between>(), "both went in";
            spin_lock_lock: sections::<Lock>(), "Causality violation";
            spin_lock_unlock: sections::<Unlock>(), "Causality violation";
            owners_leave: leaving::<Leave>(), "Causality violation";
            owners_last: leaving::<Last>(), "Causality violation";
        }
    }
}

mod worker_pool {
    use super::explore;
    use loom::sync::Arc;
    use loom::thread;
    use perf_proved::concurrency::worker_pool::{Metrics, Settings, WorkerPool};
    use std::sync::Mutex;

    /// A pool of one worker, and what it has run. The list is no part of the model.
    fn pool(queue: usize) -> (Arc<WorkerPool<u8>>, std::sync::Arc<Mutex<Vec<u8>>>) {
        let run = std::sync::Arc::new(Mutex::new(vec![]));
        let list = run.clone();
        let settings = Settings { workers: 1, queue, batch: 2, cores: vec![] };
        let pool =
            WorkerPool::start(&settings, move |job| list.lock().unwrap().push(job), drop).unwrap();
        (Arc::new(pool), run)
    }

    /// Submits so many jobs and says which of them were accepted.
    fn submit(pool: &WorkerPool<u8>, jobs: u8) -> Vec<u8> {
        (0..jobs).filter(|&job| pool.submit(job).is_ok()).collect()
    }

    #[test]
    fn accounts() {
        explore(3, || {
            let (pool, run) = pool(2);
            let theirs = pool.clone();
            let submitting = thread::spawn(move || submit(&theirs, 2));
            let returned_jobs = pool.cancel();
            let accepted = submitting.join().unwrap();
            let run = run.lock().unwrap();
            assert_eq!(
                [&run[..], &returned_jobs].concat(),
                accepted,
                "run or returned, in their order"
            );
            let Metrics { submitted, returned, .. } = pool.metrics();
            assert_eq!((submitted, returned), (accepted.len() as u64, returned_jobs.len() as u64));
        });
    }

    #[test]
    fn wakes() {
        explore(3, || {
            let (pool, run) = pool(1);
            let theirs = pool.clone();
            // The last one finds room only if the worker has come for the one before.
            let submitting = thread::spawn(move || submit(&theirs, 3));
            assert_eq!(submitting.join().unwrap(), [0, 1, 2], "nobody closes it meanwhile");
            pool.shutdown();
            assert_eq!(run.lock().unwrap()[..], [0, 1, 2]);
        });
    }

    #[test]
    fn wakes_to_the_end() {
        explore(3, || {
            let (pool, run) = pool(1);
            let theirs = pool.clone();
            let submitting = thread::spawn(move || submit(&theirs, 2));
            pool.shutdown();
            assert_eq!(submitting.join().unwrap(), run.lock().unwrap()[..]);
        });
    }

    mod shelves {
        use super::explore;
        use loom::sync::atomic::{AtomicUsize, Ordering::SeqCst};
        use loom::sync::{Condvar, Mutex};
        use loom::thread;
        use perf_proved::concurrency::worker_pool::{Settings, WorkerPool};

        /// Two workers take batches, one from the other's shelf too, while the pool is canceled:
        /// each job is run or returned, once.
        #[test]
        fn accounts() {
            explore(3, || {
                let run = std::sync::Arc::new(std::sync::Mutex::new(vec![]));
                let list = run.clone();
                let settings = Settings { workers: 2, queue: 8, batch: 4, cores: vec![] };
                let pool = WorkerPool::start(
                    &settings,
                    move |job: u8| list.lock().unwrap().push(job),
                    drop,
                )
                .unwrap();
                pool.submit_all(&mut (0..8).collect()).unwrap();
                let mut jobs = pool.cancel();
                jobs.extend(run.lock().unwrap().iter());
                jobs.sort_unstable();
                assert_eq!(jobs, (0..8).collect::<Vec<_>>());
            });
        }

        /// Two jobs that wait for each other, submitted one by one and at once, before the pool is
        /// shut down, which wakes everybody: no worker sleeps while a job waits.
        #[test]
        fn wakes_both() {
            for at_once in [false, true] {
                explore(3, move || {
                    let here = std::sync::Arc::new((Mutex::new(0), Condvar::new()));
                    let (theirs, ours) = (here.clone(), here);
                    let wait = |here: &(Mutex<u8>, Condvar), coming: u8| {
                        let mut number = here.0.lock().unwrap();
                        *number += coming;
                        here.1.notify_all();
                        while *number < 2 {
                            number = here.1.wait(number).unwrap();
                        }
                    };
                    let settings = Settings { workers: 2, queue: 2, batch: 2, cores: vec![] };
                    let pool =
                        WorkerPool::start(&settings, move |_: u8| wait(&theirs, 1), drop).unwrap();
                    if at_once {
                        pool.submit_all(&mut vec![0, 1]).unwrap();
                    } else {
                        (0..2).for_each(|job| pool.submit(job).unwrap());
                    }
                    wait(&ours, 0);
                    pool.shutdown();
                    assert_eq!(pool.metrics().run, 2);
                });
            }
        }

        /// The pool's way to sleep, alone: `length` jobs wait, and so many workers sleep.
        struct Bed {
            length: AtomicUsize,
            asleep: Mutex<usize>,
            work: Condvar,
        }

        impl Bed {
            fn call_if_asleep(&self) {
                let is_asleep = *self.asleep.lock().unwrap() > 0;
                if is_asleep {
                    self.work.notify_one();
                }
            }

            /// One look under the lock before each sleep.
            fn wait(&self) {
                let mut asleep = self.asleep.lock().unwrap();
                while self.length.load(SeqCst) == 0 {
                    *asleep += 1;
                    asleep = self.work.wait(asleep).unwrap();
                    *asleep -= 1;
                }
            }
        }

        /// A worker waits for the one job that is submitted.
        fn sleep(wait: fn(&Bed), submit: fn(&Bed)) {
            loom::model(move || {
                let bed = Bed {
                    length: AtomicUsize::new(0),
                    asleep: Mutex::new(0),
                    work: Condvar::new(),
                };
                // Not loom's, which is of no more use when a model has failed.
                let bed = std::sync::Arc::new(bed);
                let theirs = bed.clone();
                let worker = thread::spawn(move || wait(&theirs));
                submit(&bed);
                worker.join().unwrap();
            });
        }

        fn tell_then_call(bed: &Bed) {
            bed.length.store(1, SeqCst);
            bed.call_if_asleep();
        }

        #[test]
        fn a_look_under_the_lock_loses_no_wake_up() {
            sleep(Bed::wait, tell_then_call);
        }

        #[test]
        #[should_panic(expected = "deadlock")]
        fn a_look_without_the_lock_is_broken() {
            let wait = |bed: &Bed| {
                while bed.length.load(SeqCst) == 0 {
                    let mut asleep = bed.asleep.lock().unwrap();
                    *asleep += 1;
                    asleep = bed.work.wait(asleep).unwrap();
                    *asleep -= 1;
                }
            };
            sleep(wait, tell_then_call);
        }

        #[test]
        #[should_panic(expected = "deadlock")]
        fn a_call_before_the_job_is_there_is_broken() {
            let call_then_tell = |bed: &Bed| {
                bed.call_if_asleep();
                bed.length.store(1, SeqCst);
            };
            sleep(Bed::wait, call_then_tell);
        }
    }
}

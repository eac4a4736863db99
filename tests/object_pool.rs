//! The pool gives buffers of every size, keeps no more than it may, and nothing that its users
//! wrote. The naive pool fails in the ways that its documentation lists.

use perf_proved::memory::object_pool::buffers::{
    Block, BufferPool, CLASSES, LARGEST, LocalBuffers, SMALLEST,
};
use perf_proved::memory::object_pool::naive::{self, ObjectPool};
use perf_proved::memory::object_pool::{Factory, Limits, Pool, Stats};
use perf_proved::proof::allocations::{Counting, count};
use perf_proved_tests::refusals;
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use std::array;
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::io::{ErrorKind, Write};
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc;
use std::thread;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const SECRET: &[u8] = b"password=hunter2";

static NEVER: AtomicBool = AtomicBool::new(false);

/// A factory of lines of text. It panics while its flag is set.
struct Lines(&'static AtomicBool);

impl Factory for Lines {
    type Object = Vec<u8>;

    fn make(&self) -> Vec<u8> {
        assert!(!self.0.load(SeqCst), "the factory fails");
        Vec::with_capacity(100)
    }

    fn reset(&self, lines: &mut Vec<u8>) {
        assert!(!self.0.load(SeqCst), "the reset fails");
        lines.clear();
    }

    fn weigh(&self, lines: &Vec<u8>) -> usize {
        lines.capacity()
    }
}

fn lines(objects: usize, bytes: usize) -> Pool<Lines> {
    Pool::new(Lines(&NEVER), Limits { largest: 1000, magazine: 4, objects, bytes })
}

fn stats(hits: u64, misses: u64, discarded: u64) -> Stats {
    Stats { hits, misses, discarded }
}

#[test]
fn a_buffer_has_room_and_zeros_at_every_size() {
    let pool = BufferPool::new(16 << 20);
    let local = pool.local();
    let classes = (0..CLASSES).map(|class| SMALLEST << class);
    let sizes: Vec<usize> =
        [0, 1].into_iter().chain(classes.flat_map(|size| [size - 1, size, size + 1])).collect();
    for round in 0..2 {
        for &size in &sizes {
            let mut buffer = local.zeroed(size);
            assert_eq!(buffer.len(), size);
            assert!(buffer.iter().all(|byte| *byte == 0), "{size} bytes, round {round}");
            let capacity =
                if size > LARGEST { size } else { size.next_power_of_two().max(SMALLEST) };
            assert_eq!(buffer.capacity(), capacity);
            buffer.fill(1);
        }
    }
    drop(local);
    assert_eq!(
        pool.stats().misses,
        CLASSES as u64,
        "one per class; those above the largest are not counted"
    );
}

#[test]
fn buffers_above_the_largest_come_from_the_allocator_and_are_not_kept() {
    let pool = BufferPool::new(usize::MAX);
    let local = pool.local();
    let ((), made) = count(|| drop(local.zeroed(LARGEST + 1)));
    let bytes = LARGEST + 1 + size_of::<Block>();
    assert_eq!((made.calls, made.frees, made.bytes), (2, 2, bytes as u64));
    let ((), made) = count(|| drop(local.get_sendable(LARGEST + 1)));
    assert_eq!((made.calls, made.frees), (2, 2));
    local.take_back(local.get_sendable(LARGEST + 1));
    // The largest itself is kept.
    drop(local.get(LARGEST));
    drop(local.get(LARGEST));
    drop(local);
    assert_eq!(pool.stats(), stats(1, 1, 0));
}

#[test]
fn a_resized_buffer_never_shows_what_was_there_before() {
    let pool = BufferPool::new(1 << 20);
    let local = pool.local();
    let mut buffer = local.get(64);
    buffer.write_all(SECRET).unwrap();
    buffer.resize(4);
    assert_eq!(&buffer[..], b"pass");
    buffer.resize(64);
    assert_eq!(&buffer[4..], [0; 60]);
    buffer.resize(0);
    buffer.write_all(b"x").unwrap();
    buffer.resize(20);
    assert_eq!(&buffer[1..], [0; 19]);
    drop(buffer);
    assert_eq!(&local.zeroed(64)[..], [0; 64]);

    let mut buffer = local.get(64);
    assert_eq!(buffer.write(&[1; 65]).unwrap(), 64, "a short write");
    assert_eq!(buffer.write_all(&[1]).unwrap_err().kind(), ErrorKind::WriteZero);
    buffer.resize(0);
    drop(buffer); // clears what was used, not what is in use
    assert_eq!(&local.zeroed(64)[..], [0; 64]);
    let mut buffer = local.get(64);
    let too_long = catch_unwind(AssertUnwindSafe(|| buffer.resize(65)));
    assert!(too_long.is_err());
}

#[test]
fn a_pool_that_clears_gives_zeros_even_where_they_are_to_be_overwritten() {
    let pool = BufferPool::new(1 << 20);
    let local = pool.local();
    local.unzeroed(128).fill(1);
    assert_eq!(&local.unzeroed(128)[..], [0; 128]);
    assert_eq!(counted(&pool, local), stats(1, 1, 0));
}

#[test]
fn an_uncleared_pool_shows_old_bytes_only_where_they_are_to_be_overwritten() {
    let pool = BufferPool::uncleared(1 << 20);
    let local = pool.local();
    let mut buffer = local.unzeroed(100);
    assert_eq!((buffer.len(), buffer.capacity()), (100, 128));
    assert_eq!(&buffer[..], [0; 100], "it is new");
    buffer.fill(1);
    drop(buffer);
    assert!(local.get(128).is_empty());
    assert_eq!(&local.unzeroed(128)[..], [[1; 100].as_slice(), &[0; 28]].concat());
    assert_eq!(&local.zeroed(128)[..], [0; 128]);

    local.unzeroed(128).fill(2);
    let mut buffer = local.get(128);
    buffer.write_all(b"x").unwrap();
    buffer.resize(128);
    assert_eq!((buffer[0], &buffer[1..]), (b'x', &[0; 127][..]));
    buffer.resize(1);
    buffer.resize(128);
    assert_eq!(&buffer[1..], [0; 127]);
    drop(buffer);
    assert_eq!(counted(&pool, local), stats(5, 1, 0));
}

/// Returns the counts of `pool` once `local`, its only one, is gone.
fn counted(pool: &BufferPool, local: LocalBuffers<'_>) -> Stats {
    drop(local);
    pool.stats()
}

#[test]
fn a_class_keeps_its_capacity_when_blocks_are_swapped() {
    let pool = BufferPool::new(1 << 20);
    let local = pool.local();
    let (mut small, mut large) = (local.get(64), local.get(4096));
    mem::swap::<Block>(&mut small, &mut large);
    drop((small, large));
    assert_eq!(local.get(64).capacity(), 64);
    assert_eq!(local.get(4096).capacity(), 4096);
}

#[test]
fn a_warm_pool_never_calls_the_allocator() {
    let pool = BufferPool::new(16 << 20);
    let local = pool.local();
    let burst = |size| drop((0..64).map(|_| local.zeroed(size)).collect::<Vec<_>>());
    for size in [64, 4096, 65536] {
        burst(size);
        // The first burst allocates buffers and magazines, the second the depot's list of empty
        // ones.
        burst(size);
        let ((), made) = count(|| burst(size));
        assert_eq!((made.calls, made.frees), (1, 1), "the vector of this test, {size} bytes each");
    }
}

#[test]
fn objects_that_grew_or_find_no_room_are_dropped() {
    let pool = lines(8, usize::MAX);
    let local = pool.local();
    let ((), made) = count(|| local.get().reserve_exact(1 << 20));
    assert!(made.held <= 0, "{made:?}");

    let all: Vec<_> = (0..40).map(|_| local.get()).collect();
    drop(all);
    // 8 in the depot and two magazines of 4 here.
    assert_eq!(pool.stored(), 8);
    drop(local);
    assert_eq!(pool.stored(), 8);
    assert_eq!(pool.stats(), stats(0, 41, 1 + 40 - 8));

    let pool = lines(usize::MAX, 450);
    let local = pool.local();
    drop((0..40).map(|_| local.get()).collect::<Vec<_>>());
    drop((0..9).map(|_| local.get_sendable()).collect::<Vec<_>>());
    assert_eq!(pool.stored(), 4, "five would weigh 500 bytes");

    // A block weighs more than its bytes.
    let pool = BufferPool::new(SMALLEST);
    drop(pool.local().get(SMALLEST));
    assert_eq!(pool.stats(), stats(0, 1, 1));
}

#[test]
fn a_panic_of_the_user_discards_the_objects_it_held() {
    let pool = lines(8, usize::MAX);
    let local = pool.local();
    local.get().extend(SECRET);
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let _held = (local.get(), local.get_sendable());
        panic!("in the middle of a change");
    }));
    assert!(panicked.is_err());
    assert_eq!(local.get().len(), 0);
    drop(local);
    assert_eq!(pool.stats(), stats(1, 3, 2));
}

#[test]
fn a_panic_of_the_factory_costs_one_object_at_most() {
    static BROKEN: AtomicBool = AtomicBool::new(false);
    let pool =
        Pool::new(Lines(&BROKEN), Limits { largest: 1000, magazine: 4, objects: 8, bytes: 1000 });
    let local = pool.local();
    let (here, there) = (local.get(), local.get_sendable());
    let panics = |work: &mut dyn FnMut()| catch_unwind(AssertUnwindSafe(work)).is_err();
    BROKEN.store(true, SeqCst);
    let (mut here, mut there) = (Some(here), Some(there));
    assert!(panics(&mut || drop(here.take())), "a reset in this thread");
    assert!(panics(&mut || drop(there.take())), "a reset on the way to the depot");
    assert!(panics(&mut || drop(local.get())), "a `make`");
    BROKEN.store(false, SeqCst);
    drop(local.get());
    assert!(local.get().is_empty());
    drop((here, there));
    drop(local);
    assert_eq!((pool.stats(), pool.stored()), (stats(1, 3, 0), 1));
}

#[test]
fn a_forgotten_guard_loses_its_object_and_nothing_else() {
    let pool = lines(8, usize::MAX);
    let local = pool.local();
    drop([local.get(), local.get()]);
    mem::forget(local.get());
    drop([local.get(), local.get()]);
    drop(local);
    assert_eq!((pool.stored(), pool.stats()), (2, stats(2, 3, 0)));
}

#[test]
fn a_thread_leaves_its_objects_to_the_next() {
    let pool = BufferPool::new(1 << 20);
    for expected in [stats(0, 40, 0), stats(40, 40, 0)] {
        thread::scope(|scope| {
            scope.spawn(|| {
                let local = pool.local();
                drop((0..40).map(|_| local.zeroed(100)).collect::<Vec<_>>());
            });
        });
        assert_eq!(pool.stats(), expected);
    }
}

#[test]
fn objects_returned_by_another_thread_are_used_again() {
    for take_back in [false, true] {
        let pool = BufferPool::new(1 << 20);
        let (send, receive) = mpsc::sync_channel(8);
        thread::scope(|scope| {
            let pool = &pool;
            scope.spawn(move || {
                let local = pool.local();
                for number in 0..10_000_u32 {
                    let mut buffer = local.get_sendable(64);
                    assert!(buffer.is_empty());
                    buffer.write_all(&number.to_ne_bytes()).unwrap();
                    send.send(buffer).unwrap();
                }
            });
            let local = pool.local();
            for (number, buffer) in (0_u32..).zip(receive) {
                assert_eq!(&buffer[..], number.to_ne_bytes());
                if take_back {
                    local.take_back(buffer);
                }
            }
        });
        let stats = pool.stats();
        assert_eq!((stats.hits + stats.misses, stats.discarded), (10_000, 0));
        assert!(
            stats.misses <= 8 + 2 + 4 * 32,
            "those in the channel, and four magazines: {stats:?}"
        );
    }
}

#[test]
fn an_object_of_another_pool_returns_to_that_pool() {
    let (here, there) = (lines(8, usize::MAX), lines(8, usize::MAX));
    let local = here.local();
    local.take_back(there.local().get_sendable());
    drop(local);
    assert_eq!((here.stored(), there.stored()), (0, 1));
}

#[test]
fn an_object_that_is_taken_back_stays_with_the_thread() {
    let pool = lines(8, usize::MAX);
    let local = pool.local();
    local.take_back(local.get_sendable());
    assert_eq!(pool.stored(), 0, "not in the depot");
    drop(local.get());
    drop(local);
    assert_eq!((pool.stored(), pool.stats()), (1, stats(1, 1, 0)));

    let pool = BufferPool::new(1 << 20);
    let (here, there) = (pool.local(), pool.local());
    here.take_back(here.get_sendable(64));
    drop(there.get(64));
    drop((here, there));
    assert_eq!(pool.stats(), stats(0, 2, 0), "the other thread did not find it");
}

#[test]
fn a_swapped_block_counts_with_its_weight_after_the_reset() {
    // Room for one block of the larger class, but for several of the smaller one.
    let pool = BufferPool::new(6000);
    let local = pool.local();
    let live: Vec<_> = (0..10)
        .map(|_| {
            let (mut small, mut large) = (local.get_sendable(64), local.get_sendable(4096));
            mem::swap::<Block>(&mut small, &mut large);
            large
        })
        .collect();
    drop(live); // ten blocks of 64 bytes return to the class of 4096
    let found: Vec<_> = (0..10).map(|_| local.get_sendable(4096)).collect();
    drop(local);
    // One of the larger class. Nine of the smaller one, each returned before the next was asked
    // for.
    assert_eq!(pool.stats().hits, 1 + 9);
    drop(found);
}

#[test]
fn a_local_dropped_during_a_panic_calls_nothing_of_the_factory() {
    static BROKEN: AtomicBool = AtomicBool::new(false);
    let limits = Limits { largest: 1000, magazine: 4, objects: 8, bytes: 1000 };
    struct Scales;
    impl Factory for Scales {
        type Object = u8;
        fn make(&self) -> u8 {
            0
        }
        fn reset(&self, _: &mut u8) {}
        fn weigh(&self, _: &u8) -> usize {
            assert!(!BROKEN.load(SeqCst), "the scales fail");
            1
        }
    }
    let pool = Pool::new(Scales, limits);
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let local = pool.local();
        drop(array::from_fn::<_, 6, _>(|_| local.get()));
        BROKEN.store(true, SeqCst);
        panic!("with four objects in one magazine and two in the other");
    }));
    assert!(panicked.is_err(), "a second panic would have ended the process");
    assert_eq!((pool.stored(), pool.stats()), (0, stats(0, 6, 6)));
}

#[test]
fn two_threads_never_have_the_same_object() {
    static OUT: [AtomicBool; 4096] = [const { AtomicBool::new(false) }; 4096];
    struct Numbers(AtomicUsize);
    impl Factory for Numbers {
        type Object = usize;
        fn make(&self) -> usize {
            self.0.fetch_add(1, SeqCst)
        }
        fn reset(&self, _: &mut usize) {}
        fn weigh(&self, _: &usize) -> usize {
            1
        }
    }
    let pool = Pool::new(
        Numbers(AtomicUsize::new(0)),
        Limits { largest: 1, magazine: 3, objects: 64, bytes: 64 },
    );
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let local = pool.local();
                for round in 0..2_000 {
                    let live: Vec<_> = (0..round % 11).map(|_| local.get_sendable()).collect();
                    for number in &live {
                        assert!(!OUT[**number].swap(true, SeqCst), "{} is out twice", **number);
                    }
                    for (place, number) in live.into_iter().enumerate() {
                        assert!(OUT[*number].swap(false, SeqCst));
                        if place % 2 == 0 {
                            local.take_back(number);
                        }
                    }
                }
            });
        }
    });
    assert!(pool.stats().misses < 4096);
}

#[test]
#[should_panic(expected = "at least one")]
fn a_magazine_for_no_objects_is_refused() {
    drop(Pool::new(Lines(&NEVER), Limits { largest: 1, magazine: 0, objects: 1, bytes: 1 }));
}

#[test]
fn the_compiler_refuses_use_after_return_and_double_return() {
    let program = |uses: &str| {
        format!(
            "use perf_proved::memory::object_pool::buffers::BufferPool;
            fn main() {{
                let pool = BufferPool::new(1 << 20);
                let local = pool.local();
                let buffer = local.zeroed(64);
                {uses}
            }}"
        )
    };
    let codes = |name, uses| -> Vec<String> {
        refusals(env!("CARGO_TARGET_TMPDIR"), name, &program(uses))
            .into_iter()
            .map(|(code, _)| code)
            .collect()
    };
    assert!(codes("pool_in_order", "drop(buffer);").is_empty());
    let twice = "let other = local.zeroed(64);
                drop(buffer);
                println!(\"{}\", buffer.len());
                drop(other);
                drop(other);";
    assert_eq!(codes("pool_twice", twice), ["E0382", "E0382"]);
    let elsewhere = codes(
        "pool_elsewhere",
        "std::thread::scope(|scope| { scope.spawn(move || drop(buffer)); });",
    );
    assert!(!elsewhere.is_empty() && elsewhere.iter().all(|code| code == "E0277"), "{elsewhere:?}");
}

/// An object that tells when it is dropped.
struct Tracked<'a> {
    number: usize,
    weight: usize,
    dirty: bool,
    dropped: &'a RefCell<Vec<usize>>,
}

impl Drop for Tracked<'_> {
    fn drop(&mut self) {
        self.dropped.borrow_mut().push(self.number);
    }
}

struct Tracking<'a> {
    made: &'a Cell<usize>,
    dropped: &'a RefCell<Vec<usize>>,
}

impl<'a> Factory for Tracking<'a> {
    type Object = Tracked<'a>;

    fn make(&self) -> Tracked<'a> {
        let number = self.made.get();
        self.made.set(number + 1);
        Tracked { number, weight: 10, dirty: false, dropped: self.dropped }
    }

    fn reset(&self, object: &mut Tracked<'a>) {
        object.dirty = false;
    }

    fn weigh(&self, object: &Tracked<'a>) -> usize {
        object.weight
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Get,
    GetSendable,
    /// Returns the live object at index `place`, if there is one. With `here`, a sendable object is
    /// taken back by this thread.
    Return {
        place: usize,
        here: bool,
    },
    Grow {
        place: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => Just(Step::Get),
        2 => Just(Step::GetSendable),
        5 => (0..8_usize, any::<bool>()).prop_map(|(place, here)| Step::Return { place, here }),
        1 => (0..8_usize).prop_map(|place| Step::Grow { place }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 256,
        failure_persistence: Some(Box::new(FileFailurePersistence::Off)),
        rng_seed: proptest::test_runner::RngSeed::Fixed(7),
        ..ProptestConfig::default()
    })]

    #[test]
    fn it_does_what_a_plain_model_does(
        magazine in 1..5_usize,
        objects in 0..12_usize,
        bytes in prop_oneof![Just(usize::MAX), 0..120_usize],
        steps in prop::collection::vec(step(), 0..200),
    ) {
        let (made, dropped) = (Cell::new(0), RefCell::new(vec![]));
        let limits = Limits { largest: 15, magazine, objects, bytes };
        let room = objects.min(bytes / 10);
        let pool = Pool::new(Tracking { made: &made, dropped: &dropped }, limits);
        let local = pool.local();
        let (mut live, mut idle, mut expected) = (vec![], BTreeSet::new(), Stats::default());
        for step in steps {
            match step {
                Step::Get | Step::GetSendable => {
                    let before = made.get();
                    let held = match step {
                        Step::Get => (Some(local.get()), None),
                        _ => (None, Some(local.get_sendable())),
                    };
                    let object = match &held {
                        (Some(object), _) => &**object,
                        (_, Some(object)) => &**object,
                        _ => unreachable!("one of the two was got"),
                    };
                    prop_assert!(!object.dirty, "not reset");
                    if idle.remove(&object.number) {
                        expected.hits += 1;
                    } else {
                        prop_assert!(idle.is_empty(), "one was made while {idle:?} lay idle");
                        prop_assert_eq!((object.number, made.get()), (before, before + 1));
                        expected.misses += 1;
                    }
                    live.push(held);
                }
                Step::Grow { place } => match live.get_mut(place) {
                    Some((Some(object), _)) => object.weight = 20,
                    Some((_, Some(object))) => object.weight = 20,
                    _ => {}
                },
                Step::Return { place, here } if place < live.len() => {
                    let (pooled, sendable) = live.swap_remove(place);
                    let (number, weight) = match (&pooled, &sendable) {
                        (Some(object), _) => (object.number, object.weight),
                        (_, Some(object)) => (object.number, object.weight),
                        _ => unreachable!("one of the two was got"),
                    };
                    let was_idle = idle.len();
                    match (pooled, sendable) {
                        (Some(mut object), _) => {
                            object.dirty = true;
                            drop(object);
                        }
                        (_, Some(mut object)) => {
                            object.dirty = true;
                            if here { local.take_back(object) } else { drop(object) }
                        }
                        _ => {}
                    }
                    idle.insert(number);
                    let gone = dropped.take();
                    prop_assert!(gone.iter().all(|number| idle.remove(number)), "{gone:?} were not idle");
                    expected.discarded += gone.len() as u64;
                    if weight > limits.largest {
                        prop_assert_eq!(gone, [number]);
                    } else {
                        prop_assert!(gone.is_empty() || was_idle >= room, "{gone:?} had room, {was_idle} were idle");
                    }
                    prop_assert!(idle.len() <= room + 2 * magazine);
                    prop_assert!(pool.stored() <= room);
                }
                Step::Return { .. } => {}
            }
        }
        drop(live);
        drop(local);
        let before = expected.discarded;
        expected.discarded += dropped.borrow().len() as u64;
        prop_assert_eq!(pool.stats(), expected);
        prop_assert!(pool.stored() <= room);
        drop(pool);
        prop_assert_eq!(before as usize + dropped.borrow().len(), made.get(), "each was dropped once");
    }
}

#[test]
fn naive_keeps_what_its_last_user_wrote() {
    static RESETS: AtomicUsize = AtomicUsize::new(0);
    let pool = ObjectPool::new(String::new, |text: &mut String| {
        RESETS.fetch_add(1, SeqCst);
        text.clear();
    });
    let mut text = pool.get();
    text.push_str("password=hunter2");
    let before = RESETS.load(SeqCst);
    pool.put(text);
    assert_eq!(RESETS.load(SeqCst), before, "it is not reset while it is in the pool");

    let pool = naive::buffers();
    let mut buffer = pool.get();
    buffer.bytes[..SECRET.len()].copy_from_slice(SECRET);
    buffer.len = SECRET.len();
    pool.put(buffer);
    let next = pool.get();
    assert_eq!(next.len, 0, "the length was reset");
    assert_eq!(&next.bytes[..SECRET.len()], SECRET, "and the bytes are all there");
}

#[test]
fn naive_keeps_without_bound() {
    let pool = naive::buffers();
    let ((), made) = count(|| {
        let all: Vec<_> = (0..1000).map(|_| pool.get()).collect();
        all.into_iter().for_each(|buffer| pool.put(buffer));
    });
    assert!(made.held >= 1000 * 4096, "{made:?}");
    let ((), made) = count(|| {
        let mut buffer = pool.get();
        buffer.bytes = vec![0; 10 << 20].into();
        pool.put(buffer);
    });
    assert!(made.held >= (10 << 20) - 4096, "{made:?}");
}

#[test]
fn naive_loses_objects_to_early_returns() {
    fn parse(pool: &ObjectPool<naive::Buffer>, text: &str) -> Result<i32, std::num::ParseIntError> {
        let buffer = pool.get();
        let number = text.parse()?;
        pool.put(buffer);
        Ok(number)
    }
    let pool = naive::buffers();
    assert!(parse(&pool, "12").is_ok());
    for _ in 0..3 {
        let (number, made) = count(|| parse(&pool, "twelve").is_err());
        assert!(number && made.calls <= 1);
    }
    let (_, made) = count(|| parse(&pool, "12").unwrap());
    assert_eq!(made.bytes, 4096, "a new buffer, because the first error lost the old one");
}

#[test]
fn naive_is_poisoned_by_a_factory_that_panics() {
    static BROKEN: AtomicBool = AtomicBool::new(true);
    let factory = || {
        assert!(!BROKEN.load(SeqCst), "out of descriptors");
        0_u64
    };
    let pool = ObjectPool::new(factory, |_| {});
    assert!(catch_unwind(AssertUnwindSafe(|| pool.get())).is_err());
    BROKEN.store(false, SeqCst);
    let again = catch_unwind(AssertUnwindSafe(|| pool.get()));
    assert!(again.is_err(), "the factory works again, the pool does not");
}

//! The arena hands out disjoint memory, the cap holds, blocks are freed by the right thread, and
//! the naive version fails as its documentation lists.
#![cfg(target_os = "linux")]

use perf_proved::harness::child::{End, end_of};
use perf_proved::memory::allocation::arena::{Arena, FIRST, Full};
use perf_proved::memory::allocation::budget::Budget;
use perf_proved::memory::allocation::capped::Capped;
use perf_proved::memory::allocation::dropper::Dropper;
use perf_proved::memory::allocation::experiment::block::Block;
use perf_proved::memory::allocation::experiment::churn::{SUM, churn, one_at_a_time};
use perf_proved::memory::allocation::experiment::locked::Locked;
use perf_proved::memory::allocation::experiment::remote_free::hand_over;
use perf_proved::memory::allocation::page::{Entry, Page};
use perf_proved::memory::allocation::tree::{BoxNode, RefNode, VecTree, nodes, sum};
use perf_proved::memory::allocation::variants::Variant;
use perf_proved::memory::allocation::{growth, naive, process};
use perf_proved::proof::allocations::{Counting, count};
use perf_proved::proof::resident;
use perf_proved::proof::usage::Usage;
use perf_proved::sys::cores::two_cores;
use perf_proved_tests::{alone, refusals};
use proptest::prelude::*;
use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc;
use std::thread;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const MIB: usize = 1 << 20;

/// Returns the same cases in each run; `PROPTEST_CASES` lowers their number where each is slow.
fn cases() -> ProptestConfig {
    let cases =
        std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(256);
    ProptestConfig {
        cases,
        failure_persistence: None,
        rng_seed: prop::test_runner::RngSeed::Fixed(1),
        ..<_>::default()
    }
}

// ---------------------------------------------------------------- vectors and text

#[test]
fn vectors_are_equal_and_allocate_as_documented() {
    let mut kept = Vec::new();
    for (length, growing) in [(0, 0), (1, 1), (4, 1), (5, 2), (8, 2), (9, 3), (1000, 9)] {
        let (grown, made) = count(|| growth::grown(length));
        assert_eq!((grown.len() as u64, made.calls), (length, growing), "{length}");
        let (sized, made) = count(|| growth::sized(length));
        assert_eq!((sized == grown, made.calls), (true, u64::from(length > 0)));
        assert_eq!(made.bytes, length * 8);
        growth::refilled(&mut kept, length);
        let ((), made) = count(|| growth::refilled(&mut kept, length));
        assert_eq!((kept == grown, made.calls), (true, 0));
    }
}

#[test]
fn a_reused_page_allocates_only_while_it_grows() {
    for lines in [0, 1, 2, 1000] {
        let entries = Entry::some(lines);
        let mut page = Page::new(entries.clone());
        let first = page.render().to_owned();
        assert_eq!(first, naive::Page { entries, lines: 0 }.render());
        let (same, made) = count(|| page.render() == first);
        assert_eq!((same, made.calls), (true, 0), "{lines} lines");
    }
}

#[test]
fn naive_page_allocates_four_times_per_line() {
    let mut page = naive::Page { entries: Entry::some(1000), lines: 0 };
    let (_, made) = count(|| page.render());
    assert!(made.calls >= 4000, "{made:?}");
    assert_eq!(page.lines, 1000);
}

#[test]
fn naive_buffer_per_request_faults_in_each() {
    let _alone = alone();
    // Larger than any block that the allocator keeps.
    let size = 40 * MIB;
    let request = |buffer: &mut Vec<u8>| {
        let before = Usage::of_thread().unwrap();
        buffer.clear();
        buffer.resize(size, 1);
        black_box(&buffer);
        (Usage::of_thread().unwrap() - before).minor_faults
    };
    let fresh = [(); 2].map(|()| request(&mut Vec::new()));
    let mut kept = Vec::new();
    let kept = [(); 2].map(|()| request(&mut kept));
    // One fault per page, or one per 2 MiB if huge pages are always on.
    assert!(fresh[1] >= 20 && kept[1] < 20, "{fresh:?}, {kept:?}");
}

#[test]
fn naive_limit_is_exceeded_between_two_checks_and_only_prints() {
    let _alone = alone();
    resident::reset_peak().unwrap();
    let limit = resident::now().unwrap() + 88 * MIB as u64;
    let beyond = naive::serve(limit, 64, 256, || vec![1_u8; MIB]).unwrap();
    // The second check finds 24 MiB below the limit, the third 40 MiB above it. Other tests may
    // allocate and free 24 MiB meanwhile.
    assert!(beyond >= 16 * MIB as u64, "{beyond} bytes");
    assert!(!naive::within(1).unwrap(), "it only prints");
}

// ---------------------------------------------------------------- the arena

/// A placement: bytes, words, or a value with a page of its own. Its fill byte is its number.
#[derive(Clone, Debug)]
enum Placed {
    Bytes(usize),
    Words(usize),
    Page,
    Nothing,
}

#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(align(4096))]
struct OwnPage([u8; 64]);

/// Memory borrowed from the arena.
enum Live<'a> {
    Bytes(&'a mut [u8]),
    Words(&'a mut [u64]),
    Page(&'a mut OwnPage),
    Nothing(&'a mut ()),
}

impl Live<'_> {
    fn place<'a>(arena: &'a Arena, placed: &Placed, filling: u8) -> Result<Live<'a>, Full> {
        Ok(match placed {
            Placed::Bytes(length) => Live::Bytes(arena.alloc_slice(&vec![!filling; *length])?),
            Placed::Words(length) => {
                Live::Words(arena.alloc_slice(&vec![!u64::from(filling); *length])?)
            }
            Placed::Page => Live::Page(arena.alloc(OwnPage([!filling; 64]))?),
            Placed::Nothing => Live::Nothing(arena.alloc(())?),
        })
    }

    /// Overwrites the placement.
    fn fill(&mut self, filling: u8) {
        match self {
            Self::Bytes(bytes) => bytes.fill(filling),
            Self::Words(words) => words.fill(filling.into()),
            Self::Page(page) => page.0.fill(filling),
            Self::Nothing(()) => {}
        }
    }

    fn holds(&self, filling: u8) -> bool {
        match self {
            Self::Bytes(bytes) => bytes.iter().all(|byte| *byte == filling),
            Self::Words(words) => words.iter().all(|word| *word == u64::from(filling)),
            Self::Page(page) => **page == OwnPage([filling; 64]),
            Self::Nothing(()) => true,
        }
    }

    /// Returns its address, its size and its alignment.
    fn place_of(&self) -> (usize, usize, usize) {
        match self {
            Self::Bytes(bytes) => (bytes.as_ptr().addr(), bytes.len(), 1),
            Self::Words(words) => (words.as_ptr().addr(), 8 * words.len(), 8),
            Self::Page(page) => (ptr::from_ref(&**page).addr(), size_of::<OwnPage>(), 4096),
            Self::Nothing(nothing) => (ptr::from_ref(&**nothing).addr(), 0, 1),
        }
    }
}

fn placed() -> impl Strategy<Value = Placed> {
    prop_oneof![
        4 => (0_usize..200).prop_map(Placed::Bytes),
        4 => (0_usize..40).prop_map(Placed::Words),
        2 => (FIRST - 40..3 * FIRST).prop_map(Placed::Bytes),
        1 => Just(Placed::Page),
        1 => Just(Placed::Nothing),
    ]
}

proptest! {
    #![proptest_config(cases())]

    /// Compares with the plainest model: every placement keeps what was written last, is aligned,
    /// and shares no byte with another one.
    #[test]
    fn arena_gives_disjoint_memory(
        rounds in prop::collection::vec(prop::collection::vec(placed(), 0..40), 1..4),
    ) {
        let limit = 32 * FIRST;
        let mut arena = Arena::new(limit);
        for round in rounds {
            let mut lives = vec![];
            for (number, placed) in round.iter().enumerate() {
                match Live::place(&arena, placed, number as u8) {
                    Ok(live) => {
                        let is_words = matches!(placed, Placed::Words(_));
                        prop_assert!(live.holds(!(number as u8)) || is_words);
                        lives.push((number as u8, live));
                    }
                    Err(Full) => prop_assert!(arena.held() > limit / 8, "full with {} bytes", arena.held()),
                }
                prop_assert!(arena.held() <= limit);
            }
            lives.iter_mut().for_each(|(number, live)| live.fill(*number));
            let mut places: Vec<_> = lives.iter().map(|(_, live)| live.place_of()).collect();
            places.sort_unstable();
            prop_assert!(lives.iter().all(|(number, live)| live.holds(*number)));
            prop_assert!(places.iter().all(|(start, _, align)| start.is_multiple_of(*align)));
            places.retain(|(_, length, _)| *length > 0);
            prop_assert!(places.windows(2).all(|two| two[0].0 + two[0].1 <= two[1].0), "{places:?}");
            arena.reset();
        }
    }

    /// Compares with a plain number, on one thread, in any order.
    #[test]
    fn budget_counts_what_was_taken(
        limit in 0_usize..100,
        takes in prop::collection::vec(0_usize..60, 0..50),
    ) {
        let (budget, mut taken) = (Budget::new(limit), vec![]);
        for bytes in takes {
            let fits = taken.iter().sum::<usize>() + bytes <= limit;
            prop_assert_eq!(budget.take(bytes), fits);
            if fits {
                taken.push(bytes);
            } else if let Some(bytes) = taken.pop() {
                budget.give_back(bytes);
            }
            prop_assert_eq!(budget.live(), taken.iter().sum::<usize>());
        }
    }
}

#[test]
fn arena_fills_a_chunk_then_doubles() {
    let arena = Arena::new(MIB);
    assert_eq!(arena.held(), 0);
    for (bytes, held) in
        [(FIRST - 17, FIRST), (16, FIRST), (1, FIRST), (1, 3 * FIRST), (2 * FIRST - 1, 3 * FIRST)]
    {
        arena.alloc_slice(&vec![0_u8; bytes]).unwrap();
        assert_eq!(arena.held(), held, "{bytes} bytes");
    }
}

#[test]
fn arena_keeps_its_limit_and_stays_usable() {
    let arena = Arena::new(3 * FIRST + 100);
    arena.alloc_slice(&[0_u8; FIRST]).unwrap();
    assert_eq!(arena.alloc_slice(&[0_u8; 3 * FIRST]), Err(Full));
    arena.alloc_slice(&[0_u8; 2 * FIRST]).unwrap();
    assert_eq!(arena.alloc_slice(&[0_u8; 101]), Err(Full));
    arena.alloc_slice(&[0_u8; 100]).unwrap();
    assert_eq!((arena.alloc(0_u64), arena.held()), (Err(Full), 3 * FIRST + 100));
    assert!(arena.alloc(()).is_ok(), "a value without a size always fits");
    assert_eq!(Arena::new(0).alloc(0_u8), Err(Full));
    assert!(Full.to_string().contains("limit"));
}

#[test]
fn values_without_a_size_take_no_memory() {
    let arena = Arena::new(0);
    assert_eq!(arena.alloc_slice(&[(); usize::MAX]).map(|slice| slice.len()), Ok(usize::MAX));
    assert!(
        arena
            .alloc_slice::<OwnPage>(&[])
            .is_ok_and(|slice| slice.as_ptr().addr().is_multiple_of(4096))
    );
    assert_eq!(arena.held(), 0);
}

#[test]
fn blocks_have_at_least_eight_bytes_and_at_most_isize_max() {
    for size in [0, 1, 8, 9, 4096] {
        let mut block = Block::new(&System, size, 7).unwrap();
        block.set_mark(block.mark() + 1);
        assert_eq!(block.mark(), 8);
    }
    assert!(
        Block::new(&System, usize::MAX, 0).is_none()
            && Block::new(&System, isize::MAX as usize - 7, 0).is_none()
    );
}

#[test]
fn arena_resets_to_its_last_chunk() {
    let mut arena = Arena::new(MIB);
    let fill = |arena: &Arena| {
        (0..700).for_each(|n| assert_eq!(*arena.alloc(n as u64).unwrap(), n as u64))
    };
    fill(&arena); // a chunk of 4 KiB, then one of 8 KiB
    let ((), made) = count(|| arena.reset());
    assert_eq!((made.calls, made.frees, arena.held()), (0, 1, 2 * FIRST));
    for _ in 0..3 {
        let ((), made) = count(|| fill(&arena));
        assert_eq!(made.calls, 0, "{made:?}");
        arena.reset();
    }
    arena.reset();
    let ((), made) = count(|| drop(arena));
    assert_eq!(made.frees, 2, "the chunk, and the list of chunks");
}

#[test]
fn drop_types_and_dangling_references_do_not_compile() {
    let program = |body: &str| {
        format!(
            "use perf_proved::memory::allocation::arena::Arena;\nfn main() {{ let mut arena = Arena::new(64); {body} arena.reset(); }}"
        )
    };
    let codes = |name: &str, body: &str| -> Vec<_> {
        refusals(env!("CARGO_TARGET_TMPDIR"), name, &program(body))
            .into_iter()
            .map(|(code, _)| code)
            .collect()
    };
    assert_eq!(codes("arena_with_drop", "let _ = arena.alloc(String::new());"), ["E0277"]);
    assert_eq!(
        codes("arena_outlived", "let one = arena.alloc(1); arena.reset(); let _ = one;"),
        ["E0502"]
    );
}

#[test]
fn trees_hold_their_numbers() {
    for levels in 0..=12 {
        let arena = Arena::new(MIB);
        let (boxes, made) = count(|| BoxNode::build(levels));
        assert_eq!(made.calls, nodes(levels));
        assert_eq!(boxes.map_or(0, |root| root.sum()), if levels == 0 { 0 } else { sum(levels) });
        assert_eq!(VecTree::build(levels).sum(), if levels == 0 { 0 } else { sum(levels) });
        let root = RefNode::build(levels, &mut |node| arena.alloc(node)).unwrap();
        assert_eq!(root.map_or(0, RefNode::sum), if levels == 0 { 0 } else { sum(levels) });
    }
    let arena = Arena::new(MIB);
    assert!(
        RefNode::build(20, &mut |node| arena.alloc(node)).is_err(),
        "a full arena returns an error"
    );
}

// ---------------------------------------------------------------- the cap

/// The system's allocator with its own count of live bytes, or an allocator that always refuses.
struct Witness {
    live: AtomicUsize,
    most: AtomicUsize,
    refuses: bool,
}

impl Witness {
    const fn new(refuses: bool) -> Self {
        Self { live: AtomicUsize::new(0), most: AtomicUsize::new(0), refuses }
    }

    fn change(&self, old: usize, new: usize) {
        let live =
            self.live.fetch_add(new.wrapping_sub(old), SeqCst).wrapping_add(new.wrapping_sub(old));
        self.most.fetch_max(live, SeqCst);
    }
}

// SAFETY: passes every call to `System` unchanged, or refuses.
unsafe impl GlobalAlloc for Witness {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if self.refuses {
            return ptr::null_mut();
        }
        self.change(0, layout.size());
        // SAFETY: the caller upholds the contract of `System`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        self.change(layout.size(), 0);
        // SAFETY: as above.
        unsafe { System.dealloc(block, layout) }
    }
}

#[test]
fn capped_counts_every_allocator_method() {
    let capped = Capped::new(System, 1000);
    let layout = |size| Layout::from_size_align(size, 8).unwrap();
    // SAFETY: each block is used with the layout that it has at that moment, and freed once.
    unsafe {
        assert!(capped.alloc(layout(1001)).is_null());
        let first = capped.alloc(layout(600));
        assert!(!first.is_null() && capped.alloc_zeroed(layout(401)).is_null());
        let zeroed = capped.alloc_zeroed(layout(400));
        assert_eq!((*zeroed, capped.budget().live()), (0, 1000));
        assert!(capped.realloc(first, layout(600), 601).is_null(), "the block stays as it was");
        first.write(7);
        let first = capped.realloc(first, layout(600), 100);
        assert_eq!((*first, capped.budget().live()), (7, 500));
        let first = capped.realloc(first, layout(100), 600);
        assert_eq!((*first, capped.budget().live()), (7, 1000));
        capped.budget().set_limit(500);
        capped.dealloc(zeroed, layout(400));
        assert!(capped.alloc(layout(8)).is_null(), "600 are live, 500 may be");
        capped.dealloc(first, layout(600));
    }
    assert_eq!(capped.budget().live(), 0);
}

#[test]
fn capped_returns_the_bytes_of_a_refused_block() {
    let capped = Capped::new(Witness::new(true), 1000);
    assert!(Block::new(&capped, 100, 0).is_none());
    assert_eq!(capped.budget().live(), 0);
}

#[test]
fn two_threads_never_exceed_the_cap_and_leak_nothing() {
    static WITNESS: Witness = Witness::new(false);
    struct Borrowed;
    // SAFETY: passes every call to `WITNESS` unchanged.
    unsafe impl GlobalAlloc for Borrowed {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            // SAFETY: the caller upholds the contract of `WITNESS`.
            unsafe { WITNESS.alloc(layout) }
        }

        unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
            // SAFETY: as above.
            unsafe { WITNESS.dealloc(block, layout) }
        }
    }
    let capped = Capped::new(Borrowed, 10_000);
    let refused = AtomicUsize::new(0);
    let work = |seed: usize| {
        let mut held = Vec::new();
        for step in 0..50_000_usize {
            match Block::new(&capped, 8 + (step * 7919 + seed) % 3000, step as u64) {
                Some(block) => held.push(block),
                None => {
                    refused.fetch_add(1, SeqCst);
                    held.truncate(held.len() / 2);
                }
            }
        }
    };
    thread::scope(|scope| {
        scope.spawn(|| work(1));
        work(2);
    });
    assert!(refused.load(SeqCst) > 1000, "the cap was never reached");
    assert!(
        (9_000..=10_000).contains(&WITNESS.most.load(SeqCst)),
        "{} bytes were live",
        WITNESS.most.load(SeqCst)
    );
    assert_eq!((WITNESS.live.load(SeqCst), capped.budget().live()), (0, 0));
}

// ---------------------------------------------------------------- remote frees

#[test]
fn every_block_that_is_handed_over_is_freed_once() {
    let Ok(cores) = two_cores() else { return };
    for variant in Variant::ALL {
        for batches in [0, 1, 7, 8, 9, 200] {
            let capped = Capped::new(System, MIB);
            hand_over(&capped, cores, batches, variant).unwrap();
            assert_eq!(capped.budget().live(), 0, "{variant:?}, {batches} batches");
        }
    }
}

#[test]
fn one_block_at_a_time_is_live_and_a_lock_hands_every_block_on() {
    static LOCKED: Locked<Capped<System>> = Locked::new(Capped::new(System, 2 * 64));
    let before = thread::scope(|scope| {
        let threads = [(); 2].map(|()| scope.spawn(|| one_at_a_time(&LOCKED, 10_000)));
        threads.map(|thread| thread.join().is_ok())
    });
    assert_eq!(before, [true; 2], "one block of 64 bytes for each thread is enough");
}

#[test]
fn a_churned_table_frees_its_blocks() {
    let capped = Capped::new(System, 64 * MIB);
    assert_eq!([churn(&capped, 0), churn(&capped, u64::MAX)], [SUM; 2]);
    assert_eq!(capped.budget().live(), 0);
}

#[test]
fn a_dropper_drops_on_its_thread_and_a_full_one_returns_the_value() {
    /// Reports the thread that drops it, then waits for permission.
    struct Slow(mpsc::Sender<thread::ThreadId>, mpsc::Receiver<()>);
    impl Drop for Slow {
        fn drop(&mut self) {
            self.0.send(thread::current().id()).unwrap();
            let _ = self.1.recv();
        }
    }
    let (dropped, drops) = mpsc::channel();
    let (permits, slow): (Vec<_>, Vec<_>) = (0..3)
        .map(|_| {
            let (permit, permitted) = mpsc::channel();
            (permit, Slow(dropped.clone(), permitted))
        })
        .unzip();
    let mut slow = slow.into_iter();
    let dropper = Dropper::start(1).unwrap();
    assert!(dropper.hand_over(slow.next().unwrap()).is_ok());
    assert_ne!(drops.recv().unwrap(), thread::current().id());
    assert!(dropper.hand_over(slow.next().unwrap()).is_ok(), "one may wait");
    let back = dropper.hand_over(slow.next().unwrap());
    assert!(back.is_err(), "and no more than one");
    drop(permits);
    drop(back);
    drop(dropper); // waits for the value in the queue
    assert_eq!(drops.try_iter().count(), 2);
}

#[test]
fn a_panic_in_drop_ends_the_thread_and_not_the_program() {
    struct Bomb(bool);
    impl Drop for Bomb {
        fn drop(&mut self) {
            assert!(!self.0, "a deliberate panic");
        }
    }
    let dropper = Dropper::start(1).unwrap();
    assert!(dropper.hand_over(Bomb(true)).is_ok());
    let mut next = Bomb(false);
    while let Ok(()) = dropper.hand_over(next) {
        next = Bomb(false);
        thread::yield_now();
    }
}

#[test]
fn free_memory_inside_the_heap_can_be_trimmed() {
    let _alone = alone();
    let blocks: Vec<Box<[u8]>> = (0..32_000).map(|_| vec![1; 1000].into()).collect();
    let _behind: Box<[u8]> = vec![1; 1000].into(); // keeps the end of the heap in place
    let full = resident::now().unwrap();
    drop(blocks);
    match process::trim() {
        Ok(_) => {
            let trimmed = resident::now().unwrap();
            assert!(trimmed + 16 * MIB as u64 <= full, "{full}, then {trimmed}");
        }
        Err(error) => assert!(error.to_string().contains("malloc_trim")),
    }
}

#[test]
fn a_control_group_is_joined_and_gone_afterwards_or_says_what_it_may_not() {
    let group = match process::Group::new(64 << 20) {
        Ok(group) => group,
        Err(error) => return assert!(error.to_string().contains("/sys/fs/cgroup"), "{error}"),
    };
    let again = process::Group::new(64 << 20).unwrap_err();
    let path = again.to_string().split(": ").next().map(std::path::PathBuf::from).unwrap();
    assert_eq!(again.kind(), std::io::ErrorKind::AlreadyExists, "{again}");
    // SAFETY: the child writes to an open file, and nothing else.
    let end = unsafe { end_of(|| i32::from(group.join().is_err())) }.unwrap();
    assert_eq!(end, End::Exit(0));
    assert!(path.is_dir());
    drop(group);
    assert!(!path.exists(), "{}", path.display());
}

//! Clocks allocating and freeing: vectors and text, the phases of trees, blocks that another thread
//! frees, two loads per allocator, and a request that drops a large structure.
//!
//! The allocators are called by their own methods; the global allocator is the system's. All times
//! are wall times, on pinned threads. Where a large block is freed, each benchmark has a process of
//! its own: with glibc the first such block moves the size from which blocks get a mapping of their
//! own, for the rest of the process.

use perf_proved::sys::cores::two_cores;
use perf_proved_benches::not_possible;
use std::io;

fn main() -> io::Result<()> {
    if cfg!(not(target_os = "linux")) {
        let groups = ["presize", "page", "tree", "freed_by", "contended", "mixed", "pause"];
        let reason = "the allocators that this bench compares are built for Linux";
        return groups
            .iter()
            .try_for_each(|group| not_possible(&format!("allocation_{group}"), reason));
    }
    bench::run(two_cores())
}

#[cfg(not(target_os = "linux"))]
mod bench {
    pub fn run(_cores: std::io::Result<[usize; 2]>) -> std::io::Result<()> {
        unreachable!("there is a reason not to")
    }
}

#[cfg(target_os = "linux")]
mod bench {
    use bumpalo::Bump;
    use criterion::Throughput;
    use mimalloc::MiMalloc;
    use perf_proved::memory::allocation::arena::Arena;
    use perf_proved::memory::allocation::capped::Capped;
    use perf_proved::memory::allocation::dropper::Dropper;
    use perf_proved::memory::allocation::experiment::churn::{
        LIVE, REPLACED, SUM, churn, one_at_a_time,
    };
    use perf_proved::memory::allocation::experiment::locked::Locked;
    use perf_proved::memory::allocation::experiment::remote_free::{BATCH, hand_over};
    use perf_proved::memory::allocation::page::{Entry, Page};
    use perf_proved::memory::allocation::tree::{BoxNode, RefNode, VecTree, nodes, sum};
    use perf_proved::memory::allocation::variants::Variant;
    use perf_proved::memory::allocation::{growth, naive, process};
    use perf_proved::sys::cores;
    use perf_proved_benches::{Group, Plan, with};
    use std::alloc::{GlobalAlloc, System};
    use std::hint::black_box;
    use std::time::{Duration, Instant};
    use std::{io, thread};
    use tikv_jemallocator::Jemalloc;

    /// The levels of the tree that is built, walked and dropped, and of the one whose drop delays a
    /// request.
    const LEVELS: u32 = 17;
    const LARGE: u32 = 21;
    /// The limit of an arena, in bytes.
    const LIMIT: usize = 1 << 30;
    /// The size from which glibc maps a block by itself at first.
    const MAPPED: i32 = 128 << 10;
    static CAPPED: Capped<System> = Capped::new(System, usize::MAX);
    static LOCKED: Locked<System> = Locked::new(System);

    pub fn run(two: io::Result<[usize; 2]>) -> io::Result<()> {
        // This thread is not pinned, since the processes of isolated benchmarks would inherit that.
        // They pin themselves.
        let dropper = Dropper::start(1)?;
        let mut plan = Plan::new();
        presize(&mut plan);
        page(&mut plan);
        trees(&mut plan);
        with(two.as_ref(), &["allocation_freed_by"], |cores| {
            freed_by(&mut plan, *cores);
            Ok(())
        })?;
        contended(&mut plan, &two)?;
        mixed(&mut plan, &two)?;
        pause(&mut plan, &dropper);
        plan.run()
    }

    fn pinned() -> io::Result<()> {
        cores::pin(cores::allowed()?[0])
    }

    /// Returns a batch that calls `work` once in each iteration, and drops what it returns inside
    /// the timing.
    fn timed<T>(mut work: impl FnMut() -> T) -> impl FnMut(u64) -> Duration {
        move |times| {
            let start = Instant::now();
            (0..times).for_each(|_| _ = black_box(work()));
            start.elapsed()
        }
    }

    fn presize(plan: &mut Plan<'_>) {
        let group = plan.group("allocation_presize").isolated();
        for (size, count) in [("10", 10), ("1000", 1000), ("1000000", 1_000_000)] {
            group.throughput(Throughput::Elements(count));
            group.made(("grown", size), move || {
                assert!(growth::grown(count) == growth::sized(count), "the numbers, in order");
                pinned().map(|()| timed(move || growth::grown(black_box(count))))
            });
            group.made(("sized", size), move || {
                pinned().map(|()| timed(move || growth::sized(black_box(count))))
            });
            group.made(("refilled", size), move || {
                let mut kept = growth::sized(count);
                pinned().map(|()| {
                    timed(move || {
                        growth::refilled(&mut kept, black_box(count));
                        black_box(kept.as_ptr());
                    })
                })
            });
        }
        group.again_at("sized", 10);
    }

    fn page(plan: &mut Plan<'_>) {
        let group = plan.group("allocation_page").isolated();
        let made = || {
            let entries = Entry::some(1000);
            let mut page = Page::new(entries.clone());
            let mut naive = naive::Page { entries, lines: 0 };
            assert_eq!(page.render(), naive.render());
            pinned().map(|()| (page, naive))
        };
        group.made(("made_anew", "1000"), move || {
            made().map(|(_, mut naive)| timed(move || naive.render()))
        });
        group.made(("kept", "1000"), move || {
            made().map(|(mut page, _)| timed(move || page.render().len()))
        });
        group.again("kept");
    }

    /// Clocks one phase of all trees, then the next. A tree that is dropped was built just before,
    /// and a tree that is built is dropped outside the timed region.
    ///
    /// `arena_mapped` is the arena in a process in which glibc's threshold does not move, so that
    /// each large chunk has a mapping of its own and goes back to the kernel.
    fn trees(plan: &mut Plan<'_>) {
        let group = plan.group("allocation_tree").isolated();
        group.throughput(Throughput::Elements(nodes(LEVELS)));
        let mapped = || pinned().and_then(|()| process::map_from(MAPPED));

        group.made(("boxes", "build"), || pinned().map(|()| built(boxes)));
        group.made(("vec", "build"), || pinned().map(|()| built(vec)));
        group.made(("arena", "build"), || pinned().map(|()| built(arena)));
        group.made(("arena_mapped", "build"), move || mapped().map(|()| built(arena)));
        group.made(("bumpalo", "build"), || pinned().map(|()| built(bump)));

        walked(group, "boxes", boxes, |root| root.sum());
        walked(group, "vec", vec, VecTree::sum);
        // Leaked: each process walks one tree.
        let leaked = || build_in(Box::leak(Box::new(Arena::new(LIMIT))), LEVELS);
        walked(group, "arena", leaked, |root| root.sum());
        let leaked = || build_in_bump(Box::leak(Box::new(Bump::new())));
        walked(group, "bumpalo", leaked, |root| root.sum());

        group.made(("boxes", "drop"), || pinned().map(|()| dropped(boxes)));
        group.made(("vec", "drop"), || pinned().map(|()| dropped(vec)));
        group.made(("arena", "drop"), || pinned().map(|()| dropped(arena)));
        group.made(("arena_mapped", "drop"), move || mapped().map(|()| dropped(arena)));
        group.made(("bumpalo", "drop"), || pinned().map(|()| dropped(bump)));
        group.again("boxes");
    }

    fn boxes() -> Box<BoxNode> {
        BoxNode::build(black_box(LEVELS)).expect("a root")
    }

    fn vec() -> VecTree {
        VecTree::build(black_box(LEVELS))
    }

    fn arena() -> Arena {
        let arena = Arena::new(LIMIT);
        build_in(&arena, LEVELS);
        arena
    }

    fn bump() -> Bump {
        let bump = Bump::new();
        build_in_bump(&bump);
        bump
    }

    fn build_in(arena: &Arena, levels: u32) -> &RefNode<'_> {
        RefNode::build(black_box(levels), &mut |node| arena.alloc(node))
            .expect("room")
            .expect("a root")
    }

    fn build_in_bump(bump: &Bump) -> &RefNode<'_> {
        RefNode::build(black_box(LEVELS), &mut |node| bump.try_alloc(node))
            .expect("room")
            .expect("a root")
    }

    /// Returns a batch that clocks `build`, and drops what it built outside the timing.
    fn built<T>(build: impl Fn() -> T) -> impl FnMut(u64) -> Duration {
        move |times| {
            let one = |_| {
                let start = Instant::now();
                let built = build();
                let time = start.elapsed();
                drop(black_box(built));
                time
            };
            (0..times).map(one).sum()
        }
    }

    /// Returns a batch that clocks the drop of what `build` builds outside the timing.
    fn dropped<T>(build: impl Fn() -> T) -> impl FnMut(u64) -> Duration {
        move |times| {
            let one = |_| {
                let built = black_box(build());
                let start = Instant::now();
                drop(built);
                start.elapsed()
            };
            (0..times).map(one).sum()
        }
    }

    fn walked<T: 'static>(
        group: &mut Group<'_>,
        name: &'static str,
        build: fn() -> T,
        walk: fn(&T) -> u64,
    ) {
        group.made((name, "walk"), move || {
            pinned()?;
            let tree = build();
            assert_eq!(walk(&tree), sum(LEVELS), "{name}");
            Ok(move |times| {
                let start = Instant::now();
                (0..times).for_each(|_| _ = black_box(walk(black_box(&tree))));
                start.elapsed()
            })
        });
    }

    /// Clocks blocks that another thread uses. Unit: one batch of blocks.
    fn freed_by(plan: &mut Plan<'_>, cores: [usize; 2]) {
        let group = plan.group("allocation_freed_by").flat().isolated().witnessed(cores);
        group.throughput(Throughput::Elements(BATCH as u64));
        for variant in Variant::ALL {
            let function = variant.name();
            group.bench((function, "glibc"), move |n| hand_over(&System, cores, n, variant));
            group.bench((function, "jemalloc"), move |n| hand_over(&Jemalloc, cores, n, variant));
            group.bench((function, "mimalloc"), move |n| hand_over(&MiMalloc, cores, n, variant));
        }
        group.again_at("maker", "glibc");
    }

    /// Runs a load a number of times on each of the cores at once.
    type Load = fn(&[usize], u64) -> io::Result<Duration>;

    /// Clocks blocks of which each is freed before the next is allocated. Unit: one block on each
    /// thread.
    fn contended(plan: &mut Plan<'_>, two: &io::Result<[usize; 2]>) -> io::Result<()> {
        let group = plan.group("allocation_contended").flat().isolated().at_least(1 << 17);
        let loads: [(_, Load); 4] = [
            ("glibc", |cores, n| cores::together(cores, |_| one_at_a_time(&System, n))),
            ("jemalloc", |cores, n| cores::together(cores, |_| one_at_a_time(&Jemalloc, n))),
            ("mimalloc", |cores, n| cores::together(cores, |_| one_at_a_time(&MiMalloc, n))),
            ("locked_glibc", |cores, n| cores::together(cores, |_| one_at_a_time(&LOCKED, n))),
        ];
        loaded(group, two, loads)
    }

    /// Clocks the mixed load. Unit: a table filled, changed and freed on each thread.
    fn mixed(plan: &mut Plan<'_>, two: &io::Result<[usize; 2]>) -> io::Result<()> {
        let group = plan.group("allocation_mixed").flat().isolated();
        group.throughput(Throughput::Elements((LIVE + REPLACED) as u64));
        let loads: [(_, Load); 4] = [
            ("glibc", |cores, n| churned(&System, cores, n)),
            ("jemalloc", |cores, n| churned(&Jemalloc, cores, n)),
            ("mimalloc", |cores, n| churned(&MiMalloc, cores, n)),
            ("capped_glibc", |cores, n| churned(&CAPPED, cores, n)),
        ];
        loaded(group, two, loads)
    }

    fn churned<A: GlobalAlloc + Sync>(
        allocator: &A,
        cores: &[usize],
        times: u64,
    ) -> io::Result<Duration> {
        cores::together(cores, |thread| {
            (0..times).for_each(|time| assert_eq!(churn(allocator, time << 1 ^ thread as u64), SUM))
        })
    }

    /// Registers loads on one thread, and on two at once.
    fn loaded(
        group: &mut Group<'_>,
        two: &io::Result<[usize; 2]>,
        loads: [(&'static str, Load); 4],
    ) -> io::Result<()> {
        let first = cores::allowed()?[0];
        if let Ok(two) = two {
            group.witnessed(*two);
        }
        for (name, load) in loads {
            group.bench((name, 1), move |n| load(&[first], n));
            match two {
                Ok(two) => {
                    let two = *two;
                    group.bench((name, 2), move |n| load(&two, n))
                }
                Err(reason) => group.not_possible((name, 2), reason),
            };
        }
        group.again("glibc");
        Ok(())
    }

    /// Clocks the request that happens to drop a tree of two million nodes.
    fn pause<'a>(plan: &mut Plan<'a>, dropper: &'a Dropper<Box<BoxNode>>) {
        let group = plan.group("allocation_pause").flat().isolated();
        let boxes = || BoxNode::build(LARGE).expect("a root");
        let count = nodes(LARGE);
        group.made(("boxes_here", count), move || pinned().map(|()| dropped(boxes)));
        // The queue holds one value. When it accepts a second small one, the first one is being
        // dropped, and the tree before it is gone.
        let wait = move || {
            for _ in 0..2 {
                let mut refused =
                    BoxNode::build(1).and_then(|small| dropper.hand_over(small).err());
                while let Some(small) = refused {
                    thread::yield_now();
                    refused = dropper.hand_over(small).err();
                }
            }
        };
        let elsewhere = move |n| {
            let one = |_| {
                let tree = boxes();
                let start = Instant::now();
                let refused = dropper.hand_over(tree);
                let time = start.elapsed();
                assert!(refused.is_ok(), "the thread is idle");
                wait();
                time
            };
            (0..n).map(one).sum::<Duration>()
        };
        group.made(("boxes_elsewhere", count), move || pinned().map(|()| elsewhere));
        group.made(("vec_here", count), || pinned().map(|()| dropped(|| VecTree::build(LARGE))));
        let arena = || {
            let arena = Arena::new(usize::MAX);
            build_in(&arena, LARGE);
            arena
        };
        group.made(("arena_here", count), move || pinned().map(|()| dropped(arena)));
        group.again("boxes_here");
    }
}

//! Clocks allocating and freeing: vectors and text, the phases of trees, blocks that another thread
//! frees, a mixed load per allocator, and a request that drops a large structure.
//!
//! The allocators are called by their own methods; the global allocator is the system's. All times
//! are wall times, on pinned threads.

use perf_proved::measuring::limits::two_cores;
use perf_proved_benches::not_possible;
use std::io;

fn main() -> io::Result<()> {
    if cfg!(not(target_os = "linux")) {
        let groups = ["presize", "page", "tree", "freed_by", "mixed", "pause", "aa"];
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
    use criterion::{BatchSize, BenchmarkId, Criterion, SamplingMode, Throughput};
    use mimalloc::MiMalloc;
    use perf_proved::memory::allocation::arena::Arena;
    use perf_proved::memory::allocation::capped::Capped;
    use perf_proved::memory::allocation::dropper::Dropper;
    use perf_proved::memory::allocation::experiment::churn::{LIVE, REPLACED, SUM, churn};
    use perf_proved::memory::allocation::experiment::remote_free::{BATCH, hand_over};
    use perf_proved::memory::allocation::page::{Entry, Page};
    use perf_proved::memory::allocation::tree::{BoxNode, RefNode, VecTree, nodes, sum};
    use perf_proved::memory::allocation::variants::Variant;
    use perf_proved::memory::allocation::{growth, naive};
    use perf_proved::sys::cores;
    use perf_proved_benches::{not_possible, with};
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
    static CAPPED: Capped<System> = Capped::new(System, usize::MAX);

    pub fn run(two: io::Result<[usize; 2]>) -> io::Result<()> {
        // Started before this thread is pinned, so that it may run on another core.
        let dropper = Dropper::start(1)?;
        cores::pin(cores::allowed()?[0])?;
        let mut criterion = Criterion::default().configure_from_args();
        presize(&mut criterion);
        page(&mut criterion);
        trees(&mut criterion);
        with(two.as_ref(), &["allocation_freed_by"], |cores| freed_by(&mut criterion, *cores))?;
        mixed(&mut criterion, &two)?;
        pause(&mut criterion, &dropper);
        noise(&mut criterion);
        criterion.final_summary();
        Ok(())
    }

    fn presize(criterion: &mut Criterion) {
        let mut group = criterion.benchmark_group("allocation_presize");
        for (size, count) in [("10", 10), ("1000", 1000), ("1000000", 1_000_000)] {
            let mut kept = growth::sized(count);
            assert!(growth::grown(count) == kept, "the numbers, in order");
            group.throughput(Throughput::Elements(count));
            let id = |function| BenchmarkId::new(function, size);
            group.bench_function(id("grown"), |b| b.iter(|| growth::grown(black_box(count))));
            group.bench_function(id("sized"), |b| b.iter(|| growth::sized(black_box(count))));
            group.bench_function(id("refilled"), |b| {
                b.iter(|| {
                    growth::refilled(&mut kept, black_box(count));
                    black_box(kept.as_ptr());
                });
            });
        }
        group.finish();
    }

    fn page(criterion: &mut Criterion) {
        let entries = Entry::some(1000);
        let mut page = Page::new(entries.clone());
        let mut naive = naive::Page { entries, lines: 0 };
        assert_eq!(page.render(), naive.render());
        let mut group = criterion.benchmark_group("allocation_page");
        group.bench_function(BenchmarkId::new("made_anew", "1000"), |b| b.iter(|| naive.render()));
        group.bench_function(BenchmarkId::new("kept", "1000"), |b| b.iter(|| page.render().len()));
        group.finish();
    }

    /// Clocks one phase of all trees, then the next. A tree that is dropped was built just before,
    /// and a tree that is built is dropped outside the timed region.
    fn trees(criterion: &mut Criterion) {
        let mut group = criterion.benchmark_group("allocation_tree");
        group.throughput(Throughput::Elements(nodes(LEVELS)));
        let boxes = || BoxNode::build(black_box(LEVELS)).expect("a root");
        let vec = || VecTree::build(black_box(LEVELS));
        let arena = || {
            let arena = Arena::new(LIMIT);
            build_in(&arena, LEVELS);
            arena
        };
        let bump = || {
            let bump = Bump::new();
            build_in_bump(&bump);
            bump
        };

        group.bench_function(BenchmarkId::new("boxes", "build"), |b| {
            b.iter_custom(|n| build(n, boxes))
        });
        group
            .bench_function(BenchmarkId::new("vec", "build"), |b| b.iter_custom(|n| build(n, vec)));
        group.bench_function(BenchmarkId::new("arena", "build"), |b| {
            b.iter_custom(|n| build(n, arena))
        });
        group.bench_function(BenchmarkId::new("bumpalo", "build"), |b| {
            b.iter_custom(|n| build(n, bump))
        });

        let (in_boxes, in_vec, in_arena, in_bump) =
            (boxes(), vec(), Arena::new(LIMIT), Bump::new());
        let (root, bump_root) = (build_in(&in_arena, LEVELS), build_in_bump(&in_bump));
        let sums = [in_boxes.sum(), in_vec.sum(), root.sum(), bump_root.sum()];
        assert_eq!(sums, [sum(LEVELS); 4]);
        group.bench_function(BenchmarkId::new("boxes", "walk"), |b| {
            b.iter(|| black_box(&in_boxes).sum())
        });
        group.bench_function(BenchmarkId::new("vec", "walk"), |b| {
            b.iter(|| black_box(&in_vec).sum())
        });
        group.bench_function(BenchmarkId::new("arena", "walk"), |b| {
            b.iter(|| black_box(root).sum())
        });
        group.bench_function(BenchmarkId::new("bumpalo", "walk"), |b| {
            b.iter(|| black_box(bump_root).sum())
        });

        group.bench_function(BenchmarkId::new("boxes", "drop"), |b| {
            b.iter_batched(boxes, drop, BatchSize::PerIteration)
        });
        group.bench_function(BenchmarkId::new("vec", "drop"), |b| {
            b.iter_batched(vec, drop, BatchSize::PerIteration)
        });
        group.bench_function(BenchmarkId::new("arena", "drop"), |b| {
            b.iter_batched(arena, drop, BatchSize::PerIteration)
        });
        group.bench_function(BenchmarkId::new("bumpalo", "drop"), |b| {
            b.iter_batched(bump, drop, BatchSize::PerIteration)
        });
        group.finish();
    }

    fn build<T>(times: u64, build: impl Fn() -> T) -> Duration {
        let one = |_| {
            let start = Instant::now();
            let built = build();
            let time = start.elapsed();
            drop(black_box(built));
            time
        };
        (0..times).map(one).sum()
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

    /// Clocks blocks that another thread uses. Unit: one batch of blocks.
    fn freed_by(criterion: &mut Criterion, cores: [usize; 2]) -> io::Result<()> {
        let mut group = criterion.benchmark_group("allocation_freed_by");
        group.sampling_mode(SamplingMode::Flat).throughput(Throughput::Elements(BATCH as u64));
        let mut bench = |function, name, run: &dyn Fn(u64) -> io::Result<Duration>| {
            run(100)?; // checks its blocks
            let id = BenchmarkId::new(function, name);
            group.bench_function(id, |b| b.iter_custom(|n| run(n).expect("it ran before")));
            io::Result::Ok(())
        };
        for variant in Variant::ALL {
            let function = variant.name();
            bench(function, "glibc", &|n| hand_over(&System, cores, n, variant))?;
            bench(function, "jemalloc", &|n| hand_over(&Jemalloc, cores, n, variant))?;
            bench(function, "mimalloc", &|n| hand_over(&MiMalloc, cores, n, variant))?;
        }
        group.finish();
        Ok(())
    }

    /// Clocks the mixed load. Unit: a table filled, changed and freed on each thread.
    fn mixed(criterion: &mut Criterion, two: &io::Result<[usize; 2]>) -> io::Result<()> {
        let mut group = criterion.benchmark_group("allocation_mixed");
        group
            .sampling_mode(SamplingMode::Flat)
            .throughput(Throughput::Elements((LIVE + REPLACED) as u64));
        let first = cores::allowed()?[0];
        for threads in ["1", "2"] {
            let cores = match two {
                _ if threads == "1" => &[first][..],
                Ok(two) => two,
                Err(reason) => {
                    for function in ["glibc", "jemalloc", "mimalloc", "capped_glibc"] {
                        not_possible(
                            &format!("allocation_mixed/{function}/{threads}"),
                            &reason.to_string(),
                        )?;
                    }
                    continue;
                }
            };
            group.bench_function(BenchmarkId::new("glibc", threads), |b| {
                b.iter_custom(|n| churned(&System, cores, n))
            });
            group.bench_function(BenchmarkId::new("jemalloc", threads), |b| {
                b.iter_custom(|n| churned(&Jemalloc, cores, n))
            });
            group.bench_function(BenchmarkId::new("mimalloc", threads), |b| {
                b.iter_custom(|n| churned(&MiMalloc, cores, n))
            });
            group.bench_function(BenchmarkId::new("capped_glibc", threads), |b| {
                b.iter_custom(|n| churned(&CAPPED, cores, n))
            });
        }
        group.finish();
        Ok(())
    }

    fn churned<A: GlobalAlloc + Sync>(allocator: &A, cores: &[usize], times: u64) -> Duration {
        let work = |thread: usize| {
            (0..times).for_each(|time| assert_eq!(churn(allocator, time << 1 ^ thread as u64), SUM))
        };
        cores::together(cores, work).expect("these cores are there")
    }

    /// Clocks the request that happens to drop a tree of two million nodes.
    fn pause(criterion: &mut Criterion, dropper: &Dropper<Box<BoxNode>>) {
        let mut group = criterion.benchmark_group("allocation_pause");
        group.sampling_mode(SamplingMode::Flat);
        let boxes = || BoxNode::build(LARGE).expect("a root");
        let id = |function| BenchmarkId::new(function, nodes(LARGE));
        group.bench_function(id("boxes_here"), |b| {
            b.iter_batched(boxes, drop, BatchSize::PerIteration)
        });
        // The queue holds one value. When it accepts a second small one, the first one is being
        // dropped, and the tree before it is gone.
        let wait = || {
            for _ in 0..2 {
                let mut refused =
                    BoxNode::build(1).and_then(|small| dropper.hand_over(small).err());
                while let Some(small) = refused {
                    thread::yield_now();
                    refused = dropper.hand_over(small).err();
                }
            }
        };
        group.bench_function(id("boxes_elsewhere"), |b| {
            b.iter_custom(|n| {
                let one = |_| {
                    let tree = boxes();
                    let start = Instant::now();
                    let refused = dropper.hand_over(tree);
                    let time = start.elapsed();
                    assert!(refused.is_ok(), "the thread is idle");
                    wait();
                    time
                };
                (0..n).map(one).sum()
            });
        });
        let vec = || VecTree::build(LARGE);
        group
            .bench_function(id("vec_here"), |b| b.iter_batched(vec, drop, BatchSize::PerIteration));
        let arena = || {
            let arena = Arena::new(usize::MAX);
            build_in(&arena, LARGE);
            arena
        };
        group.bench_function(id("arena_here"), |b| {
            b.iter_batched(arena, drop, BatchSize::PerIteration)
        });
        group.finish();
    }

    /// Runs the same code twice: boxes, whose addresses the allocator chooses.
    fn noise(criterion: &mut Criterion) {
        let mut group = criterion.benchmark_group("allocation_aa");
        for function in ["first", "second"] {
            group.bench_function(function, |b| {
                b.iter_custom(|n| build(n, || BoxNode::build(black_box(LEVELS))));
            });
        }
        group.finish();
    }
}

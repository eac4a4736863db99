//! Counts what allocating takes, and what becomes of the memory: vectors, pages of text and trees
//! by the allocator, resident memory and limits by the kernel. Whatever would change its process is
//! tried in one of its own.
//!
//!     cargo run --release --example allocation
//!     cargo run --release --example allocation -- --only capped_push     # one of the processes: how a limit ends it
//!     strace -c target/release/examples/allocation --only medium_freed

use perf_proved::memory::allocation::capped::Capped;
use perf_proved::proof::allocations::Counting;

#[global_allocator]
static ALLOCATOR: Capped<Counting> = Capped::new(Counting, usize::MAX);

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    linux::main()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!(
        "This example asks Linux's kernel how much is resident; on this system there is nobody to ask."
    );
}

#[cfg(target_os = "linux")]
mod linux {
    use super::ALLOCATOR;
    use perf_proved::harness::child::{self, End};
    use perf_proved::harness::flags::Example;
    use perf_proved::harness::report::{Report, Value};
    use perf_proved::memory::allocation::arena::{Arena, Full};
    use perf_proved::memory::allocation::page::{Entry, Page};
    use perf_proved::memory::allocation::tree::{self, BoxNode, RefNode, VecTree};
    use perf_proved::memory::allocation::{growth, naive, process};
    use perf_proved::proof::allocations::count;
    use perf_proved::proof::syscalls::trace;
    use perf_proved::proof::{resident, usage};
    use std::hint::black_box;
    use std::io;
    use std::mem;
    use std::process::ExitCode;
    use std::thread;

    const MIB: usize = 1 << 20;
    const FILLED: usize = 64 * MIB;
    const LIMIT: usize = 65 * MIB;
    const LEVELS: u32 = 16;

    pub fn main() -> ExitCode {
        Example::new("Counts the allocations, page faults and resident memory of trees, vectors and handed-over blocks.").variants(&EXPERIMENTS.map(|(name, _)| name)).run(|flags| match flags.only {
            None => compare(flags.json),
            Some(name) => {
                let (_, experiment) =
                    EXPERIMENTS.into_iter().find(|(known, _)| *known == name).expect("one of them");
                child::print(&experiment()?);
                Ok(ExitCode::SUCCESS)
            }
        })
    }

    fn compare(json: bool) -> io::Result<ExitCode> {
        let mut report = Report::new("What allocating takes, and what becomes of the memory");
        vectors(&mut report);
        text(&mut report);
        trees(&mut report);
        for (name, _) in EXPERIMENTS {
            let end = child::row(
                &mut report,
                name,
                &["resident_full", "resident_freed", "resident_trimmed"],
            )?;
            report.promise(
                &format!("{name} does not fail"),
                end == End::Exit(0) || name == "capped_push",
            );
        }
        Ok(report.finish(json))
    }

    /// Counts the allocations of `work`, as one row.
    fn row<T>(report: &mut Report, variant: &str, work: impl FnOnce() -> T) -> T {
        let (result, made) = count(work);
        report.set(variant, "allocations", made.calls);
        report.set(variant, "bytes", Value::Bytes(made.bytes));
        report.set(variant, "peak", Value::Bytes(made.peak));
        result
    }

    fn vectors(report: &mut Report) {
        for (size, count) in [("10", 10), ("1000", 1000), ("1M", 1_000_000)] {
            let mut numbers =
                row(report, &format!("grown_{size}"), || growth::grown(black_box(count)));
            row(report, &format!("refilled_{size}"), || {
                growth::refilled(&mut numbers, black_box(count))
            });
            row(report, &format!("sized_{size}"), || growth::sized(black_box(count)));
        }
        let mut numbers = growth::sized(1000);
        drop(mem::take(&mut numbers)); // an empty vector is what is left, and its capacity is none
        row(report, "taken_1000", || growth::refilled(&mut numbers, black_box(1000)));
        row(report, "collected_1000", || (0..black_box(1000_u64)).collect::<Vec<_>>());
        let even = |number: &u64| number.is_multiple_of(2);
        row(report, "filtered_1000", || (0..black_box(2000_u64)).filter(even).collect::<Vec<_>>());
        let boxes = || (0..1000).for_each(|number| drop(black_box(Box::new(number))));
        report.set("boxes_1000", "allocations", count(boxes).1.calls);
        let calls = trace(boxes).map_or_else(Value::from, |((), calls)| calls.total().into());
        report.set("boxes_1000", "syscalls", calls);
    }

    fn text(report: &mut Report) {
        let mut left = String::with_capacity(16);
        left.push_str("left");
        row(report, "left_plus_right", || left + " and right");
        let entries = Entry::some(1000);
        let mut page = Page::new(entries.clone());
        let mut made_anew = naive::Page { entries, lines: 0 };
        let text = row(report, "page_naive", || made_anew.render());
        row(report, "page_first", || page.render().len());
        let same = row(report, "page_again", || page.render() == text);
        report.promise("both pages read the same", same);
    }

    fn trees(report: &mut Report) {
        let boxes = row(report, "tree_of_boxes", || BoxNode::build(LEVELS).map(|root| root.sum()));
        let vec = row(report, "tree_in_a_vec", || VecTree::build(LEVELS).sum());
        let arena = row(report, "tree_in_an_arena", || {
            let arena = Arena::new(64 * MIB);
            RefNode::build(LEVELS, &mut |node| arena.alloc(node)).map(|root| root.map(RefNode::sum))
        });
        let sum = tree::sum(LEVELS);
        report.promise(
            "all trees hold the same",
            (boxes, vec, arena) == (Some(sum), sum, Ok(Some(sum))),
        );
    }

    /// What was found, by its name.
    type Found = io::Result<Vec<(&'static str, u64)>>;
    type Experiment = (&'static str, fn() -> Found);

    /// What is tried in a process of its own.
    const EXPERIMENTS: [Experiment; 16] = [
        ("small_freed", || freed(64, |_| false)),
        ("medium_freed", || freed(1000, |_| false)),
        ("medium_freed_but_last", || freed(1000, |number| number == FILLED / 1000 - 1)),
        ("medium_one_in_64KiB", || freed(1000, |number| number.is_multiple_of(64))),
        ("medium_one_in_4KiB", || freed(1000, |number| number.is_multiple_of(4))),
        ("large_freed", || freed(MIB, |_| false)),
        ("fresh_buffers", || fresh_buffers(None)),
        ("fresh_buffers_mapped", || fresh_buffers(Some(128 << 10))),
        ("watched", watched),
        ("capped_serve", capped_serve),
        ("capped_reserve", capped_reserve),
        ("capped_push", capped_push),
        ("address_space_reserve", address_space_reserve),
        ("address_space_spawn", address_space_spawn),
        ("overcommit", overcommit),
        ("control_group", control_group),
    ];

    // ANCHOR: freed
    /// Fills 64 MiB with blocks, frees all but those that `kept` names, and asks the kernel what is
    /// resident of it.
    fn freed(size: usize, kept: fn(usize) -> bool) -> Found {
        let mut blocks: Vec<Option<Box<[u8]>>> = (0..FILLED / size).map(|_| None).collect();
        let before = resident::now()?;
        let grown = || Ok::<_, io::Error>(resident::now()?.saturating_sub(before));
        blocks.iter_mut().for_each(|block| *block = Some(vec![1; size].into()));
        let full = grown()?;
        blocks
            .iter_mut()
            .enumerate()
            .filter(|(number, _)| !kept(*number))
            .for_each(|(_, block)| *block = None);
        let mut found = vec![("resident_full", full), ("resident_freed", grown()?)];
        // Another C library than GNU's has no such call, and its heaps are other ones.
        if process::trim().is_ok() {
            found.push(("resident_trimmed", grown()?));
        }
        Ok(found)
    }
    // ANCHOR_END: freed

    /// The page faults of 100 requests with a fresh buffer of 1 MiB each.
    fn fresh_buffers(map_from: Option<i32>) -> Found {
        map_from.map_or(Ok(()), process::map_from)?;
        let ((), used) = usage::count(|| {
            (0..100).for_each(|_| drop(black_box(vec![1_u8; MIB])));
            Ok(())
        })?;
        Ok(vec![("page_faults", used.minor_faults)])
    }

    /// Keeps 1 MiB of each request, under a limit of 65 MiB that is looked at once in 64 of them.
    fn watched() -> Found {
        let limit = resident::now()? + LIMIT as u64;
        Ok(vec![("bytes_beyond", naive::serve(limit, 64, 256, || vec![1_u8; MIB])?)])
    }

    // ANCHOR: capped_serve
    /// The same under a cap: who asks with `try_reserve_exact` is told, and can answer so. A little
    /// stays for those who do not.
    fn capped_serve() -> Found {
        let limit = resident::now()? + LIMIT as u64;
        ALLOCATOR.budget().set_limit(ALLOCATOR.budget().live() + LIMIT + MIB / 2);
        let request = |_| {
            let mut bytes = Vec::new();
            bytes.try_reserve_exact(MIB).ok()?; // "503 Service Unavailable"
            bytes.resize(MIB, 1_u8);
            Some(bytes)
        };
        let mut kept = [const { None }; 256];
        kept.iter_mut().enumerate().for_each(|(number, place)| *place = request(number));
        let beyond = resident::peak()?.saturating_sub(limit);
        Ok(vec![("served", kept.iter().flatten().count() as u64), ("bytes_beyond", beyond)])
    }
    // ANCHOR_END: capped_serve

    fn reserve(too_much: usize) -> Found {
        let mut bytes = Vec::<u8>::new();
        let refused = bytes.try_reserve(too_much).is_err();
        let served = bytes.try_reserve(32 * MIB).is_ok();
        let full = Arena::new(usize::MAX).alloc_slice(&vec![0_u8; too_much / 2]) == Err(Full);
        Ok(vec![
            ("refused", refused.into()),
            ("arena_full", full.into()),
            ("served_then", served.into()),
        ])
    }

    fn capped_reserve() -> Found {
        ALLOCATOR.budget().set_limit(80 * MIB);
        reserve(81 * MIB)
    }

    fn capped_push() -> Found {
        ALLOCATOR.budget().set_limit(80 * MIB);
        let mut bytes = Vec::new();
        loop {
            bytes.extend_from_slice(&[1_u8; 4096]);
        }
    }

    fn address_space_reserve() -> Found {
        process::limit_address_space(256 << 20)?;
        reserve(300 * MIB)
    }

    /// Threads that do nothing, with 8 MiB of address space for the stack of each, as C's have.
    fn address_space_spawn() -> Found {
        process::limit_address_space(256 << 20)?;
        let start = |_| thread::Builder::new().stack_size(8 * MIB).spawn(thread::park).ok();
        let threads: Vec<_> = (0..256).map_while(start).collect();
        let resident = resident::now()?;
        threads.iter().for_each(|thread| thread.thread().unpark());
        Ok(vec![("threads", threads.len() as u64), ("bytes_resident", resident)])
    }

    fn overcommit() -> Found {
        let before = resident::now()?;
        let mut bytes = Vec::<u8>::new();
        let reserved = bytes.try_reserve(20 << 30).map_or(0, |()| bytes.capacity() as u64);
        Ok(vec![
            ("bytes_reserved", reserved),
            ("bytes_resident", resident::now()?.saturating_sub(before)),
        ])
    }

    /// Is promised 64 MiB and touches them in a group that may have 32 MiB, as a forked process,
    /// since it may not survive.
    fn control_group() -> Found {
        let mut bytes = Vec::<u8>::with_capacity(FILLED);
        let ended = process::Group::new(32 << 20).and_then(|group| {
            let touch = || {
                let joined = group.join();
                bytes
                    .spare_capacity_mut()
                    .iter_mut()
                    .step_by(4096)
                    .for_each(|byte| _ = black_box(byte.write(1)));
                i32::from(joined.is_err())
            };
            // SAFETY: the child writes to a file that is open, then to memory that it has: no lock,
            // no allocation.
            unsafe { child::end_of(touch) }
        });
        match ended {
            Ok(End::Signal(signal)) => return Ok(vec![("signal", signal as u64)]),
            Ok(End::Exit(0)) => return Ok(vec![("signal", 0)]),
            Ok(End::Exit(_)) => eprintln!("a process may not join the group"),
            Err(reason) => eprintln!("{reason}"),
        }
        Ok(vec![])
    }
}

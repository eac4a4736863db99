//! Counts allocations of vectors, text and trees, and asks the kernel what becomes of freed memory
//! and of limits. Whatever changes its process runs in one of its own.
//!
//!     cargo run --release --example allocation
//!     cargo run --release --example allocation -- --only capped_push     # the end of a process at its limit
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
    println!("This example reads resident memory from Linux's /proc, which this system lacks.");
}

#[cfg(target_os = "linux")]
mod linux {
    use super::ALLOCATOR;
    use perf_proved::harness::child::{self, End};
    use perf_proved::harness::flags::Example;
    use perf_proved::harness::report::{Report, Value};
    use perf_proved::memory::allocation::arena::Arena;
    use perf_proved::memory::allocation::experiment::processes::EXPERIMENTS;
    use perf_proved::memory::allocation::page::{Entry, Page};
    use perf_proved::memory::allocation::tree::{self, BoxNode, RefNode, VecTree};
    use perf_proved::memory::allocation::{growth, naive};
    use perf_proved::proof::allocations::count;
    use perf_proved::proof::syscalls::trace;
    use std::hint::black_box;
    use std::io;
    use std::mem;
    use std::process::ExitCode;

    const MIB: usize = 1 << 20;
    const LEVELS: u32 = 16;

    pub fn main() -> ExitCode {
        Example::new("Counts allocations, and the memory that stays resident or is refused.")
            .variants(&EXPERIMENTS.map(|(name, _)| name))
            .run(|flags| match flags.only {
                None => compare(flags.json),
                Some(name) => run_here(&name),
            })
    }

    fn compare(json: bool) -> io::Result<ExitCode> {
        let mut report = Report::new("Allocations, and what becomes of the memory");
        vectors(&mut report);
        text(&mut report);
        trees(&mut report);
        for (name, _) in EXPERIMENTS {
            let columns = ["resident_full", "resident_freed", "resident_trimmed"];
            let end = report.attempt(name, &[], |report| child::row(report, name, &columns));
            let fine = end.map(|end| end == End::Exit(0) || name == "capped_push");
            report.promise(&format!("{name} does not fail"), fine);
        }
        Ok(report.finish(json))
    }

    /// Runs one experiment in this process, for the parent that reads what it prints.
    fn run_here(name: &str) -> io::Result<ExitCode> {
        let (_, experiment) =
            EXPERIMENTS.into_iter().find(|(known, _)| *known == name).expect("checked by Example");
        child::print(&experiment(ALLOCATOR.budget())?);
        Ok(ExitCode::SUCCESS)
    }

    /// Counts the allocations of `work` as one row.
    fn row<T>(report: &mut Report, variant: &str, work: impl FnOnce() -> T) -> T {
        let (result, made) = count(work);
        report.set(variant, "allocations", made.calls);
        report.set(variant, "bytes", Value::Bytes(made.bytes));
        report.set(variant, "peak", Value::Bytes(made.peak));
        result
    }

    fn vectors(report: &mut Report) {
        for (size, count) in [("10", 10), ("1000", 1000), ("1M", 1_000_000)] {
            let grown = || growth::grown(black_box(count));
            let mut numbers = row(report, &format!("grown_{size}"), grown);
            let refilled = || growth::refilled(&mut numbers, black_box(count));
            row(report, &format!("refilled_{size}"), refilled);
            row(report, &format!("sized_{size}"), || growth::sized(black_box(count)));
        }
        let mut numbers = growth::sized(1000);
        drop(mem::take(&mut numbers)); // leaves an empty vector without capacity
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
        let mut naive = naive::Page { entries, lines: 0 };
        let text = row(report, "page_naive", || naive.render());
        row(report, "page_first", || page.render().len());
        let same = row(report, "page_again", || page.render() == text);
        report.promise("both pages have the same text", same);
    }

    fn trees(report: &mut Report) {
        let boxes = row(report, "tree_of_boxes", || BoxNode::build(LEVELS).map(|root| root.sum()));
        let vec = row(report, "tree_in_a_vec", || VecTree::build(LEVELS).sum());
        let arena = row(report, "tree_in_an_arena", || {
            let arena = Arena::new(64 * MIB);
            RefNode::build(LEVELS, &mut |node| arena.alloc(node)).map(|root| root.map(RefNode::sum))
        });
        let sum = tree::sum(LEVELS);
        let same = (boxes, vec, arena) == (Some(sum), sum, Ok(Some(sum)));
        report.promise("all trees hold the same numbers", same);
    }
}

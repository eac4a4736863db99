//! Clocks cache lines: two cores that write to one line or to two, counters of several designs, a
//! reader beside a writer, and walks that leave parts of a line unused.
//!
//! Each group is one figure. Probes return the time of their units without set-up, as those of
//! `limits` do, and check their own sums. The two cores are physical ones, as far as the kernel can
//! tell. Times are wall times, except for `alone`. Memory is in pages of 4 KiB.

use criterion::Throughput;
use perf_proved::measuring::limits::lines;
use perf_proved::memory::cache_lines::experiment::gather::{Gather, nothing, rounds};
use perf_proved::memory::cache_lines::experiment::walks::{Matrix, Strided};
use perf_proved::memory::cache_lines::prefetch::can_prefetch;
use perf_proved::memory::cache_lines::two_cores;
use perf_proved::memory::cache_lines::variants::Variant;
use perf_proved::sys::{caches, cores};
use perf_proved_benches::{Clock, Group, Plan, bytes, not_possible, size, with};
use std::hint::black_box;
use std::io;
use std::time::{Duration, Instant};

const MIB: usize = 1 << 20;
/// The units that a probe of two threads runs at least. Starting and stopping the threads is then a
/// small part of it, even while criterion starts with one unit.
const MANY: u64 = 1 << 17;

fn main() -> io::Result<()> {
    let mut plan = Plan::new();
    two(&mut plan)?;
    strides(&mut plan);
    matrix(&mut plan);
    cached(&mut plan);
    prefetch(&mut plan)?;
    plan.run()
}

/// Registers the groups that need two cores, or stores the reason why it cannot.
fn two(plan: &mut Plan<'_>) -> io::Result<()> {
    let two = two_cores();
    with(two.as_ref(), &["cache_lines_distance", "cache_lines_readers"], |two| {
        two.doubt.iter().for_each(|doubt| eprintln!("cache_lines: {doubt}"));
        distance(plan, two.cores);
        readers(plan, two.cores);
        Ok(())
    })?;
    counters(plan, two.map(|two| two.cores).map_err(|error| error.to_string()))
}

/// Returns the CPU time of a probe that runs alone. Probes of two cores do not count slices in
/// which one of them was descheduled, so this one must not either.
fn alone(times: u64, probe: impl Fn(u64) -> Duration) -> Duration {
    let taken = Clock::Thread.taken(|| _ = probe(times));
    taken.cpu.unwrap_or(taken.wall)
}

/// Adds on one core while the other core adds at a distance.
fn distance(plan: &mut Plan<'_>, cores: [usize; 2]) {
    let group = plan.group("cache_lines_distance").flat().witnessed(cores).at_least(MANY);
    for distance in [8, 16, 32, 64, 128, 256] {
        group.bench(("beside", size(distance)), move |n| lines::add_beside(cores, distance, n));
    }
    group.bench(("alone", size(8)), |n| alone(n, lines::add_alone));
    group.again_at("beside", size(8));
}

/// Adds by each variant, on one thread and on two at once.
fn counters(plan: &mut Plan<'_>, two: Result<[usize; 2], String>) -> io::Result<()> {
    let one = match cores::allowed() {
        Ok(allowed) => [allowed[0]],
        Err(error) => return not_possible("cache_lines_counters", &error.to_string()),
    };
    let group = plan.group("cache_lines_counters").flat().at_least(MANY);
    if let Ok(two) = two {
        group.witnessed(two);
    }
    for variant in Variant::ALL {
        let name = variant.name();
        group.bench((name, 1), move |n| variant.additions(&one, n));
        match two.clone() {
            Ok(two) => group.bench((name, 2), move |n| variant.additions(&two, n)),
            Err(reason) => group.not_possible((name, 2), reason),
        };
    }
    group.again("array");
    Ok(())
}

/// Loads a word that no thread writes: alone, in the line of a counter that another core adds to,
/// and in another line.
fn readers(plan: &mut Plan<'_>, cores: [usize; 2]) {
    let group = plan.group("cache_lines_readers").flat().witnessed(cores).at_least(MANY);
    let beside = move |distance, loads: u64| {
        let units = loads.div_ceil(lines::LOADS);
        let time = lines::read_beside(cores, distance, units)?;
        io::Result::Ok(time.mul_f64(loads as f64 / (units * lines::LOADS) as f64))
    };
    group.bench("alone", |n| alone(n, lines::read_alone));
    group.bench("same_line", move |n| beside(8, n));
    group.bench("separate_lines", move |n| beside(128, n));
    group.again("same_line");
}

/// Walks through 256 MiB with several strides; the unit is one load.
fn strides(plan: &mut Plan<'_>) {
    let group = plan.group("cache_lines_stride").throughput(Throughput::Elements(1));
    for stride in [8, 16, 32, 64, 256, 1024, 4096] {
        group.made(("load", size(stride)), move || {
            let mut walk = Strided::new(256 * MIB, stride)?;
            Ok(move |n| walk.loads(n))
        });
    }
    group.again_at("load", size(64));
}

/// Adds up a square matrix by rows and by columns, then transposes it; the unit is one pass.
fn matrix(plan: &mut Plan<'_>) {
    let sides = [64, 1024, 4096];
    let group = plan.group("cache_lines_matrix").flat();
    for side in sides {
        both_ways(group, &size(side * side * size_of::<u64>()), side);
    }
    group.again("columns");

    let group = plan.group("cache_lines_transpose").flat();
    for side in &sides[1..] {
        let side = *side;
        let length = side * side * size_of::<u64>();
        group.throughput(bytes(length));
        type New = fn(usize) -> io::Result<Matrix>;
        let variants: [(_, _, New); 4] = [
            ("whole", side, Matrix::new),
            ("blocks", 16, Matrix::new),
            ("whole_padded", side, Matrix::padded),
            ("blocks_padded", 16, Matrix::padded),
        ];
        for (name, block, new) in variants {
            group.made((name, size(length)), move || {
                let (from, mut to) = (new(side)?, new(side)?);
                from.transpose(block, &mut to);
                let last = side - 1;
                assert!((0..side).all(|at| to.at(at, last - at) == from.at(last - at, at)));
                Ok(timed(move || from.transpose(block, &mut to)))
            });
        }
    }
    group.again("blocks");
}

/// Adds up a matrix that takes at most half of the first cache, by rows and by columns.
fn cached(plan: &mut Plan<'_>) {
    let group = plan.group("cache_lines_cached").flat();
    match caches::size(1) {
        Ok(cache) => both_ways(group, "half_L1", (cache / 2 / size_of::<u64>()).isqrt() / 8 * 8),
        Err(reason) => {
            for function in ["rows", "columns"] {
                group.not_possible((function, "half_L1"), &reason);
            }
        }
    }
    group.again("columns");
}

/// Registers both walks through a matrix. The unit is one pass.
fn both_ways(group: &mut Group<'_>, parameter: &str, side: usize) {
    group.throughput(bytes(side * side * size_of::<u64>()));
    for (name, walk) in
        [("rows", Matrix::by_rows as fn(&Matrix) -> u64), ("columns", Matrix::by_columns)]
    {
        group.made((name, parameter), move || {
            let matrix = Matrix::new(side)?;
            let words = (side * side) as u64;
            assert_eq!(walk(&matrix), words * (words - 1) / 2);
            Ok(timed(move || walk(&matrix)))
        });
    }
}

/// Returns a batch that calls `work` once in each iteration.
fn timed<T>(mut work: impl FnMut() -> T) -> impl FnMut(u64) -> Duration {
    move |times| {
        let start = Instant::now();
        (0..times).for_each(|_| _ = black_box(work()));
        start.elapsed()
    }
}

/// Reads lines of 256 MiB in an order that is known in advance, with and without prefetching 16
/// lines ahead.
fn prefetch(plan: &mut Plan<'_>) -> io::Result<()> {
    if let Err(error) = can_prefetch() {
        return not_possible("cache_lines_prefetch", &error.to_string());
    }
    let group = plan.group("cache_lines_prefetch").throughput(Throughput::Elements(1));
    macro_rules! lines {
        ($name:literal, $random:literal, $prefetch:literal, $work:expr) => {
            group.made($name, || {
                let mut lines = Gather::new(256 * MIB, $random)?;
                Ok(move |n| lines.lines::<$prefetch>(n, $work))
            });
        };
    }
    lines!("in_order", false, false, nothing);
    lines!("in_order_prefetched", false, true, nothing);
    lines!("random", true, false, nothing);
    lines!("random_prefetched", true, true, nothing);
    lines!("random_work", true, false, rounds);
    lines!("random_work_prefetched", true, true, rounds);
    group.again("random_work_prefetched");
    Ok(())
}

//! Clocks cache lines: two cores that write to one line or to two, counters of several designs, a
//! reader beside a writer, and walks that leave parts of a line unused.
//!
//! Each group is one figure. Probes return the time of their units without set-up, as those of
//! `limits` do, and check their own sums. The two cores are physical ones, as far as the kernel can
//! tell. Times are wall times, except for `alone`.

use criterion::measurement::Measurement;
use criterion::{
    BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main,
};
use perf_proved::measuring::limits::lines;
use perf_proved::memory::cache_lines::experiment::gather::{Gather, nothing, rounds};
use perf_proved::memory::cache_lines::experiment::walks::{Matrix, Strided};
use perf_proved::memory::cache_lines::prefetch::can_prefetch;
use perf_proved::memory::cache_lines::two_cores;
use perf_proved::memory::cache_lines::variants::Variant;
use perf_proved::sys::cores;
use perf_proved_benches::{ThreadTime, bytes, not_possible, size, with};
use std::io;
use std::time::Duration;

const MIB: usize = 1 << 20;

fn cache_lines(criterion: &mut Criterion) {
    two(criterion).unwrap();
    strides(criterion).unwrap();
    matrix(criterion).unwrap();
    prefetch(criterion).unwrap();
}

/// Runs the groups that need two cores, or stores the reason why it cannot.
fn two(criterion: &mut Criterion) -> io::Result<()> {
    let two = two_cores();
    with(
        two.as_ref(),
        &["cache_lines_distance", "cache_lines_readers", "cache_lines_aa"],
        |two| {
            two.doubt.iter().for_each(|doubt| eprintln!("cache_lines: {doubt}"));
            distance(criterion, two.cores);
            readers(criterion, two.cores);
            noise(criterion, two.cores);
            Ok(())
        },
    )?;
    counters(criterion, two.map(|two| two.cores).map_err(|error| error.to_string()))
}

/// Runs `probe` for at least 2¹⁷ units, a multiple of [`lines::LOADS`], and scales the time to the
/// `times` units that criterion asked for. Starting and stopping two threads is then a small part
/// of it, even while criterion starts with one unit.
fn many(times: u64, probe: impl Fn(u64) -> io::Result<Duration>) -> Duration {
    let made = times.max(1 << 17).next_multiple_of(lines::LOADS);
    probe(made).expect("both cores may be used").mul_f64(times as f64 / made as f64)
}

/// Returns the CPU time of a probe that runs alone. Probes of two cores do not count slices in
/// which one of them was descheduled, so this one must not either.
fn alone(times: u64, probe: impl Fn(u64) -> Duration) -> Duration {
    let start = ThreadTime.start();
    probe(times);
    ThreadTime.end(start)
}

/// Adds on one core while the other core adds at a distance.
fn distance(criterion: &mut Criterion, cores: [usize; 2]) {
    let mut group = criterion.benchmark_group("cache_lines_distance");
    group.sampling_mode(SamplingMode::Flat);
    for distance in [8, 16, 32, 64, 128, 256] {
        group.bench_function(BenchmarkId::new("beside", size(distance)), |b| {
            b.iter_custom(|n| many(n, |n| lines::add_beside(cores, distance, n)));
        });
    }
    group.bench_function(BenchmarkId::new("alone", size(8)), |b| {
        b.iter_custom(|n| alone(n, lines::add_alone))
    });
    group.finish();
}

/// Adds by each variant, on one thread and on two at once.
fn counters(criterion: &mut Criterion, two: Result<[usize; 2], String>) -> io::Result<()> {
    let one = match cores::allowed() {
        Ok(allowed) => [allowed[0]],
        Err(error) => return not_possible("cache_lines_counters", &error.to_string()),
    };
    let mut group = criterion.benchmark_group("cache_lines_counters");
    group.sampling_mode(SamplingMode::Flat);
    for variant in Variant::ALL {
        let name = variant.name();
        group.bench_function(BenchmarkId::new(name, 1), |b| {
            b.iter_custom(|n| many(n, |n| variant.additions(&one, n)))
        });
        match &two {
            Ok(two) => {
                group.bench_function(BenchmarkId::new(name, 2), |b| {
                    b.iter_custom(|n| many(n, |n| variant.additions(two, n)));
                });
            }
            Err(reason) => not_possible(&format!("cache_lines_counters/{name}/2"), reason)?,
        }
    }
    group.finish();
    Ok(())
}

/// Loads a word that no thread writes: alone, in the line of a counter that another core adds to,
/// and in another line.
fn readers(criterion: &mut Criterion, cores: [usize; 2]) {
    let mut group = criterion.benchmark_group("cache_lines_readers");
    group.sampling_mode(SamplingMode::Flat);
    let beside =
        |distance, n: u64| many(n, |n| lines::read_beside(cores, distance, n / lines::LOADS));
    group.bench_function("alone", |b| b.iter_custom(|n| alone(n, lines::read_alone)));
    group.bench_function("same_line", |b| b.iter_custom(|n| beside(8, n)));
    group.bench_function("separate_lines", |b| b.iter_custom(|n| beside(128, n)));
    group.finish();
}

/// Runs the same code twice, on two cores and in one line, where the noise is largest.
fn noise(criterion: &mut Criterion, cores: [usize; 2]) {
    let mut group = criterion.benchmark_group("cache_lines_aa");
    group.sampling_mode(SamplingMode::Flat);
    for name in ["first", "second"] {
        group.bench_function(name, |b| {
            b.iter_custom(|n| many(n, |n| lines::add_beside(cores, 8, n)))
        });
    }
    group.finish();
}

/// Walks through 256 MiB with several strides; the unit is one load.
fn strides(criterion: &mut Criterion) -> io::Result<()> {
    let mut group = criterion.benchmark_group("cache_lines_stride");
    group.throughput(Throughput::Elements(1));
    for stride in [8, 16, 32, 64, 256, 1024, 4096] {
        let mut walk = Strided::new(256 * MIB, stride)?;
        group.bench_function(BenchmarkId::new("load", size(stride)), |b| {
            b.iter_custom(|n| walk.loads(n))
        });
    }
    group.finish();
    Ok(())
}

/// Adds up a square matrix by rows and by columns, then transposes it; the unit is one pass.
fn matrix(criterion: &mut Criterion) -> io::Result<()> {
    let sides = [64, 1024, 4096];
    let mut group = criterion.benchmark_group("cache_lines_matrix");
    group.sampling_mode(SamplingMode::Flat);
    for side in sides {
        let matrix = Matrix::new(side)?;
        let (words, length) = ((side * side) as u64, side * side * size_of::<u64>());
        assert_eq!(
            (matrix.by_rows(), matrix.by_columns()),
            (words * (words - 1) / 2, words * (words - 1) / 2)
        );
        group.throughput(bytes(length));
        group.bench_function(BenchmarkId::new("rows", size(length)), |b| {
            b.iter(|| matrix.by_rows())
        });
        group.bench_function(BenchmarkId::new("columns", size(length)), |b| {
            b.iter(|| matrix.by_columns())
        });
    }
    group.finish();

    let mut group = criterion.benchmark_group("cache_lines_transpose");
    group.sampling_mode(SamplingMode::Flat);
    for side in &sides[1..] {
        let from = Matrix::new(*side)?;
        let length = side * side * size_of::<u64>();
        group.throughput(bytes(length));
        for (name, block) in [("whole", *side), ("blocks", 16)] {
            let mut to = Matrix::new(*side)?;
            from.transpose(block, &mut to);
            let moved = (0..*side).all(|at| to.at(at, side - 1 - at) == from.at(side - 1 - at, at));
            assert!(moved, "{name}, {side}");
            group.bench_function(BenchmarkId::new(name, size(length)), |b| {
                b.iter(|| from.transpose(block, &mut to));
            });
        }
    }
    group.finish();
    Ok(())
}

/// Reads lines of 256 MiB in an order that is known in advance, with and without prefetching 16
/// lines ahead.
fn prefetch(criterion: &mut Criterion) -> io::Result<()> {
    if let Err(error) = can_prefetch() {
        return not_possible("cache_lines_prefetch", &error.to_string());
    }
    let mut group = criterion.benchmark_group("cache_lines_prefetch");
    group.throughput(Throughput::Elements(1));
    let mut lines = Gather::new(256 * MIB, false)?;
    group.bench_function("in_order", |b| b.iter_custom(|n| lines.lines::<false>(n, nothing)));
    group.bench_function("in_order_prefetched", |b| {
        b.iter_custom(|n| lines.lines::<true>(n, nothing))
    });
    lines = Gather::new(256 * MIB, true)?;
    group.bench_function("random", |b| b.iter_custom(|n| lines.lines::<false>(n, nothing)));
    group.bench_function("random_prefetched", |b| {
        b.iter_custom(|n| lines.lines::<true>(n, nothing))
    });
    group.bench_function("random_work", |b| b.iter_custom(|n| lines.lines::<false>(n, rounds)));
    group.bench_function("random_work_prefetched", |b| {
        b.iter_custom(|n| lines.lines::<true>(n, rounds))
    });
    group.finish();
    Ok(())
}

criterion_group!(benches, cache_lines);
criterion_main!(benches);

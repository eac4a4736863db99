//! What the shape of a record costs to read: one field of each and all fields in their order, whole
//! records here and there, from 1,024 records to 4,194,304; and loads that are not aligned.
//!
//! One thread that never waits, so the clock is its CPU time (that on the wall, where a thread's
//! cannot be read). Memory is the allocator's, in ordinary pages where the kernel gives huge ones
//! on advice only. A parameter is a number of records in units of 1,024, and every shape holds the
//! same events, so that every sum is the same. What the compiler makes of the loops differs: it
//! adds up a column several numbers at a time.

use criterion::measurement::Measurement;
use criterion::{BenchmarkId, Criterion, Throughput};
use perf_proved::harness::scratch::pattern;
use perf_proved::memory::layout::packed::numbers_at;
use perf_proved::memory::layout::picture::LINE;
use perf_proved::memory::layout::records::Records;
use perf_proved::proof::cpu;
use perf_proved::sys::cores;
use perf_proved_benches::{ThreadTime, size};
use std::hint::black_box;

const KI: usize = 1 << 10;
/// With 16 bytes a record: inside the first cache, the second and the third, and beyond.
const COUNTS: [usize; 4] = [KI, 16 * KI, 256 * KI, 4096 * KI];
/// How many records one iteration looks up.
const PLACES: usize = KI;

fn main() {
    if let Ok(Some((core, _))) = cores::pair() {
        cores::pin(core).expect("this core is allowed");
    }
    match cpu::thread() {
        Ok(_) => run(Criterion::default().with_measurement(ThreadTime)),
        Err(_) => run(Criterion::default()),
    }
}

fn run<M: Measurement + 'static>(criterion: Criterion<M>) {
    let mut criterion = criterion.configure_from_args();
    scan(&mut criterion, "layout_scan", &COUNTS, Records::amounts);
    scan(&mut criterion, "layout_whole", &[KI, 4096 * KI], Records::everything);
    random(&mut criterion);
    unaligned(&mut criterion);
    same_twice(&mut criterion);
    criterion.final_summary();
}

/// A sum over all records in their order, each shape at one size, then at the next: what drifts,
/// drifts for all.
fn scan<M: Measurement + 'static>(
    criterion: &mut Criterion<M>,
    group: &str,
    counts: &[usize],
    sum: fn(&Records) -> u64,
) {
    let mut group = criterion.benchmark_group(group);
    for &count in counts {
        group.throughput(Throughput::Elements(count as u64));
        let shapes = shapes(count);
        let expected = sum(&shapes[0].1);
        for (name, records) in &shapes {
            assert_eq!(sum(records), expected, "{name}, {count} records");
            group.bench_function(id(name, count), |bencher| {
                bencher.iter(|| sum(black_box(records)))
            });
        }
    }
    group.finish();
}

/// Whole records at random places, 1,024 an iteration: every record once, in an order without a
/// pattern, then from the start.
fn random<M: Measurement + 'static>(criterion: &mut Criterion<M>) {
    let mut group = criterion.benchmark_group("layout_random");
    group.throughput(Throughput::Elements(PLACES as u64));
    for count in [KI, 256 * KI, 4096 * KI] {
        let shapes = shapes(count);
        let places = shuffled(count);
        let expected = shapes[0].1.everything();
        for (name, records) in &shapes {
            let sum = places.chunks_exact(PLACES).map(|places| records.at(places)).sum::<u64>();
            assert_eq!(sum, expected, "{name}, {count} records");
            let mut next = places.chunks_exact(PLACES).cycle();
            group.bench_function(id(name, count), |bencher| {
                bencher.iter(|| black_box(records).at(next.next().expect("a cycle has no end")));
            });
        }
    }
    group.finish();
}

/// One number of eight bytes a cache line, at different offsets; everything in the first cache.
fn unaligned<M: Measurement + 'static>(criterion: &mut Criterion<M>) {
    let bytes = pattern(18 * KI);
    let start = bytes.as_ptr().align_offset(LINE);
    let lines = &bytes[start..][..16 * KI + LINE];
    let mut group = criterion.benchmark_group("layout_unaligned");
    for (name, offset) in [("aligned", 0), ("inside_a_line", 1), ("across_lines", 60)] {
        let places = (offset..offset + 16 * KI).step_by(LINE);
        group.throughput(Throughput::Elements(places.len() as u64));
        let number =
            |at: usize| u64::from_ne_bytes(lines[at..at + 8].try_into().expect("eight bytes"));
        let expected = places.map(number).fold(0, u64::wrapping_add);
        assert_eq!(numbers_at(lines, offset), expected, "{name}");
        group.bench_function(BenchmarkId::new(name, size(16 * KI)), |bencher| {
            bencher.iter(|| numbers_at(black_box(lines), offset));
        });
    }
    group.finish();
}

/// The same twice, in memory: there the noise is largest.
fn same_twice<M: Measurement + 'static>(criterion: &mut Criterion<M>) {
    let records = Records::new("rust_order", 4096 * KI).expect("one of the names");
    let mut group = criterion.benchmark_group("layout_aa");
    for function in ["first", "second"] {
        group.bench_function(function, |bencher| bencher.iter(|| black_box(&records).amounts()));
    }
    group.finish();
}

fn shapes(count: usize) -> Vec<(&'static str, Records)> {
    Records::NAMES.iter().filter_map(|name| Some((*name, Records::new(name, count)?))).collect()
}

/// Figures have room for few digits, so counts are in Ki.
fn id(name: &str, count: usize) -> BenchmarkId {
    BenchmarkId::new(name, format!("{}Ki", count / KI))
}

/// All numbers below `count` in an order that no prefetcher knows (Fisher and Yates; xorshift by
/// Marsaglia, 2003).
fn shuffled(count: usize) -> Vec<u32> {
    let mut numbers: Vec<u32> = (0..count as u32).collect();
    let mut random = 1_u64;
    for last in (1..count).rev() {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        numbers.swap(last, ((u128::from(random) * (last as u128 + 1)) >> 64) as usize);
    }
    numbers
}

//! Clocks reading records in four layouts: one field of each, all fields in order, whole records at
//! random, from 1,024 records to 4,194,304; and unaligned loads.
//!
//! One thread that never waits, so the clock is its CPU time, or wall time where a thread's CPU
//! time cannot be read. Memory comes from the allocator, in ordinary pages where the kernel gives
//! huge pages on advice only. The parameter is the number of records in units of 1,024, and every
//! layout holds the same events, so every sum is the same. The compiled loops differ: the compiler
//! adds up a column several numbers at a time.

use criterion::measurement::Measurement;
use criterion::{BenchmarkId, Criterion, Throughput};
use perf_proved::harness::scratch::pattern;
use perf_proved::harness::shuffle::shuffle;
use perf_proved::memory::layout::experiment::numbers_at;
use perf_proved::memory::layout::picture::LINE;
use perf_proved::memory::layout::variants::Variant;
use perf_proved::proof::cpu;
use perf_proved::sys::cores;
use perf_proved_benches::{ThreadTime, size};
use std::hint::black_box;

const KI: usize = 1 << 10;
/// At 16 bytes per record: within the L1, L2 and L3 cache, and beyond.
const COUNTS: [usize; 4] = [KI, 16 * KI, 256 * KI, 4096 * KI];
/// Records that one iteration looks up.
const LOOKUPS: usize = KI;

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
    scan(&mut criterion, "layout_scan", &COUNTS, Variant::amounts);
    scan(&mut criterion, "layout_whole", &[KI, 4096 * KI], Variant::everything);
    random(&mut criterion);
    unaligned(&mut criterion);
    same_twice(&mut criterion);
    criterion.final_summary();
}

/// Adds up all records in order, every layout at one size before the next size, so that drift
/// affects all layouts alike.
fn scan<M: Measurement + 'static>(
    criterion: &mut Criterion<M>,
    group: &str,
    counts: &[usize],
    sum: fn(&Variant) -> u64,
) {
    let mut group = criterion.benchmark_group(group);
    for &count in counts {
        group.throughput(Throughput::Elements(count as u64));
        let layouts = layouts(count);
        let expected = sum(&layouts[0].1);
        for (name, records) in &layouts {
            assert_eq!(sum(records), expected, "{name}, {count} records");
            group.bench_function(id(name, count), |bencher| {
                bencher.iter(|| sum(black_box(records)))
            });
        }
    }
    group.finish();
}

/// Reads whole records in random order, 1,024 per iteration: every record once, then again from the
/// start.
fn random<M: Measurement + 'static>(criterion: &mut Criterion<M>) {
    let mut group = criterion.benchmark_group("layout_random");
    group.throughput(Throughput::Elements(LOOKUPS as u64));
    for count in [KI, 256 * KI, 4096 * KI] {
        let layouts = layouts(count);
        let mut indices: Vec<u32> = (0..count as u32).collect();
        shuffle(&mut indices);
        let expected = layouts[0].1.everything();
        for (name, records) in &layouts {
            let sum = indices.chunks_exact(LOOKUPS).map(|indices| records.at(indices)).sum::<u64>();
            assert_eq!(sum, expected, "{name}, {count} records");
            let mut next = indices.chunks_exact(LOOKUPS).cycle();
            group.bench_function(id(name, count), |bencher| {
                bencher.iter(|| black_box(records).at(next.next().expect("a cycle has no end")));
            });
        }
    }
    group.finish();
}

/// Reads one eight-byte number per cache line at several offsets, all in the L1 cache.
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

/// Runs the same code twice, from main memory, where the noise is largest.
fn same_twice<M: Measurement + 'static>(criterion: &mut Criterion<M>) {
    let records = Variant::new("rust_order", 4096 * KI).expect("one of the names");
    let mut group = criterion.benchmark_group("layout_aa");
    for function in ["first", "second"] {
        group.bench_function(function, |bencher| bencher.iter(|| black_box(&records).amounts()));
    }
    group.finish();
}

fn layouts(count: usize) -> Vec<(&'static str, Variant)> {
    Variant::NAMES.iter().filter_map(|name| Some((*name, Variant::new(name, count)?))).collect()
}

/// Figures have room for few digits, so counts are in units of 1,024.
fn id(name: &str, count: usize) -> BenchmarkId {
    BenchmarkId::new(name, format!("{}Ki", count / KI))
}

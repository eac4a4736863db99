//! Clocks reading records in four layouts: one field of each, all fields in order, whole records at
//! random, from 1,024 records to 4,194,304; and unaligned loads.
//!
//! One thread that never waits, so the clock is its CPU time, or wall time where a thread's CPU
//! time cannot be read. Memory comes from the allocator, in ordinary pages where the kernel gives
//! huge pages on advice only. The parameter is the number of records in units of 1,024, and every
//! layout holds the same events, so every sum is the same. In `layout_cached` it is the share of
//! the first cache that records of 24 bytes fill. The compiled loops differ: the compiler adds up a
//! column several numbers at a time.

use criterion::Throughput;
use perf_proved::harness::scratch::pattern;
use perf_proved::harness::shuffle::shuffle;
use perf_proved::memory::layout::experiment::numbers_at;
use perf_proved::memory::layout::picture::LINE;
use perf_proved::memory::layout::records::COrder;
use perf_proved::memory::layout::variants::Variant;
use perf_proved::sys::{caches, cores};
use perf_proved_benches::{Clock, Group, Plan, Taken, size};
use std::hint::black_box;
use std::io;
use std::time::Instant;

const KI: usize = 1 << 10;
/// At 16 bytes per record: 16 KiB, 256 KiB, 4 MiB and 64 MiB.
const COUNTS: [usize; 4] = [KI, 16 * KI, 256 * KI, 4096 * KI];
/// Records that one iteration looks up.
const LOOKUPS: usize = KI;

fn main() -> io::Result<()> {
    if let Ok(Some((core, _))) = cores::pair() {
        cores::pin(core).expect("this core is allowed");
    }
    let mut plan = Plan::new();
    scan(group(&mut plan, "layout_scan"), &COUNTS, Variant::amounts, |event| event);
    cached(group(&mut plan, "layout_cached"));
    let everything = |event| u64::from(event as u8) + 2 * event;
    scan(group(&mut plan, "layout_whole"), &[KI, 4096 * KI], Variant::everything, everything);
    random(group(&mut plan, "layout_random"));
    unaligned(group(&mut plan, "layout_unaligned"));
    plan.run()
}

/// Returns a new group that is measured by CPU time, if this machine has that.
fn group<'p, 'a>(plan: &'p mut Plan<'a>, name: &str) -> &'p mut Group<'a> {
    let group = plan.group(name);
    if let Some(clock) = clock() {
        group.clock(clock);
    }
    group
}

fn clock() -> Option<Clock> {
    Clock::Thread.now().is_ok().then_some(Clock::Thread)
}

/// Returns a batch that calls `work` once in each iteration.
fn timed<T>(mut work: impl FnMut() -> T) -> impl FnMut(u64) -> Taken {
    move |times| {
        let mut run = || (0..times).for_each(|_| _ = black_box(work()));
        match clock() {
            Some(clock) => clock.taken(run),
            None => {
                let start = Instant::now();
                run();
                Taken { wall: start.elapsed(), cpu: None }
            }
        }
    }
}

/// Adds up all records in order. `of` is what the event of a number adds to the sum.
fn scan(
    group: &mut Group<'_>,
    counts: &[usize],
    sum: fn(&Variant) -> u64,
    of: impl Fn(u64) -> u64,
) {
    for &count in counts {
        let expected = (0..count as u64).map(&of).sum();
        for name in Variant::NAMES {
            summed(group, name, &parameter(count), count, sum, expected);
        }
    }
    group.again("rust_order");
}

/// Adds up one field of as many records as fill a quarter of the first cache: another machine's
/// thread may use the other half of the core.
fn cached(group: &mut Group<'_>) {
    let parameter = "quarter_L1";
    for name in ["c_order", "rust_order"] {
        match caches::size(1) {
            Ok(cache) => {
                let count = cache / 4 / size_of::<COrder>();
                let expected = (0..count as u64).sum();
                summed(group, name, parameter, count, Variant::amounts, expected);
            }
            Err(reason) => _ = group.not_possible((name, parameter), reason),
        }
    }
    group.again("rust_order");
}

/// Registers a sum over `count` records of one layout.
fn summed(
    group: &mut Group<'_>,
    name: &'static str,
    parameter: &str,
    count: usize,
    sum: fn(&Variant) -> u64,
    expected: u64,
) {
    group.throughput(Throughput::Elements(count as u64)).made((name, parameter), move || {
        let records = layout(name, count);
        assert_eq!(sum(&records), expected, "{name}, {count} records");
        Ok(timed(move || sum(black_box(&records))))
    });
}

/// Reads whole records in random order, 1,024 per iteration: every record once, then again from the
/// start.
fn random(group: &mut Group<'_>) {
    group.throughput(Throughput::Elements(LOOKUPS as u64));
    for count in [KI, 256 * KI, 4096 * KI] {
        for name in Variant::NAMES {
            group.made((name, parameter(count)), move || {
                let records = layout(name, count);
                let mut indices: Vec<u32> = (0..count as u32).collect();
                shuffle(&mut indices);
                let all = indices.chunks_exact(LOOKUPS);
                let sum: u64 = all.map(|indices| records.at(indices)).sum();
                assert_eq!(sum, records.everything(), "{name}, {count} records");
                let mut next = (0..count / LOOKUPS).cycle();
                Ok(timed(move || {
                    let at = next.next().expect("a cycle has no end") * LOOKUPS;
                    black_box(&records).at(&indices[at..][..LOOKUPS])
                }))
            });
        }
    }
    group.again("rust_order");
}

/// Reads one eight-byte number per cache line at several offsets, all in the L1 cache.
fn unaligned(group: &mut Group<'_>) {
    for (name, offset) in [("aligned", 0), ("inside_a_line", 1), ("across_lines", 60)] {
        let places = (offset..offset + 16 * KI).step_by(LINE);
        group.throughput(Throughput::Elements(places.len() as u64));
        group.made((name, size(16 * KI)), move || {
            let bytes = pattern(18 * KI);
            let start = bytes.as_ptr().align_offset(LINE);
            let expected = places
                .clone()
                .map(|at| &bytes[start + at..][..8])
                .map(|number| u64::from_ne_bytes(number.try_into().expect("eight bytes")))
                .fold(0, u64::wrapping_add);
            let sum = move || numbers_at(black_box(&bytes[start..][..16 * KI + LINE]), offset);
            assert_eq!(sum(), expected, "{name}");
            Ok(timed(sum))
        });
    }
    group.again("aligned");
}

fn layout(name: &str, count: usize) -> Variant {
    Variant::new(name, count).expect("one of the names")
}

/// Figures have room for few digits, so counts are in units of 1,024.
fn parameter(count: usize) -> String {
    format!("{}Ki", count / KI)
}

//! Clocks benches that lie beside ones that do not: work that is optimized away, an input that is
//! used up, set-up inside the timing, another answer, warm keys, and one loop at several places of
//! a cache line.
//!
//! One thread that never waits, so the clock is its CPU time, or wall time where a thread's CPU
//! time cannot be read. The naive benches are the functions of `naive`, which take no care of the
//! compiler; the honest ones are those of `work`.

use criterion::Throughput;
#[cfg(target_arch = "x86_64")]
use perf_proved::measuring::benchmarking::place::{self, PLACES};
#[cfg(target_os = "linux")]
use perf_proved::measuring::benchmarking::{
    naive,
    variants::{self, Keys},
    work,
};
use perf_proved_benches::Plan;
#[cfg(target_os = "linux")]
use perf_proved_benches::{Group, bytes};
#[cfg(target_os = "linux")]
use std::hint::black_box;
use std::io;

/// The buffers, numbers and lines of an iteration.
#[cfg(target_os = "linux")]
const COUNTS: [u64; 2] = [1000, 2000];

/// The look-ups of an iteration, in a table of 64 MiB.
#[cfg(target_os = "linux")]
const LOOKUPS: usize = 1 << 18;
#[cfg(target_os = "linux")]
const ENTRIES: usize = 8 << 20;

fn main() -> io::Result<()> {
    let mut plan = Plan::new();
    #[cfg(target_os = "linux")]
    {
        optimized(plan.group("benchmarking_optimized"));
        sort(plan.group("benchmarking_sort"));
        lines(plan.group("benchmarking_lines"));
        keys(plan.group("benchmarking_keys"));
    }
    #[cfg(target_arch = "x86_64")]
    {
        let group = plan.group("benchmarking_place");
        group.throughput(Throughput::Elements(1000));
        for (place, work) in PLACES {
            assert_eq!(work(1000), place::answer(1000), "the loop at {place}");
            group.iter(("loop", place), move || work(std::hint::black_box(1000)));
        }
        group.again("loop");
    }
    plan.run()
}

/// Takes, fills and frees buffers, and twice as many.
#[cfg(target_os = "linux")]
fn optimized(group: &mut Group<'_>) {
    for times in COUNTS {
        group
            .throughput(Throughput::Elements(times))
            .iter(("naive", times), move || naive::buffers(black_box(times)))
            .iter(("honest", times), move || work::buffers(black_box(times)));
    }
    group.again("honest");
}

/// Sorts 256 numbers: what is sorted already, a copy made inside the timing, one made outside.
#[cfg(target_os = "linux")]
fn sort(group: &mut Group<'_>) {
    let values = variants::values(256);
    let mut sorted = values.clone();
    let [inside, outside] = [values.clone(), values];
    group
        .throughput(Throughput::Elements(256))
        .bench("used_up", move |times| naive::sort(&mut sorted, times))
        .bench("copy_inside", move |times| naive::sort_copies(&inside, times))
        .bench("copy_outside", move |times| work::sort(&outside, times))
        .again("copy_outside");
}

/// Counts the lines of a text of 1 MiB, by another answer and by the right one.
#[cfg(target_os = "linux")]
fn lines(group: &mut Group<'_>) {
    let text = &*Box::leak(variants::text((1 << 20) / 7).into_boxed_slice());
    let by_iterator = |text: &[u8]| text.iter().filter(|&&byte| byte == b'\n').count() as u64;
    let right = by_iterator(text);
    assert_eq!(work::lines(text), right, "the lines");
    assert_ne!(naive::lines(text), right, "the lie");
    group
        .throughput(bytes(text.len()))
        .iter("another_answer", || naive::lines(black_box(text)))
        .iter("honest", || work::lines(black_box(text)))
        .iter("filter_count", move || by_iterator(black_box(text)))
        .again("honest");
}

/// Looks up keys in a table that the second cache does not hold: the same few again and again, one
/// after the other, new ones.
#[cfg(target_os = "linux")]
fn keys(group: &mut Group<'_>) {
    group.flat().throughput(Throughput::Elements(LOOKUPS as u64));
    for (name, keys) in Keys::ALL {
        group.made(name, move || {
            let (table, keys) = (vec![1_u64; ENTRIES], keys.take(LOOKUPS, ENTRIES));
            Ok(move |times| {
                let start = std::time::Instant::now();
                for _ in 0..times {
                    let sum = work::look_up(black_box(&table), black_box(&keys));
                    assert_eq!(sum, LOOKUPS as u64, "the look-ups");
                }
                start.elapsed()
            })
        });
    }
    group.again("new_keys");
}

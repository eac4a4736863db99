//! Counts what a ring loses, how much it holds and what it asks of the kernel and the allocator,
//! and shows the version that everybody writes first failing.
//!
//!     cargo run --release --example ring_buffer
//!     strace -f -c target/release/examples/ring_buffer --only blocking    # 20,000 items, counted by strace alone

use hdrhistogram::Histogram;
use perf_proved::concurrency::ring_buffer::experiment::{self, Losses};
use perf_proved::concurrency::ring_buffer::variants::{self, Variant};
use perf_proved::concurrency::ring_buffer::{mpmc, naive};
use perf_proved::harness::flags::Example;
use perf_proved::harness::report::Report;
use perf_proved::proof::allocations::{Counting, count};
use perf_proved::proof::syscalls;
use perf_proved::sys::cores::two_cores;
use std::io;
use std::process::ExitCode;
use std::time::Duration;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const CAPACITY: usize = 1024;

fn main() -> ExitCode {
    Example::new("Counts what ring buffers lose, hold, and ask of the kernel.")
        .variants(&Variant::NAMES)
        .run(|flags| match flags.only {
            Some(name) => stream_once(&name),
            None => compare(flags.json),
        })
}

fn compare(json: bool) -> io::Result<ExitCode> {
    let mut report =
        Report::new("A ring between threads: what it loses, what it holds, what it asks for");

    let ring = naive::AtomicRing::new(CAPACITY);
    losses(&mut report, "naive", |item| ring.push(item), || ring.pop());
    let (producer, consumer) = mpmc::ring(CAPACITY);
    let found =
        losses(&mut report, "mpmc", |item| producer.push(item).is_ok(), || consumer.pop().ok());
    let sound = found.map(|found| found == Losses::default());
    report.promise("the MPMC ring loses nothing and delivers nothing twice", sound);

    for variant in [Variant::Naive, Variant::Spsc, Variant::Mpmc] {
        room(&mut report, variant);
    }
    for variant in Variant::ALL.into_iter().filter(|&variant| variant != Variant::Naive) {
        calls(&mut report, variant);
    }

    // There and back, item by item: a bare word, a ring whose threads spin, one whose threads
    // sleep.
    trips(&mut report, "line", experiment::word_trips);
    trips(&mut report, "spsc", |cores, n| experiment::ring_trips(cores, n, variants::spsc));
    trips(&mut report, "blocking", |cores, n| experiment::ring_trips(cores, n, variants::blocking));
    Ok(report.finish(json))
}

/// Lets two threads push and pop four million items: how many never arrive, or arrive twice?
fn losses(
    report: &mut Report,
    name: &str,
    push: impl Fn(u64) -> bool + Sync,
    pop: impl Fn() -> Option<u64> + Sync,
) -> Option<Losses> {
    report.attempt(name, &["lost", "delivered_twice"], |report| {
        let found = experiment::losses(two_cores()?, 4_000_000, push, pop)?;
        report.set(name, "lost", found.lost);
        report.set(name, "delivered_twice", found.delivered_twice);
        Ok(found)
    })
}

/// Counts how many of eight items a ring of eight accepts.
fn room(report: &mut Report, variant: Variant) {
    let (mut push, _pop) = variant.ends(8);
    report.set(variant.name(), "accepted_of_8", (0..8).filter(|&item| push(item)).count() as u64);
}

/// Counts what it takes to pass a thousand items, when no thread has to wait.
fn calls(report: &mut Report, variant: Variant) {
    let (name, (mut push, mut pop)) = (variant.name(), variant.ends(CAPACITY));
    let mut pass = || (0..1000).all(|item| push(item) && pop() == Some(item));
    let (passed, made) = count(&mut pass);
    report.set(name, "allocations", made.calls);
    report.promise(&format!("{name} delivers what it accepts"), passed);
    report.attempt(name, &["syscalls"], |report| {
        report.set(name, "syscalls", syscalls::trace(pass)?.1.total());
        Ok(())
    });
}

/// Times trips between two cores and back.
fn trips(
    report: &mut Report,
    name: &str,
    trips: impl Fn([usize; 2], usize) -> io::Result<Vec<Duration>>,
) {
    report.attempt(name, &["trip_p50", "trip_p99", "trip_p99_9"], |report| {
        let mut histogram = Histogram::<u64>::new(3).map_err(io::Error::other)?;
        for time in trips(two_cores()?, 5000)? {
            histogram += time.as_nanos() as u64;
        }
        for (quantity, share) in [("trip_p50", 0.5), ("trip_p99", 0.99), ("trip_p99_9", 0.999)] {
            let time = Duration::from_nanos(histogram.value_at_quantile(share));
            report.set(name, quantity, time);
        }
        Ok(())
    });
}

/// Streams 20,000 items, uncounted.
fn stream_once(name: &str) -> io::Result<ExitCode> {
    let (push, pop) = Variant::new(name)?.ends(CAPACITY);
    experiment::stream(20_000, push, pop)?;
    Ok(ExitCode::SUCCESS)
}

//! Counts what a ring loses, holds and asks for, and shows the version that everybody writes first
//! failing.
//!
//!     cargo run --release --example ring_buffer
//!     strace -f -c target/release/examples/ring_buffer --only blocking    # 20,000 items, counted by strace alone

use hdrhistogram::Histogram;
use perf_proved::concurrency::ring_buffer::{blocking, blocking_mpmc, mpmc, naive, probe, spsc};
use perf_proved::harness::flags::Example;
use perf_proved::harness::report::{Report, Value};
use perf_proved::measuring::limits::two_cores;
use perf_proved::proof::allocations::{Counting, count};
use perf_proved::proof::syscalls;
use std::hint::spin_loop;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;
use std::time::Duration;
use std::{io, thread};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What two threads push and pop together, to see whether anything is lost.
const ITEMS: u64 = 4_000_000;
const CAPACITY: usize = 1024;

fn main() -> ExitCode {
    Example::new("Counts what ring buffers lose, hold, and ask of the kernel.")
        .variants(&["spsc", "mpmc", "blocking", "blocking_mpmc"])
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
    let sound =
        losses(&mut report, "mpmc", |item| producer.push(item).is_ok(), || consumer.pop().ok());
    report.promise("the ring for many loses nothing and delivers nothing twice", sound);

    let ring = naive::AtomicRing::new(8);
    holds(&mut report, "naive", |item| ring.push(item));
    let (mut producer, _consumer) = spsc::ring(8);
    holds(&mut report, "spsc", |item| producer.push(item).is_ok());
    let (producer, _consumer) = mpmc::ring(8);
    holds(&mut report, "mpmc", |item| producer.push(item).is_ok());

    let (mut producer, mut consumer) = spsc::ring(CAPACITY);
    asks_for(&mut report, "spsc", |item| producer.push(item).is_ok() && consumer.pop() == Ok(item));
    let (producer, consumer) = mpmc::ring(CAPACITY);
    asks_for(&mut report, "mpmc", |item| producer.push(item).is_ok() && consumer.pop() == Ok(item));
    let (mut producer, mut consumer) = blocking::ring(CAPACITY);
    asks_for(&mut report, "blocking", |item| {
        producer.push(item).is_ok() && consumer.pop() == Ok(item)
    });
    let (producer, consumer) = blocking_mpmc::ring(CAPACITY);
    asks_for(&mut report, "blocking_mpmc", |item| {
        producer.push(item).is_ok() && consumer.pop() == Ok(item)
    });
    let (sender, receiver) = sync_channel(CAPACITY);
    asks_for(&mut report, "sync_channel", |item| {
        sender.send(item).is_ok() && receiver.recv() == Ok(item)
    });

    // There and back, item by item: the bare line, a ring whose sides spin on it, and one whose
    // sides sleep.
    let turn = AtomicU64::new(0);
    let pass = || turn.fetch_add(1, Ordering::Release);
    let wait = |odd| spin_until(|| turn.load(Ordering::Acquire) % 2 == odd);
    trips(&mut report, "line", || (pass(), wait(0)), || (wait(1), pass()));
    let ((mut there, mut arriving), (mut back, mut returning)) = (spsc::ring(1), spsc::ring(1));
    let (ping, pong) = (
        || (there.push(()), spin_until(|| returning.pop().is_ok())),
        || (spin_until(|| arriving.pop().is_ok()), back.push(())),
    );
    trips(&mut report, "spsc", ping, pong);
    let ((mut there, mut arriving), (mut back, mut returning)) =
        (blocking::ring(1), blocking::ring(1));
    trips(
        &mut report,
        "blocking",
        || (there.push(()), returning.pop()),
        || (arriving.pop(), back.push(())),
    );
    Ok(report.finish(json))
}

/// Two threads push half of the items each, and pop whenever there is no room: which never arrive,
/// and which twice? Returns whether all is well.
fn losses(
    report: &mut Report,
    name: &str,
    push: impl Fn(u64) -> bool + Sync,
    pop: impl Fn() -> Option<u64> + Sync,
) -> bool {
    let found = two_cores().and_then(|cores| probe::losses(cores, ITEMS, push, pop));
    report.set(name, "lost", value(&found, |found| found.lost.into()));
    report.set(name, "delivered_twice", value(&found, |found| found.delivered_twice.into()));
    found.is_ok_and(|found| found == probe::Losses::default()) || two_cores().is_err()
}

/// What was found, or why it cannot be.
fn value<T>(found: &io::Result<T>, value: impl Fn(&T) -> Value) -> Value {
    found.as_ref().map_or_else(|why| Value::NotPossible(why.to_string()), value)
}

/// How many of eight items a ring of eight accepts.
fn holds(report: &mut Report, name: &str, mut push: impl FnMut(u64) -> bool) {
    report.set(name, "accepted_of_8", (0..8).filter(|&item| push(item)).count() as u64);
}

/// What a thousand items cost in allocations and system calls, when nobody has to wait.
fn asks_for(report: &mut Report, name: &str, mut pass: impl FnMut(u64) -> bool) {
    let mut pass_all = || (0..1000).all(&mut pass);
    let (passed, made) = count(&mut pass_all);
    report.set(name, "allocations", made.calls);
    report.promise(&format!("{name} delivers what it accepts"), passed);
    match syscalls::trace(pass_all) {
        Ok((_, calls)) => report.set(name, "syscalls", calls.total()),
        Err(why) => report.set(name, "syscalls", why),
    }
}

/// How long an item takes there and back between two cores.
fn trips<A, B>(
    report: &mut Report,
    name: &str,
    mut ping: impl FnMut() -> A + Send,
    mut pong: impl FnMut() -> B + Send,
) {
    let (ping, pong) = (|| drop(ping()), || drop(pong()));
    let times = two_cores().and_then(|cores| probe::trips(cores, 5000, ping, pong)).map(|times| {
        let mut histogram = Histogram::<u64>::new(3).expect("three digits are a precision");
        times.iter().for_each(|time| histogram += time.as_nanos() as u64);
        histogram
    });
    for (quantity, share) in [("trip_p50", 0.5), ("trip_p99", 0.99), ("trip_p99_9", 0.999)] {
        let time = |histogram: &Histogram<u64>| {
            Duration::from_nanos(histogram.value_at_quantile(share)).into()
        };
        report.set(name, quantity, value(&times, time));
    }
}

fn spin_until(mut done: impl FnMut() -> bool) {
    while !done() {
        spin_loop();
    }
}

/// One stream of items that nobody counts.
fn stream_once(name: &str) -> io::Result<ExitCode> {
    macro_rules! through {
        ($ring:ident) => {{
            #[allow(unused_mut, reason = "the sides of the rings for many need no `mut`")]
            let (mut producer, mut consumer) = $ring::ring(CAPACITY);
            stream(move |item: u64| producer.push(item).is_ok(), move || consumer.pop().is_ok());
        }};
    }
    match name {
        "spsc" => through!(spsc),
        "mpmc" => through!(mpmc),
        "blocking" => through!(blocking),
        _ => through!(blocking_mpmc),
    }
    Ok(ExitCode::SUCCESS)
}

fn stream(mut push: impl FnMut(u64) -> bool + Send, mut pop: impl FnMut() -> bool) {
    const ITEMS: u64 = 20_000;
    thread::scope(|scope| {
        scope.spawn(move || (0..ITEMS).for_each(|item| yield_until(|| push(item))));
        (0..ITEMS).for_each(|_| yield_until(&mut pop));
    });
}

fn yield_until(mut done: impl FnMut() -> bool) {
    while !done() {
        thread::yield_now();
    }
}

//! Counts what a ring loses, holds and asks for, and shows the version that everybody writes first failing.
//!
//!     cargo run --release --example ring_buffer
//!     strace -f -c target/release/examples/ring_buffer --only blocking    # 20,000 items, counted by strace alone

use perf_proved::concurrency::ring_buffer::{blocking, mpmc, naive, spsc};
use perf_proved::measuring::limits::two_cores;
use perf_proved::proof::allocations::{Counting, count};
use perf_proved::proof::report::{Report, Value};
use perf_proved::proof::{cores, flags, syscalls};
use std::hint::spin_loop;
use std::io;
use std::process::ExitCode;
use std::sync::mpsc::sync_channel;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What two threads push and pop together, to see whether anything is lost.
const ITEMS: u64 = 4_000_000;
const CAPACITY: usize = 1024;

fn main() -> ExitCode {
    flags::run(&["spsc", "mpmc", "blocking"], None, |flags| match flags.only {
        Some(name) => stream_once(&name),
        None => compare(flags.json),
    })
}

fn compare(json: bool) -> io::Result<ExitCode> {
    let mut report = Report::new("A ring between threads: what it loses, what it holds, what it asks for");

    let ring = naive::AtomicRing::new(CAPACITY);
    losses(&mut report, "naive", |item| ring.push(item), || ring.pop());
    let (producer, consumer) = mpmc::ring(CAPACITY);
    let sound = losses(&mut report, "mpmc", |item| producer.push(item).is_ok(), || consumer.pop().ok());
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
    asks_for(&mut report, "blocking", |item| producer.push(item).is_ok() && consumer.pop() == Ok(item));
    let (sender, receiver) = sync_channel(CAPACITY);
    asks_for(&mut report, "sync_channel", |item| sender.send(item).is_ok() && receiver.recv() == Ok(item));

    let ((mut there, mut arriving), (mut back, mut returning)) = (spsc::ring(1), spsc::ring(1));
    let spin = |consumer: &mut spsc::Consumer<()>| {
        while consumer.pop().is_err() {
            spin_loop();
        }
    };
    trips(
        &mut report,
        "spsc",
        || {
            let _ = there.push(());
            spin(&mut returning);
        },
        || {
            spin(&mut arriving);
            let _ = back.push(());
        },
    );
    let ((mut there, mut arriving), (mut back, mut returning)) = (blocking::ring(1), blocking::ring(1));
    trips(
        &mut report,
        "blocking",
        || {
            let _ = there.push(());
            let _ = returning.pop();
        },
        || {
            let _ = arriving.pop();
            let _ = back.push(());
        },
    );
    Ok(report.finish(json))
}

/// Two threads push half of the items each, and pop whenever there is no room: which items never arrive, and which twice? Returns
/// whether all is well.
fn losses(
    report: &mut Report,
    name: &str,
    push: impl Fn(u64) -> bool + Sync,
    pop: impl Fn() -> Option<u64> + Sync,
) -> bool {
    let arrived = Mutex::new(vec![0_u8; ITEMS as usize]);
    let work = |place| {
        let mut mine = vec![];
        for item in (place as u64..ITEMS).step_by(2) {
            while !push(item) {
                mine.extend(pop());
            }
        }
        mine.extend(std::iter::from_fn(&pop));
        let mut arrived = lock(&arrived);
        for item in mine {
            arrived[item as usize] = arrived[item as usize].saturating_add(1);
        }
    };
    let done = two_cores().and_then(|cores| cores::together(&cores, work));
    let arrived = lock(&arrived);
    let number = |which: fn(&u8) -> bool| arrived.iter().filter(|&times| which(times)).count() as u64;
    for (quantity, number) in [("lost", number(|&times| times == 0)), ("delivered_twice", number(|&times| times > 1))] {
        report.set(name, quantity, found(&done, number));
    }
    done.is_err() || arrived.iter().all(|&times| times == 1)
}

/// What was found, or why it cannot be.
fn found(done: &io::Result<Duration>, value: impl Into<Value>) -> Value {
    done.as_ref().map_or_else(|why| Value::NotPossible(why.to_string()), |_| value.into())
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

/// How long an item takes there and back between two cores, item by item.
fn trips(report: &mut Report, name: &str, ping: impl FnMut() + Send, pong: impl FnMut() + Send) {
    const TRIPS: usize = 5000;
    let (ping, pong, times) = (Mutex::new(ping), Mutex::new(pong), Mutex::new(Vec::with_capacity(TRIPS)));
    let work = |place| {
        if place == 1 {
            let mut pong = lock(&pong);
            return (0..TRIPS).for_each(|_| pong());
        }
        let mut ping = lock(&ping);
        let mut times = lock(&times);
        for _ in 0..TRIPS {
            let start = Instant::now();
            ping();
            times.push(start.elapsed());
        }
    };
    let done = two_cores().and_then(|cores| cores::together(&cores, work));
    let mut times = lock(&times);
    times.sort_unstable();
    for (quantity, share) in [("trip_p50", 0.5), ("trip_p99", 0.99), ("trip_p99_9", 0.999)] {
        let time = times.get((TRIPS as f64 * share) as usize).copied().unwrap_or(Duration::ZERO);
        report.set(name, quantity, found(&done, time));
    }
}

/// One stream of items that nobody counts.
fn stream_once(name: &str) -> io::Result<ExitCode> {
    match name {
        "spsc" => {
            let (mut producer, mut consumer) = spsc::ring(CAPACITY);
            stream(move |item| producer.push(item).is_ok(), move || consumer.pop().is_ok());
        }
        "mpmc" => {
            let (producer, consumer) = mpmc::ring(CAPACITY);
            stream(move |item| producer.push(item).is_ok(), move || consumer.pop().is_ok());
        }
        _ => {
            let (mut producer, mut consumer) = blocking::ring(CAPACITY);
            stream(move |item| producer.push(item).is_ok(), move || consumer.pop().is_ok());
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn stream(mut push: impl FnMut(u64) -> bool + Send, mut pop: impl FnMut() -> bool) {
    const ITEMS: u64 = 20_000;
    thread::scope(|scope| {
        scope.spawn(move || {
            for item in 0..ITEMS {
                while !push(item) {
                    thread::yield_now();
                }
            }
        });
        for _ in 0..ITEMS {
            while !pop() {
                thread::yield_now();
            }
        }
    });
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

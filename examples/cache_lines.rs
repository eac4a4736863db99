//! Counts who shares a cache line with whom, and shows what two cores pay for it.
//!
//!     cargo run --release --example cache_lines
//!     perf c2c record target/release/examples/cache_lines --only array   # where there are hardware counters
//!
//! A value is contested if its line of 64 bytes holds a value that another thread writes. Addresses
//! are the witness.

use perf_proved::harness::flags::{Example, Flags};
use perf_proved::harness::report::{Report, Value};
use perf_proved::harness::rounds::Rounds;
use perf_proved::measuring::limits::lines;
use perf_proved::memory::cache_lines::designs::Design;
use perf_proved::memory::cache_lines::naive::{self, Stats};
use perf_proved::memory::cache_lines::{CachePadded, two_cores};
use perf_proved::proof::allocations::{Counting, count};
use perf_proved::sys::cores;
use std::collections::{HashMap, HashSet};
use std::io;
use std::process::ExitCode;
use std::sync::Barrier;
use std::sync::atomic::AtomicU64;
use std::thread;
use std::time::Duration;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const LINE: usize = 64;
/// About a second and a half of two cores that add in one line.
const ADDITIONS: u64 = 100_000_000;

fn main() -> ExitCode {
    Example::new("Counts which cache lines two threads share, and what their additions cost.")
        .variants(&Design::ALL.map(Design::name))
        .run(|flags| match &flags.only {
            Some(name) => add_once(name),
            None => compare(&flags),
        })
}

fn compare(flags: &Flags) -> io::Result<ExitCode> {
    let mut report =
        Report::new("Who shares a line of 64 bytes with a value that another thread writes");
    lay(&mut report, "stats", Box::<Stats>::default, |stats| {
        vec![(at(&stats.received), 0), (at(&stats.sent), 1)]
    });
    lay(&mut report, "array", array::<AtomicU64>, |cells| in_turn(cells, 8));
    let shared = lay(&mut report, "array_padded", array::<CachePadded<AtomicU64>>, |cells| {
        in_turn(cells, 8)
    });
    report.promise("no padded counter shares a line with another thread's", shared == 0);

    // One thread allocates, as one that accepts connections does, and two others use what it
    // allocated, in turn.
    lay(&mut report, "boxes", boxes::<AtomicU64>, |boxes| {
        in_turn(boxes.iter().map(Box::as_ref), 2)
    });
    let padded = boxes::<CachePadded<AtomicU64>>;
    let shared =
        lay(&mut report, "boxes_padded", padded, |boxes| in_turn(boxes.iter().map(Box::as_ref), 2));
    report.promise("no padded box shares a line with another thread's", shared == 0);

    let own = each_its_own::<AtomicU64>(); // by two threads, which count their heap for themselves
    let thread = |thread: usize| own[thread].iter().map(move |one| (at(one.as_ref()), thread));
    contested(&mut report, "boxes_own", &thread(0).chain(thread(1)).collect::<Vec<_>>());

    clock(&mut report);
    match cores::line_size() {
        Ok(LINE) => {}
        Ok(size) => report.note(&format!("This processor's lines have {size} bytes.")),
        Err(error) => {
            report.note(&format!("Whether lines have 64 bytes here is not known: {error}."))
        }
    }
    Ok(report.finish(flags.json))
}

/// Makes what holds the values, and counts what that took of the heap.
fn lay<T>(
    report: &mut Report,
    name: &str,
    make: impl FnOnce() -> T,
    values: impl FnOnce(&T) -> Vec<(usize, usize)>,
) -> u64 {
    let (owner, made) = count(make);
    report.set(name, "heap", Value::Bytes(made.bytes));
    contested(report, name, &values(&owner))
}

// ANCHOR: contested
/// How many of the values, by address and thread, lie in a line with another thread's.
fn contested(report: &mut Report, name: &str, values: &[(usize, usize)]) -> u64 {
    let mut writers: HashMap<usize, HashSet<usize>> = HashMap::new();
    for (address, thread) in values {
        writers.entry(address / LINE).or_default().insert(*thread);
    }
    let contested =
        values.iter().filter(|(address, _)| writers[&(address / LINE)].len() > 1).count() as u64;
    report.set(name, "values", values.len() as u64);
    report.set(name, "contested", contested);
    contested
}
// ANCHOR_END: contested

fn at<T>(value: &T) -> usize {
    std::ptr::from_ref(value).addr()
}

/// The values' addresses, handed out to so many threads in turn.
fn in_turn<'a, T: 'a>(
    values: impl IntoIterator<Item = &'a T>,
    threads: usize,
) -> Vec<(usize, usize)> {
    values.into_iter().enumerate().map(|(place, value)| (at(value), place % threads)).collect()
}

fn array<T: Default>() -> Vec<T> {
    (0..8).map(|_| T::default()).collect()
}

fn boxes<T: Default>() -> Vec<Box<T>> {
    (0..1000).map(|_| Box::default()).collect()
}

/// Two threads that are there at the same time allocate what each of them uses.
fn each_its_own<T: Default + Send>() -> [Vec<Box<T>>; 2] {
    let both = Barrier::new(2);
    let allocate = || {
        both.wait();
        let boxes = (0..500).map(|_| Box::default()).collect();
        both.wait();
        boxes
    };
    thread::scope(|scope| {
        [(); 2]
            .map(|()| scope.spawn(allocate))
            .map(|thread| thread.join().expect("it does not panic"))
    })
}

/// A few short rounds, to show what is large. The bench measures.
fn clock(report: &mut Report) {
    let two = two_cores();
    let both = || {
        two.as_ref()
            .map(|two| two.cores)
            .map_err(|error| io::Error::new(error.kind(), error.to_string()))
    };
    let mut rounds = Rounds::default();
    rounds.add("alone", |n| Ok(lines::add_alone(n)));
    for (name, distance) in [("beside_8B", 8), ("beside_64B", 64), ("beside_128B", 128)] {
        rounds.add(name, move |n| lines::add_beside(both()?, distance, n));
    }
    const MANY: u32 = 1_000_000; // what takes no time takes none a million times
    rounds.add("plain_8B", |n| Ok(naive::plain(n.saturating_mul(MANY.into())) / MANY));
    for (name, times) in rounds.run(3, Duration::from_millis(20)) {
        match times {
            Ok(times) => report.set(&name, "addition", times),
            Err(error) => report.set(&name, "addition", error),
        }
    }
    if let Ok(two) = &two {
        two.doubt.iter().for_each(|doubt| report.note(doubt));
    }
}

/// Both cores add, and nobody counts anything.
fn add_once(name: &str) -> io::Result<ExitCode> {
    let design = Design::ALL.into_iter().find(|design| design.name() == name);
    let design = design.ok_or_else(|| io::Error::other(format!("there is no design `{name}`")))?;
    design.additions(&two_cores()?.cores, ADDITIONS)?;
    Ok(ExitCode::SUCCESS)
}

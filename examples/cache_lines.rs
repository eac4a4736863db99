//! Counts the values that share a cache line with a value of another thread, and shows what two
//! cores pay for it. Addresses are the witness.
//!
//!     cargo run --release --example cache_lines
//!     perf c2c record target/release/examples/cache_lines --only array   # with hardware counters

use perf_proved::harness::flags::Example;
use perf_proved::harness::report::{Report, Value};
use perf_proved::harness::rounds::Rounds;
use perf_proved::measuring::limits::lines;
use perf_proved::memory::cache_lines::experiment::contested::{
    LINE, address, boxes_of_two_threads, in_turn, report_contested,
};
use perf_proved::memory::cache_lines::naive::{self, Stats};
use perf_proved::memory::cache_lines::variants::Variant;
use perf_proved::memory::cache_lines::{CachePadded, two_cores};
use perf_proved::proof::allocations::{Counting, count};
use perf_proved::sys::cores;
use std::io;
use std::process::ExitCode;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// About a second and a half of two cores that add in one line.
const ADDITIONS: u64 = 100_000_000;

fn main() -> ExitCode {
    Example::new(
        "Counts which values share a cache line with another thread's, and clocks the price.",
    )
    .variants(&Variant::ALL.map(Variant::name))
    .run(|flags| match &flags.only {
        Some(name) => add_once(name),
        None => compare(flags.json),
    })
}

fn compare(json: bool) -> io::Result<ExitCode> {
    let mut report = Report::new("Values in a line of 64 bytes that another thread writes");
    count_contested(&mut report, "stats", Box::<Stats>::default, |stats| {
        vec![(address(&stats.received), 0), (address(&stats.sent), 1)]
    });
    count_contested(&mut report, "array", array::<AtomicU64>, |cells| in_turn(cells, 8));
    let padded = array::<CachePadded<AtomicU64>>;
    let shared = count_contested(&mut report, "array_padded", padded, |cells| in_turn(cells, 8));
    report.promise("no padded counter shares a line with another thread's", shared == 0);

    // One thread allocates, like one that accepts connections, and two others use the boxes in
    // turn.
    count_contested(&mut report, "boxes", boxes::<AtomicU64>, |boxes| {
        in_turn(boxes.iter().map(Box::as_ref), 2)
    });
    let padded = boxes::<CachePadded<AtomicU64>>;
    let shared = count_contested(&mut report, "boxes_padded", padded, |boxes| {
        in_turn(boxes.iter().map(Box::as_ref), 2)
    });
    report.promise("no padded box shares a line with another thread's", shared == 0);

    // Each thread allocates the boxes that it uses.
    report.attempt("boxes_own", &["values", "contested"], |report| {
        Ok(report_contested(report, "boxes_own", &boxes_of_two_threads::<AtomicU64>()?))
    });

    clock(&mut report);
    match cores::line_size() {
        Ok(LINE) => {}
        Ok(size) => report.note(&format!("The cache lines of this processor have {size} bytes.")),
        Err(error) => report.note(&format!("The size of a cache line is not known here: {error}.")),
    }
    Ok(report.finish(json))
}

/// Makes the owner of the values, counts the heap that it takes, and counts contested values.
fn count_contested<T>(
    report: &mut Report,
    name: &str,
    make: impl FnOnce() -> T,
    values: impl FnOnce(&T) -> Vec<(usize, usize)>,
) -> usize {
    let (owner, made) = count(make);
    report.set(name, "heap", Value::Bytes(made.bytes));
    report_contested(report, name, &values(&owner))
}

fn array<T: Default>() -> Vec<T> {
    (0..8).map(|_| T::default()).collect()
}

fn boxes<T: Default>() -> Vec<Box<T>> {
    (0..1000).map(|_| Box::default()).collect()
}

/// Clocks a few short rounds, enough to show large differences. The bench measures.
fn clock(report: &mut Report) {
    let both = || two_cores().map(|two| two.cores);
    let mut rounds = Rounds::default();
    rounds.add("alone", |n| Ok(lines::add_alone(n)));
    for (name, distance) in [("beside_8B", 8), ("beside_64B", 64), ("beside_128B", 128)] {
        rounds.add(name, move |n| lines::add_beside(both()?, distance, n));
    }
    const MANY: u32 = 1_000_000; // the loop is optimized away, so it needs a million times the work
    rounds.add("plain_8B", |n| Ok(naive::plain(n.saturating_mul(MANY.into())) / MANY));
    for (name, times) in rounds.run(3, Duration::from_millis(20)) {
        report.set(&name, "addition", times.map_or_else(Value::from, Value::from));
    }
    if let Ok(Some(doubt)) = two_cores().map(|two| two.doubt) {
        report.note(&doubt);
    }
}

/// Adds on both cores, uncounted.
fn add_once(name: &str) -> io::Result<ExitCode> {
    let variant = Variant::ALL.into_iter().find(|variant| variant.name() == name);
    let variant =
        variant.ok_or_else(|| io::Error::other(format!("no variant is called {name}")))?;
    variant.additions(&two_cores()?.cores, ADDITIONS)?;
    Ok(ExitCode::SUCCESS)
}

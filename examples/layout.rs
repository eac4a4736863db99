//! Draws the fields of structs in memory, and counts what a million records take on the heap in
//! four layouts.
//!
//!     cargo run --release --example layout
//!     /usr/bin/time -v target/release/examples/layout --only columns      # resident memory of one layout

use perf_proved::harness::flags::{Example, Flags};
use perf_proved::harness::report::{Report, Value};
use perf_proved::layout;
use perf_proved::memory::layout::naive;
use perf_proved::memory::layout::packed::Packed;
use perf_proved::memory::layout::picture::Shape;
use perf_proved::memory::layout::records::{ByHand, COrder, Event};
use perf_proved::memory::layout::shrink::variant;
use perf_proved::memory::layout::variants::Variant;
use perf_proved::proof::allocations::{Allocations, Counting, count};
use std::io;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// 1 Mi records.
const RECORDS: usize = 1 << 20;

fn main() -> ExitCode {
    Example::new(
        "Draws fields and padding, and counts the heap of a million records in four layouts.",
    )
    .variants(&Variant::NAMES)
    .run(|Flags { json, only, .. }| match only {
        Some(name) => sum_once(&name),
        None => compare(json),
    })
}

fn compare(json: bool) -> io::Result<ExitCode> {
    let mut report =
        Report::new("The size of a type, and the heap of 1,048,576 events or 65,536 messages");

    // The Go article's struct: in two orders of C, in the compiler's own order, and packed.
    let optimized = layout!(naive::Optimized { id, active, name, score, created });
    draw(&mut report, "optimized", 1, &optimized);
    let unoptimized = layout!(naive::Unoptimized { active, id, name, score, created });
    draw(&mut report, "unoptimized", 1, &unoptimized);
    let unordered = layout!(naive::Unordered { active, id, name, score, created });
    draw(&mut report, "unordered", 1, &unordered);
    let packed = layout!(naive::Packed { active, id, name, score, created });
    draw(&mut report, "packed_too", 1, &packed);

    // A struct whose order matters in C. Eight values show which of them straddle two lines.
    draw(&mut report, "c_order", 8, &layout!(COrder { kind, at, amount }));
    draw(&mut report, "by_hand", 8, &layout!(ByHand { at, amount, kind }));
    draw(&mut report, "rust_order", 8, &layout!(Event { kind, at, amount }));
    draw(&mut report, "packed", 8, &layout!(Packed { kind, at, amount }));

    let mut sums = vec![];
    for name in Variant::NAMES {
        let (records, made) = count(|| records(name));
        let records = records?;
        heap(&mut report, name, made);
        sums.push((records.amounts(), records.everything()));
    }
    let same = sums.iter().all(|sum| *sum == sums[0]);
    report.promise("every layout holds the same events", same);

    let (_, made) = count(|| messages(variant::Before::Ack, || variant::Before::Payload([0; 256])));
    heap(&mut report, "messages_inline", made);
    let (_, made) =
        count(|| messages(variant::After::Ack, || variant::After::Payload([0; 256].into())));
    heap(&mut report, "messages_boxed", made);
    Ok(report.finish(json))
}

/// Adds a row to the table and a picture below it.
fn draw(report: &mut Report, variant: &str, values: usize, shape: &Shape) {
    report.set(variant, "size", Value::Bytes(shape.size as u64));
    report.set(variant, "padding", Value::Bytes(shape.padding() as u64));
    report.note(&shape.picture(values));
}

fn heap(report: &mut Report, variant: &str, made: Allocations) {
    report.set(variant, "heap", Value::Bytes(made.bytes));
    report.set(variant, "allocations", made.calls);
}

fn records(name: &str) -> io::Result<Variant> {
    Variant::new(name, RECORDS)
        .ok_or_else(|| io::Error::other(format!("no layout is called {name}")))
}

/// Creates 65,536 messages, every hundredth of which is large.
fn messages<M>(small: impl Fn(u32) -> M, large: impl Fn() -> M) -> Vec<M> {
    (0..1 << 16).map(|number| if number % 100 == 0 { large() } else { small(number) }).collect()
}

/// Adds up the records of one layout, uncounted.
fn sum_once(name: &str) -> io::Result<ExitCode> {
    println!("{}", records(name)?.everything());
    Ok(ExitCode::SUCCESS)
}

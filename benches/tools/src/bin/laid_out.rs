//! Times a few short loops and prints the least time of each, as JSON: a program whose functions
//! the linker puts in another order.

use perf_proved::measuring::benchmarking::{known, naive, variants, work};
use std::hint::black_box;
use std::time::Instant;

fn main() {
    let text = variants::text(4096);
    let (table, keys) = (vec![1; 1 << 10], vec![7; 4096]);
    let times = [
        ("steps", least(|| known::work(black_box(16_000)))),
        ("lines", least(|| work::lines(black_box(&text)))),
        ("look_up", least(|| work::look_up(black_box(&table), black_box(&keys)))),
        ("another_answer", least(|| naive::lines(black_box(&text)))),
        ("collatz", least(|| collatz(black_box(1000)))),
    ];
    let times = times.map(|(name, time)| format!("\"{name}\": {time}"));
    println!("{{ {} }}", times.join(", "));
}

/// Adds up the lengths of the Collatz sequences of all numbers below `end`: a loop of a few
/// instructions with a branch that is hard to predict.
#[inline(never)]
fn collatz(end: u64) -> u64 {
    let length = |mut number: u64| {
        let mut steps = 0;
        while number > 1 {
            number = if number.is_multiple_of(2) { number / 2 } else { 3 * number + 1 };
            steps += 1;
        }
        steps
    };
    (1..end).map(length).sum()
}

/// Returns the least time of `work` in picoseconds, of 300 tries: a neighbor only adds to it.
fn least<T>(work: impl Fn() -> T) -> u64 {
    let time = |_| {
        let start = Instant::now();
        (0..10).for_each(|_| _ = black_box(work()));
        start.elapsed().as_nanos() as u64 * 100
    };
    (0..300).map(time).min().unwrap_or_default()
}

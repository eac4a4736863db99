//! A round of the book's method: the work, more work and the first once more, for a tenth of a
//! second of CPU time each, in an order that depends on the round.

use criterion::Criterion;
use perf_proved::measuring::benchmarking::known::{self, LESS, MORE};
use perf_proved::proof::cpu;
use std::hint::black_box;
use std::time::Duration;

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(50))
        .measurement_time(Duration::from_millis(100))
        .sample_size(10)
        .nresamples(2000)
        .configure_from_args();
    let round: usize = std::env::var("PERF_PROVED_ROUND")
        .map_or(0, |round| round.parse().expect("the number of a round"));
    let mut works = [("less", LESS), ("more", MORE), ("less_again", LESS)];
    works.rotate_left(round / 2 % 3);
    if round % 2 == 1 {
        works.reverse();
    }
    for (name, steps) in works {
        criterion.bench_function(name, |bencher| {
            bencher.iter_custom(|times| {
                let start = cpu::thread().expect("the CPU time of a thread");
                (0..times).for_each(|_| _ = black_box(known::work(black_box(steps))));
                cpu::thread().expect("the CPU time of a thread") - start
            });
        });
    }
}

//! Work of a known length, as two benches of divan: one after the other, as its report shows them.

use perf_proved::measuring::benchmarking::known::{self, LESS};
use perf_proved_tools::steps;
use std::hint::black_box;

fn main() {
    divan::main();
}

#[divan::bench]
fn first(bencher: divan::Bencher<'_, '_>) {
    bencher.bench(|| known::work(black_box(LESS)));
}

#[divan::bench]
fn second(bencher: divan::Bencher<'_, '_>) {
    let steps = steps();
    bencher.bench(|| known::work(black_box(steps)));
}

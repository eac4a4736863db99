//! Work of a known length, as a bench of criterion: `KNOWN_STEPS` says how long.

use criterion::{Criterion, criterion_group, criterion_main};
use perf_proved::measuring::benchmarking::known;
use perf_proved_tools::steps;
use std::hint::black_box;

fn bench(criterion: &mut Criterion) {
    let steps = steps();
    criterion.bench_function("known", |bencher| bencher.iter(|| known::work(black_box(steps))));
}

criterion_group!(benches, bench);
criterion_main!(benches);

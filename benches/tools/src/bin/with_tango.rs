//! Work of a known length, as three benches of tango. Its flags `--strip-baseline` and
//! `--strip-candidate` choose the two that it compares.

use perf_proved::measuring::benchmarking::known::{self, LESS, MORE};
use std::hint::black_box;
use tango_bench::{Benchmark, IntoBenchmarks, benchmark_fn, tango_benchmarks};

fn bench(name: &str, steps: u64) -> Benchmark {
    benchmark_fn(name, move |bencher| bencher.iter(move || known::work(black_box(steps))))
}

fn benches() -> impl IntoBenchmarks {
    [bench("less/known", LESS), bench("again/known", LESS), bench("more/known", MORE)]
}

tango_benchmarks!(benches());

//! Times both ways to copy.

use perf_proved::copy::{AT_ONCE, copy};
use perf_proved_benches::{bench, not_possible, null_control};
use std::hint::black_box;

fn main() {
    let from = vec![1; 1 << 20];
    bench("copy", "whole", "1MiB", || drop(black_box(copy(black_box(&from), AT_ONCE))));
    bench("copy", "bytes", "1MiB", || drop(black_box(copy(black_box(&from), 1))));
    not_possible("copy/ring", "no ring on this machine");
    null_control("copy_aa", "1MiB", || drop(black_box(copy(black_box(&from), AT_ONCE))));
}

//! A bench that no chapter uses.

fn main() {
    perf_proved_benches::bench("other", "nothing", "1", || {
        std::hint::black_box(vec![1u8; 64]);
    });
}

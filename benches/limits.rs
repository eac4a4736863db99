//! Clocks the limits of this machine, which later figures are compared with.
//!
//! Every probe does something `n` times and returns the time of all of them without set-up, as
//! `iter_custom` asks: criterion divides the sum by `n`, so even times below a nanosecond lose
//! nothing to rounding. A value is the time of one unit, which the documentation of the probe
//! defines.

use criterion::measurement::WallTime;
use criterion::{
    BenchmarkGroup, BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group,
    criterion_main,
};
use perf_proved::measuring::limits::bandwidth::Block;
use perf_proved::measuring::limits::file::{Cached, write_fsync};
use perf_proved::measuring::limits::load::Chain;
use perf_proved::measuring::limits::{addition, kernel, lines, loopback, threads, two_cores};
use perf_proved::sys::cores;
use perf_proved::sys::region::Pages;
use perf_proved_benches::{bytes, not_possible, size};
use std::env;
use std::io;
use std::path::Path;
use std::time::Duration;

/// From within the L1 cache to far beyond the last-level cache.
const WORKING_SETS: [usize; 5] = [16 << 10, 256 << 10, 4 << 20, 64 << 20, 256 << 20];

fn limits(criterion: &mut Criterion) {
    load(criterion).unwrap();
    memory(criterion);
    kernel_and_threads(criterion).unwrap();
    two(criterion).unwrap();
    sockets(criterion).unwrap();
    page_cache(criterion).unwrap();
    noise(criterion);
}

/// Measures latency and throughput of loads, then latency with huge pages, which avoid most TLB
/// misses.
fn load(criterion: &mut Criterion) -> io::Result<()> {
    let mut group = criterion.benchmark_group("limits_load");
    group.throughput(Throughput::Elements(1));
    for bytes in WORKING_SETS {
        let mut chain = Chain::new(bytes, Pages::Small)?;
        group.bench_function(BenchmarkId::new("dependent", size(bytes)), |b| {
            b.iter_custom(|n| chain.dependent(n))
        });
        group.bench_function(BenchmarkId::new("independent", size(bytes)), |b| {
            b.iter_custom(|n| chain.independent(n))
        });
    }
    for bytes in WORKING_SETS {
        match Chain::new(bytes, Pages::Huge) {
            Ok(mut chain) => {
                let id = BenchmarkId::new("dependent_huge", size(bytes));
                group.bench_function(id, |b| b.iter_custom(|n| chain.dependent(n)));
            }
            Err(error) => not_possible(
                &format!("limits_load/dependent_huge/{}", size(bytes)),
                &error.to_string(),
            )?,
        }
    }
    group.finish();
    Ok(())
}

/// Measures one pass through the working set; a copy moves one half of it to the other.
fn memory(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("limits_memory");
    group.sampling_mode(SamplingMode::Flat); // a pass through a large working set is long
    for set in WORKING_SETS {
        let mut block = Block::new(set, Pages::Small).unwrap();
        group.throughput(bytes(set));
        group.bench_function(BenchmarkId::new("read", size(set)), |b| {
            b.iter_custom(|n| block.read(n))
        });
        group.bench_function(BenchmarkId::new("write", size(set)), |b| {
            b.iter_custom(|n| block.write(n))
        });
        group.throughput(bytes(set / 2));
        group.bench_function(BenchmarkId::new("copy", size(set)), |b| {
            b.iter_custom(|n| block.copy(n))
        });
    }
    group.finish();
}

fn kernel_and_threads(criterion: &mut Criterion) -> io::Result<()> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let one_core = || cores::allowed().map(|cores| [cores[0]; 2]);
    let mut group = criterion.benchmark_group("limits_kernel");
    group.sampling_mode(SamplingMode::Flat);
    let mut bench = Probes { group: &mut group, name: "limits_kernel" };
    bench.probe("addition", |n| Ok(addition::additions(n)))?;
    bench.probe("timer", |n| Ok(kernel::timer(n)))?;
    bench.probe("syscall", kernel::syscall)?;
    bench.probe("page_fault", |n| kernel::first_touch(n, Pages::Small))?;
    bench.probe("page_fault_huge", |n| kernel::first_touch(n, Pages::Huge))?;
    bench.probe("pipe_alone", threads::pipe_alone)?;
    bench.probe("context_switch_same_core", |n| threads::hand_over(one_core()?, n))?;
    bench.probe("context_switch_across", |n| threads::hand_over(two_cores()?, n))?;
    bench.probe("wake_parked", |n| threads::wake_parked(two_cores()?, n))?;
    bench.probe("spawn_join", threads::spawn_join)?;
    bench.probe("fsync", |n| write_fsync(folder, n))?;
    group.finish();
    Ok(())
}

fn two(criterion: &mut Criterion) -> io::Result<()> {
    let mut group = criterion.benchmark_group("limits_cores");
    group.sampling_mode(SamplingMode::Flat);
    let mut bench = Probes { group: &mut group, name: "limits_cores" };
    bench.probe("atomic_add_alone", |n| Ok(lines::add_alone(n)))?;
    bench.probe("atomic_add_same_line", |n| lines::add_beside(two_cores()?, 8, n))?;
    bench.probe("atomic_add_separate_lines", |n| lines::add_beside(two_cores()?, 128, n))?;
    bench.probe("line_round_trip", |n| lines::line_trips(two_cores()?, n))?;
    group.finish();
    Ok(())
}

fn sockets(criterion: &mut Criterion) -> io::Result<()> {
    let mut group = criterion.benchmark_group("limits_loopback");
    group.sampling_mode(SamplingMode::Flat);
    let mut bench = Probes { group: &mut group, name: "limits_loopback" };
    bench.probe("round_trip", |n| loopback::round_trips(two_cores()?, n))?;
    bench.group.throughput(bytes(1 << 20));
    bench.probe("bandwidth", |n| Ok(loopback::stream(two_cores()?, n)?.time))?;
    group.finish();

    // The same stream, in CPU time of the sender.
    let mut group = criterion.benchmark_group("limits_loopback_cpu");
    group.sampling_mode(SamplingMode::Flat).throughput(bytes(1 << 20));
    let mut bench = Probes { group: &mut group, name: "limits_loopback_cpu" };
    bench.probe("bandwidth", |n| Ok(loopback::stream(two_cores()?, n)?.sender_cpu))?;
    group.finish();
    Ok(())
}

fn page_cache(criterion: &mut Criterion) -> io::Result<()> {
    let file = Cached::new(Path::new(env!("CARGO_TARGET_TMPDIR")))?;
    if let Err(error) = file.read(4 << 10, 1) {
        return not_possible("limits_page_cache", &error.to_string());
    }
    let mut group = criterion.benchmark_group("limits_page_cache");
    for piece in [4 << 10, 64 << 10, 1 << 20] {
        group.throughput(bytes(piece));
        let id = BenchmarkId::new("pread", size(piece));
        group.bench_function(id, |b| b.iter_custom(|n| file.read(piece, n).unwrap()));
    }
    group.finish();
    Ok(())
}

/// Runs the same probe twice: memory, where the noise is largest, because other tenants of the
/// machine use it too.
fn noise(criterion: &mut Criterion) {
    let mut chain = Chain::new(256 << 20, Pages::Small).unwrap();
    let mut group = criterion.benchmark_group("limits_aa");
    for name in ["first", "second"] {
        group.bench_function(name, |b| b.iter_custom(|n| chain.dependent(n)));
    }
    group.finish();
}

struct Probes<'a, 'b> {
    group: &'a mut BenchmarkGroup<'b, WallTime>,
    name: &'static str,
}

impl Probes<'_, '_> {
    /// Runs the probe once, to find out if it is possible here, and then under criterion.
    fn probe(
        &mut self,
        function: &str,
        mut probe: impl FnMut(u64) -> io::Result<Duration>,
    ) -> io::Result<()> {
        match probe(1) {
            Err(error) => not_possible(&format!("{}/{function}", self.name), &error.to_string()),
            Ok(_) => {
                self.group.bench_function(function, |b| b.iter_custom(|n| probe(n).unwrap()));
                Ok(())
            }
        }
    }
}

criterion_group!(benches, limits);
criterion_main!(benches);

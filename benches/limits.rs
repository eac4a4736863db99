//! Clocks the limits of this machine, which later figures are compared with.
//!
//! Every probe does something `n` times and returns the time of all of them without set-up, as
//! `iter_custom` asks: criterion divides the sum by `n`, so even times below a nanosecond lose
//! nothing to rounding. A value is the time of one unit, which the documentation of the probe
//! defines.

use criterion::Throughput;
use perf_proved::measuring::limits::bandwidth::Block;
use perf_proved::measuring::limits::file::{Cached, write_fsync};
use perf_proved::measuring::limits::load::Chain;
use perf_proved::measuring::limits::{addition, kernel, lines, loopback, threads};
use perf_proved::sys::cores::{allowed, two_cores};
use perf_proved::sys::region::Pages;
use perf_proved_benches::{Group, Plan, bytes, size};
use std::env;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// From within the L1 cache to far beyond the last-level cache.
const WORKING_SETS: [usize; 5] = [16 << 10, 256 << 10, 4 << 20, 64 << 20, 256 << 20];

fn main() -> io::Result<()> {
    let mut plan = Plan::new();
    load(plan.group("limits_load"));
    memory(plan.group("limits_memory"));
    kernel_and_threads(plan.group("limits_kernel"));
    between_cores(plan.group("limits_cores"));
    sockets(plan.group("limits_loopback"));
    page_cache(plan.group("limits_page_cache"));
    plan.run()
}

/// Measures latency and throughput of loads, and latency with huge pages, which avoid most TLB
/// misses.
fn load(group: &mut Group<'_>) {
    group.throughput(Throughput::Elements(1));
    for bytes in WORKING_SETS {
        group
            .made(("dependent", size(bytes)), move || {
                let mut chain = Chain::new(bytes, Pages::Small)?;
                Ok(move |n| chain.dependent(n))
            })
            .made(("independent", size(bytes)), move || {
                let mut chain = Chain::new(bytes, Pages::Small)?;
                Ok(move |n| chain.independent(n))
            })
            .made(("dependent_huge", size(bytes)), move || {
                let mut chain = Chain::new(bytes, Pages::Huge)?;
                Ok(move |n| chain.dependent(n))
            });
    }
    // The noisiest size: other tenants of the machine use the same memory.
    group.again_at("dependent", size(256 << 20));
}

/// Measures one pass through the working set; a copy moves one half of it to the other.
fn memory(group: &mut Group<'_>) {
    group.flat(); // a pass through a large working set is long
    for set in WORKING_SETS {
        let block = move || Block::new(set, Pages::Small);
        group
            .throughput(bytes(set))
            .made(("read", size(set)), move || {
                let mut block = block()?;
                Ok(move |n| block.read(n))
            })
            .made(("write", size(set)), move || {
                let mut block = block()?;
                Ok(move |n| block.write(n))
            })
            .throughput(bytes(set / 2))
            .made(("copy", size(set)), move || {
                let mut block = block()?;
                Ok(move |n| block.copy(n))
            });
    }
    group.again_at("copy", size(256 << 20));
}

/// Some of these benchmarks run on one core, some on two: all have a witness, so that a figure
/// shows them side by side.
fn kernel_and_threads(group: &mut Group<'_>) {
    let one_core = || allowed().map(|cores| [cores[0]; 2]);
    group.flat();
    witnessed(group);
    probe(group, "addition", |n| Ok(addition::additions(n)));
    probe(group, "timer", |n| Ok(kernel::timer(n)));
    probe(group, "syscall", kernel::syscall);
    probe(group, "page_fault", |n| kernel::first_touch(n, Pages::Small));
    probe(group, "page_fault_2MiB", |n| kernel::first_touch(n, Pages::Huge));
    probe(group, "pipe_alone", threads::pipe_alone);
    probe(group, "context_switch_same_core", move |n| threads::hand_over(one_core()?, n));
    probe(group, "context_switch_across", |n| threads::hand_over(two_cores()?, n));
    probe(group, "wake_parked", |n| threads::wake_parked(two_cores()?, n));
    probe(group, "spawn_join", threads::spawn_join);
    probe(group, "fsync", |n| write_fsync(&beside_the_program()?, n));
    group.again("wake_parked");
}

fn between_cores(group: &mut Group<'_>) {
    group.flat();
    witnessed(group);
    probe(group, "atomic_add_alone", |n| Ok(lines::add_alone(n)));
    probe(group, "atomic_add_same_line", |n| lines::add_beside(two_cores()?, 8, n));
    probe(group, "atomic_add_separate_lines", |n| lines::add_beside(two_cores()?, 128, n));
    probe(group, "line_round_trip", |n| lines::line_trips(two_cores()?, n));
    group.again("atomic_add_same_line");
}

/// Measures a byte there and back, and a stream through buffers of two sizes.
fn sockets(group: &mut Group<'_>) {
    group.flat();
    witnessed(group);
    probe(group, "round_trip", |n| loopback::round_trips(two_cores()?, n));
    group.throughput(bytes(loopback::PIECE));
    probe(group, "bandwidth", |n| loopback::stream(two_cores()?, loopback::PIECE, n));
    probe(group, "bandwidth_64KiB", |n| loopback::stream(two_cores()?, 64 << 10, n));
    group.again("bandwidth");
}

fn page_cache(group: &mut Group<'_>) {
    for piece in [4 << 10, 64 << 10, 1 << 20] {
        group.throughput(bytes(piece)).made(("pread", size(piece)), move || {
            let file = Cached::new(&beside_the_program()?)?;
            file.read(4 << 10, 1)?;
            Ok(move |n| file.read(piece, n))
        });
    }
    group.again("pread");
}

/// Returns the folder of this program: cargo's target folder, or that of an unpacked archive.
fn beside_the_program() -> io::Result<PathBuf> {
    let mut program = env::current_exe()?;
    program.pop();
    Ok(program)
}

/// Measures a witness, if there are two cores.
fn witnessed(group: &mut Group<'_>) {
    if let Ok(cores) = two_cores() {
        group.witnessed(cores);
    }
}

/// Registers a probe, which runs once before criterion does, to find out if it is possible here.
fn probe(
    group: &mut Group<'_>,
    function: &str,
    probe: impl Fn(u64) -> io::Result<Duration> + Copy + 'static,
) {
    group.made(function, move || {
        probe(1)?;
        Ok(probe)
    });
}

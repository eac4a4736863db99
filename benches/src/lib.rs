//! Shared parts of the benches: clocks that measure CPU time, and reports of benchmarks that are
//! not possible here.
//!
//! A bench has one criterion group per figure, with its functions in the order of the chapter, and
//! the group `NAME_aa`, whose functions `first` and `second` run the same code: any difference
//! between these two is noise.

use criterion::measurement::{Measurement, ValueFormatter, WallTime};
use criterion::{BenchmarkId, Criterion, Throughput};
use perf_proved::proof::cpu;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use std::{env, fs, io};

/// Implements criterion's `Measurement` for a clock that `$read` reads, in the units of wall time.
macro_rules! measure_by {
    ($clock:ty, $read:path) => {
        impl Measurement for $clock {
            type Intermediate = Duration;
            type Value = Duration;

            fn start(&self) -> Duration {
                $read().expect("this clock was checked before the first benchmark")
            }

            fn end(&self, start: Duration) -> Duration {
                self.start() - start
            }

            fn add(&self, a: &Duration, b: &Duration) -> Duration {
                *a + *b
            }

            fn zero(&self) -> Duration {
                Duration::ZERO
            }

            fn to_f64(&self, time: &Duration) -> f64 {
                WallTime.to_f64(time)
            }

            fn formatter(&self) -> &dyn ValueFormatter {
                WallTime.formatter()
            }
        }
    };
}

/// Measures the CPU time of the benchmarking thread, in user space and in the kernel, instead of
/// wall time. Threads that help it do not count.
pub struct ThreadTime;
measure_by!(ThreadTime, cpu::thread);

/// Measures the CPU time of the whole process, including the kernel's workers and the other end of
/// a connection.
pub struct ProcessTime;
measure_by!(ProcessTime, cpu::process);

/// Prints the reason why a benchmark, function or whole group (`id`) cannot run on this machine,
/// and writes it next to criterion's results, where the book finds it.
///
/// # Errors
///
/// If the file cannot be written.
pub fn not_possible(id: &str, reason: &str) -> io::Result<()> {
    eprintln!("{id}: not possible here: {reason}");
    let folder = criterion_output()?.join(id.replace('/', "_"));
    fs::create_dir_all(&folder)?;
    let json = serde_json::json!({ "id": id, "reason": reason }).to_string();
    fs::write(folder.join("not_possible.json"), json)
}

/// Runs `bench` with the resource that it needs, usually two cores. If the resource is not
/// available, reports the reason for each of `ids`.
///
/// # Errors
///
/// The errors of `bench`, or of writing the reason.
pub fn with<T>(
    needed: Result<T, impl Display>,
    ids: &[&str],
    bench: impl FnOnce(T) -> io::Result<()>,
) -> io::Result<()> {
    match needed {
        Ok(needed) => bench(needed),
        Err(reason) => ids.iter().try_for_each(|id| not_possible(id, &reason.to_string())),
    }
}

/// Stands in for a bench that is built on Linux only. It is never called: other systems do not pin
/// threads, so [`with`] has no two cores to run on.
#[cfg(not(target_os = "linux"))]
pub fn not_built(_cores: [usize; 2]) -> io::Result<()> {
    unreachable!("no two cores without pinning")
}

/// Returns the folder that criterion writes to, as criterion determines it: `CRITERION_HOME`, or
/// `criterion` in cargo's target folder, which environment variables and configuration may move.
fn criterion_output() -> io::Result<PathBuf> {
    if let Some(home) = env::var_os("CRITERION_HOME") {
        return Ok(home.into());
    }
    if let Some(target) = env::var_os("CARGO_TARGET_DIR") {
        return Ok(Path::new(&target).join("criterion"));
    }
    let Some(cargo) = env::var_os("CARGO") else {
        return Ok(Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/criterion"));
    };
    let output =
        Command::new(cargo).args(["metadata", "--no-deps", "--format-version", "1"]).output()?;
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    match metadata["target_directory"].as_str() {
        Some(target) => Ok(Path::new(target).join("criterion")),
        None => Err(io::Error::other("`cargo metadata` names no target folder")),
    }
}

/// Formats a parameter with its unit, as the figures print it: `64KiB`, `1MiB`.
pub fn size(bytes: usize) -> String {
    match bytes {
        b if b % (1 << 20) == 0 => format!("{}MiB", b >> 20),
        b if b % (1 << 10) == 0 => format!("{}KiB", b >> 10),
        b => format!("{b}B"),
    }
}

/// Converts `bytes` to criterion's throughput.
pub fn bytes(bytes: usize) -> Throughput {
    Throughput::Bytes(bytes as u64)
}

/// Benchmarks every variant at every size: all variants at one size before the next size, so that
/// drift affects them alike. `batch` takes the index of a variant, the index of a size and a number
/// of repetitions, and returns their time.
pub fn sweep<M: Measurement<Value = Duration>>(
    criterion: &mut Criterion<M>,
    group: &str,
    variants: &[&str],
    sizes: &[usize],
    mut batch: impl FnMut(usize, usize, u64) -> Duration,
) {
    let mut group = criterion.benchmark_group(group);
    for (at, &length) in sizes.iter().enumerate() {
        group.throughput(bytes(length));
        for (variant, name) in variants.iter().enumerate() {
            group.bench_function(BenchmarkId::new(*name, size(length)), |bencher| {
                bencher.iter_custom(|times| batch(variant, at, times));
            });
        }
    }
    group.finish();
}

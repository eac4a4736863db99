//! What the benches share: clocks that count CPU time, and a way to say that something cannot be
//! measured here.
//!
//! A bench has one criterion group a figure, its functions in the order in which the chapter meets
//! them, and the group `NAME_aa` with the functions `first` and `second`, which run the same code:
//! what differs between those two is noise.

use criterion::Throughput;
use criterion::measurement::{Measurement, ValueFormatter, WallTime};
use perf_proved::proof::cpu;
use std::fmt::Display;
use std::path::PathBuf;
use std::time::Duration;
use std::{env, fs, io};

/// Makes a clock of this crate criterion's: times in the units of the wall's, read by the function.
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

/// Measures the CPU time of the benchmarking thread, in user space and in the kernel, where
/// criterion's own clock measures what passes on the wall. Threads that help it are not counted.
pub struct ThreadTime;
measure_by!(ThreadTime, cpu::thread);

/// Measures the CPU time of the whole process: what the kernel's workers and the other end of a
/// connection do for a sender too.
pub struct ProcessTime;
measure_by!(ProcessTime, cpu::process);

/// Prints why a benchmark, function or whole group (`id`) cannot run on this machine and leaves the
/// reason beside criterion's results, where the book finds it.
///
/// # Errors
///
/// If the file cannot be written.
pub fn not_possible(id: &str, reason: &str) -> io::Result<()> {
    eprintln!("{id}: not possible here: {reason}");
    let home =
        env::var_os("CRITERION_HOME").map_or_else(|| target_dir().join("criterion"), PathBuf::from);
    let folder = home.join(id.replace('/', "_"));
    fs::create_dir_all(&folder)?;
    let json = serde_json::json!({ "id": id, "reason": reason }).to_string();
    fs::write(folder.join("not_possible.json"), json)
}

/// Runs a bench, or a part of one, with what it needs: two cores, most often. Where that cannot be
/// had, says why of each of `ids`.
///
/// # Errors
///
/// What the bench reports, or if the reason cannot be written.
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

/// Stands where a bench is built for Linux only, and is never called: on other systems threads are
/// not pinned, so there are no two cores to run [`with`].
#[cfg(not(target_os = "linux"))]
pub fn not_built(_cores: [usize; 2]) -> io::Result<()> {
    unreachable!("there is a reason not to")
}

/// Where cargo builds to: `CARGO_TARGET_DIR`, or `target` of the workspace.
fn target_dir() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target")),
        PathBuf::from,
    )
}

/// A parameter with its unit, as the figures print it: `64KiB`, `1MiB`.
pub fn size(bytes: usize) -> String {
    match bytes {
        b if b % (1 << 20) == 0 => format!("{}MiB", b >> 20),
        b if b % (1 << 10) == 0 => format!("{}KiB", b >> 10),
        b => format!("{b}B"),
    }
}

/// `bytes` as criterion's throughput.
pub fn bytes(bytes: usize) -> Throughput {
    Throughput::Bytes(bytes as u64)
}

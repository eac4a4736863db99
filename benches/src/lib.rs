//! The library of the benches: registers their benchmarks, runs them in an order that varies, and
//! writes what criterion does not.
//!
//! A bench has one [`Group`] per figure, with its functions in the order of the chapter:
//!
//! ```no_run
//! use perf_proved_benches::{Plan, bytes, size};
//!
//! # fn main() -> std::io::Result<()> {
//! let mut plan = Plan::new();
//! let group = plan.group("copies");
//! for length in [4 << 10, 1 << 20] {
//!     let mut buffer = vec![0; length];
//!     group.throughput(bytes(length)).iter(("fill", size(length)), move || buffer.fill(1));
//! }
//! group.again("fill");
//! plan.run()
//! # }
//! ```
//!
//! [`Group::again`] measures the same code twice, which tells the noise. [`Group::second_clock`]
//! measures CPU time and wall time over the same batches, [`Group::witnessed`] how far two cores
//! are from each other, and [`Group::isolated`] each benchmark in a process of its own.

mod arguments;
mod clocks;
mod group;
mod order;
mod output;
mod plan;
mod steady;
mod witness;

pub use clocks::{Clock, Taken, Times};
pub use group::{Group, Name};
pub use output::not_possible;
pub use plan::Plan;

use criterion::Throughput;
use std::fmt::Display;
use std::io;

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

//! Measures the limits of this machine: memory, system calls, threads, cores, sockets, files.
//!
//!     cargo run --release --example limits              # about half a minute and 700 MiB of memory
//!     cargo run --release --example limits -- --quick   # a few seconds; rougher, and promises only counts
//!
//! Each line is the median of several short rounds in which the probes of a family take turns, with
//! the lowest and the highest round. The documentation of each probe in `src/measuring/limits/`
//! says what it measures and what it leaves out.

use perf_proved::harness::flags::Example;
use perf_proved::measuring::limits::experiment::Limits;
use std::process::ExitCode;
use std::time::Duration;

fn main() -> ExitCode {
    Example::new("Measures the limits of this machine: memory, kernel, threads, sockets, files.")
        .flag("quick", "", "measures fewer and shorter rounds")
        .run(|flags| Ok(measure(flags.own("quick").is_some(), flags.json)))
}

fn measure(quick: bool, json: bool) -> ExitCode {
    let (rounds, milliseconds) = if quick { (3, 2) } else { (9, 20) };
    let mut limits = Limits::new(rounds, Duration::from_millis(milliseconds));
    limits.loads();
    limits.memory();
    limits.kernel_and_threads();
    limits.cores();
    limits.sockets_and_files();
    limits.counts();
    if !quick {
        promises(&mut limits); // a quick round may be shorter than a burst of another program
    }
    limits.report.finish(json)
}

/// Promises what holds on every machine, unless a probe measures something else than it says, or
/// another program slows it down. The bounds leave room: on the machines recorded, each ratio is
/// several times its bound.
fn promises(limits: &mut Limits) {
    limits.promise_slower_by_size();
    limits.promise_slower("load_dependent_256MiB", "load_independent_256MiB", 1.2);
    limits.promise_slower("load_dependent_256MiB", "naive_latency_256MiB", 1.2);
    limits.promise_slower("addition", "naive_addition", 10.0);
    limits.promise_slower("first_touch", "second_touch", 2.0);
    limits.promise_slower("context_switch_same_core", "pipe_alone", 1.0);
    limits.promise_slower("wake_parked", "syscall", 1.0);
}

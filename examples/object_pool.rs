//! Gets buffers from the allocator, from the pool that everybody writes first, and from the pool of
//! the chapter. Counts what each of them costs, and what it keeps.
//!
//!     cargo run --release --example object_pool
//!     strace -c target/release/examples/object_pool --only fresh

#[cfg(target_os = "linux")]
#[global_allocator]
static ALLOCATOR: perf_proved::proof::allocations::Counting =
    perf_proved::proof::allocations::Counting;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    perf_proved::harness::flags::Example::new(
        "Counts the allocations that object pools save, and what a pool leaves in memory.",
    )
    .variants(&perf_proved::memory::object_pool::variants::Variant::NAMES)
    .run(linux::main)
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("This example asks the Linux kernel what remains in memory, and so needs Linux.");
}

#[cfg(target_os = "linux")]
mod linux {
    use perf_proved::harness::flags::Flags;
    use perf_proved::harness::report::{Report, Value};
    use perf_proved::memory::object_pool::experiment;
    use perf_proved::memory::object_pool::variants::Variant;
    use std::io;
    use std::process::ExitCode;

    pub fn main(flags: Flags) -> io::Result<ExitCode> {
        if let Some(name) = flags.only {
            Variant::with(&name, |variant| variant.burst(64, 4 << 10, 0));
            return Ok(ExitCode::SUCCESS);
        }
        let mut report =
            Report::new("What buffers cost that are got afresh, and what two pools keep");
        for (number, name) in Variant::NAMES.into_iter().enumerate() {
            Variant::with(name, |variant| {
                report.set(name, "allocations", experiment::allocations(variant));
                report.set(name, "again", experiment::allocations(variant));
            });
            faults(&mut report, name, "faults");
            report.attempt(name, &["secrets"], |report| {
                let secrets =
                    Variant::with(name, |variant| experiment::secrets(variant, number as u64))?;
                report.set(name, "secrets", Value::Bytes(secrets));
                Ok(())
            });
            footprint(&mut report, name);
        }
        // Last, since glibc gives less back to the kernel once it has freed a block of that size.
        for name in Variant::NAMES {
            let kept = Variant::with(name, experiment::kept_of_one);
            report.set(name, "kept_of_one", Value::Bytes(kept));
        }
        faults(&mut report, "fresh", "faults_later");
        let discarded = report.attempt("pool", &["first_thread", "second_thread"], |report| {
            let ([first, second], discarded) = experiment::two_threads()?;
            report.detail("pool", "first_thread", first);
            report.detail("pool", "second_thread", second);
            Ok(discarded)
        });
        report.promise(
            "nothing was discarded of two bursts that the pool has room for",
            discarded.map(|discarded| discarded == 0),
        );
        Ok(report.finish(flags.json))
    }

    /// Counts the page faults of 64 buffers of 64 KiB.
    fn faults(report: &mut Report, name: &str, quantity: &str) {
        report.attempt(name, &[quantity], |report| {
            report.set(name, quantity, Variant::with(name, experiment::faults)?);
            Ok(())
        });
    }

    /// Measures 1,000 buffers of 64 KiB while they live, and after they have all been returned.
    fn footprint(report: &mut Report, name: &str) {
        let found = Variant::with(name, experiment::footprint);
        report.set(name, "peak", Value::Bytes(found.allocated.peak));
        report.set(name, "kept", Value::Bytes(found.allocated.held.max(0) as u64));
        report.attempt(name, &["resident_peak", "resident_kept"], |report| {
            let [peak, kept] = found.resident?;
            report.detail(name, "resident_peak", Value::Bytes(peak));
            report.detail(name, "resident_kept", Value::Bytes(kept));
            Ok(())
        });
    }
}

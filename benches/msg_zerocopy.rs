//! Time and CPU time of sending buffers of 4 KiB, 64 KiB and 1 MiB with and without the copy into
//! the socket.
//!
//! The sender runs on one core and the reader on another, with a connection for each variant.
//! `msg_zerocopy_cpu` is the CPU time of the whole process, because work that the kernel defers may
//! run on the reader's clock or on a worker's; it includes the reader's own copy, the same for
//! every variant. `msg_zerocopy` is wall time, until the reader has confirmed the last byte and
//! every buffer is back. `msg_zerocopy_splice` sends a file of 1 MiB on two clocks, that of the
//! sending thread and that of the process.

use perf_proved::measuring::limits::two_cores;
use perf_proved_benches::with;
use std::io;

fn main() -> io::Result<()> {
    let ids = ["msg_zerocopy_cpu", "msg_zerocopy", "msg_zerocopy_splice", "msg_zerocopy_aa"];
    with(two_cores(), &ids, bench::run)
}

#[cfg(not(target_os = "linux"))]
mod bench {
    pub use perf_proved_benches::not_built as run;
}

#[cfg(target_os = "linux")]
mod bench {
    use criterion::measurement::{Measurement, WallTime};
    use criterion::{BenchmarkGroup, BenchmarkId, Criterion};
    use perf_proved::harness::loopback::{FNV_START, Loopback, fnv1a};
    use perf_proved::harness::report::is_unavailable;
    use perf_proved::harness::scratch::{Scratch, pattern};
    use perf_proved::sys::cores;
    use perf_proved::zero_copy::msg_zerocopy::experiment::{Experiment, FileSender};
    use perf_proved::zero_copy::msg_zerocopy::variants::Variant;
    use perf_proved_benches::{ProcessTime, ThreadTime, bytes, not_possible, size};
    use std::fs::File;
    use std::io;
    use std::time::Duration;

    const SIZES: [usize; 3] = [4 << 10, 64 << 10, 1 << 20];

    pub fn run([sending, reading]: [usize; 2]) -> io::Result<()> {
        cores::pin(sending)?;
        let mut cpu = Criterion::default().with_measurement(ProcessTime).configure_from_args();
        sweep(&mut cpu, "msg_zerocopy_cpu", &ProcessTime, reading)?;
        same_twice(&mut cpu, "cpu", &ProcessTime, reading)?;
        let mut wall = Criterion::default().configure_from_args();
        sweep(&mut wall, "msg_zerocopy", &WallTime, reading)?;
        same_twice(&mut wall, "wall", &WallTime, reading)?;

        let mut thread = Criterion::default().with_measurement(ThreadTime).configure_from_args();
        files(&mut thread, "sender", &ThreadTime, reading)?;
        files(&mut cpu, "process", &ProcessTime, reading)?;
        cpu.final_summary();
        Ok(())
    }

    /// Connects a variant, and sends enough to let the kernel grow the socket's buffers.
    fn prepared(name: &str, size: usize, reading: usize) -> io::Result<Experiment> {
        let mut experiment = Experiment::new(name, size, Some(reading))?;
        let intact = experiment.send_checked((8 << 20) / size as u64)?;
        assert!(intact, "{name}, {size} bytes: every byte arrives as it was");
        experiment.without_fallback()?;
        Ok(experiment)
    }

    /// Measures one variant, until the reader has confirmed every byte.
    fn measure<M: Measurement<Value = Duration>>(
        group: &mut BenchmarkGroup<'_, M>,
        id: BenchmarkId,
        clock: &M,
        mut experiment: Experiment,
    ) -> io::Result<()> {
        group.bench_function(id, |bencher| {
            bencher.iter_custom(|times| {
                let start = clock.start();
                experiment.send(times).expect("everything arrives, and the reader confirms it");
                clock.end(start)
            });
        });
        experiment.without_fallback()?; // else it has measured another variant
        experiment.close()
    }

    /// Measures all variants at one size, then at the next, so that a drift affects all alike.
    fn sweep<M>(
        criterion: &mut Criterion<M>,
        name: &str,
        clock: &M,
        reading: usize,
    ) -> io::Result<()>
    where
        M: Measurement<Value = Duration>,
    {
        let mut group = criterion.benchmark_group(name);
        for length in SIZES {
            group.throughput(bytes(length));
            for variant in Variant::NAMES {
                match prepared(variant, length, reading) {
                    Err(error) if is_unavailable(&error) => {
                        not_possible(&format!("{name}/{variant}"), &error.to_string())?;
                    }
                    experiment => {
                        let id = BenchmarkId::new(variant, size(length));
                        measure(&mut group, id, clock, experiment?)?;
                    }
                }
            }
        }
        group.finish();
        Ok(())
    }

    fn same_twice<M>(
        criterion: &mut Criterion<M>,
        parameter: &str,
        clock: &M,
        reading: usize,
    ) -> io::Result<()>
    where
        M: Measurement<Value = Duration>,
    {
        let mut group = criterion.benchmark_group("msg_zerocopy_aa");
        for function in ["first", "second"] {
            match prepared("msg_zerocopy", SIZES[1], reading) {
                Err(error) if is_unavailable(&error) => {
                    not_possible("msg_zerocopy_aa", &error.to_string())?;
                }
                experiment => {
                    measure(&mut group, BenchmarkId::new(function, parameter), clock, experiment?)?;
                }
            }
        }
        group.finish();
        Ok(())
    }

    /// Sends a file of 1 MiB by `sendfile` and by io_uring's splice, on one clock.
    fn files<M>(
        criterion: &mut Criterion<M>,
        parameter: &str,
        clock: &M,
        reading: usize,
    ) -> io::Result<()>
    where
        M: Measurement<Value = Duration>,
    {
        const LENGTH: u64 = 1 << 20;
        let scratch = Scratch::new()?;
        let file = File::open(scratch.file("body", LENGTH as usize)?)?;
        let mut line = Loopback::new(Some(reading))?;
        let expected = fnv1a(FNV_START, &pattern(LENGTH as usize));
        let mut group = criterion.benchmark_group("msg_zerocopy_splice");
        for function in FileSender::NAMES {
            let mut sender = match FileSender::new(function) {
                Err(error) if is_unavailable(&error) => {
                    not_possible(&format!("msg_zerocopy_splice/{function}"), &error.to_string())?;
                    continue;
                }
                sender => sender?,
            };
            let mut send = |socket: &_| sender.send(socket, &file, LENGTH);
            assert_eq!(line.transfer_checked(LENGTH, &mut send)?.1, expected, "{function}");
            group.bench_function(BenchmarkId::new(function, parameter), |bencher| {
                bencher.iter_custom(|times| {
                    let start = clock.start();
                    line.transfer(times * LENGTH, |socket| {
                        (0..times).try_for_each(|_| send(socket))
                    })
                    .expect("everything arrives, and the reader confirms it");
                    clock.end(start)
                });
            });
        }
        group.finish();
        line.close()
    }
}

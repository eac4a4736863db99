//! How long it takes to send buffers of 4 KiB, 64 KiB and 1 MiB with and without the copy into the
//! socket, and how much CPU time.
//!
//! The sender on one core, the reader on another, a connection for each way. `msg_zerocopy_cpu` is
//! the CPU time of the whole process, because what the kernel puts off may be done on the reader's
//! clock or by a worker; the reader's own copy is in it, the same for every way. `msg_zerocopy` is
//! the wall, until the reader has confirmed the last byte and every buffer is back.
//! `msg_zerocopy_splice` sends a file of 1 MiB on two clocks, that of the sending thread and that
//! of the process.

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
    use criterion::{BenchmarkId, Criterion};
    use perf_proved::harness::loopback::{FNV_START, Loopback, fnv1a};
    use perf_proved::harness::scratch::{Scratch, pattern};
    use perf_proved::sys::cores;
    use perf_proved::zero_copy::msg_zerocopy::ring::Ring;
    use perf_proved::zero_copy::msg_zerocopy::way::Way;
    use perf_proved::zero_copy::sendfile::variants::Variant as SendVariant;
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

    /// A way, with a connection of its own.
    struct Bench {
        way: Way,
        line: Loopback,
        size: usize,
    }

    impl Bench {
        /// Sends enough to let the kernel grow the socket's buffers, and checks what arrives.
        fn new(name: &str, size: usize, reading: usize) -> io::Result<Self> {
            let mut line = Loopback::new(Some(reading))?;
            let buffer = pattern(size);
            let way = line.transfer(0, |socket| Way::new(name, socket, &buffer))?;
            let mut bench = Self { way, line, size };
            let buffers = (8 << 20) / size;
            let Self { way, line, .. } = &mut bench;
            let ((), checksum) = line.transfer_checked((buffers * size) as u64, |_| {
                (0..buffers).try_for_each(|_| way.send())?;
                way.finish()
            })?;
            assert_eq!(
                checksum,
                (0..buffers).fold(FNV_START, |hash, _| fnv1a(hash, &buffer)),
                "{name}, {size} bytes"
            );
            Ok(bench)
        }

        /// Sends so many buffers and waits for one confirmation of them all.
        fn batch<M: Measurement<Value = Duration>>(&mut self, clock: &M, times: u64) -> Duration {
            let Self { way, line, size } = self;
            let start = clock.start();
            line.transfer(times * *size as u64, |_| {
                (0..times).try_for_each(|_| way.send())?;
                way.finish()
            })
            .expect("everything arrives, and the reader confirms it");
            clock.end(start)
        }

        fn close(self) -> io::Result<()> {
            drop(self.way); // it holds the connection too
            self.line.close()
        }
    }

    /// All ways at one size, then at the next: what drifts, drifts for all.
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
            for way in Way::NAMES {
                let mut bench = match Bench::new(way, length, reading) {
                    Err(error) if way.starts_with("io_uring") && Ring::new().is_err() => {
                        not_possible(&format!("{name}/{way}"), &error.to_string())?;
                        continue;
                    }
                    other => other?,
                };
                group.bench_function(BenchmarkId::new(way, size(length)), |bencher| {
                    bencher.iter_custom(|times| bench.batch(clock, times));
                });
                bench.close()?;
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
            let mut bench = Bench::new("msg_zerocopy", SIZES[1], reading)?;
            group.bench_function(BenchmarkId::new(function, parameter), |bencher| {
                bencher.iter_custom(|times| bench.batch(clock, times));
            });
            bench.close()?;
        }
        group.finish();
        Ok(())
    }

    /// A file of 1 MiB by `sendfile` and by io_uring's splice, on one clock.
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
        let mut sendfile = SendVariant::Sendfile;
        let mut ring = Ring::new();
        let expected = fnv1a(FNV_START, &pattern(LENGTH as usize));
        let mut group = criterion.benchmark_group("msg_zerocopy_splice");
        for function in ["sendfile", "io_uring_splice"] {
            if let ("io_uring_splice", Err(error)) = (function, &ring) {
                not_possible("msg_zerocopy_splice/io_uring_splice", &error.to_string())?;
                continue;
            }
            let mut send = |socket: &_| match (function, &mut ring) {
                ("io_uring_splice", Ok(ring)) => ring.send_file(socket, &file, LENGTH),
                _ => sendfile.send(socket, &file, LENGTH),
            };
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

//! The time that each way of sending a file over TCP takes, and the sender's share of CPU time: 4
//! KiB to 64 MiB, page cache warm.
//!
//! All variants share one connection, with the sender on one core and the reader on another. The
//! group `sendfile` measures the wall clock, from the first byte of a batch until the reader has
//! confirmed the last. `sendfile_cpu` measures the CPU time of the sending thread, in the kernel
//! too; on loopback that includes a part of receiving, which is the same for every variant.
//! `sendfile_aa` measures CPU time as well.

use perf_proved::measuring::limits::two_cores;
use perf_proved_benches::with;
use std::io;

fn main() -> io::Result<()> {
    let ids = ["sendfile", "sendfile_cpu", "sendfile_aa"];
    with(two_cores(), &ids, bench::run)
}

#[cfg(not(target_os = "linux"))]
mod bench {
    pub use perf_proved_benches::not_built as run;
}

#[cfg(target_os = "linux")]
mod bench {
    use criterion::Criterion;
    use criterion::measurement::{Measurement, WallTime};
    use perf_proved::harness::loopback::{FNV_START, Loopback, fnv1a};
    use perf_proved::harness::scratch::{Scratch, pattern};
    use perf_proved::sys::cores;
    use perf_proved::zero_copy::sendfile::variants::Variant;
    use perf_proved_benches::{ThreadTime, bytes, sweep};
    use std::fs::File;
    use std::io;
    use std::time::Duration;

    const KIB: usize = 1 << 10;
    const MIB: usize = 1 << 20;
    const SIZES: [usize; 8] =
        [4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB, MIB, 4 * MIB, 16 * MIB, 64 * MIB];

    pub fn run([sending, reading]: [usize; 2]) -> io::Result<()> {
        cores::pin(sending)?;
        let scratch = Scratch::new()?;
        let largest = SIZES[SIZES.len() - 1];
        let variants = Variant::NAMES.map(Variant::new).into_iter();
        let mut bench = Bench {
            line: Loopback::new(Some(reading))?,
            file: File::open(scratch.file("body", largest)?)?,
            variants: variants.collect::<io::Result<_>>()?,
        };
        bench.check()?;

        let mut wall = Criterion::default().configure_from_args();
        bench.sweep(&mut wall, "sendfile", &WallTime);
        let mut cpu = Criterion::default().with_measurement(ThreadTime).configure_from_args();
        bench.sweep(&mut cpu, "sendfile_cpu", &ThreadTime);

        let mut same = cpu.benchmark_group("sendfile_aa");
        same.throughput(bytes(MIB));
        let sendfile = bench.variants.len() - 1;
        for function in ["first", "second"] {
            same.bench_function(function, |bencher| {
                bencher.iter_custom(|bodies| bench.batch(&ThreadTime, sendfile, MIB, bodies));
            });
        }
        same.finish();
        cpu.final_summary();
        bench.line.close()
    }

    struct Bench {
        line: Loopback,
        file: File,
        /// In the order of their names.
        variants: Vec<Variant>,
    }

    impl Bench {
        /// Checks that every variant sends the right bytes at every size. This also lets the kernel
        /// grow the socket's buffers before anything is measured: they grow with use, so the first
        /// variant would be measured with small ones.
        fn check(&mut self) -> io::Result<()> {
            let Self { line, file, variants } = self;
            for length in SIZES {
                let expected = fnv1a(FNV_START, &pattern(length));
                for (variant, name) in variants.iter_mut().zip(Variant::NAMES) {
                    let send = |socket: &_| variant.send(socket, file, length as u64);
                    let ((), checksum) = line.transfer_checked(length as u64, send)?;
                    assert_eq!(checksum, expected, "{name}, {length} bytes");
                }
            }
            Ok(())
        }

        fn sweep<M>(&mut self, criterion: &mut Criterion<M>, group: &str, clock: &M)
        where
            M: Measurement<Value = Duration>,
        {
            sweep(criterion, group, &Variant::NAMES, &SIZES, |variant, size, bodies| {
                self.batch(clock, variant, SIZES[size], bodies)
            });
        }

        /// Sends a number of bodies and waits for one confirmation of them all: one for each would
        /// cost more than a small body.
        fn batch<M>(&mut self, clock: &M, variant: usize, length: usize, bodies: u64) -> Duration
        where
            M: Measurement<Value = Duration>,
        {
            let Self { line, file, variants } = self;
            let (variant, length) = (&mut variants[variant], length as u64);
            let start = clock.start();
            line.transfer(bodies * length, |socket| {
                (0..bodies).try_for_each(|_| variant.send(socket, file, length))
            })
            .expect("every body arrives, and the reader confirms its bytes");
            clock.end(start)
        }
    }
}

//! How long each way of sending a file over TCP takes, and how much of the sender's CPU time: 4 KiB
//! to 64 MiB, page cache warm.
//!
//! One connection for everything, the sender on one core, the reader on another. The group
//! `sendfile` is the wall: from the first byte of a batch until the reader has confirmed the last.
//! `sendfile_cpu` is the sending thread's own time, in the kernel too; on loopback a part of the
//! receiving is in it, the same for every variant. `sendfile_aa` is CPU time as well.

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
    use criterion::measurement::{Measurement, WallTime};
    use criterion::{BenchmarkId, Criterion};
    use perf_proved::harness::loopback::{FNV_START, Loopback, fnv1a};
    use perf_proved::harness::scratch::{Scratch, pattern};
    use perf_proved::sys::cores;
    use perf_proved::zero_copy::sendfile::variants::Variant;
    use perf_proved_benches::{ThreadTime, bytes, size};
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
        let mut bench = Bench {
            line: Loopback::new(Some(reading))?,
            file: File::open(scratch.file("body", largest)?)?,
            variants: Variant::NAMES
                .iter()
                .map(|name| Ok((*name, Variant::new(name)?)))
                .collect::<io::Result<_>>()?,
        };

        // Every variant sends the right bytes, at every size. This also lets the kernel grow the
        // socket's buffers before anything is measured: they grow with use, and who came first
        // would have the small ones.
        for length in SIZES {
            let expected = fnv1a(FNV_START, &pattern(length));
            for variant in 0..bench.variants.len() {
                assert_eq!(
                    bench.send_checked(variant, length)?,
                    expected,
                    "{}, {length} bytes",
                    bench.variants[variant].0
                );
            }
        }

        bench.sweep(&mut Criterion::default().configure_from_args(), "sendfile", &WallTime);
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
        variants: Vec<(&'static str, Variant)>,
    }

    impl Bench {
        /// All variants at one size, then at the next: what drifts, drifts for all.
        fn sweep<M>(&mut self, criterion: &mut Criterion<M>, group: &str, clock: &M)
        where
            M: Measurement<Value = Duration>,
        {
            let mut group = criterion.benchmark_group(group);
            for length in SIZES {
                group.throughput(bytes(length));
                for variant in 0..self.variants.len() {
                    group.bench_function(
                        BenchmarkId::new(self.variants[variant].0, size(length)),
                        |bencher| {
                            bencher
                                .iter_custom(|bodies| self.batch(clock, variant, length, bodies));
                        },
                    );
                }
            }
            group.finish();
        }

        /// Sends so many bodies and waits for one confirmation of them all: one for each would cost
        /// more than a small body.
        fn batch<M>(&mut self, clock: &M, variant: usize, length: usize, bodies: u64) -> Duration
        where
            M: Measurement<Value = Duration>,
        {
            let Self { line, file, variants } = self;
            let (variant, length) = (&mut variants[variant].1, length as u64);
            let start = clock.start();
            line.transfer(bodies * length, |socket| {
                (0..bodies).try_for_each(|_| variant.send(socket, file, length))
            })
            .expect("every body arrives, and the reader confirms their bytes");
            clock.end(start)
        }

        fn send_checked(&mut self, variant: usize, length: usize) -> io::Result<u64> {
            let Self { line, file, variants } = self;
            let length = length as u64;
            Ok(line
                .transfer_checked(length, |socket| variants[variant].1.send(socket, file, length))?
                .1)
        }
    }
}

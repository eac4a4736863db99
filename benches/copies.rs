//! The cost of the parts of a transfer: a file's bytes to a TCP socket along each path, and the
//! halves of a read/write loop alone. 4 KiB to 16 MiB, page cache warm.
//!
//! All variants share one connection, with the sender on one core and the reader on another.
//! `copies_cpu` measures the CPU time of the sending thread, in the kernel too; on loopback that
//! includes a part of receiving, which is the same for every variant that sends. `copies` measures
//! the wall clock until the reader has confirmed the last byte.

use perf_proved::measuring::limits::two_cores;
use perf_proved_benches::with;
use std::io;

fn main() -> io::Result<()> {
    let ids = ["copies_cpu", "copies", "copies_aa"];
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
    use perf_proved::zero_copy::copies::variants::Variant;
    use perf_proved_benches::{ThreadTime, size, sweep};
    use std::fs::File;
    use std::io;
    use std::time::Duration;

    const KIB: usize = 1 << 10;
    const MIB: usize = 1 << 20;
    const SIZES: [usize; 4] = [4 * KIB, 64 * KIB, MIB, 16 * MIB];

    pub fn run([sending, reading]: [usize; 2]) -> io::Result<()> {
        cores::pin(sending)?;
        let scratch = Scratch::new()?;
        let files =
            SIZES.map(|length| File::open(scratch.file(&size(length), length)?)).into_iter();
        let variants = Variant::NAMES.map(Variant::new).into_iter();
        let mut bench = Bench {
            line: Loopback::new(Some(reading))?,
            files: files.collect::<io::Result<_>>()?,
            variants: variants.collect::<io::Result<_>>()?,
        };
        bench.check()?;

        let mut cpu = Criterion::default().with_measurement(ThreadTime).configure_from_args();
        bench.sweep(&mut cpu, "copies_cpu", &ThreadTime);
        bench.same_twice(&mut cpu, "cpu", &ThreadTime);
        let mut wall = Criterion::default().configure_from_args();
        bench.sweep(&mut wall, "copies", &WallTime);
        bench.same_twice(&mut wall, "wall", &WallTime);
        wall.final_summary();
        bench.line.close()
    }

    struct Bench {
        line: Loopback,
        /// One for each size: a variant that sends whole files needs a file of that size.
        files: Vec<File>,
        /// In the order of their names.
        variants: Vec<Variant>,
    }

    impl Bench {
        /// Checks that every whole path delivers the right bytes at every size. This also lets the
        /// kernel grow the socket's buffers before anything is measured: they grow with use, so the
        /// first variant would be measured with small ones.
        fn check(&mut self) -> io::Result<()> {
            let Self { line, files, variants } = self;
            for (file, length) in files.iter().zip(SIZES) {
                let expected = fnv1a(FNV_START, &pattern(length));
                for (variant, name) in variants.iter_mut().zip(Variant::NAMES) {
                    let (arrives, whole) = (variant.arrives(length as u64), variant.is_whole());
                    let run = |socket: &_| variant.run(socket, file, length as u64);
                    let ((), checksum) = line.transfer_checked(arrives, run)?;
                    assert!(!whole || checksum == expected, "{name}, {length} bytes");
                }
            }
            Ok(())
        }

        fn sweep<M>(&mut self, criterion: &mut Criterion<M>, group: &str, clock: &M)
        where
            M: Measurement<Value = Duration>,
        {
            sweep(criterion, group, &Variant::NAMES, &SIZES, |variant, size, times| {
                self.batch(clock, variant, size, times)
            });
        }

        fn same_twice<M>(&mut self, criterion: &mut Criterion<M>, parameter: &str, clock: &M)
        where
            M: Measurement<Value = Duration>,
        {
            let mut group = criterion.benchmark_group("copies_aa");
            let sendfile = self.variants.len() - 1;
            for function in ["first", "second"] {
                group.bench_function(BenchmarkId::new(function, parameter), |bencher| {
                    bencher.iter_custom(|times| self.batch(clock, sendfile, 2, times));
                });
            }
            group.finish();
        }

        /// Runs a variant a number of times and waits for one confirmation of them all: one for
        /// each would cost more than a small file.
        fn batch<M>(&mut self, clock: &M, variant: usize, size: usize, times: u64) -> Duration
        where
            M: Measurement<Value = Duration>,
        {
            let Self { line, files, variants } = self;
            let (variant, file) = (&mut variants[variant], &files[size]);
            let length = SIZES[size] as u64;
            let arrives = times * variant.arrives(length);
            let start = clock.start();
            line.transfer(arrives, |socket| {
                (0..times).try_for_each(|_| variant.run(socket, file, length))
            })
            .expect("every byte arrives, and the reader confirms it");
            clock.end(start)
        }
    }
}

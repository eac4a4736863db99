//! What the parts of a transfer cost: a file's bytes to a TCP socket by each way, and the halves of
//! a read/write loop alone. 4 KiB to 16 MiB, page cache warm.
//!
//! One connection for everything, the sender on one core, the reader on another. `copies_cpu` is
//! the sending thread's CPU time, in the kernel too; on loopback a part of the receiving is in it,
//! the same for every way that sends. `copies` is the wall, until the reader has confirmed the last
//! byte.

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
    use perf_proved_benches::{ThreadTime, bytes, size};
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
        let mut bench = Bench {
            line: Loopback::new(Some(reading))?,
            files: files.collect::<io::Result<_>>()?,
            variants: Variant::NAMES
                .iter()
                .map(|name| Ok((*name, Variant::new(name)?)))
                .collect::<io::Result<_>>()?,
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
        /// One for each size: a way that takes whole files must have a file of that size.
        files: Vec<File>,
        variants: Vec<(&'static str, Variant)>,
    }

    impl Bench {
        /// Every whole way brings the right bytes, at every size. This also lets the kernel grow
        /// the socket's buffers before anything is measured: they grow with use, and who came first
        /// would have the small ones.
        fn check(&mut self) -> io::Result<()> {
            let Self { line, files, variants } = self;
            for (file, length) in files.iter().zip(SIZES) {
                let expected = fnv1a(FNV_START, &pattern(length));
                for (name, path) in variants.iter_mut() {
                    let length = length as u64;
                    let go = |socket: &_| path.run(socket, file, length);
                    let arrives = if *name == "read_only" { 0 } else { length };
                    let ((), checksum) = line.transfer_checked(arrives, go)?;
                    let half = matches!(*name, "read_only" | "write_only");
                    assert!(half || checksum == expected, "{name}, {length} bytes");
                }
            }
            Ok(())
        }

        /// All ways at one size, then at the next: what drifts, drifts for all.
        fn sweep<M>(&mut self, criterion: &mut Criterion<M>, group: &str, clock: &M)
        where
            M: Measurement<Value = Duration>,
        {
            let mut group = criterion.benchmark_group(group);
            for (file, length) in SIZES.into_iter().enumerate() {
                group.throughput(bytes(length));
                for path in 0..self.variants.len() {
                    group.bench_function(
                        BenchmarkId::new(self.variants[path].0, size(length)),
                        |bencher| {
                            bencher.iter_custom(|times| self.batch(clock, path, file, times));
                        },
                    );
                }
            }
            group.finish();
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

        /// Goes so many times and waits for one confirmation of them all: one for each would cost
        /// more than a small file.
        fn batch<M>(&mut self, clock: &M, path: usize, file: usize, times: u64) -> Duration
        where
            M: Measurement<Value = Duration>,
        {
            let Self { line, files, variants } = self;
            let (path, file, length) = (&mut variants[path].1, &files[file], SIZES[file] as u64);
            let arrives = times * path.arrives(length);
            let start = clock.start();
            line.transfer(arrives, |socket| {
                (0..times).try_for_each(|_| path.run(socket, file, length))
            })
            .expect("everything arrives, and the reader confirms it");
            clock.end(start)
        }
    }
}

//! Times copies of a file of 64 KiB to 16 MiB with a warm page cache: each variant from open file
//! to open file, and whole copies from path to path.
//!
//! The clock is the CPU time of the copying thread, which does all the work itself.
//! `copy_file_range` copies to an empty file, which is open before and truncated afterward, both
//! untimed: it times the copy and the pages and blocks that it takes. `copy_file_range_over` copies
//! over a file that has both already, and `copy_file_range_shm` is the first group in `/dev/shm`.
//! `copy_file_range_whole` takes two paths, and the target is new each time. No file lives long
//! enough to be written to the disk, and nothing waits for one.

use perf_proved_benches::not_possible;
use std::io;

fn main() -> io::Result<()> {
    #[cfg(target_os = "linux")]
    return bench::run();
    #[cfg(not(target_os = "linux"))]
    [
        "copy_file_range",
        "copy_file_range_over",
        "copy_file_range_shm",
        "copy_file_range_whole",
        "copy_file_range_aa",
    ]
    .iter()
    .try_for_each(|id| not_possible(id, "the calls that this bench compares are Linux's"))
}

#[cfg(target_os = "linux")]
mod bench {
    use super::not_possible;
    use criterion::measurement::Measurement;
    use criterion::{BenchmarkId, Criterion};
    use perf_proved::harness::scratch::{Scratch, pattern};
    use perf_proved::measuring::limits::file::filesystem;
    use perf_proved::zero_copy::copy_file_range::variants::{PATH_COPIES, Variant};
    use perf_proved_benches::{ThreadTime, bytes, size};
    use std::fs::{self, File};
    use std::io;
    use std::path::Path;
    use std::time::Duration;

    const KIB: usize = 1 << 10;
    const MIB: usize = 1 << 20;
    const SIZES: [usize; 3] = [64 * KIB, MIB, 16 * MIB];

    type Clock = Criterion<ThreadTime>;

    pub fn run() -> io::Result<()> {
        let mut clock = Criterion::default().with_measurement(ThreadTime).configure_from_args();
        let scratch = Scratch::new()?;
        variants(
            &mut clock,
            "copy_file_range",
            &scratch,
            &SIZES,
            &Variant::NAMES,
            After::Truncate,
        )?;
        let some = ["read_write_8KiB", "read_write_1MiB", "copy_file_range"];
        variants(&mut clock, "copy_file_range_over", &scratch, &SIZES[1..], &some, After::Keep)?;
        let memory = Path::new("/dev/shm");
        match filesystem(memory) {
            Ok(kind) if kind == "tmpfs" => {
                let scratch = Scratch::within(memory)?;
                variants(
                    &mut clock,
                    "copy_file_range_shm",
                    &scratch,
                    &SIZES[1..],
                    &some,
                    After::Truncate,
                )?;
            }
            Ok(kind) => {
                not_possible("copy_file_range_shm", &format!("/dev/shm is a {kind}, no tmpfs"))?
            }
            Err(reason) => not_possible("copy_file_range_shm", &reason.to_string())?,
        }
        whole(&mut clock, &scratch)?;
        same_twice(&mut clock, &scratch)?;
        clock.final_summary();
        Ok(())
    }

    /// The target's fate between two copies.
    #[derive(Clone, Copy)]
    enum After {
        Truncate,
        Keep,
    }

    /// Measures all variants at one size, then at the next: if the machine drifts, it drifts for
    /// all.
    fn variants(
        clock: &mut Clock,
        group: &str,
        scratch: &Scratch,
        sizes: &[usize],
        names: &[&str],
        after: After,
    ) -> io::Result<()> {
        let mut group = clock.benchmark_group(group);
        for length in sizes.iter().copied() {
            let from = File::open(scratch.file(&size(length), length)?)?;
            let path = scratch.path().join("copy");
            let to = File::create_new(&path)?;
            group.throughput(bytes(length));
            for name in names {
                let mut variant = Variant::new(name)?;
                // Checks the copy: the right bytes, over others of the same length.
                to.set_len(0)?;
                to.set_len(length as u64)?;
                Variant::rewind(&from, &to)?;
                variant.copy(&from, &to, length as u64)?;
                assert!(fs::read(&path)? == pattern(length), "{name}, {length} bytes");
                group.bench_function(BenchmarkId::new(*name, size(length)), |bencher| {
                    bencher
                        .iter_custom(|times| batch(&mut variant, &from, &to, length, after, times));
                });
            }
            fs::remove_file(path)?;
        }
        group.finish();
        Ok(())
    }

    fn batch(
        variant: &mut Variant,
        from: &File,
        to: &File,
        length: usize,
        after: After,
        times: u64,
    ) -> Duration {
        let mut taken = Duration::ZERO;
        for _ in 0..times {
            if matches!(after, After::Truncate) {
                to.set_len(0).expect("the target can be truncated");
            }
            Variant::rewind(from, to).expect("both files can be rewound");
            let start = ThreadTime.start();
            variant.copy(from, to, length as u64).expect("the file is copied");
            taken += ThreadTime.end(start);
        }
        taken
    }

    /// Measures copies from path to path, to a file that does not exist before.
    fn whole(clock: &mut Clock, scratch: &Scratch) -> io::Result<()> {
        let mut group = clock.benchmark_group("copy_file_range_whole");
        for length in SIZES {
            let (from, to) = (scratch.path().join(size(length)), scratch.path().join("whole"));
            group.throughput(bytes(length));
            for (name, copy) in &PATH_COPIES[..3] {
                copy(&from, &to)?;
                assert!(fs::read(&to)? == pattern(length), "{name}, {length} bytes");
                group.bench_function(BenchmarkId::new(*name, size(length)), |bencher| {
                    bencher.iter_custom(|times| {
                        let mut taken = Duration::ZERO;
                        for _ in 0..times {
                            fs::remove_file(&to).expect("there is a copy");
                            let start = ThreadTime.start();
                            copy(&from, &to).expect("the file is copied");
                            taken += ThreadTime.end(start);
                        }
                        taken
                    });
                });
            }
            fs::remove_file(&to)?;
        }
        group.finish();
        Ok(())
    }

    fn same_twice(clock: &mut Clock, scratch: &Scratch) -> io::Result<()> {
        let from = File::open(scratch.path().join(size(MIB)))?;
        let to = File::create_new(scratch.path().join("copy"))?;
        let mut variant = Variant::new("copy_file_range")?;
        let mut group = clock.benchmark_group("copy_file_range_aa");
        for function in ["first", "second"] {
            group.bench_function(BenchmarkId::new(function, "1MiB"), |bencher| {
                bencher.iter_custom(|times| {
                    batch(&mut variant, &from, &to, MIB, After::Truncate, times)
                });
            });
        }
        group.finish();
        Ok(())
    }
}

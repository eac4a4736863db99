//! The cost of reading through a map: a whole file of 4 KiB to 16 MiB and its sum, with a warm and
//! a cold page cache; random blocks of a file of 256 MiB; the share of the copy beside a cheap
//! checksum and an expensive one; and unmapping beside another thread.
//!
//! Files are written 64 KiB at a time, so that the page cache holds them as most programs leave
//! them; those for huge pages are written at once. The clock is wall time: nothing here waits for
//! another thread.

use perf_proved_benches::not_possible;
use std::io;

fn main() -> io::Result<()> {
    if cfg!(target_os = "linux") {
        return bench::run();
    }
    let groups = ["mmap_scan", "mmap_random", "mmap_hash", "mmap_cold", "mmap_unmap", "mmap_aa"];
    groups
        .iter()
        .try_for_each(|id| not_possible(id, "the calls that this bench compares are Linux's"))
}

#[cfg(not(target_os = "linux"))]
mod bench {
    pub fn run() -> std::io::Result<()> {
        unreachable!("`main` runs this on Linux only")
    }
}

#[cfg(target_os = "linux")]
mod bench {
    use criterion::{BatchSize, BenchmarkId, Criterion};
    use perf_proved::harness::loopback::{FNV_START, fnv1a};
    use perf_proved::harness::report::is_unavailable;
    use perf_proved::harness::scratch::{Scratch, pattern};
    use perf_proved::measuring::limits::two_cores;
    use perf_proved::sys::cores;
    use perf_proved::zero_copy::mmap::variants::{BUFFER, Variant};
    use perf_proved::zero_copy::mmap::{Map, page_cache, sum};
    use perf_proved_benches::{bytes, not_possible, size, with};
    use std::fs::File;
    use std::hint::black_box;
    use std::io;
    use std::os::unix::fs::FileExt;
    use std::sync::atomic::Ordering;

    const KIB: usize = 1 << 10;
    const MIB: usize = 1 << 20;
    const SIZES: [usize; 4] = [4 * KIB, 64 * KIB, MIB, 16 * MIB];
    const LARGE: usize = 256 * MIB;

    pub fn run() -> io::Result<()> {
        let two = two_cores();
        if let Ok([first, _]) = two {
            cores::pin(first)?;
        }
        let scratch = Scratch::new()?;
        let mut criterion = Criterion::default().configure_from_args();
        scan(&mut criterion, &scratch)?;
        random(&mut criterion, &scratch)?;
        hash(&mut criterion, &scratch)?;
        cold(&mut criterion, &scratch)?;
        unmap(&mut criterion, &scratch, two)?;
        same_twice(&mut criterion, &scratch)?;
        criterion.final_summary();
        Ok(())
    }

    /// Writes a file a buffer at a time and flushes it to the disk, so that nothing is written back
    /// during the measurement.
    fn small(scratch: &Scratch, name: &str, length: usize) -> io::Result<File> {
        let file = File::open(scratch.file_in_pieces(name, length, BUFFER)?)?;
        file.sync_all()?;
        Ok(file)
    }

    /// Writes a file in huge pages, or returns the reason why there is none.
    fn huge(scratch: &Scratch, name: &str, length: usize) -> io::Result<Result<File, String>> {
        let file = File::open(scratch.file(name, length)?)?;
        file.sync_all()?;
        let map = Map::new(&file, length)?;
        sum::of_map(&map);
        let found = map.huge_bytes().map_err(|error| error.to_string());
        Ok(found.and_then(|found| match found {
            found if found == length => Ok(file),
            found => {
                Err(format!("{found} of {length} bytes lie in huge pages on this file system"))
            }
        }))
    }

    fn scan(criterion: &mut Criterion, scratch: &Scratch) -> io::Result<()> {
        let mut group = criterion.benchmark_group("mmap_scan");
        for length in SIZES {
            let file = small(scratch, "scan", length)?;
            let expected = sum::of_bytes(&pattern(length));
            group.throughput(bytes(length));
            for name in ["read_64KiB", "map", "map_populate"] {
                let mut variant = Variant::new(name)?;
                assert_eq!(variant.sum(&file, length)?, expected, "{name}, {length} bytes");
                group.bench_function(BenchmarkId::new(name, size(length)), |bencher| {
                    bencher.iter(|| variant.sum(&file, length).expect("as before"));
                });
            }
            let kept = Map::new(&file, length)?;
            assert_eq!(sum::of_map(&kept), expected);
            group.bench_function(BenchmarkId::new("map_kept", size(length)), |bencher| {
                bencher.iter(|| sum::of_map(black_box(&kept)));
            });
            let memmap2 = || {
                // SAFETY: only this process knows the file's name, and it does not write to it.
                let map = unsafe { memmap2::MmapOptions::new().len(length).map(&file) }
                    .expect("as above");
                sum::of_bytes(&map)
            };
            assert_eq!(memmap2(), expected);
            group.bench_function(BenchmarkId::new("memmap2", size(length)), |bencher| {
                bencher.iter(memmap2)
            });
        }
        let length = 16 * MIB;
        match huge(scratch, "huge", length)? {
            Err(reason) => ["read_of_huge", "map_of_huge"]
                .iter()
                .try_for_each(|name| not_possible(&format!("mmap_scan/{name}"), &reason))?,
            Ok(file) => {
                for (id, name) in [("read_of_huge", "read_64KiB"), ("map_of_huge", "map")] {
                    let mut variant = Variant::new(name)?;
                    assert_eq!(
                        variant.sum(&file, length)?,
                        sum::of_bytes(&pattern(length)),
                        "{id}"
                    );
                    group.bench_function(BenchmarkId::new(id, size(length)), |bencher| {
                        bencher.iter(|| variant.sum(&file, length).expect("as before"));
                    });
                }
            }
        }
        group.finish();
        Ok(())
    }

    /// Reads one block at a time, at offsets that no prefetcher follows.
    fn random(criterion: &mut Criterion, scratch: &Scratch) -> io::Result<()> {
        let file = small(scratch, "large", LARGE)?;
        let map = Map::new(&file, LARGE)?;
        sum::of_map(&map);
        let huge = huge(scratch, "large_huge", LARGE)?;
        let huge =
            huge.map(|file| Map::new(&file, LARGE).inspect(|map| _ = black_box(sum::of_map(map))));
        let mut group = criterion.benchmark_group("mmap_random");
        for block in [64, 4 * KIB] {
            group.throughput(bytes(block));
            let mut buffer = vec![0; block];
            let mut at = 1_usize;
            let mut next = move || {
                at = at
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                (at >> 33) % (LARGE / block) * block
            };
            let mut through = |at: usize, map: Option<&Map>| match map {
                None => {
                    file.read_exact_at(&mut buffer, at as u64).expect("inside the file");
                    sum::of_bytes(&buffer)
                }
                Some(map) => sum::of_words(&map.words()[at / 8..(at + block) / 8]),
            };
            let maps = [("pread", None), ("map", Some(&map))];
            for (name, map) in maps {
                let at = next();
                assert_eq!(through(at, map), sum::of_bytes(&pattern(at + block)[at..]), "{name}");
                group.bench_function(BenchmarkId::new(name, size(block)), |bencher| {
                    bencher.iter(|| through(next(), map));
                });
            }
            match &huge {
                Err(reason) => {
                    not_possible(&format!("mmap_random/map_of_huge/{}", size(block)), reason)?
                }
                Ok(Err(error)) => return Err(io::Error::new(error.kind(), error.to_string())),
                Ok(Ok(huge)) => {
                    group.bench_function(BenchmarkId::new("map_of_huge", size(block)), |bencher| {
                        bencher.iter(|| through(next(), Some(huge)));
                    });
                }
            }
        }
        group.finish();
        Ok(())
    }

    /// Hashes a file of 1 MiB, through a buffer of that size or in place.
    fn hash(criterion: &mut Criterion, scratch: &Scratch) -> io::Result<()> {
        let file = small(scratch, "hash", MIB)?;
        let map = Map::new(&file, MIB)?;
        // SAFETY: only this process knows the file's name, and it does not write to it.
        let in_place = unsafe { map.as_slice() };
        let mut buffer = vec![0; MIB];
        let mut group = criterion.benchmark_group("mmap_hash");
        group.throughput(bytes(MIB));
        for (hash, of) in
            [("sum", sum::of_bytes as fn(&[u8]) -> u64), ("FNV", |bytes| fnv1a(FNV_START, bytes))]
        {
            let mut copied = || {
                file.read_exact_at(&mut buffer, 0).expect("the file is that long");
                of(&buffer)
            };
            assert_eq!(copied(), of(in_place), "{hash}");
            group.bench_function(BenchmarkId::new("copy_then_hash", hash), |bencher| {
                bencher.iter(&mut copied)
            });
            group.bench_function(BenchmarkId::new("in_place", hash), |bencher| {
                bencher.iter(|| of(black_box(in_place)));
            });
        }
        group.finish();
        Ok(())
    }

    /// Reads a file that was just taken out of the page cache.
    fn cold(criterion: &mut Criterion, scratch: &Scratch) -> io::Result<()> {
        let length = 16 * MIB;
        let file = small(scratch, "cold", length)?;
        if let Err(reason) = page_cache::evict(&file) {
            return not_possible("mmap_cold", &reason.to_string());
        }
        let expected = sum::of_bytes(&pattern(length));
        let mut group = criterion.benchmark_group("mmap_cold");
        group.throughput(bytes(length));
        for name in
            ["read_64KiB", "map", "map_sequential", "map_willneed", "map_huge", "map_random"]
        {
            let mut variant = Variant::new(name)?;
            match variant.sum(&file, length) {
                Err(error) if is_unavailable(&error) => {
                    not_possible(&format!("mmap_cold/{name}"), &error.to_string())?;
                    continue;
                }
                found => assert_eq!(found?, expected, "{name}"),
            }
            group.bench_function(BenchmarkId::new(name, size(length)), |bencher| {
                let evict = || page_cache::evict(&file).expect("it could be evicted before");
                let read = |()| {
                    assert_eq!(variant.sum(&file, length).expect("the file is that long"), expected)
                };
                bencher.iter_batched(evict, read, BatchSize::PerIteration);
            });
        }
        group.finish();
        Ok(())
    }

    /// Maps 64 KiB, touches a page and unmaps, alone and beside a thread of this process that runs
    /// on another core.
    fn unmap(
        criterion: &mut Criterion,
        scratch: &Scratch,
        two: io::Result<[usize; 2]>,
    ) -> io::Result<()> {
        let file = small(scratch, "unmap", BUFFER)?;
        let once = || {
            Map::new(&file, BUFFER).expect("the file is open").bytes()[0].load(Ordering::Relaxed)
        };
        let mut group = criterion.benchmark_group("mmap_unmap");
        group.bench_function(BenchmarkId::new("alone", "64KiB"), |bencher| bencher.iter(once));
        with(two, &["mmap_unmap/beside"], |[_, second]| {
            cores::beside(second, || {
                group.bench_function(BenchmarkId::new("beside", "64KiB"), |bencher| {
                    bencher.iter(once)
                });
            })
        })?;
        group.finish();
        Ok(())
    }

    fn same_twice(criterion: &mut Criterion, scratch: &Scratch) -> io::Result<()> {
        let file = small(scratch, "aa", MIB)?;
        let mut group = criterion.benchmark_group("mmap_aa");
        for function in ["first", "second"] {
            let mut variant = Variant::new("map")?;
            group.bench_function(BenchmarkId::new(function, "map"), |bencher| {
                bencher.iter(|| variant.sum(&file, MIB).expect("the file is that long"));
            });
        }
        group.finish();
        Ok(())
    }
}

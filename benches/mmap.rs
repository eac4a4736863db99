//! The cost of reading through a map: a whole file of 4 KiB to 16 MiB and its sum, with a warm and
//! a cold page cache; parts and random blocks of a file that no cache of the processor holds; the
//! share of the copy beside a cheap checksum and an expensive one; and unmapping beside another
//! thread.
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
    let groups = [
        "mmap_scan",
        "mmap_scan_memory",
        "mmap_lookup",
        "mmap_random",
        "mmap_hash",
        "mmap_cold",
        "mmap_unmap",
    ];
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
    use perf_proved::harness::loopback::{FNV_START, fnv1a};
    use perf_proved::harness::report::is_unavailable;
    use perf_proved::harness::scratch::{Scratch, pattern};
    use perf_proved::sys::{caches, cores};
    use perf_proved::zero_copy::mmap::variants::{BUFFER, Variant};
    use perf_proved::zero_copy::mmap::{Map, page_cache, sum};
    use perf_proved_benches::{Group, Plan, bytes, size};
    use std::cell::Cell;
    use std::fs::File;
    use std::hint::black_box;
    use std::io;
    use std::os::unix::fs::FileExt;
    use std::rc::Rc;
    use std::sync::atomic::Ordering;
    use std::time::{Duration, Instant};

    const KIB: usize = 1 << 10;
    const MIB: usize = 1 << 20;
    const SIZES: [usize; 4] = [4 * KIB, 64 * KIB, MIB, 16 * MIB];
    /// The least size of the file of the random blocks.
    const LARGE: usize = 256 * MIB;

    pub fn run() -> io::Result<()> {
        let two = cores::two_cores();
        if let Ok([first, _]) = two {
            cores::pin(first)?;
        }
        let scratch = Scratch::new()?;
        let mut plan = Plan::new();
        scan(&mut plan, &scratch)?;
        let large = Large::new(&scratch)?;
        from_memory(&mut plan, &large)?;
        random(&mut plan, &large)?;
        hash(&mut plan, &scratch)?;
        cold(&mut plan, &scratch)?;
        unmap(&mut plan, &scratch, two)?;
        plan.run()
    }

    /// Writes a file a buffer at a time and flushes it to the disk, so that nothing is written back
    /// during the measurement.
    fn small(scratch: &Scratch, name: &str, length: usize) -> io::Result<Rc<File>> {
        let file = File::open(scratch.file_in_pieces(name, length, BUFFER)?)?;
        file.sync_all()?;
        Ok(Rc::new(file))
    }

    /// Writes a file in huge pages, or returns the reason why there is none.
    fn huge(scratch: &Scratch, name: &str, length: usize) -> io::Result<Result<Rc<File>, String>> {
        let file = File::open(scratch.file(name, length)?)?;
        file.sync_all()?;
        let map = Map::new(&file, length)?;
        black_box(sum::of_map(&map));
        let found = map.huge_bytes().map_err(|error| error.to_string());
        Ok(found.and_then(|found| match found {
            found if found == length => Ok(Rc::new(file)),
            found => {
                Err(format!("{found} of {length} bytes lie in huge pages on this file system"))
            }
        }))
    }

    /// Reads one file again and again: up to 16 MiB, it stays in the last cache of most processors.
    fn scan(plan: &mut Plan<'_>, scratch: &Scratch) -> io::Result<()> {
        let group = plan.group("mmap_scan");
        for length in SIZES {
            let file = small(scratch, &format!("scan{}", size(length)), length)?;
            let expected = sum::of_bytes(&pattern(length));
            group.throughput(bytes(length));
            for name in ["read_64KiB", "map", "map_populate"] {
                reads(group, (name, name), file.clone(), length, expected)?;
            }
            let kept = Map::new(&*file, length)?;
            assert_eq!(sum::of_map(&kept), expected);
            group.iter(("map_kept", size(length)), move || sum::of_map(black_box(&kept)));
            let memmap2 = move || sum::of_bytes(&memmap2_part(&file, 0, length));
            assert_eq!(memmap2(), expected);
            group.iter(("memmap2", size(length)), memmap2);
        }
        let length = 16 * MIB;
        let functions = [("read_of_huge", "read_64KiB"), ("map_of_huge", "map")];
        match huge(scratch, "huge", length)? {
            Err(reason) => functions.iter().for_each(|(id, _)| {
                group.not_possible((*id, size(length)), &reason);
            }),
            Ok(file) => {
                let expected = sum::of_bytes(&pattern(length));
                for function in functions {
                    reads(group, function, file.clone(), length, expected)?;
                }
            }
        }
        group.again_at("map", size(MIB)).again_at("read_64KiB", size(16 * MIB));
        Ok(())
    }

    /// Registers a benchmark that reads a whole file with the variant `function.1`.
    fn reads(
        group: &mut Group<'_>,
        function: (&str, &str),
        file: Rc<File>,
        length: usize,
        expected: u64,
    ) -> io::Result<()> {
        let mut variant = Variant::new(function.1)?;
        assert_eq!(variant.sum(&file, length)?, expected, "{}, {length} bytes", function.0);
        let read = move || variant.sum(&file, length).expect("as before");
        group.iter((function.0, size(length)), read);
        Ok(())
    }

    fn memmap2_part(file: &File, at: u64, length: usize) -> memmap2::Mmap {
        // SAFETY: only this process knows the file's name, and it does not write to it.
        unsafe { memmap2::MmapOptions::new().offset(at).len(length).map(file) }.expect("as above")
    }

    /// A file that no cache holds: at least twice as large as the last one.
    struct Large {
        file: Rc<File>,
        length: usize,
        /// The reason why a cache holds it after all.
        held: Option<String>,
        /// As much in huge pages, or the reason why there is none.
        huge: Result<Rc<File>, String>,
    }

    impl Large {
        fn new(scratch: &Scratch) -> io::Result<Self> {
            let wanted = caches::last().map(|last| (2 * last).next_multiple_of(LARGE));
            let held = match (&wanted, &caches::available_memory()) {
                (Ok(wanted), Ok(free)) if 4 * *wanted > *free => Some(format!(
                    "two files beyond the last cache, of {} MiB each, take too much of {} MiB",
                    wanted >> 20,
                    free >> 20
                )),
                (Err(reason), _) | (_, Err(reason)) => Some(reason.to_string()),
                _ => None,
            };
            let length = wanted.ok().filter(|_| held.is_none()).unwrap_or(LARGE);
            let file = small(scratch, "large", length)?;
            Ok(Self { file, length, held, huge: huge(scratch, "large_huge", length)? })
        }
    }

    /// Reads 16 MiB of a file that no cache holds, and then the next 16 MiB.
    fn from_memory(plan: &mut Plan<'_>, large: &Large) -> io::Result<()> {
        const PART: usize = 16 * MIB;
        let group = plan.group("mmap_scan_memory");
        if let Some(reason) = &large.held {
            for name in ["read_64KiB", "map", "map_kept", "memmap2"] {
                group.not_possible((name, size(PART)), reason);
            }
            return Ok(());
        }
        group.throughput(bytes(PART));
        let next = Rc::new(Cell::new(0));
        let last = large.length;
        let next = move || {
            let at = next.get();
            next.set((at + PART) % last);
            at
        };
        for name in ["read_64KiB", "map"] {
            let (mut variant, file, next) = (Variant::new(name)?, large.file.clone(), next.clone());
            let read = move || variant.sum_of_part(&file, next() as u64, PART).expect("inside");
            group.iter((name, size(PART)), read);
        }
        let (kept, at) = (Map::new(&*large.file, large.length)?, next.clone());
        let words = PART / size_of::<u64>();
        let read = move || {
            let start = at() / size_of::<u64>();
            sum::of_words(&kept.words()[start..start + words])
        };
        group.iter(("map_kept", size(PART)), read);
        let file = large.file.clone();
        let read = move || sum::of_bytes(&memmap2_part(&file, next() as u64, PART));
        group.iter(("memmap2", size(PART)), read);
        group.again("read_64KiB");
        Ok(())
    }

    /// Reads one block at a time, at places that no prefetcher follows. In `mmap_lookup` the sum of
    /// a block decides where the next one lies; in `mmap_random` the places are known in advance,
    /// so that the processor works on several blocks at once.
    fn random(plan: &mut Plan<'_>, large: &Large) -> io::Result<()> {
        let kept = |file: &Rc<File>| {
            let map = Map::new(&**file, large.length)?;
            black_box(sum::of_map(&map)); // takes all page faults
            Ok::<_, io::Error>(Rc::new(map))
        };
        let map = kept(&large.file)?;
        let huge = match &large.huge {
            Ok(file) => Ok(kept(file)?),
            Err(reason) => Err(reason.as_str()),
        };
        walks::<true>(plan.group("mmap_lookup"), large, &map, &huge);
        walks::<false>(plan.group("mmap_random"), large, &map, &huge);
        Ok(())
    }

    fn walks<const DEPENDENT: bool>(
        group: &mut Group<'_>,
        large: &Large,
        map: &Rc<Map>,
        huge: &Result<Rc<Map>, &str>,
    ) {
        for block in [64, 4 * KIB] {
            group.throughput(bytes(block));
            let walk = Walk::<DEPENDENT> { block, blocks: large.length / block, state: 1 };
            let (file, mut buffer, mut pread) = (large.file.clone(), vec![0; block], walk.clone());
            let mut pread = move || {
                pread.step(|at| {
                    file.read_exact_at(&mut buffer, at as u64).expect("inside the file");
                    sum::of_bytes(&buffer)
                })
            };
            let through = |map: &Rc<Map>| {
                let (map, mut walk) = (map.clone(), walk.clone());
                move || walk.step(|at| sum::of_words(&map.words()[at / 8..(at + block) / 8]))
            };
            let mut mapped = through(map);
            let same = (0..1000).all(|_| pread() == mapped());
            assert!(same, "both visit the same blocks of {block} bytes");
            group.iter(("pread", size(block)), pread);
            group.iter(("map", size(block)), mapped);
            match huge {
                Err(reason) => _ = group.not_possible(("map_of_huge", size(block)), reason),
                Ok(map) => _ = group.iter(("map_of_huge", size(block)), through(map)),
            }
        }
        group.again_at("map", size(64));
    }

    /// A walk through the blocks of a file.
    /// If it is dependent, the next place depends on the bytes of this one. That is a constant,
    /// because a choice at run time may make the processor wait for both.
    #[derive(Clone)]
    struct Walk<const DEPENDENT: bool> {
        block: usize,
        blocks: usize,
        state: u64,
    }

    impl<const DEPENDENT: bool> Walk<DEPENDENT> {
        /// Reads a block with `read`, which returns its sum, and goes on to the next one. Returns
        /// the place of that.
        fn step(&mut self, read: impl FnOnce(usize) -> u64) -> usize {
            let found = black_box(read(self.place()));
            let state = if DEPENDENT { self.state ^ found } else { self.state };
            self.state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            self.place()
        }

        fn place(&self) -> usize {
            (((self.state >> 32) * self.blocks as u64) >> 32) as usize * self.block
        }
    }

    /// Hashes a file of 1 MiB, through a buffer of that size or in place.
    fn hash(plan: &mut Plan<'_>, scratch: &Scratch) -> io::Result<()> {
        let file = small(scratch, "hash", MIB)?;
        let map = Rc::new(Map::new(&*file, MIB)?);
        let group = plan.group("mmap_hash");
        group.throughput(bytes(MIB));
        for (hash, of) in
            [("sum", sum::of_bytes as fn(&[u8]) -> u64), ("FNV", |bytes| fnv1a(FNV_START, bytes))]
        {
            let (file, map, mut buffer) = (file.clone(), map.clone(), vec![0; MIB]);
            let mut copied = move || {
                file.read_exact_at(&mut buffer, 0).expect("the file is that long");
                of(&buffer)
            };
            // SAFETY: only this process knows the file's name, and it does not write to it.
            let in_place = move || of(black_box(unsafe { map.as_slice() }));
            assert_eq!(copied(), in_place(), "{hash}");
            group.iter(("copy_then_hash", hash), copied).iter(("in_place", hash), in_place);
        }
        group.again("in_place");
        Ok(())
    }

    /// Reads a file that was just taken out of the page cache.
    fn cold(plan: &mut Plan<'_>, scratch: &Scratch) -> io::Result<()> {
        let length = 16 * MIB;
        let file = small(scratch, "cold", length)?;
        let expected = sum::of_bytes(&pattern(length));
        let evictable = page_cache::evict(&file);
        let group = plan.group("mmap_cold");
        group.flat().throughput(bytes(length));
        for name in
            ["read_64KiB", "map", "map_sequential", "map_willneed", "map_huge", "map_random"]
        {
            if let Err(reason) = &evictable {
                group.not_possible((name, size(length)), reason);
                continue;
            }
            let file = file.clone();
            let make = move || {
                let mut variant = Variant::new(name)?;
                match variant.sum(&file, length) {
                    Err(error) if !is_unavailable(&error) => panic!("{name}: {error}"),
                    found => assert_eq!(found?, expected, "{name}"),
                }
                let file = file.clone();
                let mut read = move || {
                    page_cache::evict(&file)?;
                    let start = Instant::now();
                    assert_eq!(variant.sum(&file, length)?, expected);
                    Ok::<Duration, io::Error>(start.elapsed())
                };
                Ok(move |times| (0..times).map(|_| read()).sum::<io::Result<Duration>>())
            };
            group.made((name, size(length)), make);
        }
        if evictable.is_ok() {
            group.again("map");
        }
        Ok(())
    }

    /// Maps 64 KiB, touches a page and unmaps, alone and beside a thread of this process that runs
    /// on another core.
    fn unmap(
        plan: &mut Plan<'_>,
        scratch: &Scratch,
        two: io::Result<[usize; 2]>,
    ) -> io::Result<()> {
        let file = small(scratch, "unmap", BUFFER)?;
        let once = move || {
            let map = Map::new(&*file, BUFFER).expect("the file is open");
            map.bytes()[0].load(Ordering::Relaxed)
        };
        let group = plan.group("mmap_unmap");
        if let Ok(two) = two {
            group.witnessed(two);
        }
        group.iter(("alone", "64KiB"), once.clone());
        match two {
            Err(reason) => _ = group.not_possible(("beside", "64KiB"), reason),
            Ok([_, second]) => {
                group.bench(("beside", "64KiB"), move |times| {
                    cores::beside(second, || {
                        let start = Instant::now();
                        (0..times).for_each(|_| _ = black_box(once()));
                        Ok(start.elapsed())
                    })
                });
            }
        }
        group.again("alone");
        Ok(())
    }
}

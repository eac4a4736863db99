//! Times random reads of 4 KiB blocks by the number that are in flight, from the page cache and by
//! direct I/O, and writes of such blocks, without and with a sync after each.
//!
//! The file has 64 MiB and is in the page cache; direct reads bypass that, and a virtual disk may
//! answer them from its host's memory. A batch is a number of reads: it starts with none in flight
//! and ends with none. The clock is wall time; the groups in `_cpu` are the CPU time of the process
//! over the same batches, with the kernel's workers that belong to it. Before a read is timed, its
//! answers are checked, and its calls are counted where they can be traced: a silent fallback ends
//! the bench. The core that a ring with SQPOLL takes is part of the process's CPU time, because the
//! kernel's thread is part of the process.
//!
//! `tokio_fs` has a file and a task for each read in flight, on a runtime of one thread beside its
//! blocking pool. It cannot do direct I/O: its buffers are not aligned.

use std::io;

fn main() -> io::Result<()> {
    #[cfg(target_os = "linux")]
    return bench::run();
    #[cfg(not(target_os = "linux"))]
    ["warm", "direct", "threads", "write", "sync"].iter().try_for_each(|group| {
        let id = format!("async_io_{group}");
        perf_proved_benches::not_possible(&id, "the rings of this bench are Linux's")
    })
}

#[cfg(target_os = "linux")]
mod bench {
    use super::peer::Tokio;
    use perf_proved::io::async_io::SharedFile;
    use perf_proved::io::async_io::experiment::Blocks;
    use perf_proved::io::async_io::variants::{BLOCK, Then, Variant};
    use perf_proved::proof::syscalls::{Calls, trace};
    use perf_proved_benches::{Clock, Group, Plan, Taken, bytes};
    use std::hint::black_box;
    use std::rc::Rc;
    use std::{env, io};

    const BLOCKS: usize = 16 << 10;
    const DEPTHS: [usize; 4] = [1, 4, 32, 128];
    /// A batch has at least this number of operations for each one in flight.
    const ROUNDS: usize = 8;

    pub fn run() -> io::Result<()> {
        let blocks = Rc::new(Blocks::new(&env::temp_dir(), BLOCKS)?);
        let mut plan = Plan::new();
        let warm = plan.group("async_io_warm");
        warm.second_clock(Clock::Process, "async_io_warm_cpu").throughput(bytes(BLOCK));
        reads(warm, &blocks, &["loop", "mmap"], &[1], || blocks.open());
        let names = ["pool", "nowait_pool", "ring", "local_ring"];
        reads(warm, &blocks, &names, &DEPTHS, || blocks.open());
        tokio_fs(warm, &blocks);
        let names = ["local_ring_registered", "local_ring_sqpoll"];
        reads(warm, &blocks, &names, &DEPTHS, || blocks.open());
        warm.again_at("loop", 1).again_at("pool", 32).again_at("local_ring", 32);

        let direct = plan.group("async_io_direct");
        direct.second_clock(Clock::Process, "async_io_direct_cpu").throughput(bytes(BLOCK)).flat();
        reads(direct, &blocks, &["loop"], &[1], || blocks.open_direct());
        reads(direct, &blocks, &["pool", "ring", "local_ring"], &DEPTHS, || blocks.open_direct());
        let names = ["local_ring_registered", "local_ring_files", "local_ring_sqpoll"];
        reads(direct, &blocks, &names, &DEPTHS, || blocks.open_direct());
        direct.again_at("loop", 1).again_at("pool", 32).again_at("local_ring", 32);

        pools(plan.group("async_io_threads"), &blocks);
        writes(plan.group("async_io_write"), &blocks, Then::Nothing);
        writes(plan.group("async_io_sync"), &blocks, Then::Sync);
        plan.run()
    }

    /// Registers `names` at each of `depths`.
    fn reads<'a>(
        group: &mut Group<'a>,
        blocks: &Rc<Blocks>,
        names: &[&'static str],
        depths: &[usize],
        open: impl Fn() -> io::Result<SharedFile> + Copy + 'a,
    ) {
        let each = |name| depths.iter().map(move |depth| (name, *depth));
        for (name, depth) in names.iter().copied().flat_map(each) {
            let blocks = blocks.clone();
            group.at_least((ROUNDS * depth) as u64).made((name, depth), move || {
                let file = open()?;
                assert!(blocks.is_right(name, &file, depth)?, "{name}");
                let (mut variant, calls) = traced(
                    || Variant::new(name, &file, depth),
                    |variant| variant.read(&blocks.places(ROUNDS), |_, _| {}),
                )?;
                prove(name, calls);
                let mut places = Places::new(&blocks);
                Ok(move |times| {
                    let (places, mut read) = (places.next(times), 0);
                    let taken = timed(|| {
                        variant.read(places, |_, bytes| {
                            read += usize::from(black_box(bytes).len() == BLOCK)
                        })
                    });
                    assert_eq!(read, places.len(), "{name} reads each block once");
                    taken
                })
            });
        }
    }

    /// Registers direct reads by pools of as many threads as may be busy, with 64 reads in flight.
    fn pools(group: &mut Group<'_>, blocks: &Rc<Blocks>) {
        const DEPTH: usize = 64;
        group.second_clock(Clock::Process, "async_io_threads_cpu").throughput(bytes(BLOCK)).flat();
        for threads in [1, 2, 4, 8, 16, 32, 64] {
            let blocks = blocks.clone();
            group.at_least((ROUNDS * DEPTH) as u64).made(("pool", threads), move || {
                let file = blocks.open_direct()?;
                let mut variant = Variant::with_threads("pool", &file, DEPTH, threads)?;
                let mut places = Places::new(&blocks);
                Ok(move |times| {
                    let (places, mut read) = (places.next(times), 0);
                    let taken = timed(|| variant.read(places, |_, _| read += 1));
                    assert_eq!(read, places.len());
                    taken
                })
            });
        }
        group.again_at("pool", 32);
    }

    fn tokio_fs(group: &mut Group<'_>, blocks: &Rc<Blocks>) {
        let name = "tokio_fs";
        for depth in DEPTHS {
            let blocks = blocks.clone();
            group.at_least((ROUNDS * depth) as u64).made((name, depth), move || {
                let check = |at, bytes: &[u8]| assert!(Blocks::is_block(at, bytes));
                let (mut peer, calls) = traced(
                    || Tokio::new(&blocks, depth),
                    |peer| peer.read(&blocks.places(ROUNDS), check),
                )?;
                prove(name, calls);
                let mut places = Places::new(&blocks);
                Ok(move |times| {
                    let places = places.next(times);
                    timed(|| peer.read(places, |_, bytes| _ = black_box(bytes[0])))
                })
            });
        }
    }

    /// Registers writes, one at a time and 32 at a time.
    fn writes(group: &mut Group<'_>, blocks: &Rc<Blocks>, then: Then) {
        group.throughput(bytes(BLOCK));
        match then {
            Then::Nothing => group.second_clock(Clock::Process, "async_io_write_cpu"),
            Then::Sync => group.flat(),
        };
        for (name, depth) in
            [("loop", 1), ("pool", 32), ("ring", 32), ("local_ring", 1), ("local_ring", 32)]
        {
            let blocks = blocks.clone();
            let least = if then == Then::Sync { 2 * depth } else { ROUNDS * depth };
            group.at_least(least as u64).made((name, depth), move || {
                let mut variant = Variant::new(name, &blocks.open()?, depth)?;
                let mut places = Places::new(&blocks);
                Ok(move |times| {
                    let places = places.next(times);
                    timed(|| variant.write(places, then))
                })
            });
        }
        group.again_at("loop", 1).again_at("local_ring", 32);
    }

    /// Places of blocks, in an order that looks random and goes on from batch to batch.
    struct Places {
        all: Vec<u64>,
        batch: Vec<u64>,
        next: usize,
    }

    impl Places {
        fn new(blocks: &Blocks) -> Self {
            Self { all: blocks.places(4 * BLOCKS), batch: vec![], next: 0 }
        }

        fn next(&mut self, count: u64) -> &[u64] {
            let (all, first) = (&self.all, self.next);
            self.batch.clear();
            self.batch.extend((0..count as usize).map(|at| all[(first + at) % all.len()]));
            self.next = (first + count as usize) % all.len();
            &self.batch
        }
    }

    fn timed(work: impl FnOnce() -> io::Result<()>) -> io::Result<Taken> {
        let mut result = Ok(());
        let taken = Clock::Process.taken(|| result = work());
        result.map(|()| taken)
    }

    /// Makes something, has it work, and returns it with the calls of both, where they can be
    /// counted.
    fn traced<T>(
        make: impl FnOnce() -> io::Result<T>,
        work: impl FnOnce(&mut T) -> io::Result<()>,
    ) -> io::Result<(T, Option<Calls>)> {
        let both = || {
            let mut made = make()?;
            work(&mut made).map(|()| made)
        };
        if trace(|| ()).is_err() {
            return both().map(|made| (made, None));
        }
        let (made, calls) = trace(both)?;
        made.map(|made| (made, Some(calls)))
    }

    /// Checks that the reads were made by the calls of the engine that `name` says.
    fn prove(name: &str, calls: Option<Calls>) {
        let Some(calls) = calls else { return };
        let expected = match name {
            "loop" | "pool" => "pread64",
            "nowait_pool" => "preadv2",
            "tokio_fs" => "lseek",
            "mmap" => return,
            _ => "io_uring_enter",
        };
        for call in ["pread64", "preadv2", "lseek", "io_uring_enter"] {
            let made = calls.of(call).made;
            assert_eq!(made >= 1, call == expected, "{name}: {made} calls of {call}: {calls:?}");
        }
    }
}

#[cfg(target_os = "linux")]
mod peer {
    use perf_proved::io::async_io::experiment::Blocks;
    use perf_proved::io::async_io::variants::BLOCK;
    use std::io::{self, SeekFrom};
    use tokio::io::{AsyncReadExt, AsyncSeekExt};

    /// Divides `places` into as many parts as are in flight.
    fn parts(places: &[u64], depth: usize) -> impl Iterator<Item = Vec<u64>> {
        let part = places.len().div_ceil(depth).max(1);
        let parts = places.chunks(part).map(<[u64]>::to_vec);
        parts.chain(std::iter::repeat(vec![])).take(depth)
    }

    pub struct Tokio {
        runtime: tokio::runtime::Runtime,
        files: Vec<tokio::fs::File>,
    }

    impl Tokio {
        pub fn new(blocks: &Blocks, depth: usize) -> io::Result<Self> {
            let runtime = tokio::runtime::Builder::new_current_thread().build()?;
            let open = |_| std::fs::File::open(blocks.path()).map(tokio::fs::File::from_std);
            Ok(Self { runtime, files: (0..depth).map(open).collect::<io::Result<_>>()? })
        }

        pub fn read(&mut self, places: &[u64], each: fn(u64, &[u8])) -> io::Result<()> {
            let parts = parts(places, self.files.len());
            let reads = self.files.drain(..).zip(parts).map(|(mut file, part)| async move {
                let mut buffer = vec![0; BLOCK];
                for at in part {
                    file.seek(SeekFrom::Start(at)).await?;
                    file.read_exact(&mut buffer).await?;
                    each(at, &buffer);
                }
                io::Result::Ok(file)
            });
            let reads: Vec<_> = reads.collect();
            self.files = self.runtime.block_on(async {
                let tasks: Vec<_> = reads.into_iter().map(tokio::spawn).collect();
                let mut files = vec![];
                for task in tasks {
                    files.push(task.await.map_err(io::Error::other)??);
                }
                io::Result::Ok(files)
            })?;
            Ok(())
        }
    }
}

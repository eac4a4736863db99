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
//! `tokio_fs` has a file and a task for each operation in flight, on a runtime of one thread beside
//! its blocking pool. It cannot do direct I/O: its buffers are not aligned. `compio` has one file,
//! and a task for each operation in flight. `fio` is what the machine gives. It and the latencies
//! are measured once in a round, and not by criterion.

use std::io;

fn main() -> io::Result<()> {
    #[cfg(target_os = "linux")]
    return bench::run();
    #[cfg(not(target_os = "linux"))]
    ["warm", "direct", "threads", "latency", "write", "sync"].iter().try_for_each(|group| {
        let id = format!("async_io_{group}");
        perf_proved_benches::not_possible(&id, "the rings of this bench are Linux's")
    })
}

#[cfg(target_os = "linux")]
mod bench {
    use super::peer::{Compio, Fio, Peer, Tokio};
    use hdrhistogram::Histogram;
    use perf_proved::io::async_io::experiment::Blocks;
    use perf_proved::io::async_io::variants::{BLOCK, Then, Variant};
    use perf_proved::io::async_io::{AsyncIo, Buffer, Engine, Operation, Settings, SharedFile};
    use perf_proved::proof::syscalls::{Calls, trace};
    use perf_proved_benches::{Clock, Group, Plan, Taken, bytes};
    use std::cell::RefCell;
    use std::hint::black_box;
    use std::rc::Rc;
    use std::sync::mpsc::channel;
    use std::time::{Duration, Instant};
    use std::{env, io, thread};

    const BLOCKS: usize = 16 << 10;
    const DEPTHS: [usize; 4] = [1, 4, 32, 128];
    /// The depths of writes and of syncs.
    const FEW: [usize; 2] = [1, 32];
    /// The reads of which latencies are percentiles, and the time between two that are due.
    const READS: usize = 5000;
    const EVERY: Duration = Duration::from_micros(200);
    const PERCENTILES: [(&str, f64); 3] = [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)];
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
        peer_reads::<Compio>(warm, &blocks, false);
        peer_reads::<Tokio>(warm, &blocks, false);
        let names = ["local_ring_registered", "local_ring_sqpoll"];
        reads(warm, &blocks, &names, &DEPTHS, || blocks.open());
        warm.again_at("loop", 1).again_at("pool", 32).again_at("local_ring", 32);

        let direct = plan.group("async_io_direct");
        direct.second_clock(Clock::Process, "async_io_direct_cpu").throughput(bytes(BLOCK)).flat();
        reads(direct, &blocks, &["loop"], &[1], || blocks.open_direct());
        reads(direct, &blocks, &["pool", "ring", "local_ring"], &DEPTHS, || blocks.open_direct());
        peer_reads::<Compio>(direct, &blocks, true);
        fio(direct, &blocks);
        let names = ["local_ring_registered", "local_ring_files", "local_ring_sqpoll"];
        reads(direct, &blocks, &names, &DEPTHS, || blocks.open_direct());
        direct.again_at("loop", 1).again_at("pool", 32).again_at("local_ring", 32);

        pools(plan.group("async_io_threads"), &blocks);
        latencies(plan.group("async_io_latency"), &blocks);
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

    /// Registers percentiles of the latency of direct reads that are due at fixed times, however
    /// many are under way: from the time at which a read is due until its callback runs. The
    /// generator is late at times, which is part of that, and has percentiles of its own.
    fn latencies(group: &mut Group<'_>, blocks: &Rc<Blocks>) {
        group.flat();
        let [thread, pool, ring] = [
            Settings { engine: Some(Engine::Pool), threads: 1, ..Settings::default() },
            Settings { engine: Some(Engine::Pool), threads: 32, ..Settings::default() },
            Settings { engine: Some(Engine::Ring), ..Settings::default() },
        ]
        .map(|settings| Rc::new((settings, RefCell::new(OpenLoop::default()))));
        for (name, of) in
            [("one_thread", &thread), ("pool", &pool), ("ring", &ring), ("generator", &ring)]
        {
            for (percentile, share) in PERCENTILES {
                let (blocks, of) = (blocks.clone(), of.clone());
                group.made((name, percentile), move || {
                    let (settings, measured) = &*of;
                    let mut measured = measured.borrow_mut();
                    let [latency, lateness] =
                        measured.or_measure((name, percentile), settings, &blocks)?;
                    let times = if name == "generator" { lateness } else { latency };
                    let wall = Duration::from_nanos(times.value_at_quantile(share));
                    Ok(waits(Taken { wall, cpu: None }))
                });
            }
        }
        group.again_at("ring", "p50");
    }

    /// An open loop, which is run once for all of its percentiles.
    #[derive(Default)]
    struct OpenLoop {
        times: Option<[Histogram<u64>; 2]>,
        asked: Vec<(&'static str, &'static str)>,
    }

    impl OpenLoop {
        /// Returns the times of the latest run, or of a new one if `what` was asked for before.
        fn or_measure(
            &mut self,
            what: (&'static str, &'static str),
            settings: &Settings,
            blocks: &Blocks,
        ) -> io::Result<&[Histogram<u64>; 2]> {
            if self.asked.contains(&what) {
                *self = Self::default();
            }
            self.asked.push(what);
            if self.times.is_none() {
                let lent = Settings { buffers: 128, buffer_length: BLOCK, ..settings.clone() };
                let io = AsyncIo::start(&Settings { depth: 4096, ..lent })?;
                self.times = Some(open_loop(&io, &blocks.open_direct()?, &blocks.places(READS))?);
            }
            Ok(self.times.as_ref().expect("measured above"))
        }
    }

    /// Reads the blocks at `places`, one every 200 µs, and returns the times from when each was
    /// due to its end and to its submission, in nanoseconds.
    fn open_loop(
        io: &AsyncIo,
        file: &SharedFile,
        places: &[u64],
    ) -> io::Result<[Histogram<u64>; 2]> {
        let new = || Histogram::<u64>::new_with_max(60_000_000_000, 3).map_err(io::Error::other);
        let nanos = |time: Duration| time.as_nanos() as u64;
        let (mut latency, mut lateness) = (new()?, new()?);
        let (tell, hear) = channel();
        let start = Instant::now() + EVERY;
        for (number, at) in (0..).zip(places) {
            let due = start + number * EVERY;
            while Instant::now() < due {
                thread::yield_now();
            }
            lateness.saturating_record(nanos(due.elapsed()));
            let buffer = io.buffer().map_or_else(|| Buffer::aligned(BLOCK, BLOCK), Ok)?;
            let tell = tell.clone();
            let read = Operation::read_at(file, buffer, *at);
            let taken = io.submit_then(read, move |end| drop(tell.send((due.elapsed(), end))));
            taken.map_err(io::Error::other)?;
        }
        for (time, end) in hear.iter().take(places.len()) {
            assert_eq!(end.done()?.bytes, BLOCK as u64);
            latency.saturating_record(nanos(time));
        }
        Ok([latency, lateness])
    }

    /// Registers reads by another library.
    fn peer_reads<P: Peer>(group: &mut Group<'_>, blocks: &Rc<Blocks>, direct: bool) {
        for depth in DEPTHS {
            let blocks = blocks.clone();
            group.at_least((ROUNDS * depth) as u64).made((P::NAME, depth), move || {
                let check = |at, bytes: &[u8]| assert!(Blocks::is_block(at, bytes));
                let (mut peer, calls) = traced(
                    || P::new(&blocks, direct, depth),
                    |peer| peer.read(&blocks.places(ROUNDS), check),
                )?;
                prove(P::NAME, calls);
                let mut places = Places::new(&blocks);
                Ok(move |times| {
                    let places = places.next(times);
                    timed(|| peer.read(places, |_, bytes| _ = black_box(bytes[0])))
                })
            });
        }
    }

    /// Registers reads by fio with its own engine on io_uring, as the most that the machine gives.
    fn fio(group: &mut Group<'_>, blocks: &Rc<Blocks>) {
        for depth in DEPTHS {
            let blocks = blocks.clone();
            group.made(("fio", depth), move || {
                let fio = Fio::new(blocks.path(), depth)?;
                eprintln!("{fio}");
                fio.run().map(waits)
            });
        }
    }

    /// Returns batches that only wait, for as long as their iterations took when measured.
    fn waits(each: Taken) -> impl FnMut(u64) -> Taken {
        move |times| {
            let all = |time: Duration| time.mul_f64(times as f64);
            let taken = Taken { wall: all(each.wall), cpu: each.cpu.map(all) };
            thread::sleep(taken.wall);
            taken
        }
    }

    /// Registers writes, one at a time and 32 at a time.
    fn writes(group: &mut Group<'_>, blocks: &Rc<Blocks>, then: Then) {
        group.throughput(bytes(BLOCK));
        match then {
            Then::Nothing => group.second_clock(Clock::Process, "async_io_write_cpu"),
            Then::Sync => group.flat(),
        };
        let names = ["pool", "ring", "local_ring"];
        let each = names.into_iter().flat_map(|name| FEW.map(|depth| (name, depth)));
        for (name, depth) in [("loop", 1)].into_iter().chain(each) {
            let blocks = blocks.clone();
            group.at_least(least(depth, then)).made((name, depth), move || {
                let mut variant = Variant::new(name, &blocks.open()?, depth)?;
                let mut places = Places::new(&blocks);
                Ok(move |times| {
                    let places = places.next(times);
                    timed(|| variant.write(places, then))
                })
            });
        }
        peer_writes::<Compio>(group, blocks, then);
        peer_writes::<Tokio>(group, blocks, then);
        group.again_at("loop", 1).again_at("local_ring", 32);
    }

    /// Registers writes by another library.
    fn peer_writes<P: Peer>(group: &mut Group<'_>, blocks: &Rc<Blocks>, then: Then) {
        for depth in FEW {
            let blocks = blocks.clone();
            group.at_least(least(depth, then)).made((P::NAME, depth), move || {
                let mut peer = P::new(&blocks, false, depth)?;
                let mut places = Places::new(&blocks);
                Ok(move |times| {
                    let places = places.next(times);
                    timed(|| peer.write(places, then))
                })
            });
        }
    }

    /// Returns the least number of writes in a batch.
    fn least(depth: usize, then: Then) -> u64 {
        let rounds = if then == Then::Sync { 2 } else { ROUNDS };
        (rounds * depth) as u64
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
    use compio::BufResult;
    use compio::buf::{IoBuf, IoBufMut, SetLen};
    use compio::io::{AsyncReadAt, AsyncWriteAt};
    use perf_proved::io::async_io::experiment::Blocks;
    use perf_proved::io::async_io::variants::{BLOCK, Then};
    use perf_proved::sys::trying;
    use perf_proved_benches::Taken;
    use std::fmt;
    use std::io::{self, SeekFrom};
    use std::mem::MaybeUninit;
    use std::path::Path;
    use std::process::Command;
    use std::time::Duration;
    use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};

    /// Another library, which has a number of operations in flight.
    pub trait Peer: Sized + 'static {
        const NAME: &str;

        /// Opens the file, for `depth` operations in flight.
        fn new(blocks: &Blocks, direct: bool, depth: usize) -> io::Result<Self>;

        /// Reads the blocks at `places`, and hands each to `each`.
        fn read(&mut self, places: &[u64], each: fn(u64, &[u8])) -> io::Result<()>;

        /// Writes blocks at `places`.
        fn write(&mut self, places: &[u64], then: Then) -> io::Result<()>;
    }

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
        /// Runs a task on each file, for its part of `places`.
        fn each<F: Future<Output = io::Result<tokio::fs::File>> + Send + 'static>(
            &mut self,
            places: &[u64],
            task: impl Fn(tokio::fs::File, Vec<u64>) -> F,
        ) -> io::Result<()> {
            let parts = parts(places, self.files.len());
            let all: Vec<F> = self.files.drain(..).zip(parts).map(|(f, p)| task(f, p)).collect();
            self.files = self.runtime.block_on(async {
                let tasks: Vec<_> = all.into_iter().map(tokio::spawn).collect();
                let mut files = vec![];
                for task in tasks {
                    files.push(task.await.map_err(io::Error::other)??);
                }
                io::Result::Ok(files)
            })?;
            Ok(())
        }
    }

    impl Peer for Tokio {
        const NAME: &str = "tokio_fs";

        fn new(blocks: &Blocks, direct: bool, depth: usize) -> io::Result<Self> {
            assert!(!direct, "its buffers are not aligned");
            let runtime = tokio::runtime::Builder::new_current_thread().build()?;
            let mut options = std::fs::OpenOptions::new();
            options.read(true).write(true);
            let open = |_| options.open(blocks.path()).map(tokio::fs::File::from_std);
            Ok(Self { runtime, files: (0..depth).map(open).collect::<io::Result<_>>()? })
        }

        fn read(&mut self, places: &[u64], each: fn(u64, &[u8])) -> io::Result<()> {
            self.each(places, move |mut file, part| async move {
                let mut buffer = vec![0; BLOCK];
                for at in part {
                    file.seek(SeekFrom::Start(at)).await?;
                    file.read_exact(&mut buffer).await?;
                    each(at, &buffer);
                }
                Ok(file)
            })
        }

        fn write(&mut self, places: &[u64], then: Then) -> io::Result<()> {
            self.each(places, move |mut file, part| async move {
                let buffer = vec![0; BLOCK];
                for at in part {
                    file.seek(SeekFrom::Start(at)).await?;
                    file.write_all(&buffer).await?;
                    match then {
                        Then::Nothing => file.flush().await?, // waits for the write
                        Then::Sync => file.sync_data().await?,
                    }
                }
                Ok(file)
            })
        }
    }

    /// A block of memory that direct I/O accepts.
    #[repr(align(4096))]
    struct Block([u8; BLOCK]);

    impl IoBuf for Block {
        fn as_init(&self) -> &[u8] {
            &self.0
        }
    }

    impl SetLen for Block {
        unsafe fn set_len(&mut self, _: usize) {} // all of it is always initialized
    }

    impl IoBufMut for Block {
        fn as_uninit(&mut self) -> &mut [MaybeUninit<u8>] {
            self.0.as_uninit()
        }
    }

    pub struct Compio {
        runtime: compio::runtime::Runtime,
        file: compio::fs::File,
        free: Vec<Box<Block>>,
    }

    impl Compio {
        /// Runs a task with each buffer, for its part of `places`.
        fn each<F: Future<Output = io::Result<Box<Block>>> + 'static>(
            &mut self,
            places: &[u64],
            task: impl Fn(compio::fs::File, Box<Block>, Vec<u64>) -> F,
        ) -> io::Result<()> {
            let (parts, file) = (parts(places, self.free.len()), &self.file);
            let all = self.free.drain(..).zip(parts).map(|(b, p)| task(file.clone(), b, p));
            let all: Vec<F> = all.collect();
            self.free = self.runtime.block_on(async {
                let tasks: Vec<_> = all.into_iter().map(compio::runtime::spawn).collect();
                let mut free = vec![];
                for task in tasks {
                    let ended = task.await.map_err(|_| io::Error::other("a task has panicked"));
                    free.push(ended??);
                }
                io::Result::Ok(free)
            })?;
            Ok(())
        }
    }

    impl Peer for Compio {
        const NAME: &str = "compio";

        fn new(blocks: &Blocks, direct: bool, depth: usize) -> io::Result<Self> {
            let runtime = trying("the runtime of compio", compio::runtime::Runtime::new())?;
            if !runtime.driver_type().is_iouring() {
                let reason = "compio has fallen back to a pool";
                return Err(io::Error::new(io::ErrorKind::Unsupported, reason));
            }
            let mut options = compio::fs::OpenOptions::new();
            options.read(true).write(true).custom_flags(if direct { libc::O_DIRECT } else { 0 });
            let file = runtime.block_on(options.open(blocks.path()))?;
            let free = (0..depth).map(|_| Box::new(Block([0; BLOCK]))).collect();
            Ok(Self { runtime, file, free })
        }

        fn read(&mut self, places: &[u64], each: fn(u64, &[u8])) -> io::Result<()> {
            self.each(places, move |file, mut buffer, part| async move {
                for at in part {
                    let BufResult(count, back) = file.read_at(buffer, at).await;
                    buffer = back;
                    all(count?)?;
                    each(at, &buffer.0);
                }
                Ok(buffer)
            })
        }

        fn write(&mut self, places: &[u64], then: Then) -> io::Result<()> {
            self.each(places, move |mut file, mut buffer, part| async move {
                for at in part {
                    let BufResult(count, back) = file.write_at(buffer, at).await;
                    buffer = back;
                    all(count?)?;
                    if then == Then::Sync {
                        file.sync_data().await?;
                    }
                }
                Ok(buffer)
            })
        }
    }

    /// Checks that a read or write has moved a whole block.
    fn all(count: usize) -> io::Result<()> {
        if count == BLOCK { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    /// The program `fio`, which reads blocks of the same file in a process of its own for a quarter
    /// of a second, and measures itself, without its start. It counts the CPU time of its thread,
    /// which does all of the work: direct reads need no worker of the kernel.
    pub struct Fio(Vec<String>);

    impl Fio {
        pub fn new(file: &Path, depth: usize) -> io::Result<Self> {
            let installed = Command::new("fio").arg("--version").output();
            installed
                .map_err(|_| io::Error::new(io::ErrorKind::Unsupported, "fio is not installed"))?;
            let words = "--name=blocks --readonly --rw=randread --norandommap --bs=4096 --direct=1 \
                         --invalidate=0 --ioengine=io_uring --registerfiles=1 --fixedbufs=1 \
                         --time_based --runtime=250ms --output-format=json";
            let mut flags: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
            flags.extend(
                ["iodepth", "iodepth_batch_submit", "iodepth_batch_complete_max"]
                    .map(|flag| format!("--{flag}={depth}")),
            );
            flags.push(format!("--filename={}", file.display()));
            Ok(Self(flags))
        }

        /// Runs it, and returns the time of each block.
        pub fn run(&self) -> io::Result<Taken> {
            let output = Command::new("fio").args(&self.0).output()?;
            let failed = || {
                // It says so on its output, too, in front of the JSON.
                let said = [&output.stdout, &output.stderr].map(|it| String::from_utf8_lossy(it));
                let line = said.iter().flat_map(|it| it.lines()).find(|it| it.starts_with("fio: "));
                io::Error::other(format!(
                    "{}: {}",
                    output.status,
                    line.unwrap_or("fio says nothing")
                ))
            };
            let said: serde_json::Value =
                serde_json::from_slice(&output.stdout).map_err(|_| failed())?;
            let job = &said["jobs"][0];
            let number = |value: &serde_json::Value| value.as_f64().ok_or_else(failed);
            let rate = number(&job["read"]["iops"])?;
            if !output.status.success() || rate <= 0.0 {
                return Err(failed());
            }
            let wall = Duration::from_secs_f64(1.0 / rate);
            let cpu = (number(&job["usr_cpu"])? + number(&job["sys_cpu"])?) / 100.0;
            Ok(Taken { wall, cpu: Some(wall.mul_f64(cpu)) })
        }
    }

    impl fmt::Display for Fio {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "fio {}", self.0.join(" "))
        }
    }
}

//! Gets buffers afresh from the allocator, from the pool that everybody writes first, and from the
//! one of the chapter, and asks the allocator and the kernel what each of them costs and keeps.
//!
//!     cargo run --release --example object_pool
//!     strace -c target/release/examples/object_pool --only fresh

#[cfg(target_os = "linux")]
#[global_allocator]
static ALLOCATOR: perf_proved::proof::allocations::Counting =
    perf_proved::proof::allocations::Counting;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    perf_proved::harness::flags::Example::new(
        "Counts the allocations that object pools save, and what a pool leaves in memory.",
    )
    .variants(&linux::VARIANTS)
    .run(linux::main)
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!(
        "This example asks Linux's kernel what remains in memory; on this system there is nobody to ask."
    );
}

#[cfg(target_os = "linux")]
mod linux {
    use perf_proved::harness::flags::Flags;
    use perf_proved::harness::report::{Report, Value};
    use perf_proved::memory::object_pool::buffers::{BufferPool, LocalBuffers};
    use perf_proved::memory::object_pool::naive::{self, Buffer, ObjectPool};
    use perf_proved::proof::allocations::count;
    use perf_proved::proof::usage::Usage;
    use perf_proved::proof::{memory_scan, resident};
    use std::io;
    use std::process::ExitCode;
    use std::thread;

    pub const VARIANTS: [&str; 3] = ["fresh", "naive", "pool"];
    const SMALL: usize = 4 << 10;
    const MEDIUM: usize = 64 << 10;
    const LARGE: usize = 10 << 20;
    /// How many bytes the pool may keep of each size.
    const BOUND: usize = 4 << 20;

    /// Where the buffers come from.
    enum Source<'p> {
        Fresh,
        Naive(ObjectPool<Buffer>),
        Pool(&'p LocalBuffers<'p>),
    }

    impl Source<'_> {
        // ANCHOR: burst
        /// Gets so many buffers of `size`, fills all of each with `word`, and gives all back.
        fn burst(&self, buffers: usize, size: usize, word: u64) {
            let fill = |bytes: &mut [u8]| {
                bytes
                    .chunks_exact_mut(8)
                    .for_each(|chunk| chunk.copy_from_slice(&word.to_ne_bytes()));
            };
            match self {
                Self::Fresh => collect(buffers, || vec![0; size], |buffer| fill(buffer), drop),
                Self::Naive(pool) => {
                    let get = || {
                        let mut buffer = pool.get();
                        if buffer.bytes.len() < size {
                            buffer.bytes = vec![0; size].into();
                        }
                        buffer
                    };
                    collect(
                        buffers,
                        get,
                        |buffer| fill(&mut buffer.bytes[..size]),
                        |buffer| pool.put(buffer),
                    );
                }
                Self::Pool(local) => {
                    collect(buffers, || local.zeroed(size), |buffer| fill(buffer), drop)
                }
            }
        }
        // ANCHOR_END: burst
    }

    /// So many are live at once.
    fn collect<B>(buffers: usize, get: impl Fn() -> B, fill: impl Fn(&mut B), put: impl Fn(B)) {
        let mut live: Vec<B> = Vec::with_capacity(buffers);
        for _ in 0..buffers {
            let mut buffer = get();
            fill(&mut buffer);
            live.push(buffer);
        }
        live.into_iter().for_each(put);
    }

    pub fn main(flags: Flags) -> io::Result<ExitCode> {
        if let Some(name) = flags.only {
            with(&name, |source| source.burst(64, SMALL, 0));
            return Ok(ExitCode::SUCCESS);
        }
        let mut report =
            Report::new("What buffers cost that are got afresh, and what two pools keep");
        for (number, name) in VARIANTS.into_iter().enumerate() {
            with(name, |source| steady(&mut report, name, source));
            with(name, |source| faults(&mut report, name, "faults", source))?;
            with(name, |source| secret(&mut report, name, source, number as u64))?;
            with(name, |source| peak(&mut report, name, source))?;
        }
        // Last, since glibc gives less back to the kernel once it has freed a block of that size.
        for name in VARIANTS {
            let ((), made) = with(name, |source| count(|| source.burst(1, LARGE, 0)));
            report.set(name, "kept_of_one", Value::Bytes(made.held.max(0) as u64));
        }
        with("fresh", |source| faults(&mut report, "fresh", "faults_later", source))?;
        let pool = BufferPool::new(BOUND);
        let thread = || {
            thread::scope(|scope| scope.spawn(|| allocations(&Source::Pool(&pool.local()))).join())
        };
        for quantity in ["first_thread", "second_thread"] {
            let calls = thread().map_err(|_| io::Error::other("a thread panicked"))?;
            report.detail("pool", quantity, calls);
        }
        let stats = pool.stats();
        report.promise(
            "nothing was discarded of two bursts that the pool has room for",
            stats.discarded == 0,
        );
        Ok(report.finish(flags.json))
    }

    /// Each experiment has a pool of its own.
    fn with<T>(name: &str, work: impl FnOnce(&Source) -> T) -> T {
        let pool = BufferPool::new(BOUND);
        let local = pool.local();
        work(&match name {
            "fresh" => Source::Fresh,
            "naive" => Source::Naive(naive::buffers()),
            _ => Source::Pool(&local),
        })
    }

    /// How often the allocator is called for 64 small buffers, not counting the vector that holds
    /// them.
    fn allocations(source: &Source) -> u64 {
        count(|| source.burst(64, SMALL, 0)).1.calls - 1
    }

    fn steady(report: &mut Report, name: &str, source: &Source) {
        report.set(name, "allocations", allocations(source));
        report.set(name, "again", allocations(source));
    }

    /// How many pages the kernel provides for 64 buffers of 64 KiB, when the same were there and
    /// written a moment ago.
    fn faults(report: &mut Report, name: &str, quantity: &str, source: &Source) -> io::Result<()> {
        source.burst(64, MEDIUM, 0);
        let before = Usage::of_thread()?;
        source.burst(64, MEDIUM, 0);
        report.set(name, quantity, (Usage::of_thread()? - before).minor_faults);
        Ok(())
    }

    // ANCHOR: secret
    /// How many of 64 KiB of secrets lie in memory after they were given back.
    fn secret(report: &mut Report, name: &str, source: &Source, number: u64) -> io::Result<()> {
        // Not a constant: nothing but the buffers may hold it.
        let word = u64::from(std::process::id()).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ number;
        source.burst(16, SMALL, word);
        report.set(name, "secrets", Value::Bytes(memory_scan::count(word)?));
        Ok(())
    }
    // ANCHOR_END: secret

    // ANCHOR: peak
    /// What 1,000 buffers of 64 KiB take while they live, and what is kept when all are given back.
    fn peak(report: &mut Report, name: &str, source: &Source) -> io::Result<()> {
        let before = resident::now()?;
        resident::reset_peak()?;
        let ((), made) = count(|| source.burst(1000, MEDIUM, 0));
        report.set(name, "peak", Value::Bytes(made.peak));
        report.set(name, "kept", Value::Bytes(made.held.max(0) as u64));
        report.detail(
            name,
            "resident_peak",
            Value::Bytes(resident::peak()?.saturating_sub(before)),
        );
        report.detail(name, "resident_kept", Value::Bytes(resident::now()?.saturating_sub(before)));
        Ok(())
    }
    // ANCHOR_END: peak
}

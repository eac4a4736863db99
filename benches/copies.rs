//! The cost of the parts of a transfer: a file's bytes to a TCP socket along each path, and the
//! halves of a read/write loop alone. 4 KiB to 16 MiB, page cache warm.
//!
//! All variants share one connection, with the sender on one core and the reader on another. Both
//! ends have `TCP_NODELAY` set. `copies` measures the wall clock until the reader has confirmed the
//! last byte. It takes the same bytes again and again, so the processor's caches hold them up to a
//! size. `copies_memory` takes pieces of a file that exceeds the last cache.
//!
//! `copies_cpu` and `copies_memory_cpu` are the CPU time of the sending thread over the same
//! batches, in the kernel too; on loopback that includes a part of receiving, which is the same for
//! every variant that sends.

use perf_proved::sys::cores::two_cores;
use perf_proved_benches::with;
use std::io;

fn main() -> io::Result<()> {
    let ids = ["copies", "copies_cpu", "copies_memory", "copies_memory_cpu"];
    with(two_cores(), &ids, bench::run)
}

#[cfg(not(target_os = "linux"))]
mod bench {
    pub use perf_proved_benches::not_built as run;
}

#[cfg(target_os = "linux")]
mod bench {
    use perf_proved::harness::loopback::{FNV_START, Loopback, fnv1a};
    use perf_proved::harness::rotation::Rotation;
    use perf_proved::harness::scratch::{Scratch, pattern};
    use perf_proved::sys::cores;
    use perf_proved::zero_copy::copies::variants::Variant;
    use perf_proved_benches::{Clock, Plan, Taken, bytes, size};
    use std::cell::RefCell;
    use std::fs::File;
    use std::io;

    const KIB: usize = 1 << 10;
    const MIB: usize = 1 << 20;
    const SIZES: [usize; 4] = [4 * KIB, 64 * KIB, MIB, 16 * MIB];
    /// The variants whose differences are the two copies.
    const FROM_MEMORY: [&str; 4] = ["read_write_64KiB", "read_only", "write_only", "sendfile"];

    pub fn run([sending, reading]: [usize; 2]) -> io::Result<()> {
        cores::pin(sending)?;
        let scratch = Scratch::new()?;
        let files =
            SIZES.map(|length| File::open(scratch.file(&size(length), length)?)).into_iter();
        let variants = Variant::NAMES.map(Variant::new).into_iter();
        let memory = Rotation::new(&scratch);
        let reason = memory.as_ref().err().map(io::Error::to_string);
        let mut bench = Bench {
            line: Loopback::new(Some(reading))?,
            files: files.collect::<io::Result<_>>()?,
            memory: memory.ok(),
            variants: variants.collect::<io::Result<_>>()?,
        };
        bench.check()?;

        let bench = RefCell::new(bench);
        let shared = &bench;
        let mut plan = Plan::new();
        let group = plan.group("copies");
        group.witnessed([sending, reading]).second_clock(Clock::Thread, "copies_cpu");
        for (place, length) in SIZES.into_iter().enumerate() {
            group.throughput(bytes(length));
            for (variant, name) in Variant::NAMES.into_iter().enumerate() {
                group.bench((name, size(length)), move |times| {
                    shared.borrow_mut().same(variant, place, times)
                });
            }
        }
        group.again("sendfile");

        let group = plan.group("copies_memory");
        group.witnessed([sending, reading]).second_clock(Clock::Thread, "copies_memory_cpu");
        for length in SIZES {
            group.throughput(bytes(length));
            for (variant, name) in Variant::NAMES.into_iter().enumerate() {
                if !FROM_MEMORY.contains(&name) {
                    continue;
                }
                let id = (name, size(length));
                match &reason {
                    Some(reason) => group.not_possible(id, reason),
                    None => group
                        .bench(id, move |times| shared.borrow_mut().piece(variant, length, times)),
                };
            }
        }
        group.again("sendfile");
        plan.run()?;
        bench.into_inner().line.close()
    }

    struct Bench {
        line: Loopback,
        /// One for each size: a variant that sends whole files needs a file of that size.
        files: Vec<File>,
        /// The file of which every transfer takes another piece.
        memory: Option<Rotation>,
        /// In the order of their names.
        variants: Vec<Variant>,
    }

    impl Bench {
        /// Checks that every whole path delivers the right bytes at every size. This also lets the
        /// kernel grow the socket's buffers before anything is measured: they grow with use, so the
        /// first variant would be measured with small ones.
        fn check(&mut self) -> io::Result<()> {
            let Self { line, files, variants, .. } = self;
            for (file, length) in files.iter().zip(SIZES) {
                let expected = fnv1a(FNV_START, &pattern(length));
                for (variant, name) in variants.iter_mut().zip(Variant::NAMES) {
                    let (arrives, whole) = (variant.arrives(length as u64), variant.is_whole());
                    let run = |socket: &_| variant.run(socket, file, 0..length as u64);
                    let ((), checksum) = line.transfer_checked(arrives, run)?;
                    assert!(!whole || checksum == expected, "{name}, {length} bytes");
                }
            }
            Ok(())
        }

        /// Runs a variant a number of times on the same bytes and waits for one confirmation of
        /// them all: one for each would cost more than a small file.
        fn same(&mut self, variant: usize, place: usize, times: u64) -> Taken {
            let Self { line, files, variants, .. } = self;
            let (variant, file) = (&mut variants[variant], &files[place]);
            let length = SIZES[place] as u64;
            let arrives = times * variant.arrives(length);
            Clock::Thread.taken(|| {
                line.transfer(arrives, |socket| {
                    (0..times).try_for_each(|_| variant.run(socket, file, 0..length))
                })
                .expect("every byte arrives, and the reader confirms it");
            })
        }

        /// Does the same with bytes that the caches do not hold.
        fn piece(&mut self, variant: usize, length: usize, times: u64) -> Taken {
            let Self { line, memory, variants, .. } = self;
            let memory = memory.as_mut().expect("registered only if there is such a file");
            let (variant, length) = (&mut variants[variant], length as u64);
            let arrives = times * variant.arrives(length);
            Clock::Thread.taken(|| {
                line.transfer(arrives, |socket| {
                    (0..times).try_for_each(|_| {
                        let piece = memory.next(length);
                        variant.run(socket, memory.file(), piece)
                    })
                })
                .expect("every byte arrives, and the reader confirms it");
            })
        }
    }
}

//! The time that each way of sending a file over TCP takes, and the sender's share of CPU time: 4
//! KiB to 64 MiB, page cache warm.
//!
//! All variants share one connection, with the sender on one core and the reader on another, and
//! with `TCP_NODELAY` unless the variant's name says otherwise. The group `sendfile` measures the
//! wall clock, from the first byte of a batch until the reader has confirmed the last. It sends the
//! same bytes again and again, so the processor's caches hold them up to a size.
//! `sendfile_memory` does the same with pieces of a file that exceeds the last cache.
//!
//! `sendfile_cpu` and `sendfile_memory_cpu` are the CPU time of the sending thread over the same
//! batches, in the kernel too; on loopback that includes a part of receiving, which is the same for
//! every variant.

use perf_proved::sys::cores::two_cores;
use perf_proved_benches::with;
use std::io;

fn main() -> io::Result<()> {
    let ids = ["sendfile", "sendfile_cpu", "sendfile_memory", "sendfile_memory_cpu"];
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
    use perf_proved::zero_copy::sendfile::variants::Variant;
    use perf_proved_benches::{Clock, Plan, Taken, bytes, size};
    use std::cell::RefCell;
    use std::fs::File;
    use std::io;

    const KIB: usize = 1 << 10;
    const MIB: usize = 1 << 20;
    const SIZES: [usize; 8] =
        [4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB, MIB, 4 * MIB, 16 * MIB, 64 * MIB];
    /// The sizes that the claims are about, and those of bodies from memory.
    const FEW: [usize; 4] = [4 * KIB, 64 * KIB, MIB, 16 * MIB];
    /// The variants that join small pieces, at the sizes [`FEW`].
    const JOINED: [&str; 2] = ["read_write_8KiB_nagle", "read_write_8KiB_more"];
    /// The variants that send bodies from memory.
    const FROM_MEMORY: [&str; 6] = [
        "read_write_8KiB",
        "read_write_8KiB_more",
        "read_write_64KiB",
        "read_write_256KiB",
        "std_io_copy",
        "sendfile",
    ];

    pub fn run([sending, reading]: [usize; 2]) -> io::Result<()> {
        cores::pin(sending)?;
        let scratch = Scratch::new()?;
        let largest = SIZES[SIZES.len() - 1];
        let variants = Variant::NAMES.map(Variant::new).into_iter();
        let memory = Rotation::new(&scratch);
        let reason = memory.as_ref().err().map(io::Error::to_string);
        let mut bench = Bench {
            line: Loopback::new(Some(reading))?,
            same: File::open(scratch.file("body", largest)?)?,
            memory: memory.ok(),
            variants: variants.collect::<io::Result<_>>()?,
        };
        bench.check()?;

        let bench = RefCell::new(bench);
        let shared = &bench;
        let mut plan = Plan::new();
        let group = plan.group("sendfile");
        group.witnessed([sending, reading]).second_clock(Clock::Thread, "sendfile_cpu");
        for length in SIZES {
            group.throughput(bytes(length));
            for (variant, name) in Variant::NAMES.into_iter().enumerate() {
                if JOINED.contains(&name) && !FEW.contains(&length) {
                    continue;
                }
                group.bench((name, size(length)), move |bodies| {
                    shared.borrow_mut().same(variant, length, bodies)
                });
            }
        }
        for length in FEW {
            group.again_at("sendfile", size(length));
        }

        let group = plan.group("sendfile_memory");
        group.witnessed([sending, reading]).second_clock(Clock::Thread, "sendfile_memory_cpu");
        for length in FEW {
            group.throughput(bytes(length));
            for (variant, name) in Variant::NAMES.into_iter().enumerate() {
                if !FROM_MEMORY.contains(&name) {
                    continue;
                }
                let id = (name, size(length));
                match &reason {
                    Some(reason) => group.not_possible(id, reason),
                    None => group.bench(id, move |bodies| {
                        shared.borrow_mut().piece(variant, length, bodies)
                    }),
                };
            }
        }
        group.again("sendfile");
        plan.run()?;
        bench.into_inner().line.close()
    }

    struct Bench {
        line: Loopback,
        /// The file of which every transfer sends the beginning.
        same: File,
        /// The file of which every transfer sends another piece.
        memory: Option<Rotation>,
        /// In the order of their names.
        variants: Vec<Variant>,
    }

    impl Bench {
        /// Checks that every variant sends the right bytes at every size. This also lets the kernel
        /// grow the socket's buffers before anything is measured: they grow with use, so the first
        /// variant would be measured with small ones.
        fn check(&mut self) -> io::Result<()> {
            let Self { line, same, variants, .. } = self;
            for length in SIZES {
                let expected = fnv1a(FNV_START, &pattern(length));
                for (variant, name) in variants.iter_mut().zip(Variant::NAMES) {
                    line.transfer(0, |socket| variant.prepare(socket))?;
                    let send = |socket: &_| variant.send(socket, same, 0..length as u64);
                    let ((), checksum) = line.transfer_checked(length as u64, send)?;
                    assert_eq!(checksum, expected, "{name}, {length} bytes");
                }
            }
            Ok(())
        }

        /// Sends the same body a number of times and waits for one confirmation of them all: one
        /// for each would cost more than a small body.
        fn same(&mut self, variant: usize, length: usize, bodies: u64) -> Taken {
            let Self { line, same, variants, .. } = self;
            let (variant, length) = (&mut variants[variant], length as u64);
            line.transfer(0, |socket| variant.prepare(socket)).expect("an option can be set");
            Clock::Thread.taken(|| {
                line.transfer(bodies * length, |socket| {
                    (0..bodies).try_for_each(|_| variant.send(socket, same, 0..length))
                })
                .expect("every body arrives, and the reader confirms its bytes");
            })
        }

        /// Does the same with bodies that the caches do not hold.
        fn piece(&mut self, variant: usize, length: usize, bodies: u64) -> Taken {
            let Self { line, memory, variants, .. } = self;
            let memory = memory.as_mut().expect("registered only if there is such a file");
            let (variant, length) = (&mut variants[variant], length as u64);
            line.transfer(0, |socket| variant.prepare(socket)).expect("an option can be set");
            Clock::Thread.taken(|| {
                line.transfer(bodies * length, |socket| {
                    (0..bodies).try_for_each(|_| {
                        let body = memory.next(length);
                        variant.send(socket, memory.file(), body)
                    })
                })
                .expect("every body arrives, and the reader confirms its bytes");
            })
        }
    }
}

//! The time that each way of sending a file over TCP takes, and the sender's share of CPU time: 4
//! KiB to 64 MiB, page cache warm.
//!
//! All variants share one connection, with the sender on one core and the reader on another. The
//! group `sendfile` measures the wall clock, from the first byte of a batch until the reader has
//! confirmed the last. `sendfile_cpu` is the CPU time of the sending thread over the same batches, in
//! the kernel too; on loopback that includes a part of receiving, which is the same for every
//! variant.

use perf_proved::sys::cores::two_cores;
use perf_proved_benches::with;
use std::io;

fn main() -> io::Result<()> {
    with(two_cores(), &["sendfile", "sendfile_cpu"], bench::run)
}

#[cfg(not(target_os = "linux"))]
mod bench {
    pub use perf_proved_benches::not_built as run;
}

#[cfg(target_os = "linux")]
mod bench {
    use perf_proved::harness::loopback::{FNV_START, Loopback, fnv1a};
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

    pub fn run([sending, reading]: [usize; 2]) -> io::Result<()> {
        cores::pin(sending)?;
        let scratch = Scratch::new()?;
        let largest = SIZES[SIZES.len() - 1];
        let variants = Variant::NAMES.map(Variant::new).into_iter();
        let mut bench = Bench {
            line: Loopback::new(Some(reading))?,
            file: File::open(scratch.file("body", largest)?)?,
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
                group.bench((name, size(length)), move |bodies| {
                    shared.borrow_mut().batch(variant, length, bodies)
                });
            }
        }
        group.again("sendfile");
        plan.run()?;
        bench.into_inner().line.close()
    }

    struct Bench {
        line: Loopback,
        file: File,
        /// In the order of their names.
        variants: Vec<Variant>,
    }

    impl Bench {
        /// Checks that every variant sends the right bytes at every size. This also lets the kernel
        /// grow the socket's buffers before anything is measured: they grow with use, so the first
        /// variant would be measured with small ones.
        fn check(&mut self) -> io::Result<()> {
            let Self { line, file, variants } = self;
            for length in SIZES {
                let expected = fnv1a(FNV_START, &pattern(length));
                for (variant, name) in variants.iter_mut().zip(Variant::NAMES) {
                    let send = |socket: &_| variant.send(socket, file, length as u64);
                    let ((), checksum) = line.transfer_checked(length as u64, send)?;
                    assert_eq!(checksum, expected, "{name}, {length} bytes");
                }
            }
            Ok(())
        }

        /// Sends a number of bodies and waits for one confirmation of them all: one for each would
        /// cost more than a small body.
        fn batch(&mut self, variant: usize, length: usize, bodies: u64) -> Taken {
            let Self { line, file, variants } = self;
            let (variant, length) = (&mut variants[variant], length as u64);
            Clock::Thread.taken(|| {
                line.transfer(bodies * length, |socket| {
                    (0..bodies).try_for_each(|_| variant.send(socket, file, length))
                })
                .expect("every body arrives, and the reader confirms its bytes");
            })
        }
    }
}

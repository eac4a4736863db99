//! Time and CPU time of sending buffers of 4 KiB, 64 KiB and 1 MiB with and without the copy into
//! the socket.
//!
//! The sender runs on one core and the reader on another, with a connection for each variant. Each
//! variant sends 16 buffers in turn, except `send`, which may send the same one again and again.
//! `msg_zerocopy` is wall time, until the reader has confirmed the last byte and every buffer is
//! back. `msg_zerocopy_cpu` is the CPU time of the whole process over the same batches, because
//! work that the kernel defers may run on the reader's clock or on a worker's; it includes the
//! reader's own copy, the same for every variant. `msg_zerocopy_splice` sends a file of 1 MiB on
//! two clocks, that of the sending thread and that of the process.

use perf_proved::sys::cores::two_cores;
use perf_proved_benches::with;
use std::io;

fn main() -> io::Result<()> {
    let ids = ["msg_zerocopy", "msg_zerocopy_cpu", "msg_zerocopy_splice"];
    with(two_cores(), &ids, bench::run)
}

#[cfg(not(target_os = "linux"))]
mod bench {
    pub use perf_proved_benches::not_built as run;
}

#[cfg(target_os = "linux")]
mod bench {
    use perf_proved::harness::loopback::{FNV_START, Loopback, fnv1a};
    use perf_proved::harness::report::is_unavailable;
    use perf_proved::harness::scratch::{Scratch, pattern};
    use perf_proved::sys::cores;
    use perf_proved::zero_copy::msg_zerocopy::experiment::{Experiment, FileSender};
    use perf_proved::zero_copy::msg_zerocopy::variants::Variant;
    use perf_proved_benches::{Clock, Plan, Taken, bytes, size};
    use std::cell::RefCell;
    use std::fs::File;
    use std::io;

    const SIZES: [usize; 3] = [4 << 10, 64 << 10, 1 << 20];

    pub fn run([sending, reading]: [usize; 2]) -> io::Result<()> {
        cores::pin(sending)?;
        let files = RefCell::new(Files::new(reading)?);
        let mut plan = Plan::new();
        let group = plan.group("msg_zerocopy");
        group.witnessed([sending, reading]).second_clock(Clock::Process, "msg_zerocopy_cpu");
        for length in SIZES {
            group.throughput(bytes(length));
            for name in Variant::NAMES {
                group.made((name, size(length)), move || sends(name, length, reading));
            }
        }
        group.again_at("send_in_turn", size(SIZES[1])).again_at("msg_zerocopy", size(SIZES[1]));

        let group = plan.group("msg_zerocopy_splice");
        group.witnessed([sending, reading]).clock(Clock::Process);
        for (clock, parameter) in [(Clock::Thread, "sender"), (Clock::Process, "process")] {
            for name in FileSender::NAMES {
                let files = &files;
                group.made((name, parameter), move || {
                    let mut sender = FileSender::new(name)?;
                    files.borrow_mut().check(&mut sender, name)?;
                    Ok(move |times| files.borrow_mut().send(&mut sender, clock, times))
                });
            }
        }
        group.again_at("sendfile", "process");
        plan.run()?;
        files.into_inner().line.close()
    }

    /// A variant that is connected, and that has sent enough to let the kernel grow the socket's
    /// buffers.
    struct Sends(Option<Experiment>);

    impl Sends {
        /// Sends buffers until the reader has confirmed every byte and every buffer is back.
        fn batch(&mut self, times: u64) -> io::Result<Taken> {
            let experiment = self.0.as_mut().expect("taken only by `drop`");
            let taken = Clock::Process.taken(|| {
                experiment.send(times).expect("everything arrives, and the reader confirms it");
            });
            experiment.without_fallback()?; // else it has measured another variant
            Ok(taken)
        }
    }

    impl Drop for Sends {
        fn drop(&mut self) {
            let closed = self.0.take().expect("dropped once").close();
            closed.expect("the reader ends without an error");
        }
    }

    fn sends(
        name: &str,
        length: usize,
        reading: usize,
    ) -> io::Result<impl FnMut(u64) -> io::Result<Taken> + use<>> {
        let mut experiment = match Experiment::new(name, length, Some(reading)) {
            Err(error) if !is_unavailable(&error) => panic!("{name}, {length} bytes: {error}"),
            experiment => experiment?,
        };
        let intact = experiment.send_checked((8 << 20) / length as u64)?;
        assert!(intact, "{name}, {length} bytes: every byte arrives as it was");
        experiment.without_fallback()?;
        let mut sends = Sends(Some(experiment));
        Ok(move |times| sends.batch(times))
    }

    /// A file of 1 MiB to send by `sendfile` and by io_uring's splice.
    struct Files {
        file: File,
        line: Loopback,
        _scratch: Scratch,
    }

    impl Files {
        const LENGTH: u64 = 1 << 20;

        fn new(reading: usize) -> io::Result<Self> {
            let scratch = Scratch::new()?;
            let file = File::open(scratch.file("body", Self::LENGTH as usize)?)?;
            Ok(Self { file, line: Loopback::new(Some(reading))?, _scratch: scratch })
        }

        fn check(&mut self, sender: &mut FileSender, name: &str) -> io::Result<()> {
            let send = |socket: &_| sender.send(socket, &self.file, Self::LENGTH);
            let ((), arrived) = self.line.transfer_checked(Self::LENGTH, send)?;
            assert_eq!(arrived, fnv1a(FNV_START, &pattern(Self::LENGTH as usize)), "{name}");
            Ok(())
        }

        fn send(&mut self, sender: &mut FileSender, clock: Clock, times: u64) -> Taken {
            let Self { file, line, .. } = self;
            clock.taken(|| {
                line.transfer(times * Self::LENGTH, |socket| {
                    (0..times).try_for_each(|_| sender.send(socket, file, Self::LENGTH))
                })
                .expect("everything arrives, and the reader confirms it");
            })
        }
    }
}

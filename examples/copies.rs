//! Takes the ways of a file's bytes to a socket apart: what each asks of the kernel, what it
//! carries through user space, and what the kernel has to do for its memory.
//!
//!     cargo run --release --example copies                     # a file of 1 MiB
//!     cargo run --release --example copies -- --size 16MiB
//!     strace -c target/release/examples/copies --only read_whole

#[cfg(target_os = "linux")]
#[global_allocator]
static ALLOCATOR: perf_proved::proof::allocations::Counting =
    perf_proved::proof::allocations::Counting;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    linux::main()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!(
        "This example asks Linux's kernel what it counted; on this system there is nobody to ask."
    );
}

#[cfg(target_os = "linux")]
mod linux {
    use perf_proved::harness::cost;
    use perf_proved::harness::flags::Example;
    use perf_proved::harness::loopback::{FNV_START, Loopback, fnv1a, pair};
    use perf_proved::harness::report::Report;
    use perf_proved::harness::scratch::{Scratch, pattern};
    use perf_proved::proof::usage::Usage;
    use perf_proved::zero_copy::copies::{Path, naive};
    use std::fs::File;
    use std::io;
    use std::process::ExitCode;
    use std::thread;

    pub fn main() -> ExitCode {
        Example::new("Counts the copies and system calls on each path from a file to a socket.")
            .variants(&Path::NAMES)
            .size(1 << 20)
            .run(|flags| match flags.only {
                Some(name) => go_once(&name, flags.size),
                None => compare(flags.size, flags.json),
            })
    }

    fn compare(size: usize, json: bool) -> io::Result<ExitCode> {
        let mut report = Report::new(&format!("The ways of {size} bytes from a file to a socket"));
        let scratch = Scratch::new()?;
        let file = File::open(scratch.file("body", size)?)?;
        let checksum = fnv1a(FNV_START, &pattern(size));
        let mut same = true;
        for name in Path::NAMES {
            // On a thread of its own, whose allocator has no memory yet.
            let counting = thread::scope(|scope| {
                scope.spawn(|| count(&mut report, name, &file, size as u64)).join()
            });
            let arrived = counting.map_err(|_| io::Error::other(format!("{name} panicked")))??;
            same &= matches!(name, "read_only" | "write_only") || arrived == checksum;
        }
        report.promise("every whole way brings the bytes of the file", same);

        // What an allocator gives back to the kernel, it has to ask for again.
        let large = File::open(scratch.file("large", 64 << 20)?)?;
        let mut line = Loopback::new(None)?;
        for quantity in ["page_faults", "faults_again"] {
            let before = Usage::of_thread()?;
            line.transfer(64 << 20, |socket| naive::send_whole(socket, &large))?;
            report.set("read_whole_64MiB", quantity, (Usage::of_thread()? - before).minor_faults);
        }
        line.close()?;

        report.set("small_writes", "switches", calls_without_a_switch()?);
        Ok(report.finish(json))
    }

    // ANCHOR: count
    /// One way, four times: twice for its memory, since the allocator keeps what it has, then for
    /// its calls and for the checksum of what arrived. The buffer that a loop reuses is part of the
    /// first.
    fn count(report: &mut Report, name: &str, file: &File, size: u64) -> io::Result<u64> {
        let arrives = Path::new(name)?.arrives(size);
        let mut line = Loopback::new(None)?;
        let mut path = line.transfer(arrives, |socket| {
            cost::memory(report, name, || {
                let mut path = Path::new(name)?;
                path.go(socket, file, size)?;
                Ok(path)
            })
        })?;
        let before = Usage::of_thread()?;
        line.transfer(arrives, |socket| path.go(socket, file, size))?;
        let used = Usage::of_thread()? - before;
        report.set(name, "faults_again", used.minor_faults);
        report.set(name, "switches", used.voluntary_switches + used.involuntary_switches);
        line.transfer(arrives, |socket| {
            cost::calls(report, name, &[], || path.go(socket, file, size))
        })?;
        let ((), checksum) =
            line.transfer_checked(arrives, |socket| path.go(socket, file, size))?;
        line.close()?;
        Ok(checksum)
    }
    // ANCHOR_END: count

    // ANCHOR: switches
    /// Writes 16 KiB in 64 calls to a socket that has room for them all, and returns how often the
    /// thread gave its core away.
    fn calls_without_a_switch() -> io::Result<u64> {
        let (_client, mut socket) = pair()?;
        let before = Usage::of_thread()?;
        for _ in 0..64 {
            io::Write::write_all(&mut socket, &[0; 256])?;
        }
        Ok((Usage::of_thread()? - before).voluntary_switches)
    }
    // ANCHOR_END: switches

    /// One transfer that nobody here counts.
    fn go_once(name: &str, size: usize) -> io::Result<ExitCode> {
        let mut path = Path::new(name)?;
        let scratch = Scratch::new()?;
        let file = File::open(scratch.file("body", size)?)?;
        let mut line = Loopback::new(None)?;
        let arrives = path.arrives(size as u64);
        line.transfer(arrives, |socket| path.go(socket, &file, size as u64))?;
        line.close()?;
        Ok(ExitCode::SUCCESS)
    }
}

//! Reads blocks of a file in every way, and counts what each asks of the kernel; denies io_uring;
//! cancels some of 10,000 operations; and shows what the versions that everyone writes first do.
//!
//!     cargo run --release --example async_io                   # in the temporary directory
//!     cargo run --release --example async_io -- --in /mnt      # on another file system
//!     strace -fc target/release/examples/async_io --only local_ring

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    linux::main()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("This example compares a thread pool to Linux's io_uring, which this system lacks.");
}

#[cfg(target_os = "linux")]
mod linux {
    use perf_proved::harness::flags::Example;
    use perf_proved::harness::report::{Kept, Report, Value};
    use perf_proved::io::async_io::direct::Alignment;
    use perf_proved::io::async_io::experiment::*;
    use perf_proved::io::async_io::{Engine, variants::Variant};
    use perf_proved::measuring::limits::file::filesystem;
    use std::path::{Path, PathBuf};
    use std::process::ExitCode;
    use std::{env, io};

    /// The number of blocks of the file, and of reads that are counted.
    const BLOCKS: usize = 4096;
    const READS: usize = 1024;

    pub fn main() -> ExitCode {
        Example::new("Counts the calls of file operations by a thread pool and by io_uring.")
            .variants(&Variant::NAMES)
            .flag("in", "DIR", "works in DIR instead of the temporary directory")
            .run(|flags| {
                let folder = flags.own("in").map_or_else(env::temp_dir, PathBuf::from);
                let blocks = Blocks::new(&folder, BLOCKS)?;
                match &flags.only {
                    Some(name) => only(&blocks, name),
                    None => Ok(compare(&folder, &blocks, flags.json)),
                }
            })
    }

    fn compare(folder: &Path, blocks: &Blocks, json: bool) -> ExitCode {
        let mut report = Report::new(&format!("{READS} random reads of 4 KiB"));
        calls(&mut report, blocks);
        direct(&mut report, folder, blocks);
        denials(&mut report, blocks);
        cancel(&mut report, "pool", blocks, Engine::Pool);
        cancel(&mut report, "ring", blocks, Engine::Ring);
        naive(&mut report, folder);
        report.finish(json)
    }

    /// Counts the calls of warm reads, one at a time and 32 at a time, and of cold ones.
    fn calls(report: &mut Report, blocks: &Blocks) {
        let mut right = vec![];
        for name in Variant::NAMES {
            right.push(report.attempt(name, &[], |_| blocks.is_right(name, &blocks.open()?, 32)));
            [1, 32].iter().for_each(|depth| count_calls(report, blocks, name, *depth, READS));
        }
        report.promise("every block comes once, and right", right.into_iter().collect::<Kept>());
        ["pool", "nowait_pool"].iter().for_each(|name| count_cold_calls(report, blocks, name));
    }

    /// Reads the file past the page cache, and counts the pages that the cache has of it; measures
    /// the time that a polling thread takes for nothing.
    fn direct(report: &mut Report, folder: &Path, blocks: &Blocks) {
        let kind = filesystem(folder).unwrap_or_else(|reason| format!("a file system ({reason})"));
        let folder = folder.display();
        report.note(&match blocks.open_direct().and_then(|file| Alignment::of(file.file())) {
            Err(reason) => format!("{folder}: {kind}; {reason}"),
            Ok(Alignment { memory, position }) => {
                format!("{folder}: {kind}; blocks of {position} bytes, memory by {memory} bytes")
            }
        });
        ["loop", "pool", "local_ring"].iter().for_each(|name| count_pages(report, blocks, name));
        watch_a_poller(report, blocks);
    }

    /// Denies one call of io_uring by one error after the other.
    fn denials(report: &mut Report, blocks: &Blocks) {
        deny(report, "without_setup", blocks, libc::SYS_io_uring_setup);
        deny(report, "without_enter", blocks, libc::SYS_io_uring_enter);
        deny(report, "without_register", blocks, libc::SYS_io_uring_register);
    }

    /// Shows the faults of the naive versions.
    fn naive(report: &mut Report, folder: &Path) {
        report.measure("naive", "lost", naive_lost);
        for (row, is_naive) in [("naive", true), ("engine", false)] {
            let left = || Ok(Value::Bytes(left_of_itself(folder, is_naive)?));
            report.measure(row, "left_of_itself", left);
            let written = || Ok(Value::Bytes(written_to_full(is_naive)?));
            report.measure(row, "written_to_full", written);
        }
        report.measure("borrowing_ring", "overwritten", || Ok(Value::Bytes(overwritten()?)));
    }

    /// Reads by one variant, uncounted.
    fn only(blocks: &Blocks, name: &str) -> io::Result<ExitCode> {
        let right = blocks.is_right(name, &blocks.open()?, 32)?;
        println!("the blocks are {}", if right { "right" } else { "WRONG" });
        Ok(if right { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

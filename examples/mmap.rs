//! Shows that reading a file through a map trades system calls and copies for page faults, with the
//! file in the page cache and without, and that truncating the file kills the process.
//!
//!     cargo run --release --example mmap                     # a file of 16 MiB
//!     cargo run --release --example mmap -- --size 64MiB
//!     strace -c target/release/examples/mmap --only map

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    linux::main()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("This example prints what Linux's kernel counts, which this system does not.");
}

#[cfg(target_os = "linux")]
mod linux {
    use perf_proved::harness::cost::{self, CALLS};
    use perf_proved::harness::flags::Example;
    use perf_proved::harness::report::{Kept, Report, Value};
    use perf_proved::zero_copy::mmap::experiment::{self, Temporary, Truncated, Unmapping};
    use perf_proved::zero_copy::mmap::sealed::SealedMap;
    use perf_proved::zero_copy::mmap::variants::Variant;
    use std::io;
    use std::process::ExitCode;

    const WARM: [&str; 2] = ["warm_faults", "of_them_reading"];
    const COLD: [&str; 3] = ["cold_minor", "cold_major", "huge_pages"];

    pub fn main() -> ExitCode {
        Example::new("Counts the page faults and system calls of reading a file by read and mmap.")
            .variants(&Variant::NAMES)
            .size(16 << 20)
            .run(|flags| match flags.only {
                Some(name) => read_once(&name, flags.size),
                None => Ok(compare(flags.size, flags.json)),
            })
    }

    fn compare(size: usize, json: bool) -> ExitCode {
        let mut report = Report::new(&format!("Reading {size} bytes of a file and adding them up"));
        let quantities = [&CALLS[..], &WARM, &COLD].concat();
        let same = Variant::NAMES.map(|name| {
            report.attempt(name, &quantities, |report| every_count(report, name, size))
        });
        report.measure("map_of_one_write", "warm_faults", || {
            let used = Temporary::at_once(size)?.faults(&mut Variant::new("map")?)?;
            Ok(used.minor_faults)
        });
        let says = "every variant finds the sum of the file";
        report.promise(says, same.into_iter().collect::<Kept>());
        here_and_there(&mut report, size);
        let unmapping = Unmapping::new(size);
        report.measure("unmap_alone", "tlb_shootdowns", || unmapping.shootdowns(false));
        report.measure("unmap_beside", "tlb_shootdowns", || unmapping.shootdowns(true));
        truncating(&mut report);
        naive_faults(&mut report);
        report.finish(json)
    }

    /// Counts the calls and the page faults of one variant, and then its page faults without the
    /// file in the page cache. Each variant gets a file of its own: what an earlier one read from
    /// the disk would lie in the page cache as that one read it.
    fn every_count(report: &mut Report, name: &str, size: usize) -> io::Result<bool> {
        let (file, mut variant) = (Temporary::in_pieces(size)?, Variant::new(name)?);
        let sum = cost::calls(report, name, &[], || file.sum(&mut variant))?;
        report.measure(name, WARM[0], || Ok(file.faults(&mut variant)?.minor_faults));
        report.measure(name, WARM[1], || file.faults_of_reading(&mut variant));
        report.attempt(name, &COLD, |report| {
            let (used, huge_pages) = file.cold_faults(&mut variant)?;
            let counts = [used.minor_faults, used.major_faults, huge_pages as u64];
            COLD.iter().zip(counts).for_each(|(quantity, count)| report.set(name, quantity, count));
            Ok(())
        });
        Ok(sum == experiment::expected(size))
    }

    /// Reads 1,024 blocks of 4 KiB here and there in the file, by `pread` and through a map.
    fn here_and_there(report: &mut Report, size: usize) {
        report.attempt("pread_random", &CALLS, |report| {
            let (file, mut block) = (Temporary::at_once(size)?, [0; 4096]);
            cost::calls(report, "pread_random", &[], || file.read_blocks(&mut block))
        });
        report.attempt("map_random_kept", &CALLS, |report| {
            let file = Temporary::at_once(size)?;
            let map = file.map()?;
            cost::calls(report, "map_random_kept", &[], || Ok(file.touch_blocks(&map)))
        });
    }

    /// Truncates a file under its map, and shows what becomes of a load, of `write` and of `pread`;
    /// then tries to truncate a sealed file.
    fn truncating(report: &mut Report) {
        report.measure("load_beyond_end", "signal", || Truncated::new()?.signal_of_load());
        report.measure("write_beyond_end", "errno", || Truncated::new()?.errno_of_write());
        report.measure("pread_beyond_end", "copied_in", || {
            Truncated::new()?.read().map(|bytes| Value::Bytes(bytes as u64))
        });
        let kept = report.attempt("truncate_sealed", &["errno"], |report| {
            let sealed = SealedMap::new(SealedMap::seal(b"stays")?)?;
            report.set("truncate_sealed", "errno", experiment::errno(sealed.file().set_len(0)));
            Ok(&*sealed == b"stays")
        });
        report.promise("a sealed file keeps its bytes", kept);
    }

    /// Gives the naive version an empty file, a directory and, three times, a file that is not
    /// text.
    fn naive_faults(report: &mut Report) {
        report.measure("naive_empty", "errno", experiment::naive_errno_of_empty);
        report.measure("naive_directory", "errno", experiment::naive_errno_of_directory);
        let refused = report.attempt("naive_binary", &["maps_left"], |report| {
            let (refused, left) = experiment::naive_maps_left(3)?;
            report.set("naive_binary", "maps_left", left as u64);
            Ok(refused == 3)
        });
        report.promise("a file that is not text is refused", refused);
    }

    /// Runs one variant without counting anything.
    fn read_once(name: &str, size: usize) -> io::Result<ExitCode> {
        let right = Temporary::in_pieces(size)?.sum(&mut Variant::new(name)?)?
            == experiment::expected(size);
        Ok(if right { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

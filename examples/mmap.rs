//! Reads a file through a buffer and through maps of every kind, and counts calls, bytes through
//! user space and page faults, with the file in the page cache and without. Then it makes the file
//! shorter under a map, in a child process.
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
    println!(
        "This example asks Linux's kernel what it counted; on this system there is nobody to ask."
    );
}

#[cfg(target_os = "linux")]
mod linux {
    use perf_proved::harness::child::{End, end_of};
    use perf_proved::harness::cost;
    use perf_proved::harness::flags::Example;
    use perf_proved::harness::report::{Report, Value};
    use perf_proved::harness::scratch::{Scratch, pattern};
    use perf_proved::proof::usage::{self, Usage, tlb_shootdowns};
    use perf_proved::sys::cores;
    use perf_proved::sys::region::HUGE_PAGE;
    use perf_proved::zero_copy::mmap::reader::{BUFFER, Reader};
    use perf_proved::zero_copy::mmap::sealed::SealedMap;
    use perf_proved::zero_copy::mmap::{Advice, Map, cache, naive, sum};
    use std::fs::{self, File, OpenOptions};
    use std::hint;
    use std::io::{self, Write};
    use std::os::unix::fs::FileExt;
    use std::process::ExitCode;
    use std::sync::atomic::Ordering;

    pub fn main() -> ExitCode {
        Example::new(
            "Counts the page faults and system calls of reading a file by read, pread and mmap.",
        )
        .variants(&Reader::NAMES)
        .size(16 << 20)
        .run(|flags| match flags.only {
            Some(name) => read_once(&name, flags.size),
            None => compare(flags.size, flags.json),
        })
    }

    fn compare(size: usize, json: bool) -> io::Result<ExitCode> {
        let mut report = Report::new(&format!("Reading {size} bytes of a file and adding them up"));
        let scratch = Scratch::new()?;
        let mut same = true;
        for name in Reader::NAMES {
            // Written anew, a buffer at a time: what one way has brought into the page cache stays
            // as it came.
            let file = File::open(scratch.file_in_pieces("file", size, BUFFER)?)?;
            same &= count(&mut report, name, &file, size)? == sum::of_bytes(&pattern(size));
        }
        let file = File::open(scratch.file("file", size)?)?;
        let (_, used) = usage::count(|| Reader::new("map")?.sum(&file, size))?;
        report.set("map_of_one_write", "warm_faults", used.minor_faults);
        report.promise("every way finds the sum of the file", same);
        random(&mut report, &file, size)?;
        shootdowns(&mut report, &file, size)?;
        shorter(&mut report, &scratch)?;
        naive_faults(&mut report, &scratch)?;
        Ok(report.finish(json))
    }

    /// One way, four times: warm for its calls, warm for its faults, cold, and what the cold one
    /// has left behind.
    fn count(report: &mut Report, name: &str, file: &File, size: usize) -> io::Result<u64> {
        let mut reader = Reader::new(name)?;
        cost::calls(report, name, &[], || reader.sum(file, size))?;
        let (sum, used) = usage::count(|| reader.sum(file, size))?;
        let warm = used.minor_faults;
        report.set(name, "warm_faults", warm);
        report.set(
            name,
            "of_them_reading",
            reader.map(file, size).map_or(Ok(warm), |map| faults_of(&map))?,
        );
        match cold(&mut reader, file, size) {
            Ok((used, huge)) => {
                report.set(name, "cold_minor", used.minor_faults);
                report.set(name, "cold_major", used.major_faults);
                report.set(name, "huge_pages", (huge / HUGE_PAGE) as u64);
            }
            Err(why) => report.not_possible(
                name,
                &["cold_minor", "cold_major", "huge_pages"],
                &why.to_string(),
            ),
        }
        Ok(sum)
    }

    fn faults_of(map: &Map) -> io::Result<u64> {
        let (_, used) = usage::count(|| Ok(hint::black_box(sum::of_map(map))))?;
        Ok(used.minor_faults)
    }

    /// What the first read takes when the file is not in memory, and how many bytes are mapped by
    /// huge pages on the second.
    fn cold(reader: &mut Reader, file: &File, size: usize) -> io::Result<(Usage, usize)> {
        cache::evict(file)?;
        let (_, used) = usage::count(|| reader.sum(file, size))?;
        let Ok(map) = reader.map(file, size) else { return Ok((used, 0)) };
        hint::black_box(sum::of_map(&map));
        match map.huge_bytes()? {
            0 if matches!(reader, Reader::Map(Some(Advice::HugePage))) => Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "the kernel gives this file no huge pages",
            )),
            huge => Ok((used, huge)),
        }
    }

    /// 1,024 blocks of 4 KiB, here and there in the file.
    fn random(report: &mut Report, file: &File, size: usize) -> io::Result<()> {
        let blocks = (size / 4096).max(1);
        let offsets = (0..1024).map(|number| number * 7919 % blocks * 4096);
        let mut block = [0; 4096];
        let map = Map::whole(file)?;
        let length = block.len().min(size);
        cost::calls(report, "pread_random", &[], || {
            offsets.clone().try_for_each(|at| file.read_exact_at(&mut block[..length], at as u64))
        })?;
        cost::calls(report, "map_random_kept", &[], || {
            let touched = offsets.clone().map(|at| map.bytes()[at].load(Ordering::Relaxed));
            hint::black_box(touched.map(u64::from).sum::<u64>());
            Ok(())
        })
    }

    /// Maps, touches and unmaps 1,000 times: alone, and beside a thread of this process that runs
    /// on another core.
    fn shootdowns(report: &mut Report, file: &File, size: usize) -> io::Result<()> {
        let unmap = || -> io::Result<Value> {
            let before = tlb_shootdowns();
            for _ in 0..1000 {
                Map::new(file, size)?.bytes()[0].load(Ordering::Relaxed);
            }
            Ok(before
                .and_then(|before| Ok(Value::Count(tlb_shootdowns()? - before)))
                .unwrap_or_else(Value::from))
        };
        let Some((first, second)) = cores::pair()? else {
            for name in ["unmap_alone", "unmap_beside"] {
                report.not_possible(
                    name,
                    &["tlb_shootdowns"],
                    "this process may use one core only",
                );
            }
            return Ok(());
        };
        cores::pin(first)?;
        report.set("unmap_alone", "tlb_shootdowns", unmap()?);
        report.set("unmap_beside", "tlb_shootdowns", cores::beside(second, unmap)??);
        Ok(())
    }

    /// Makes a file shorter under its map: what a load says, what `write` says, what `pread` says;
    /// and what a sealed file says.
    fn shorter(report: &mut Report, scratch: &Scratch) -> io::Result<()> {
        let path = scratch.file("shorter", BUFFER)?;
        let file = OpenOptions::new().read(true).write(true).open(&path)?;
        let map = Map::whole(&file)?;
        file.set_len(0)?;
        // SAFETY: one load and no call.
        let end = unsafe { end_of(|| i32::from(map.bytes()[0].load(Ordering::Relaxed))) }?;
        report.set(
            "load_beyond_end",
            "signal",
            if let End::Signal(signal) = end { signal as u64 } else { 0 },
        );
        let (_reader, mut pipe) = io::pipe()?;
        // SAFETY: only the kernel reads these.
        let written = pipe.write(unsafe { map.as_slice() });
        report.set("write_beyond_end", "errno", errno(written));
        report.set(
            "pread_beyond_end",
            "copied_in",
            Value::Bytes(file.read_at(&mut [0; 1], 0)? as u64),
        );
        let sealed = SealedMap::new(SealedMap::seal(b"stays")?)?;
        report.set("truncate_sealed", "errno", errno(sealed.file().set_len(0)));
        report.promise("a sealed file keeps its bytes", &*sealed == b"stays");
        Ok(())
    }

    /// What the naive version makes of an empty file and a directory, and how often a file stays
    /// mapped that is no text.
    fn naive_faults(report: &mut Report, scratch: &Scratch) -> io::Result<()> {
        report.set("naive_empty", "errno", errno(naive::count_lines(&scratch.file("empty", 0)?)));
        report.set("naive_directory", "errno", errno(naive::count_lines(scratch.path())));
        let binary = scratch.file("binary", BUFFER)?;
        let refused = (0..3).filter(|_| naive::count_lines(&binary).is_err()).count();
        report.promise("a file that is no text is refused", refused == 3);
        let maps = fs::read_to_string("/proc/self/maps")?;
        let left = maps.lines().filter(|line| line.ends_with(&*binary.to_string_lossy())).count();
        report.set("naive_binary", "maps_left", left as u64);
        Ok(())
    }

    fn errno<T>(result: io::Result<T>) -> u64 {
        result.err().and_then(|error| error.raw_os_error()).unwrap_or(0) as u64
    }

    /// One reading that nobody here counts.
    fn read_once(name: &str, size: usize) -> io::Result<ExitCode> {
        let scratch = Scratch::new()?;
        let file = File::open(scratch.file_in_pieces("file", size, BUFFER)?)?;
        let right = Reader::new(name)?.sum(&file, size)? == sum::of_bytes(&pattern(size));
        Ok(if right { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

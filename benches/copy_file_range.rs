//! Times copies of a file of 64 KiB to 16 MiB with a warm page cache: each variant from open file
//! to open file, and whole copies from path to path.
//!
//! The clock is the CPU time of the copying thread, which does all the work itself.
//! `copy_file_range` copies to an empty file, which is open before and truncated afterward, both
//! untimed: it times the copy and the pages and blocks that it takes. `copy_file_range_over` copies
//! over a file that has both already, and `copy_file_range_shm` is the first group in `/dev/shm`.
//! In these groups the source is one file, which the last cache of most processors holds;
//! `copy_file_range_memory` goes on to the next part of a file that is twice as large as the cache.
//! `copy_file_range_whole` takes two paths, and the target is new each time. No copy lives long
//! enough to be written to the disk, and nothing waits for one.

use std::io;

fn main() -> io::Result<()> {
    #[cfg(target_os = "linux")]
    return bench::run();
    #[cfg(not(target_os = "linux"))]
    [
        "copy_file_range",
        "copy_file_range_over",
        "copy_file_range_shm",
        "copy_file_range_memory",
        "copy_file_range_whole",
    ]
    .iter()
    .try_for_each(|id| {
        perf_proved_benches::not_possible(id, "the calls that this bench compares are Linux's")
    })
}

#[cfg(target_os = "linux")]
mod bench {
    use perf_proved::harness::rotation::Rotation;
    use perf_proved::harness::scratch::{Scratch, pattern};
    use perf_proved::measuring::limits::file::filesystem;
    use perf_proved::zero_copy::copy_file_range::variants::{PATH_COPIES, Variant};
    use perf_proved_benches::{Clock, Group, Plan, Taken, bytes, size};
    use std::cell::RefCell;
    use std::fs::{self, File};
    use std::io::{self, Seek, SeekFrom};
    use std::path::{Path, PathBuf};
    use std::rc::Rc;
    use std::time::Duration;

    const KIB: usize = 1 << 10;
    const MIB: usize = 1 << 20;
    const SIZES: [usize; 3] = [64 * KIB, MIB, 16 * MIB];
    const SOME: [&str; 3] = ["read_write_8KiB", "read_write_1MiB", "copy_file_range"];

    pub fn run() -> io::Result<()> {
        let (scratch, memory) = (Scratch::new()?, Path::new("/dev/shm"));
        let mut plan = Plan::new();
        variants(
            plan.group("copy_file_range"),
            &scratch,
            &SIZES,
            &Variant::NAMES,
            After::Truncate,
        )?;
        variants(plan.group("copy_file_range_over"), &scratch, &SIZES[1..], &SOME, After::Keep)?;
        let group = plan.group("copy_file_range_shm");
        let reason = match filesystem(memory) {
            Ok(kind) if kind == "tmpfs" => None,
            Ok(kind) => Some(format!("/dev/shm is a {kind}, no tmpfs")),
            Err(reason) => Some(reason.to_string()),
        };
        let shm = match &reason {
            None => Some(Scratch::within(memory)?),
            Some(_) => None,
        };
        match (&shm, reason) {
            (Some(scratch), _) => {
                variants(group, scratch, &SIZES[1..], &SOME, After::Truncate)?;
            }
            (None, reason) => {
                for name in SOME {
                    group.not_possible(name, reason.as_deref().unwrap_or_default());
                }
            }
        }
        from_memory(plan.group("copy_file_range_memory"), &scratch)?;
        whole(plan.group("copy_file_range_whole"), &scratch)?;
        plan.run()
    }

    /// The target's fate between two copies.
    #[derive(Clone, Copy)]
    enum After {
        Truncate,
        Keep,
    }

    /// Copies one file again and again: up to 16 MiB, most processors' last cache holds it.
    fn variants(
        group: &mut Group<'_>,
        scratch: &Scratch,
        sizes: &[usize],
        names: &[&str],
        after: After,
    ) -> io::Result<()> {
        group.clock(Clock::Thread);
        for length in sizes.iter().copied() {
            let from = Rc::new(File::open(scratch.file(&size(length), length)?)?);
            let kind = if matches!(after, After::Keep) { "over" } else { "copy" };
            let path = scratch.path().join(format!("{kind}{length}"));
            let to = Rc::new(File::create_new(&path)?);
            group.throughput(bytes(length));
            for name in names {
                let mut variant = Variant::new(name)?;
                // Checks the copy: the right bytes, over others of the same length.
                to.set_len(0)?;
                to.set_len(length as u64)?;
                Variant::rewind(&from, &to)?;
                variant.copy(&from, &to, length as u64)?;
                assert!(fs::read(&path)? == pattern(length), "{name}, {length} bytes");
                let (from, to) = (from.clone(), to.clone());
                let mut copy = move || {
                    if matches!(after, After::Truncate) {
                        to.set_len(0)?;
                    }
                    Variant::rewind(&from, &to)?;
                    timed(|| variant.copy(&from, &to, length as u64))
                };
                group.bench((*name, size(length)), move |times| repeated(times, &mut copy));
            }
        }
        group.again_at("copy_file_range", size(MIB));
        Ok(())
    }

    /// Copies 16 MiB of a file that no cache holds, and then the next 16 MiB.
    fn from_memory(group: &mut Group<'_>, scratch: &Scratch) -> io::Result<()> {
        const PART: u64 = 16 << 20;
        group.clock(Clock::Thread).throughput(bytes(PART as usize));
        let rotation = Rotation::new(scratch).map(|rotation| Rc::new(RefCell::new(rotation)));
        let to = Rc::new(File::create_new(scratch.path().join("memory"))?);
        for name in ["read_write_64KiB", "read_write_1MiB", "copy_file_range"] {
            let parameter = size(PART as usize);
            let rotation = match &rotation {
                Err(reason) => {
                    group.not_possible((name, parameter), reason);
                    continue;
                }
                Ok(rotation) => rotation.clone(),
            };
            let (mut variant, to) = (Variant::new(name)?, to.clone());
            let mut copy = move || {
                let mut rotation = rotation.borrow_mut();
                let start = rotation.next(PART).start;
                to.set_len(0)?;
                Variant::rewind(rotation.file(), &to)?;
                rotation.file().seek(SeekFrom::Start(start))?;
                timed(|| variant.copy_part(rotation.file(), start, &to, PART))
            };
            group.bench((name, parameter), move |times| repeated(times, &mut copy));
        }
        if rotation.is_ok() {
            group.again("copy_file_range");
        }
        Ok(())
    }

    /// Copies from path to path, to a file that does not exist before.
    fn whole(group: &mut Group<'_>, scratch: &Scratch) -> io::Result<()> {
        group.clock(Clock::Thread);
        for length in SIZES {
            let (from, to) = (scratch.path().join(size(length)), scratch.path().join("whole"));
            group.throughput(bytes(length));
            for (name, copy) in &PATH_COPIES[..3] {
                copy(&from, &to)?;
                assert!(fs::read(&to)? == pattern(length), "{name}, {length} bytes");
                let (from, to): (PathBuf, PathBuf) = (from.clone(), to.clone());
                let mut copy = move || {
                    fs::remove_file(&to)?;
                    timed(|| copy(&from, &to))
                };
                group.bench((*name, size(length)), move |times| repeated(times, &mut copy));
            }
        }
        group.again_at("copy", size(MIB));
        Ok(())
    }

    fn timed(copy: impl FnOnce() -> io::Result<()>) -> io::Result<Taken> {
        let mut copied = Ok(());
        let taken = Clock::Thread.taken(|| copied = copy());
        copied.map(|()| taken)
    }

    /// Adds up the times of a number of copies.
    fn repeated(times: u64, copy: &mut impl FnMut() -> io::Result<Taken>) -> io::Result<Taken> {
        let (mut wall, mut cpu) = (Duration::ZERO, Duration::ZERO);
        for _ in 0..times {
            let taken = copy()?;
            wall += taken.wall;
            cpu += taken.cpu.unwrap_or_default();
        }
        Ok(Taken { wall, cpu: Some(cpu) })
    }
}

//! Times durable writes on the file system of temporary files.
//!
//! `power_loss` writes blocks of 4 KiB to 1 MiB, one after the other, and waits until each is
//! durable; `write` alone waits for nothing, and leaves the writing to the kernel. The files are
//! made, written and synced before, untimed, and have 16 MiB. `power_loss_replace` replaces a file
//! of 4 KiB by each variant. Every time here is the wall clock's: what is timed is the wait for a
//! device, which other programs on the machine, and other guests of its host, share.

use std::io;

fn main() -> io::Result<()> {
    #[cfg(target_os = "linux")]
    return bench::run();
    #[cfg(not(target_os = "linux"))]
    ["power_loss", "power_loss_replace"].iter().try_for_each(|id| {
        perf_proved_benches::not_possible(id, "the calls that this bench compares are Linux's")
    })
}

#[cfg(target_os = "linux")]
mod bench {
    use perf_proved::harness::scratch::Scratch;
    use perf_proved::io::power_loss::variants::Variant;
    use perf_proved::io::power_loss::writer::Writer;
    use perf_proved::measuring::limits::file::filesystem;
    use perf_proved::sys::storage::{Directory, Storage, StoredFile};
    use perf_proved_benches::{Group, Plan, bytes, size};
    use std::io;
    use std::time::{Duration, Instant};

    const SIZES: [usize; 3] = [4 << 10, 64 << 10, 1 << 20];

    pub fn run() -> io::Result<()> {
        let scratch = Scratch::new()?;
        let kind = filesystem(scratch.path())?;
        let in_memory = matches!(kind.as_str(), "tmpfs" | "ramfs");
        let reason = in_memory.then(|| format!("{kind} is in memory, where fsync does nothing"));
        let mut plan = Plan::new();
        writes(plan.group("power_loss"), &scratch, reason.as_deref());
        replacements(plan.group("power_loss_replace"), &scratch, reason.as_deref());
        plan.run()
    }

    /// Writes blocks of each size in each way.
    fn writes<'a>(group: &mut Group<'a>, scratch: &'a Scratch, reason: Option<&str>) {
        group.flat();
        for length in SIZES {
            group.throughput(bytes(length));
            for name in Writer::NAMES {
                let id = (name, size(length));
                if let Some(reason) = reason {
                    group.not_possible(id, reason);
                    continue;
                }
                group.made(id, move || {
                    let mut writer = Writer::new(scratch.path(), name, length)?;
                    Ok(move |times| repeated(times, || writer.write()))
                });
            }
        }
        if reason.is_none() {
            group.again_at("fdatasync", size(4 << 10));
        }
    }

    /// Replaces a file of 4 KiB, and checks that it has the new content.
    fn replacements<'a>(group: &mut Group<'a>, scratch: &'a Scratch, reason: Option<&str>) {
        group.flat();
        for name in Variant::NAMES.into_iter().filter(|name| *name != "rename_new") {
            if let Some(reason) = reason {
                group.not_possible(name, reason);
                continue;
            }
            group.made(name, move || {
                let (variant, storage) = (Variant::new(name)?, Directory::open(scratch.path())?);
                let mut content = [0_u8; 4 << 10];
                Ok(move |times| {
                    let taken = repeated(times, || {
                        let next = content[0].wrapping_add(1);
                        content.fill(next);
                        variant.store(&storage, name, &content)
                    })?;
                    let mut found = [0_u8; 4 << 10];
                    let read = storage.open(name)?.read_at(&mut found, 0)?;
                    assert!(read == found.len() && found == content, "{name}");
                    Ok::<_, io::Error>(taken)
                })
            });
        }
        if reason.is_none() {
            group.again("replace");
        }
    }

    fn repeated(times: u64, mut work: impl FnMut() -> io::Result<()>) -> io::Result<Duration> {
        let start = Instant::now();
        (0..times).try_for_each(|_| work())?;
        Ok(start.elapsed())
    }
}

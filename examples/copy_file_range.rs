//! Copies a file in every way, and counts what each asks of the kernel and what it makes of holes,
//! of a second file system, of a limit, and of a target that is the source.
//!
//!     cargo run --release --example copy_file_range                  # a file of 1 MiB
//!     cargo run --release --example copy_file_range -- --in /mnt     # on another file system
//!     strace target/release/examples/copy_file_range --only std_fs_copy

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    linux::main()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!(
        "copy_file_range(2) is a call of Linux (and of FreeBSD); this example cannot run on this system."
    );
}

#[cfg(target_os = "linux")]
mod linux {
    use perf_proved::harness::cost;
    use perf_proved::harness::flags::Example;
    use perf_proved::harness::report::{Report, Value};
    use perf_proved::harness::scratch::{Scratch, pattern};
    use perf_proved::measuring::limits::file::filesystem;
    use perf_proved::sys::rlimit;
    use perf_proved::zero_copy::copy_file_range::data::allocated;
    use perf_proved::zero_copy::copy_file_range::ways::Way;
    use perf_proved::zero_copy::copy_file_range::{Durability, How, copy, naive};
    use std::fs::{self, File};
    use std::os::unix::fs::{FileExt, MetadataExt};
    use std::path::{Path, PathBuf};
    use std::process::ExitCode;
    use std::{env, io};

    type Copy = fn(&Path, &Path) -> io::Result<()>;

    /// From path to path. The ways of moving the bytes of open files are [`Way`]'s.
    const WHOLE: [(&str, Copy); 4] = [
        ("naive", naive::copy),
        ("std_fs_copy", |from, to| fs::copy(from, to).map(drop)),
        ("copy", |from, to| Ok(copy(from, to, Durability::Cached).map(drop)?)),
        ("copy_on_disk", |from, to| Ok(copy(from, to, Durability::OnDisk).map(drop)?)),
    ];

    pub fn main() -> ExitCode {
        let names: Vec<&str> = Way::NAMES.into_iter().chain(WHOLE.map(|(name, _)| name)).collect();
        Example::new("Counts the system calls and copied bytes of each way to copy a file.")
            .variants(&names)
            .size(1 << 20)
            .flag("in", "DIR", "works in DIR instead of the temporary directory")
            .run(|flags| {
                let folder = flags.own("in").map_or_else(env::temp_dir, PathBuf::from);
                match &flags.only {
                    Some(name) => go_once(&folder, name, flags.size),
                    None => compare(&folder, flags.size, flags.json),
                }
            })
    }

    fn compare(folder: &Path, size: usize, json: bool) -> io::Result<ExitCode> {
        let mut report = Report::new(&format!("Copies of {size} bytes from file to file"));
        let scratch = Scratch::within(folder)?;
        let (from, to, kind) =
            (scratch.file("from", size)?, scratch.path().join("to"), filesystem(folder)?);
        let shares = copy(&from, &to, Durability::Cached)?.how == How::Reflink;
        let clones = if shares { "shares blocks between files" } else { "refuses to share blocks" };
        report.note(&format!("{}: {kind}, which {clones}", folder.display()));

        let mut whole = true;
        let always = ["copy_file_range", "sendfile", "fsync"];
        for name in Way::NAMES {
            let (mut way, from, to) = (Way::new(name)?, File::open(&from)?, File::create(&to)?);
            cost::calls(&mut report, name, &always, || way.copy(&from, &to, size as u64))?;
            whole &= fs::read(scratch.path().join("to"))? == pattern(size);
        }
        for (name, copy) in WHOLE {
            fs::remove_file(&to)?;
            cost::calls(&mut report, name, &always, || copy(&from, &to))?;
            whole &= fs::read(&to)? == pattern(size);
        }
        report.promise("every copy has the bytes of the file", whole);

        holes(&mut report, &scratch, shares.then_some(kind.as_str()))?;
        across(&mut report, &scratch, &from)?;
        for (name, copy) in [WHOLE[0], WHOLE[2]] {
            // Half the size of the file, as a limit for this process; a disk that fills up cuts a
            // call short in the same way.
            let _ = fs::remove_file(&to);
            let said = rlimit::file_size(size as u64 / 2, || copy(&from, &to))?;
            report.set(name, "errors_at_limit", u64::from(said.is_err()));
            report.set(
                name,
                "left_at_limit",
                Value::Bytes(fs::metadata(&to).map_or(0, |left| left.len())),
            );
            let own = scratch.file("own", size)?;
            let _ = copy(&own, &own); // the naive one says Ok, the other one that it is the same file
            report.set(name, "left_of_itself", Value::Bytes(fs::metadata(&own)?.len()));
        }
        Ok(report.finish(json))
    }

    /// 16 MiB with 4 KiB of data in the middle: how many bytes of blocks the file takes, and each
    /// copy of it.
    fn holes(report: &mut Report, scratch: &Scratch, shares: Option<&str>) -> io::Result<()> {
        let (from, to) = (scratch.path().join("holes"), scratch.path().join("holes-copy"));
        let file = File::create(&from)?;
        file.set_len(16 << 20)?;
        file.write_all_at(&pattern(4096), 8 << 20)?;
        file.sync_all()?; // a file system may give blocks only when it has to write
        report.set("original", "blocks_of_16MiB", Value::Bytes(allocated(&file)?));
        for (name, copy) in WHOLE {
            let _ = fs::remove_file(&to);
            copy(&from, &to)?;
            let file = File::open(&to)?;
            file.sync_all()?;
            let reason = shares.map(|kind| {
                Value::NotPossible(format!("{kind} shares these blocks, so nobody copies holes"))
            });
            report.set(name, "blocks_of_16MiB", reason.unwrap_or(Value::Bytes(allocated(&file)?)));
        }
        Ok(())
    }

    /// Into another file system: which calls are made where `copy_file_range` is refused.
    fn across(report: &mut Report, scratch: &Scratch, from: &Path) -> io::Result<()> {
        let other = Scratch::within(Path::new("/dev/shm"));
        let always = ["copy_file_range", "sendfile"];
        for ((name, copy), row) in WHOLE[1..3].iter().zip(["std_fs_copy_across", "copy_across"]) {
            match &other {
                Ok(other) if other.path().metadata()?.dev() != scratch.path().metadata()?.dev() => {
                    let to = other.path().join(name);
                    cost::calls(report, row, &always, || copy(from, &to))?;
                }
                _ => cost::no_calls(report, row, &always, "/dev/shm is no other file system here"),
            }
        }
        Ok(())
    }

    /// One copy that nobody here counts.
    fn go_once(folder: &Path, name: &str, size: usize) -> io::Result<ExitCode> {
        let scratch = Scratch::within(folder)?;
        let (from, to) = (scratch.file("from", size)?, scratch.path().join("to"));
        match WHOLE.iter().find(|(known, _)| *known == name) {
            Some((_, copy)) => copy(&from, &to)?,
            None => {
                Way::new(name)?.copy(&File::open(from)?, &File::create_new(&to)?, size as u64)?
            }
        }
        let right = fs::read(to)? == pattern(size);
        println!(
            "{}",
            if right { "the copy has the bytes of the file" } else { "THE COPY DIFFERS" }
        );
        Ok(if right { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

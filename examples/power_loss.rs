//! Cuts the power at every moment while a file is replaced, and counts what the disk may hold then.
//! Does the same to any program, with a checker of yours.
//!
//!     cargo run --release --example power_loss
//!     cargo run --release --example power_loss -- --in DIR --check 'test -s a' -- cp b DIR/a
//!     strace -e trace=file,desc target/release/examples/power_loss --only replace --in DIR

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    linux::main()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!(
        "This example records programs with Linux's ptrace(2), which this system does not have."
    );
}

#[cfg(target_os = "linux")]
mod linux {
    use perf_proved::harness::flags::{Example, Flags, bad_argument};
    use perf_proved::harness::report::Report;
    use perf_proved::harness::scratch::Scratch;
    use perf_proved::io::power_loss::device::{Disk, Mount};
    use perf_proved::io::power_loss::experiment::{self, Examination, Tally};
    use perf_proved::io::power_loss::variants::Variant;
    use perf_proved::proof::power_loss::{Rules, Search};
    use std::io;
    use std::path::Path;
    use std::process::{Command, ExitCode};

    const LEFT: [&str; 5] = ["images", "missing", "empty", "mixed", "stale"];
    const ON_EXT4: [&str; 3] = ["ext4_images", "ext4_destroyed", "ext4_stale"];
    const OF_DISK: [&str; 4] = ["volatile_cache", "fua", "logical_block", "physical_block"];

    pub fn main() -> ExitCode {
        Example::new("Counts what power cuts leave of a file that is replaced, or of any program.")
            .variants(&Variant::NAMES)
            .flag("in", "DIR", "works in DIR (default: a new directory)")
            .flag("check", "COMMAND", "checks, in each image of DIR, what the command left")
            .flag("rules", "NAME", "allows what posix (default) or ext4-ordered allow")
            .flag("ignore", "SUFFIX", "leaves out the files whose names end so")
            .flag("images", "NUMBER", "tries at most NUMBER at each moment (default: 256)")
            .command()
            .run(|flags| match (&flags.only, flags.own("check")) {
                (Some(name), _) => store_once(name, &flags),
                (None, Some(check)) => examine(check, &flags),
                (None, None) => Ok(compare(flags.json)),
            })
    }

    fn compare(json: bool) -> ExitCode {
        let title = "What power cuts leave of a file of 600 bytes that is replaced";
        let mut report = Report::new(title);
        for (quantity, heading) in [("images", "images by POSIX"), ("stale", "old, though stored")]
        {
            report.heading(quantity, heading);
        }
        for name in Variant::NAMES {
            let quantities = [&LEFT[..], &ON_EXT4].concat();
            report.attempt(name, &quantities, |report| count(report, name));
        }
        report.attempt("disk", &OF_DISK, of_this_disk);
        report.finish(json)
    }

    /// Records one variant, counts the images by kind, and compares them with the twin's.
    fn count(report: &mut Report, name: &str) -> io::Result<()> {
        let (variant, recorded) = (Variant::new(name)?, experiment::recorded(name)?);
        let left = Tally::of(&recorded, Rules::POSIX, variant);
        let counts = [left.images, left.missing, left.empty, left.mixed, left.stale];
        LEFT.iter().zip(counts).for_each(|(quantity, count)| report.set(name, quantity, count));
        let on_ext4 = Tally::of(&recorded, Rules::EXT4_ORDERED, variant);
        let counts = [on_ext4.images, on_ext4.destroyed(), on_ext4.stale];
        ON_EXT4.iter().zip(counts).for_each(|(quantity, count)| report.set(name, quantity, count));
        let twin = Tally::of(&experiment::in_memory(name)?, Rules::POSIX, variant);
        report.promise(&format!("{name}: the twin in memory leaves the same images"), twin == left);
        Ok(())
    }

    /// Asks the disk under the directory of temporary files what it keeps.
    fn of_this_disk(report: &mut Report) -> io::Result<()> {
        let scratch = Scratch::new()?;
        let mount = Mount::of(scratch.path())?;
        report.note(&format!("{}: {} ({})", mount.at.display(), mount.kind, mount.options));
        let disk = Disk::of(&mount)?;
        let flags = [disk.volatile_cache, disk.forced_unit_access].map(u64::from);
        let facts = [flags[0], flags[1], disk.logical_block, disk.physical_block];
        OF_DISK.iter().zip(facts).for_each(|(name, fact)| report.detail("disk", name, fact));
        let cache = if disk.volatile_cache { "volatile" } else { "none, or one that stays" };
        let fua = if disk.forced_unit_access { "" } else { "no " };
        report.note(&format!(
            "its disk: cache: {cache}; {fua}FUA; blocks of {} and {} bytes",
            disk.logical_block, disk.physical_block
        ));
        Ok(())
    }

    /// Examines the command behind the flags.
    fn examine(check: &str, flags: &Flags) -> io::Result<ExitCode> {
        let missing = |what: &str| bad_argument(&format!("no {what}"));
        let directory = flags.own("in").ok_or_else(|| missing("--in DIR to watch"))?;
        let (program, arguments) =
            flags.command.split_first().ok_or_else(|| missing("command behind the flags"))?;
        let rules = flags.own("rules").unwrap_or(Rules::POSIX.name);
        let rules = Rules::named(rules).ok_or_else(|| missing("such --rules"))?;
        let ignored: Vec<&str> = flags.own("ignore").into_iter().collect();
        let at_most = flags.own_as("images")?.unwrap_or(256);
        let search = Search { at_most, ..Search::default() };
        let directory = Path::new(directory);
        let examination = Examination { directory, ignored: &ignored, rules, search, check };
        let found = examination.run(Command::new(program).args(arguments))?;

        let mut report = Report::new(&format!("What power cuts leave by the rules {}", rules.name));
        let counts = [found.moments, found.sampled, found.images, found.violations];
        let quantities = ["moments", "of_them_sampled", "images", "violations"];
        quantities.iter().zip(counts).for_each(|(name, count)| report.set("program", name, count));
        found.first.iter().take(3).for_each(|violation| report.note(&violation.to_string()));
        report.promise("the check is content with every image", found.violations == 0);
        Ok(report.finish(flags.json))
    }

    /// Runs one variant without counting anything.
    fn store_once(name: &str, flags: &Flags) -> io::Result<ExitCode> {
        let scratch = Scratch::new()?;
        let directory = flags.own("in").map_or(scratch.path(), Path::new);
        experiment::store(Variant::new(name)?, directory).map(|()| ExitCode::SUCCESS)
    }
}

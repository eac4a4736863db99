//! Copies a file with every variant, and counts what each asks of the kernel and what it makes of
//! holes, of a second file system, of a limit, and of a target that is the source.
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
    println!("This example counts Linux's copy_file_range(2), which this system does not have.");
}

#[cfg(target_os = "linux")]
mod linux {
    use perf_proved::harness::cost::CALLS;
    use perf_proved::harness::flags::Example;
    use perf_proved::harness::report::{Kept, Report, Value};
    use perf_proved::measuring::limits::file::filesystem;
    use perf_proved::zero_copy::copy_file_range::experiment::*;
    use perf_proved::zero_copy::copy_file_range::variants::{PATH_COPIES, Variant};
    use std::path::{Path, PathBuf};
    use std::process::ExitCode;
    use std::{env, io};

    pub fn main() -> ExitCode {
        let names: Vec<&str> =
            Variant::NAMES.into_iter().chain(PATH_COPIES.map(|(name, _)| name)).collect();
        Example::new("Counts the calls of each way to copy a file, and what it leaves in trouble.")
            .variants(&names)
            .size(1 << 20)
            .flag("in", "DIR", "works in DIR instead of the temporary directory")
            .run(|flags| {
                let folder = flags.own("in").map_or_else(env::temp_dir, PathBuf::from);
                match &flags.only {
                    Some(name) => only(&folder, name, flags.size),
                    None => compare(&folder, flags.size, flags.json),
                }
            })
    }

    fn compare(folder: &Path, size: usize, json: bool) -> io::Result<ExitCode> {
        let mut report = Report::new(&format!("Copies of {size} bytes from file to file"));
        calls(&mut report, folder, size);
        holes(&mut report, folder);
        across(&mut report, folder, size);
        trouble(&mut report, folder, size);
        Ok(report.finish(json))
    }

    /// Counts the calls of each copy: from open file to open file, and from path to path.
    fn calls(report: &mut Report, folder: &Path, size: usize) {
        let quantities = [&CALLS[..], &CALLS_BY_NAME].concat();
        let mut right = vec![];
        for name in Variant::NAMES {
            right.push(report.attempt(name, &quantities, |report| {
                count_open(report, name, &Files::new(folder, size)?)
            }));
        }
        for (name, _) in PATH_COPIES {
            right.push(report.attempt(name, &quantities, |report| {
                count_path(report, name, &Files::new(folder, size)?)
            }));
        }
        report.promise("every copy has the bytes of the file", right.into_iter().collect::<Kept>());
    }

    /// Copies a file that consists mostly of a hole: its blocks, and those of each copy.
    fn holes(report: &mut Report, folder: &Path) {
        let shares = shares_blocks(folder).unwrap_or(false);
        let kind = filesystem(folder).unwrap_or_else(|reason| format!("a file system ({reason})"));
        let clones = if shares { "shares blocks between files" } else { "refuses to share blocks" };
        report.note(&format!("{}: {kind}, which {clones}", folder.display()));
        let copies = PATH_COPIES.map(|(name, copy)| (name, Some(copy)));
        for (name, copy) in [("original", None)].into_iter().chain(copies) {
            report.attempt(name, &["blocks_of_16MiB"], |report| {
                let blocks = Value::Bytes(blocks_of_16_mib(folder, copy)?);
                let shared = format!("{kind} shares these blocks, so no copy has holes to keep");
                let value =
                    if shares && copy.is_some() { Value::NotPossible(shared) } else { blocks };
                report.set(name, "blocks_of_16MiB", value);
                Ok(())
            });
        }
    }

    /// Copies to another file system: the calls where `copy_file_range` is refused.
    fn across(report: &mut Report, folder: &Path, size: usize) {
        let quantities = [&CALLS[..], &CALLS_BY_NAME[..2]].concat();
        for (name, row) in [("std_fs_copy", "std_fs_copy_across"), ("copy", "copy_across")] {
            report.attempt(row, &quantities, |report| {
                count_across(report, name, row, &Files::new(folder, size)?)
            });
        }
    }

    /// Copies under a limit on the size of files, and onto the source.
    fn trouble(report: &mut Report, folder: &Path, size: usize) {
        for (name, copy) in [PATH_COPIES[0], PATH_COPIES[2]] {
            report.attempt(name, &["errors_at_limit", "left_at_limit"], |report| {
                let (failed, left) = at_limit(copy, &Files::new(folder, size)?)?;
                report.set(name, "errors_at_limit", u64::from(failed));
                report.set(name, "left_at_limit", Value::Bytes(left));
                Ok(())
            });
            report.attempt(name, &["left_of_itself"], |report| {
                let left = left_of_itself(copy, &Files::new(folder, size)?)?;
                report.set(name, "left_of_itself", Value::Bytes(left));
                Ok(())
            });
        }
    }

    /// Makes one copy, uncounted.
    fn only(folder: &Path, name: &str, size: usize) -> io::Result<ExitCode> {
        let right = run_once(name, &Files::new(folder, size)?)?;
        println!("the copy {} the bytes of the file", if right { "has" } else { "DOES NOT HAVE" });
        Ok(if right { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

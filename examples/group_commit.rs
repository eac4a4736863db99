//! Counts the fsyncs that concurrent appenders of a log share, and cuts the power at every moment
//! while a log is written, recovered and written again: a good log, and twelve that break their
//! word.
//!
//!     cargo run --release --example group_commit
//!     cargo run --release --example group_commit -- --in /path/on/another/disk
//!     strace -f -e trace=fdatasync target/release/examples/group_commit --only log_zeros

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    linux::main()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("This example counts Linux's system calls, which this system lacks.");
}

#[cfg(target_os = "linux")]
mod linux {
    use perf_proved::harness::flags::Example;
    use perf_proved::harness::report::{Kept, Report};
    use perf_proved::io::group_commit::experiment::crash::{
        BROKEN, LOGS, Subject, Tally, Workload,
    };
    use perf_proved::io::group_commit::experiment::{self, LENGTH};
    use perf_proved::io::group_commit::variants::NAMES;
    use perf_proved::proof::power_loss::Rules;
    use std::path::{Path, PathBuf};
    use std::process::ExitCode;
    use std::{env, io};

    /// The records of an experiment, and the numbers of its appenders.
    const RECORDS: u64 = 512;
    const APPENDERS: [(usize, &str); 4] = [(1, "by_1"), (4, "by_4"), (16, "by_16"), (64, "by_64")];

    pub fn main() -> ExitCode {
        Example::new("Counts the fsyncs of a log, and what power cuts leave of it.")
            .variants(&NAMES)
            .flag("in", "DIR", "works in DIR instead of the temporary directory")
            .run(|flags| {
                let folder = flags.own("in").map_or_else(env::temp_dir, PathBuf::from);
                match &flags.only {
                    Some(name) => only(&folder, name),
                    None => Ok(compare(&folder).finish(flags.json)),
                }
            })
    }

    fn compare(folder: &Path) -> Report {
        let title = format!("Syncs of {RECORDS} records of {LENGTH} bytes, by appenders");
        let mut report = Report::new(&title);
        let mut right = vec![];
        for name in NAMES {
            let is_right = || experiment::is_right(folder, name, 16, RECORDS);
            right.push(report.attempt(name, &[], |_| is_right()));
            for (appenders, quantity) in APPENDERS {
                report.attempt(name, &[quantity], |report| {
                    let calls = experiment::calls(folder, name, appenders, RECORDS)?;
                    report.set(name, quantity, calls.of("fdatasync").made);
                    Ok(())
                });
            }
        }
        let right = right.into_iter().collect::<Kept>();
        report.promise("every record is in the log, once", right);
        while_syncing(&mut report);
        images(&mut report);
        report
    }

    /// Lets 63 records come while one is synced.
    fn while_syncing(report: &mut Report) {
        report.attempt("waiting", &["records", "syncs"], |report| {
            let shared = experiment::while_syncing(64)?;
            report.detail("waiting", "records", shared.records);
            report.detail("waiting", "syncs", shared.syncs);
            let (records, syncs) = (shared.records, shared.syncs);
            report.note(&format!(
                "{records} records, of which all but one come during its sync: {syncs} syncs"
            ));
            Ok(())
        });
    }

    /// Cuts the power at every moment.
    fn images(report: &mut Report) {
        let quantities = ["images", "lost", "invented", "refused"];
        let mut search = |subject: &Subject, all| {
            let name = subject.name;
            report.attempt(name, &quantities, |report| {
                let found = searched(*subject, all)?;
                let counts = [found.images, found.lost, found.invented, found.refused];
                let cells = quantities.iter().zip(counts);
                cells.for_each(|(quantity, count)| report.detail(name, quantity, count));
                let [images, lost, invented, refused] = counts;
                report.note(&format!("{name}: {images} images: {lost} lost a record, {invented} invented one, {refused} refused"));
                Ok(found)
            })
        };
        let found = LOGS.map(|log| (log.name, search(&log, true)));
        BROKEN.iter().for_each(|log| _ = search(log, false));
        for (name, found) in found {
            found.iter().flat_map(|found| &found.first).for_each(|first| report.note(first));
            let kept = found.map(|found| found.wrong() == 0);
            report.promise(&format!("{name}: no power cut loses or invents a record"), kept);
        }
    }

    /// Searches the images of all workloads by the rules of POSIX; of a broken log, those of the
    /// first workload that shows its fault.
    fn searched(subject: Subject, all: bool) -> io::Result<Tally> {
        let mut found = Tally::default();
        for workload in Workload::ALL {
            if all || found.wrong() == 0 {
                found = found.and(workload.search(subject, Rules::POSIX)?);
            }
        }
        Ok(found)
    }

    /// Appends the records by one variant, uncounted.
    fn only(folder: &Path, name: &str) -> io::Result<ExitCode> {
        let right = experiment::is_right(folder, name, 16, RECORDS)?;
        println!("the records are {}", if right { "right" } else { "WRONG" });
        Ok(if right { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

//! Sets each bench that lies beside one that does not, by counts; and puts the book's own method to
//! the test, with the recordings in `book/machines`.
//!
//!     cargo run --release --example benchmarking
//!     cargo run --release --example benchmarking -- --machines DIR
//!     cargo run --release --example benchmarking -- --only copy_refused   # what it prints is read by the first

#[cfg(target_os = "linux")]
#[path = "benchmarking/recordings.rs"]
mod recordings;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    linux::main()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("This example counts by means of Linux's ptrace, which this system lacks.");
}

#[cfg(target_os = "linux")]
mod linux {
    use super::recordings::{self, sorted};
    use perf_proved::harness::flags::Example;
    use perf_proved::harness::report::Report;
    use perf_proved::measuring::benchmarking::experiment::{
        self, PROCESSES, Recorded, tools, witnesses,
    };
    use perf_proved::measuring::benchmarking::rounds::{Pair, Rounds};
    use serde_json::{Map, Value as Json};
    use std::fs;
    use std::io;
    use std::path::{Path, PathBuf};
    use std::process::ExitCode;

    pub fn main() -> ExitCode {
        Example::new("Sets benches that lie beside ones that do not, by counts.")
            .variants(&PROCESSES)
            .flag("machines", "DIR", "reads the recordings in DIR instead of the book's")
            .run(|flags| {
                if let Some(name) = flags.only {
                    return experiment::process(&name).map(|()| ExitCode::SUCCESS);
                }
                let book = || Path::new(env!("CARGO_MANIFEST_DIR")).join("book/machines");
                let machines = flags.own("machines").map_or_else(book, PathBuf::from);
                Ok(compare(&machines).finish(flags.json))
            })
    }

    fn compare(machines: &Path) -> Report {
        let mut report = Report::new("What a bench says, and what is so");
        experiment::instructions(&mut report);
        experiment::answers(&mut report);
        experiment::load(&mut report);
        experiment::stale(&mut report);
        experiment::processes(&mut report);
        experiment::recorded(&mut report, read(machines));
        witnesses::known(&mut report);
        witnesses::witnesses(&mut report);
        let recorded = recordings::read(&machines.join("../tools"));
        tools::decided(&mut report, &recorded);
        tools::spread(&mut report, &recorded);
        tools::profiled(&mut report, &recorded);
        report
    }

    /// Reads all recordings of all machines.
    fn read(machines: &Path) -> io::Result<Recorded> {
        let mut all = Recorded::default();
        for machine in sorted(machines)?.iter().filter(|path| path.is_dir()) {
            let files = sorted(machine)?;
            for file in files.iter().filter(|path| path.extension() == Some("json".as_ref())) {
                let json: Json = serde_json::from_slice(&fs::read(file)?)?;
                let benchmarks = json["recording"]["benchmarks"].as_object();
                benchmarks.into_iter().for_each(|benchmarks| add(&mut all, benchmarks));
            }
        }
        Ok(all)
    }

    /// Adds the benchmarks of a recording, and its pairs: those with `NAME_again` beside `NAME`.
    fn add(all: &mut Recorded, benchmarks: &Map<String, Json>) {
        for (id, benchmark) in benchmarks {
            let group = benchmark["group"].as_str().unwrap_or_default();
            // The second clock of a group timed the same batches: it is no measurement of its own.
            let first_clock = group.strip_suffix("_cpu");
            let is_of = |other: &Json| first_clock.is_some_and(|group| other["group"] == group);
            if benchmarks.values().any(is_of) {
                continue;
            }
            let Some(rounds) = rounds(benchmark) else { continue };
            let first = benchmarks.get(&id.replacen("_again", "", 1));
            if let Some(first) = first.filter(|_| id.contains("_again")).and_then(self::rounds) {
                all.pairs.push(Pair { first, again: rounds.clone() });
            }
            all.benchmarks.push(rounds);
        }
    }

    /// Reads the rounds of a benchmark; `None` if one of them is missing.
    fn rounds(benchmark: &Json) -> Option<Rounds> {
        let numbers = |key: &str| -> Option<Vec<f64>> {
            benchmark[key].as_array()?.iter().map(Json::as_f64).collect()
        };
        let interval = numbers("low")?.into_iter().zip(numbers("high")?).collect();
        Some(Rounds { median: numbers("median")?, interval })
    }
}

//! Writes small items in every way, and counts the calls; measures the time that an item waits for
//! company; and counts the items that get lost, and the errors that are reported.
//!
//!     cargo run --release --example batching                   # in the temporary directory
//!     cargo run --release --example batching -- --in /mnt      # on another file system
//!     strace -fc target/release/examples/batching --only batch_writer    # 4,096 items

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
    use hdrhistogram::Histogram;
    use perf_proved::harness::flags::Example;
    use perf_proved::harness::report::{Kept, Report};
    use perf_proved::io::batching::experiment::{self, Ends, LENGTH, Load, ends, written};
    use perf_proved::io::batching::naive::BatchProcessor;
    use perf_proved::io::batching::variants::Variant;
    use std::path::{Path, PathBuf};
    use std::process::ExitCode;
    use std::time::Duration;
    use std::{env, io};

    const ITEMS: usize = 4096;

    pub fn main() -> ExitCode {
        Example::new("Counts the calls of small writes in batches, and the items that get lost.")
            .variants(&Variant::NAMES)
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
        let mut report = Report::new(&format!("{ITEMS} items of {LENGTH} bytes"));
        let mut right = vec![];
        for name in Variant::NAMES {
            right.push(report.attempt(name, &[], |_| experiment::is_right(folder, name, ITEMS)));
            experiment::count_calls(&mut report, folder, name, ITEMS);
        }
        report.promise("every item is in the file, in order", right.into_iter().collect::<Kept>());
        latencies(&mut report, folder);
        naive(&mut report, folder);
        answers(&mut report, folder);
        report
    }

    /// Measures the time from which 1,000 items, 200 µs apart, were due until they were written.
    fn latencies(report: &mut Report, folder: &Path) {
        let load = Load { items: 1000, interval: Duration::from_micros(200) };
        let at = |of: &Histogram<u64>, q| Duration::from_nanos(of.value_at_quantile(q));
        for row in ["write", "bufwriter_8KiB", "batch_writer", "no_delay", "company"] {
            report.attempt(row, &["p50", "p99", "generator_p99"], |report| {
                let run = experiment::latencies(folder, load, |sink| Variant::open(row, sink))?;
                let latencies = histogram(&run.latencies)?;
                report.set(row, "p50", at(&latencies, 0.5));
                report.set(row, "p99", at(&latencies, 0.99));
                report.set(row, "generator_p99", at(&histogram(&run.lateness)?, 0.99));
                Ok(())
            });
        }
    }

    fn histogram(times: &[Duration]) -> io::Result<Histogram<u64>> {
        let histogram = Histogram::<u64>::new_with_max(60_000_000_000, 3);
        let mut histogram = histogram.map_err(io::Error::other)?;
        times.iter().for_each(|time| histogram.saturating_record(time.as_nanos() as u64));
        Ok(histogram)
    }

    /// Shows the faults of the naive versions, and what the batch writer does in their place.
    fn naive(report: &mut Report, folder: &Path) {
        let processor = BatchProcessor::new(100, Duration::from_millis(10));
        (0..5000).for_each(|task| processor.add_task(task));
        let (waiting, queued) = processor.end();
        let dropped = 5000 - (waiting + queued) as u64;
        report.detail("processor", "dropped", dropped);
        report.note(&format!("processor: of 5000 tasks, {dropped} are dropped without a word"));
        // A file that may have room for 10 of 50 items.
        ends(report, "bufwriter", || experiment::buf_writer_dropped(folder, 50, 1000));
        ends(report, "dropped", || experiment::batch_writer_dropped(folder, 50, 1000));
        written(report, "company", 1, || experiment::lone_without_company(folder));
        written(report, "delay", 1, || experiment::lone(folder));
        written(report, "once", 2000, || experiment::gathered(folder, true));
        written(report, "continued", 2000, || experiment::gathered(folder, false));
    }

    /// Closes a batch writer whose file has room for 1,000 and a half of 5,000 items.
    fn answers(report: &mut Report, folder: &Path) {
        let closed = || experiment::batch_writer_closed(folder, 5000, 100_050);
        let kept = ends(report, "closed", closed).map(|ends| {
            let Ends { accepted, written, bytes_of_failed, returned, .. } = ends;
            report.detail("closed", "written", written);
            report.detail("closed", "bytes_of_failed", bytes_of_failed);
            written + returned == accepted
        });
        report.promise("each accepted item is written, or comes back", kept);
    }

    /// Writes the items by one variant, uncounted.
    fn only(folder: &Path, name: &str) -> io::Result<ExitCode> {
        let right = experiment::is_right(folder, name, ITEMS)?;
        println!("the items are {}", if right { "right" } else { "WRONG" });
        Ok(if right { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

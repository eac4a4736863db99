//! Prints the book again after every change to its sources.
//!
//! Modification times are polled. That takes a millisecond or two for a project of this size, needs
//! no dependency, and works on network and container file systems, where notifications do not
//! arrive.

use super::http::Site;
use super::terminal;
use crate::breaks::FOLDER;
use crate::cmd::reprint::Reprint;
use crate::project::Project;
use crate::stamp::stamp;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

const POLL: Duration = Duration::from_millis(100);

/// The time without an edit before the search index and `print.html` are printed again.
const EDITED: Duration = Duration::from_secs(10);

/// The time without a change to any results before the book is printed. Printing keeps a processor
/// busy, which would disturb the next benchmark of a run; criterion writes about every eight
/// seconds under `cargo bench`, and more often under `record`.
const BENCH_OVER: Duration = Duration::from_secs(12);

/// The same, if no bench runs any more.
const SETTLED: Duration = Duration::from_secs(1);

/// Polls, and prints after each change, until the process ends.
pub(super) fn forever(project: &Project, site: &Site, reprint: &Reprint) {
    // `record` collects criterion's output in its scratch folder and writes after each round.
    let results = vec![project.criterion().to_owned(), project.scratch(), project.machines()];
    let pages = pages(project);
    let mut printed = (stamp(&pages), stamp(&results));
    let mut results_seen = (printed.1, Instant::now());
    let mut last = Instant::now();
    loop {
        thread::sleep(POLL);
        let now = (stamp(&pages), stamp(&results));
        if now.1 != results_seen.0 {
            results_seen = (now.1, Instant::now());
        }
        let quiet = results_seen.1.elapsed();
        let bench_over = now.1 != printed.1
            && (quiet >= BENCH_OVER || quiet >= SETTLED && !may_measure(Path::new("/proc")));
        if now.0 == printed.0 && !bench_over {
            if last.elapsed() >= EDITED && quiet >= EDITED {
                last = Instant::now();
                // A fault has been reported when the pages were printed.
                let _ = site.with_readers_undisturbed(|| reprint.finish());
            }
            continue;
        }
        // The next poll notices changes made while printing.
        printed = now;
        let started = Instant::now();
        match site.with_readers_waiting(|| reprint.print()) {
            Ok(()) => terminal::print(format_args!(
                "Printed again in {} ms.",
                started.elapsed().as_millis()
            )),
            Err(e) => terminal::print_error(format_args!("{e}\nThe pages stay as they were.")),
        }
        last = Instant::now();
    }
}

/// Returns `true` unless the processes listed in `proc` show that no bench runs: neither `cargo
/// bench` nor `record`, nor a program that one of them started. Without such a list, one may run.
fn may_measure(proc: &Path) -> bool {
    let Ok(processes) = fs::read_dir(proc) else {
        return true;
    };
    let mut command_lines =
        processes.flatten().filter_map(|process| fs::read(process.path().join("cmdline")).ok());
    command_lines.any(|line| {
        let mut words = line.split(|byte| *byte == 0).skip(1);
        words.any(|word| matches!(word, b"bench" | b"--bench" | b"record"))
    })
}

/// Returns the sources of the pages that no benchmark run changes: chapters, theme, the last check,
/// the numbers of examples, the code that chapters include, and the edits that solve the exercises.
fn pages(project: &Project) -> Vec<PathBuf> {
    let mut all = vec![
        project.pages(),
        project.book().join("theme"),
        project.book().join("book.toml"),
        project.checked(),
        project.ran(),
    ];
    all.extend(
        ["src", "examples", "benches", "tests", FOLDER].map(|folder| project.root().join(folder)),
    );
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bench_is_known_by_its_command_line() {
        let dir = std::env::temp_dir().join(format!("press-proc-{}", std::process::id()));
        assert!(may_measure(&dir), "no list of processes");
        let run = |pid: &str, line: &[u8]| {
            fs::create_dir_all(dir.join(pid)).unwrap();
            fs::write(dir.join(pid).join("cmdline"), line).unwrap();
        };
        run("1", b"/sbin/init\0");
        run("2", b"press\0serve\0");
        run("3", b"bench\0--port\0");
        assert!(!may_measure(&dir));
        for line in [
            &b"cargo\0bench\0"[..],
            b"target/release/deps/sendfile-1f\0--warm-up-time\x001\0--bench\0",
            b"press\0record\0",
        ] {
            run("4", line);
            assert!(may_measure(&dir), "{}", String::from_utf8_lossy(line));
        }
        fs::remove_dir_all(&dir).unwrap();
    }
}

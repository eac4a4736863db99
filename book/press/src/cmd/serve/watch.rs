//! Prints the book again when something that it is made from changes.
//!
//! Modification times are polled: it takes a millisecond or two for a project of this size, needs
//! no dependency, and works on network and container file systems, where notifications do not
//! arrive.

use super::http::Site;
use crate::cmd::build;
use crate::project::Project;
use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

const POLL: Duration = Duration::from_millis(200);

/// How long criterion's folder must be still before the book is printed: printing takes a
/// processor, and doing that between two benchmarks of a run would disturb the second. criterion
/// writes every eight seconds or so.
const BENCH_OVER: Duration = Duration::from_secs(12);

/// Polls until the process ends.
pub(super) fn forever(project: &Project, site: &Site) {
    let (pages, results) = (pages(project), vec![project.criterion().to_owned()]);
    let mut printed = (stamp(&pages), stamp(&results));
    let mut results_seen = (printed.1, Instant::now());
    loop {
        thread::sleep(POLL);
        let now = (stamp(&pages), stamp(&results));
        if now.1 != results_seen.0 {
            results_seen = (now.1, Instant::now());
        }
        let bench_over = now.1 != printed.1 && results_seen.1.elapsed() >= BENCH_OVER;
        if now.0 == printed.0 && !bench_over {
            continue;
        }
        // Whatever changes while printing is noticed by the next poll.
        printed = now;
        let started = Instant::now();
        match site.while_nobody_reads(|| build::build(project)) {
            Ok(()) => println!("Printed again in {} ms.", started.elapsed().as_millis()),
            Err(e) => eprintln!("{e}\nThe pages stay as they were."),
        }
    }
}

/// Everything a page can show: chapters, theme, recordings, and the code that chapters include.
fn pages(project: &Project) -> Vec<PathBuf> {
    let mut all = vec![
        project.pages(),
        project.book().join("theme"),
        project.book().join("book.toml"),
        project.machines(),
        project.proved(),
    ];
    all.extend(["src", "examples", "benches", "tests"].map(|folder| project.root().join(folder)));
    all
}

/// A number that changes when a file below the paths is written, made or removed.
fn stamp(paths: &[PathBuf]) -> u64 {
    let mut hasher = DefaultHasher::new();
    paths.iter().for_each(|path| visit(path, &mut hasher));
    hasher.finish()
}

fn visit(path: &Path, hasher: &mut DefaultHasher) {
    // A file that vanishes while we look at it is a change that the next poll sees.
    let Ok(about) = fs::metadata(path) else {
        return;
    };
    path.hash(hasher);
    if !about.is_dir() {
        (about.len(), about.modified().ok()).hash(hasher);
        return;
    }
    // The order of a folder's entries changes with nothing; sort them.
    let Ok(entries) = fs::read_dir(path) else {
        return;
    };
    let mut entries: Vec<PathBuf> = entries.flatten().map(|e| e.path()).collect();
    entries.sort();
    for entry in entries.iter().filter(|e| !e.ends_with("target")) {
        visit(entry, hasher);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_changes_with_a_file_and_not_without() {
        let dir = std::env::temp_dir().join(format!("press-watch-{}", std::process::id()));
        fs::create_dir_all(dir.join("deep")).unwrap();
        fs::write(dir.join("deep/page.md"), "one").unwrap();
        let watched = [dir.clone()];
        let before = stamp(&watched);
        assert_eq!(before, stamp(&watched));
        fs::write(dir.join("deep/page.md"), "longer").unwrap();
        let edited = stamp(&watched);
        assert_ne!(before, edited);
        fs::remove_file(dir.join("deep/page.md")).unwrap();
        assert_ne!(edited, stamp(&watched));
        fs::remove_dir_all(&dir).unwrap();
    }
}

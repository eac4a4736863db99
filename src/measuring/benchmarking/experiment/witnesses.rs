//! Two witnesses of the same instructions: steps of the processor, and valgrind's simulation.

use super::super::known::{self, LESS, MORE};
use crate::harness::report::Report;
use crate::proof::instructions;
use crate::sys::{trying, unsupported};
use std::env;
use std::hint::black_box;
use std::io;
use std::process::{Child, Command, Stdio};

/// The experiment that runs in a process of its own, under valgrind.
pub const WITNESS: &str = "witness";

/// The environment variable that tells that process what to do, and how many times.
const ASKED: &str = "PERF_PROVED_WITNESS";

/// A piece of work, with its name and what it is.
type Work = (&'static str, &'static str, fn(u64));

/// The pieces of work. The names are equally long, so that reading them takes the same.
const WORKS: [Work; 3] = [
    ("witness_steps", "2,000 dependent steps", |times| {
        (0..times).for_each(|_| _ = black_box(known::work(black_box(2000))));
    }),
    ("witness_small", "a copy of 4 KiB", |times| copies(4 << 10, times)),
    ("witness_large", "a copy of 64 KiB", |times| copies(64 << 10, times)),
];

/// Copies `bytes` bytes, `times` times, by the C library's `memcpy`.
fn copies(bytes: usize, times: u64) {
    let (from, mut to) = (vec![1_u8; bytes], vec![0; bytes]);
    for _ in 0..times {
        black_box(&mut to).copy_from_slice(black_box(&from));
    }
}

/// Counts the instructions of work that differs by one part in a hundred.
pub fn known(report: &mut Report) {
    report.attempt("known", &["less", "more"], |report| {
        let of = |steps| {
            let (_, made) = instructions::count(|| known::work(black_box(steps)))?;
            Ok::<_, io::Error>(made)
        };
        let [least, less, more] = [of(LESS / 2)?, of(LESS)?, of(MORE)?];
        // Without those of the call, which both have.
        let (half, added) = (less - least, more - less);
        report.detail("known", "less", 2 * half);
        report.detail("known", "more", 2 * half + added);
        report.detail("known", "per_10000", 10_000 * added / (2 * half));
        report.note(&format!(
            "known: {LESS} steps take {} instructions, and {MORE} take {added} more",
            2 * half
        ));
        Ok(())
    });
}

/// Counts the instructions of each piece of work by steps and under valgrind.
pub fn witnesses(report: &mut Report) {
    // All at once, since valgrind takes its time to start.
    let started: Vec<_> = WORKS.map(|(name, ..)| [1, 2].map(|times| start(name, times))).into();
    for ((name, what, work), started) in WORKS.into_iter().zip(started) {
        let [once, twice] = started.map(|child| child.and_then(counted));
        let quantities = ["stepped", "valgrind", "difference"];
        report.attempt(name, &quantities, |report| {
            let stepped = per_iteration(work, 1)?;
            let simulated = twice? - once?;
            report.detail(name, "stepped", stepped);
            report.detail(name, "valgrind", simulated);
            report.detail(name, "difference", stepped.abs_diff(simulated));
            report.note(&format!(
                "{name}: {what} takes {stepped} instructions by steps, and {simulated} under valgrind"
            ));
            Ok(())
        });
    }
}

/// Starts this program once more, under valgrind.
fn start(name: &str, times: u64) -> io::Result<Child> {
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]);
    valgrind.arg(env::current_exe()?).args(["--only", WITNESS]);
    valgrind.env(ASKED, format!("{name} {times}")).stdout(Stdio::null()).stderr(Stdio::piped());
    valgrind.spawn().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => unsupported("valgrind is not installed"),
        _ => error,
    })
}

/// Waits for the end, and returns the number of instructions that valgrind reports.
fn counted(child: Child) -> io::Result<u64> {
    let output = child.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    let number = said.lines().find_map(|line| line.split_once("refs:"));
    let number = number.map(|(_, number)| number.trim().replace(',', ""));
    let number = number.ok_or_else(|| io::Error::other(format!("valgrind: {}", said.trim())))?;
    trying("valgrind's count", number.parse().map_err(io::Error::other))
}

/// Does what the environment asks for. Runs under valgrind.
///
/// # Errors
///
/// `InvalidInput` if the environment asks for nothing.
pub fn witness() -> io::Result<()> {
    let asked = env::var(ASKED).unwrap_or_default();
    let [name, times] = asked.split(' ').collect::<Vec<_>>()[..] else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{ASKED} says nothing")));
    };
    let work = WORKS.into_iter().find(|(known, ..)| *known == name);
    let times = times.parse().map_err(io::Error::other)?;
    work.into_iter().for_each(|(.., work)| work(times));
    Ok(())
}

/// Returns the instructions of one iteration of `work`: the difference of `times` and twice as
/// many, divided by `times`.
///
/// # Errors
///
/// Those of [`instructions::count`].
pub fn per_iteration(mut work: impl FnMut(u64), times: u64) -> io::Result<u64> {
    work(2 * times); // what only the first run does, such as filling the caches of the allocator
    let mut of = |times| {
        let (_, made) = instructions::count(|| work(black_box(times)))?;
        Ok::<_, io::Error>(made)
    };
    let (once, twice) = (of(times)?, of(2 * times)?);
    Ok(twice.saturating_sub(once) / times)
}

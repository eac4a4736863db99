//! The lies and their catches, for the example: in each row, the number of the bench that lies
//! beside that of the one that does not.

use super::load::{Server, mean, open_loop, percentile};
use super::rounds::{Pair, Rounds, null_test};
use super::work::{self, Keys};
use super::{binomial, naive};
use crate::harness::child;
use crate::harness::report::{Report, Value};
use crate::harness::scratch::Scratch;
use crate::proof::{instructions, syscalls};
use crate::sys::denial::Denial;
use crate::sys::{trying, unsupported};
use std::fs;
use std::hint::black_box;
use std::io;
use std::ops::Range;
use std::process::Command;
use std::time::Duration;

/// The experiments that run in a process of their own.
pub const PROCESSES: [&str; 4] = ["copy_allowed", "copy_refused", "heap_alone", "heap_after"];

/// The bytes of the file that is copied.
const FILE: usize = 1 << 20;

/// Sets the two numbers of a row, and says what they are.
fn both<V: Into<Value>>(report: &mut Report, row: &str, are: &str, naive: V, honest: V) {
    report.set(row, "naive", naive);
    report.set(row, "honest", honest);
    report.note(&format!("{row}: {are}"));
}

/// Counts the instructions that each of two pieces of work takes for one more iteration.
pub fn instructions(report: &mut Report) {
    report.attempt("optimized", &["naive", "honest"], |report| {
        let counts = [per_iteration(naive::buffers, 50)?, per_iteration(work::buffers, 50)?];
        both(report, "optimized", "instructions per iteration", counts[0], counts[1]);
        Ok(())
    });
    report.attempt("used_up", &["naive", "honest"], |report| {
        let values = work::values(256);
        let in_place = per_iteration(|times| _ = naive::sort(&mut values.clone(), times), 2)?;
        let copies = per_iteration(|times| _ = work::sort(&values, times), 2)?;
        both(report, "used_up", "instructions per sort of 256 numbers", in_place, copies);
        Ok(())
    });
    report.attempt("warm", &["naive", "honest"], |report| {
        let table = vec![1; 1 << 16];
        let [same, new] = [Keys::Same, Keys::New].map(|keys| {
            let keys = keys.take(2048, table.len());
            let (sum, made) = instructions::count(|| work::look_up(&table, black_box(&keys)))?;
            let right = sum == keys.len() as u64;
            if right { Ok(made) } else { Err(io::Error::other("a wrong sum")) }
        });
        both(
            report,
            "warm",
            "instructions of 2,048 look-ups of warm keys, of new ones",
            same?,
            new?,
        );
        Ok(())
    });
}

/// Returns the instructions of one iteration of `work`: the difference of `times` and twice as
/// many.
///
/// # Errors
///
/// Those of [`instructions::count`].
pub fn per_iteration(mut work: impl FnMut(u64), times: u64) -> io::Result<u64> {
    let mut of = |times| {
        let (_, made) = instructions::count(|| work(black_box(times)))?;
        Ok::<_, io::Error>(made)
    };
    of(times)?; // what only the first run does, such as filling the caches of the allocator
    let (once, twice) = (of(times)?, of(2 * times)?);
    Ok(twice.saturating_sub(once) / times)
}

/// Compares the answers of two ways to count lines: of a short text, and of a long one.
pub fn answers(report: &mut Report) {
    for (row, lines) in [("answers_short", 200), ("answers", 1_000_000)] {
        let text = work::text(lines);
        let [naive, honest] = [naive::lines(&text), work::lines(&text)];
        both(report, row, &format!("lines of a text of {lines}"), naive, honest);
    }
}

/// Asks a server that stalls for a second, in both ways, and sums up the answers in both ways.
pub fn load(report: &mut Report) {
    let (closed, open) = latencies(&server());
    let time = |micros| Value::Time(Duration::from_micros(micros));
    let both = |report: &mut Report, row, are, naive, honest| {
        both(report, row, are, time(naive), time(honest));
    };
    let p99 = percentile(&open, 99);
    both(
        report,
        "omission",
        "99th percentile, closed loop and open loop",
        percentile(&closed, 99),
        p99,
    );
    let averaged = naive::averaged_percentile(&open, 20);
    both(report, "averaged", "99th percentile, average of 20 parts and of all", averaged, p99);
    let mean = mean(&open);
    both(report, "mean", "mean and median latency", mean, percentile(&open, 50));
    let near = open.iter().filter(|&&latency| (mean / 2..=2 * mean).contains(&latency)).count();
    report.detail("mean", "requests", open.len() as u64);
    report.detail("mean", "near", near as u64);
    report.note(&format!("mean: {near} of {} requests took half to twice as long", open.len()));
}

/// Returns a server that answers in 1 ms, and stalls for a second.
pub fn server() -> Server {
    let stall: Range<u64> = 5_000_000..6_000_000;
    Server { service: 1000, stall }
}

/// Returns the latencies of 2,000 requests, 100 in a second, by the closed and by the open loop.
pub fn latencies(server: &Server) -> (Vec<u64>, Vec<u64>) {
    (naive::closed_loop(server, 10_000, 2000), open_loop(server, 10_000, 2000))
}

/// Runs one of the [`PROCESSES`] in this process, and prints what it found.
///
/// # Errors
///
/// The errors of the experiment.
pub fn process(name: &str) -> io::Result<()> {
    match name {
        "copy_refused" => {
            copies(Some(Denial { call: libc::SYS_copy_file_range, code: libc::EPERM }))
        }
        "copy_allowed" => copies(None),
        _ => heap(name == "heap_after"),
    }
}

/// Copies a file by the bench that names `copy_file_range`, and counts the bytes that this call
/// copied.
fn copies(denial: Option<Denial>) -> io::Result<()> {
    let scratch = Scratch::new()?;
    let (from, to) = (scratch.file("from", FILE)?, scratch.path().join("to"));
    denial.map_or(Ok(()), Denial::install)?;
    let (copied, calls) = syscalls::trace(|| naive::copy(&from, &to))?;
    let strict = work::copy(&from, &to).is_ok();
    child::print(&[
        ("copied", copied?),
        ("by_the_call", calls.of("copy_file_range").returned),
        ("strict", strict.into()),
    ]);
    Ok(())
}

/// Takes four buffers of 1 MiB and frees them, 16 times, and counts how often the heap grows or
/// shrinks; maybe after another variant, which frees a larger block.
fn heap(after: bool) -> io::Result<()> {
    if after {
        drop(black_box(vec![1_u8; 16 << 20]));
    }
    let work = || drop(black_box([(); 4].map(|()| vec![1_u8; 1 << 20])));
    (0..4).for_each(|_| work());
    let ((), calls) = syscalls::trace(|| (0..16).for_each(|_| work()))?;
    child::print(&[(
        "calls",
        ["brk", "mmap", "munmap"].map(|call| calls.of(call).made).iter().sum(),
    )]);
    Ok(())
}

/// Builds a program, breaks its source, and asks a script for the answer of the new one.
pub fn stale(report: &mut Report) {
    report.attempt("stale", &["naive", "honest"], |report| {
        let scratch = Scratch::new()?;
        let (source, program) = (scratch.path().join("main.rs"), scratch.path().join("program"));
        let build = || {
            let mut rustc = Command::new("rustc");
            rustc.arg(&source).arg("-o").arg(&program).current_dir(scratch.path());
            rustc
        };
        let run = || Command::new(&program);
        fs::write(&source, "fn main() { print!(\"1\") }")?;
        let first = build().output().map_err(|error| unsupported(&format!("rustc: {error}")))?;
        if !first.status.success() {
            return Err(unsupported("rustc builds no program here"));
        }
        fs::write(&source, "fn main() { print!(\"2\" }")?;
        let output = trying("the script", naive::build_and_run(&mut build(), &mut run()))?;
        let printed = String::from_utf8_lossy(&output.stdout);
        let printed: u64 = printed.parse().map_err(io::Error::other)?;
        let honest = work::build_and_run(&mut build(), &mut run()).is_ok();
        both(
            report,
            "stale",
            "version that runs after version 2 did not build",
            printed,
            u64::from(honest),
        );
        Ok(())
    });
}

/// What the machines of the book recorded.
#[derive(Clone, Debug, Default)]
pub struct Recorded {
    /// The benchmarks, each with its rounds.
    pub benchmarks: Vec<Rounds>,
    /// The pairs of the same code.
    pub pairs: Vec<Pair>,
}

/// Puts the book's method to the test with its own recordings.
pub fn recorded(report: &mut Report, recorded: &Recorded) {
    let Recorded { benchmarks, pairs } = recorded;
    let per_1000 = |share: f64| (share * 1000.0).round() as u64;
    if let Some(test) = null_test(pairs) {
        let (low, high) = binomial::interval(test.different, test.pairs);
        let mut set = |quantity, value| report.detail("null", quantity, value);
        set("pairs", test.pairs as u64);
        set("different", test.different as u64);
        set("different_per_1000", per_1000(test.different as f64 / test.pairs as f64));
        set("low_per_1000", per_1000(low));
        set("high_per_1000", per_1000(high));
        set("stated_per_1000", per_1000(test.stated));
        set("power_per_1000", per_1000(test.power));
        report.note(&format!(
            "null: of {} pairs of the same code, the rule calls {} different ({:.1} to {:.1} %; \
             stated: {:.1} %), and finds {:.1} % nine times in ten",
            test.pairs,
            test.different,
            low * 100.0,
            high * 100.0,
            test.stated * 100.0,
            test.power * 100.0
        ));
    }
    let sum = |counts: Vec<(usize, usize)>| {
        counts.into_iter().fold((0, 0), |sum, (all, some)| (sum.0 + all, sum.1 + some))
    };
    let mut shares = vec![
        (
            "next_process",
            "intervals of two processes, not overlapping",
            sum(benchmarks.iter().map(Rounds::apart).collect()),
        ),
        (
            "same_process",
            "intervals of the same code in one process, not overlapping",
            sum(pairs.iter().map(Pair::apart).collect()),
        ),
        (
            "one_run",
            "ratios of the same code in one run, off by more than 5 %",
            sum(pairs.iter().map(|pair| pair.off_by(0.05)).collect()),
        ),
    ];
    let long: Vec<&Rounds> = benchmarks.iter().filter(|rounds| rounds.median.len() >= 9).collect();
    let fell = |of: fn((f64, f64)) -> f64| {
        let fell =
            |rounds: &&&Rounds| of(rounds.minimum_and_median(9)) < of(rounds.minimum_and_median(3));
        (long.len(), long.iter().filter(fell).count())
    };
    shares.push((
        "minimum",
        "minima that fall from three rounds to nine",
        fell(|(least, _)| least),
    ));
    shares.push((
        "median",
        "medians that fall from three rounds to nine",
        fell(|(_, median)| median),
    ));
    let sets: Vec<&[Pair]> = pairs.chunks_exact(20).collect();
    let won = sets.iter().filter(|set| set.iter().any(Pair::differs)).count();
    shares.push((
        "best_of_20",
        "sets of 20 pairs of the same code with a winner",
        (sets.len(), won),
    ));
    for (row, are, (all, some)) in shares {
        report.detail(row, "of", all as u64);
        report.detail(row, "found", some as u64);
        let share = some as f64 / all.max(1) as f64;
        report.detail(row, "percent", (share * 100.0).round() as u64);
        report.note(&format!("{row}: {are}: {some} of {all} ({:.0} %)", share * 100.0));
    }
}

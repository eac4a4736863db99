//! The lies and their catches, for the example: in each row, the number of the bench that lies
//! beside that of the one that does not.

pub mod tools;
pub mod witnesses;

pub use witnesses::per_iteration;

use super::load::{Server, mean, open_loop, percentile};
#[cfg(target_arch = "x86_64")]
use super::place::{Loop, PLACES};
use super::rounds::{NullTest, Pair, Rounds, null_test};
use super::variants::{self, Keys};
use super::{binomial, naive, work};
use crate::harness::child::{self, End};
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

/// The experiments that run in a process of their own.
pub const PROCESSES: [&str; 5] =
    ["copy_allowed", "copy_refused", "heap_alone", "heap_after", witnesses::WITNESS];

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
        let counts = [per_iteration(naive::buffers, 10)?, per_iteration(work::buffers, 10)?];
        both(report, "optimized", "instructions per iteration", counts[0], counts[1]);
        Ok(())
    });
    report.attempt("used_up", &["naive", "honest"], |report| {
        let values = variants::values(128);
        let in_place = per_iteration(|times| _ = naive::sort(&mut values.clone(), times), 1)?;
        let copies = per_iteration(|times| _ = work::sort(&values, times), 1)?;
        both(report, "used_up", "instructions of a sort of 128 numbers", in_place, copies);
        Ok(())
    });
    report.attempt("warm", &["naive", "honest", "difference"], |report| {
        let table = vec![1; 1 << 16];
        let look_up = |keys: Keys| {
            let keys = keys.take(1024, table.len());
            let (sum, made) = instructions::count(|| work::look_up(&table, black_box(&keys)))?;
            let right = sum == keys.len() as u64;
            if right { Ok(made) } else { Err(io::Error::other("a wrong sum")) }
        };
        let are = "instructions of 1,024 look-ups of the same 512 keys, and of new ones";
        same(report, "warm", are, look_up(Keys::Same)?, look_up(Keys::New)?);
        Ok(())
    });
    #[cfg(target_arch = "x86_64")]
    report.attempt("place", &["naive", "honest", "difference"], |report| {
        let at = |(_, work): (usize, Loop)| per_iteration(|n| _ = work(n), 1000);
        let are = "instructions of a loop, at two places of a cache line";
        same(report, "place", are, at(PLACES[0])?, at(PLACES[5])?);
        Ok(())
    });
}

/// Sets two numbers that should not differ, and their difference.
fn same(report: &mut Report, row: &str, are: &str, naive: u64, honest: u64) {
    both(report, row, are, naive, honest);
    report.detail(row, "difference", naive.abs_diff(honest));
}

/// Compares the answers of two ways to count lines: of a short text, and of a long one.
pub fn answers(report: &mut Report) {
    for (row, lines) in [("answers_short", 200), ("answers", 1_000_000)] {
        let text = variants::text(lines);
        let [naive, honest] = [naive::lines(&text), work::lines(&text)];
        both(report, row, &format!("lines of a text of {lines}"), naive, honest);
    }
}

/// Asks a server that stalls for a second, in both ways, and sums up the answers in both ways.
pub fn load(report: &mut Report) {
    let (closed, open) = latencies(&server());
    let (p99, mean) = (percentile(&open, 99), mean(&open));
    let rows = [
        ("omission", "99th percentile of a closed and an open loop", percentile(&closed, 99), p99),
        (
            "averaged",
            "99th percentile, as the average of 20 and of all",
            { naive::averaged_percentile(&open, 20) },
            p99,
        ),
        ("mean", "mean and median of the open loop", mean, percentile(&open, 50)),
    ];
    for (row, are, naive, honest) in rows {
        both(report, row, &format!("{are}, in ms"), naive / 1000, honest / 1000);
    }
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

/// Runs each of the [`PROCESSES`], and reports what it found.
pub fn processes(report: &mut Report) {
    for name in PROCESSES.into_iter().filter(|name| *name != witnesses::WITNESS) {
        let quantities = ["copied", "by_the_call", "strict", "calls"];
        let quantities = if name.starts_with("copy") { &quantities[..3] } else { &quantities[3..] };
        let end = report.attempt(name, quantities, |report| {
            syscalls::trace(|| ())?; // where calls cannot be counted, this has the reason
            child::row(report, name, &[])
        });
        report.promise(&format!("{name} ends well"), end.map(|end| end == End::Exit(0)));
    }
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
        witnesses::WITNESS => witnesses::witness(),
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

/// The recordings of the book's machines.
#[derive(Clone, Debug, Default)]
pub struct Recorded {
    /// The benchmarks, each with its rounds.
    pub benchmarks: Vec<Rounds>,
    /// The pairs of the same code.
    pub pairs: Vec<Pair>,
}

/// The numbers of the null test, besides the shares.
const NULL: [&str; 8] =
    ["pairs", "different", "different_per_1000", "low", "high", "stated", "half", "most"];

/// Puts the book's method to the test with its own recordings.
pub fn recorded(report: &mut Report, recorded: io::Result<Recorded>) {
    let tested = recorded.and_then(|recorded| {
        let test = null_test(&recorded.pairs).ok_or_else(|| unsupported("no recordings here"))?;
        Ok((recorded, test))
    });
    match tested {
        Ok((recorded, test)) => {
            null(report, &test);
            shares(&recorded).into_iter().for_each(|share| share.set(report));
        }
        Err(error) => {
            let not_possible = || Value::NotPossible(error.to_string());
            NULL.iter().for_each(|quantity| report.detail("null", quantity, not_possible()));
            for Share { row, .. } in shares(&Recorded::default()) {
                ["of", "found", "percent"]
                    .iter()
                    .for_each(|quantity| report.detail(row, quantity, not_possible()));
            }
            report.note(&format!("the recordings: not possible here: {error}"));
        }
    }
}

/// Sets the outcome of the null test, with shares in thousandths.
fn null(report: &mut Report, test: &NullTest) {
    let NullTest { pairs, different, stated, half, most } = *test;
    let (low, high) = binomial::interval(different, pairs);
    let shares = [different as f64 / pairs as f64, low, high, stated, half, most];
    let shares = shares.map(|share| (share * 1000.0).round() as u64);
    let numbers = [pairs as u64, different as u64].into_iter().chain(shares);
    NULL.iter().zip(numbers).for_each(|(quantity, number)| report.detail("null", quantity, number));
    let [share, low, high, stated, half, most] = shares;
    report.note(&format!(
        "null: of {pairs} pairs of the same code, the rule calls {different} different: {share} in \
         1,000 ({low} to {high}; stated: {stated})"
    ));
    report.note(&format!(
        "null: in half of them, it finds a difference of {half} in 1,000; in nine of ten, one of \
         {most}"
    ));
}

/// A share of what was recorded.
struct Share {
    row: &'static str,
    of: &'static str,
    all: usize,
    found: usize,
}

impl Share {
    fn new(
        row: &'static str,
        of: &'static str,
        counts: impl Iterator<Item = (usize, usize)>,
    ) -> Self {
        let (all, found) = counts.fold((0, 0), |sum, (all, some)| (sum.0 + all, sum.1 + some));
        Self { row, of, all, found }
    }

    fn set(self, report: &mut Report) {
        let Self { row, of, all, found } = self;
        let percent = (100 * found).div_ceil(all.max(1));
        report.detail(row, "of", all as u64);
        report.detail(row, "found", found as u64);
        report.detail(row, "percent", percent as u64);
        report.note(&format!("{row}: {of}: {found} of {all} ({percent} %)"));
    }
}

/// Returns how often each lie about rounds would have been told.
fn shares(recorded: &Recorded) -> [Share; 6] {
    let Recorded { benchmarks, pairs } = recorded;
    let long = || pairs.iter().filter(|pair| pair.first.median.len() >= 9);
    let wins = |tries| {
        long().map(move |pair| (1, (pair.again.minimum(9) < pair.first.minimum(tries)).into()))
    };
    let sets = pairs.chunks_exact(20).map(|set| (1, set.iter().any(Pair::differs).into()));
    [
        Share::new(
            "next_process",
            "intervals of two processes that do not overlap",
            benchmarks.iter().map(Rounds::apart),
        ),
        Share::new(
            "same_process",
            "intervals of the same code in one process that do not overlap",
            pairs.iter().map(Pair::apart),
        ),
        Share::new(
            "one_run",
            "ratios of the same code in one run that are off by more than 5 %",
            pairs.iter().map(|pair| pair.off_by(0.05)),
        ),
        Share::new(
            "nine_against_three",
            "pairs of the same code of which the side with nine tries has the smaller minimum",
            wins(3),
        ),
        Share::new("nine_against_nine", "the same with nine tries each", wins(9)),
        Share::new("best_of_20", "sets of 20 pairs of the same code with a winner", sets),
    ]
}

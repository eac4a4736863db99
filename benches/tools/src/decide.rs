//! Has each tool decide again and again whether two pieces of work differ: the same one twice, and
//! two that differ by the known effect.

use crate::parse::{self, Said};
use crate::{Outcome, STEPS, about, root, run, write};
use perf_proved::measuring::benchmarking::known::{LESS, MORE};
use perf_proved::measuring::benchmarking::rounds::{Pair, Rounds};
use serde_json::{Value, json};
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

/// The tools by their names in the recording, in the order of the first cycle.
const TOOLS: [&str; 6] = ["criterion", "divan", "divan_1s", "tango", "tango_1s", "rounds"];

/// The rounds of the book's rule.
const ROUNDS: usize = 9;

/// A decision of a tool.
struct Decision {
    tool: &'static str,
    /// The second piece of work does more.
    more: bool,
    said: Said,
    took: Duration,
}

/// Has each tool decide `cycles` times about each of the two pairs, and writes what they said after
/// each cycle. The tools take turns, so that all see the same neighbors.
///
/// # Errors
///
/// If a tool fails, prints something else than it is known to print, or the file cannot be written.
pub fn decide(machine: &str, cycles: usize) -> Outcome<()> {
    let mut said = about()?;
    said["versions"] = versions()?;
    said["effect"] = json!({ "less": LESS, "more": MORE });
    let mut rows = vec![];
    for cycle in 0..cycles {
        for turn in 0..TOOLS.len() {
            let tool = TOOLS[(turn + cycle) % TOOLS.len()];
            let decisions = match tool {
                "rounds" => rounds()?,
                _ => [cycle % 2 == 0, cycle % 2 == 1]
                    .map(|more| one(tool, more))
                    .into_iter()
                    .collect::<Outcome<Vec<_>>>()?,
            };
            rows.extend(decisions.iter().map(row));
        }
        said["cycles"] = json!(cycle + 1);
        write(machine, "decisions.json", &said, &rows)?;
        eprintln!("cycle {} of {cycles}", cycle + 1);
    }
    Ok(())
}

fn row(decision: &Decision) -> Value {
    let Decision { tool, more, said, took } = decision;
    json!({
        "tool": tool,
        "more": more,
        "percent": said.percent,
        "differs": said.differs,
        "by_default": said.by_default,
        "ms": took.as_millis() as u64,
    })
}

/// Has one tool decide once.
fn one(tool: &'static str, more: bool) -> Outcome<Decision> {
    let start = Instant::now();
    let said = match tool {
        "criterion" => criterion(more)?,
        "divan" => divan(more, &[])?,
        "divan_1s" => divan(more, &["--min-time", "0.5"])?, // for each of the two
        "tango" => tango(more, &[])?,
        "tango_1s" => tango(more, &["--time", "1"])?,
        _ => return Err(format!("no tool {tool}").into()),
    };
    Ok(Decision { tool, more, said, took: start.elapsed() })
}

fn steps(more: bool) -> String {
    if more { MORE } else { LESS }.to_string()
}

/// Returns a program beside this one.
fn beside(name: &str) -> Outcome<Command> {
    Ok(Command::new(std::env::current_exe()?.with_file_name(name)))
}

/// Saves a baseline, and compares with it.
fn criterion(more: bool) -> Outcome<Said> {
    let home = tempfile::tempdir()?;
    let bench = |steps: String, flag: &str| {
        let mut bench = beside("with_criterion")?;
        bench.env("CRITERION_HOME", home.path()).env(STEPS, steps).env("LC_ALL", "C");
        run(bench.args(["--bench", "--noise-threshold", "0.005", flag, "less"]))
    };
    bench(steps(false), "--save-baseline")?;
    let printed = bench(steps(more), "--baseline")?;
    let change: Value =
        serde_json::from_slice(&fs::read(home.path().join("known/change/estimates.json"))?)?;
    let mean = &change["mean"];
    let interval = &mean["confidence_interval"];
    let bounds = [&interval["lower_bound"], &mean["point_estimate"], &interval["upper_bound"]];
    let bounds = bounds.map(|bound| 100.0 * bound.as_f64().unwrap_or(f64::NAN));
    parse::criterion(&printed, bounds).ok_or_else(|| unread("criterion", &printed))
}

/// Runs two benches, one after the other.
fn divan(more: bool, arguments: &[&str]) -> Outcome<Said> {
    let mut bench = beside("with_divan")?;
    let printed = run(bench.env(STEPS, steps(more)).arg("--bench").args(arguments))?;
    parse::divan(&printed).ok_or_else(|| unread("divan", &printed))
}

/// Compares two benches, which run in step.
fn tango(more: bool, arguments: &[&str]) -> Outcome<Said> {
    let candidate = if more { "more/*" } else { "again/*" };
    let mut command = beside("with_tango")?;
    command.args(["--color", "never", "compare", "--noise-threshold", "0.5"]);
    command.args(["--strip-baseline", "less/*", "--strip-candidate", candidate]);
    // It exits with a failure if the candidate is slower.
    let output = command.args(arguments).output()?;
    let printed = String::from_utf8_lossy(&output.stdout);
    parse::tango(&printed).ok_or_else(|| {
        unread("tango", &format!("{printed}{}", String::from_utf8_lossy(&output.stderr)))
    })
}

fn unread(tool: &str, printed: &str) -> Box<dyn std::error::Error> {
    format!("cannot read the verdict of {tool}: {printed}").into()
}

/// Decides by the book's rule, about both pairs: nine rounds, each a process with all three.
fn rounds() -> Outcome<Vec<Decision>> {
    let start = Instant::now();
    let mut medians: [Vec<f64>; 3] = Default::default();
    for round in 0..ROUNDS {
        let home = tempfile::tempdir()?;
        let mut round_of = beside("with_rounds")?;
        round_of.env("CRITERION_HOME", home.path()).env("PERF_PROVED_ROUND", round.to_string());
        run(round_of.arg("--bench"))?;
        let names = ["less", "less_again", "more"];
        for (medians, name) in medians.iter_mut().zip(names) {
            let file = home.path().join(format!("{name}/new/estimates.json"));
            let estimates: Value = serde_json::from_slice(&fs::read(file)?)?;
            let median = estimates["median"]["point_estimate"].as_f64();
            medians.push(median.ok_or("no median")?);
        }
    }
    // Each decision needs two of the three.
    let took = start.elapsed() * 2 / 3;
    let [less, again, more] = medians.map(|median| Rounds { median, interval: vec![] });
    let decide = |first: Rounds, more| -> Outcome<Decision> {
        let pair = Pair { first, again: less.clone() };
        let (low, high) = pair.ratio().ok_or("too few rounds")?;
        let percent = 100.0 * ((low + high) / 2.0 - 1.0);
        let said = Said { percent, differs: pair.differs(), by_default: pair.differs() };
        Ok(Decision { tool: "rounds", more, said, took })
    };
    Ok(vec![decide(again, false)?, decide(more, true)?])
}

/// Returns the versions of the tools, as the lock file has them.
fn versions() -> Outcome<Value> {
    let lock = fs::read_to_string(root().join("Cargo.lock"))?;
    let of = |name: &str| {
        let entry = lock.split_once(&format!("name = \"{name}\"\nversion = \""))?.1;
        entry.split_once('"').map(|(version, _)| version.to_owned())
    };
    let names = ["criterion", "divan", "tango-bench"];
    let versions = names.map(|name| (name.to_owned(), of(name).into()));
    Ok(Value::Object(versions.into_iter().collect()))
}

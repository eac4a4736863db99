//! `cargo book record`: measures, in rounds.
//!
//! A round runs every bench once, each in a fresh process with an output folder of its own; then
//! comes the next round. So whatever slows the machine down for some minutes hits all benches in
//! the same rounds, and the ratios taken inside a round stay what they are. The benches are built
//! once before, and the same programs run in every round.

use crate::chapter;
use crate::machine::criterion::{self, Run};
use crate::machine::environment::{self, CpuTime};
use crate::machine::{Benchmark, Environment, Machine, Recording};
use crate::model::{Claim, Error};
use crate::project::Project;
use crate::prove::examples::{self, BUILD};
use crate::prove::proofs;
use crate::{date, process};
use indexmap::IndexMap;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What criterion is told: many short rounds say more than one long one, because what varies is the
/// machine.
const SETTINGS: [&str; 7] =
    ["--noplot", "--warm-up-time", "0.1", "--measurement-time", "0.4", "--sample-size", "10"];

/// What to measure, and into which file.
#[derive(Clone, Debug)]
pub struct Options {
    /// The benches; empty means all.
    pub benches: Vec<String>,
    /// Rounds, each a fresh process of every bench.
    pub rounds: usize,
    /// The machine's name: `book/machines/NAME.json`.
    pub machine: String,
    /// One sentence about the machine.
    pub about: Option<String>,
    /// Whether an existing recording may be replaced.
    pub replace: bool,
    /// Measure nothing: count and prove again what `check` would, in place of what was counted
    /// before.
    pub counts: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            benches: Vec::new(),
            rounds: 9,
            machine: "here".to_string(),
            about: None,
            replace: false,
            counts: false,
        }
    }
}

/// Measures and writes the machine's file, at the end and at once: whatever stops it before leaves
/// the file as it was. A bench or an example that fails is an error in the end; the others are
/// recorded all the same.
pub fn run(project: &Project, options: &Options) -> Result<(), Error> {
    let benches = selection(project, options)?;
    let file = project.machine(&options.machine);
    let load = || Ok(Machine::load(&file)?.unwrap_or_else(|| Machine::new(&options.machine)));
    refuse_to_replace(&load()?, &benches, options)?;

    let (commit, modified) = environment::commit(project);
    let mut environment = Environment::read(project);
    environment.criterion = Some(criterion::VERSION.to_string());
    environment.settings = Some("warm-up 0.1 s, measurement 0.4 s, 10 samples".to_string());
    let before = CpuTime::now();
    let programs = if benches.is_empty() { Vec::new() } else { build(project, &benches)? };
    let mut taken = measure(project, &programs, options.rounds);
    environment.stolen_share = match (before, CpuTime::now()) {
        (Some(before), Some(after)) => after.stolen_since(before),
        _ => None,
    };

    // Read again: minutes have passed, and another terminal may have recorded another bench.
    let mut machine: Machine = load()?;
    let mut troubles = Vec::new();
    for (bench, rounds) in taken.drain(..) {
        let failed = rounds.trouble.is_some();
        troubles.extend(rounds.trouble);
        // A recording that broke off is better than none, and worse than the whole one that it
        // would replace.
        if rounds.done == 0 || failed && machine.recordings.contains_key(&bench) {
            continue;
        }
        let recording = Recording {
            date: date::now(),
            commit: commit.clone(),
            modified,
            rounds: rounds.done,
            environment: environment.clone(),
            benchmarks: rounds.benchmarks,
            not_possible: rounds.not_possible,
        };
        machine.recordings.insert(bench, recording);
    }
    troubles.extend(count(project, &mut machine, options));
    if options.benches.is_empty() {
        troubles.extend(prove(project, &mut machine).err());
    }
    if let Some(about) = &options.about {
        machine.about = Some(about.clone());
    }
    machine.store(&file)?;
    eprintln!("recorded in {}", file.display());
    if troubles.is_empty() {
        return Ok(());
    }
    Err(Error::Failed(troubles.iter().map(Error::to_string).collect::<Vec<_>>().join("\n")))
}

/// The benches to run, by their files; also everything that is wrong with the arguments.
fn selection(project: &Project, options: &Options) -> Result<Vec<String>, Error> {
    let name = &options.machine;
    if name.is_empty()
        || !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    {
        return Err(Error::Usage(format!(
            "a machine's name is made of a-z, 0-9 and hyphens, not `{name}`"
        )));
    }
    if options.rounds == 0 {
        return Err(Error::Usage("no rounds, no measurement: --rounds is at least 1".to_string()));
    }
    let there = project.benches();
    if options.counts {
        return match options.benches.is_empty() {
            true => Ok(Vec::new()),
            false => {
                Err(Error::Usage("--counts measures nothing, so it takes no --bench".to_string()))
            }
        };
    }
    if there.is_empty() {
        return Err(Error::Failed(format!(
            "no benches in {}",
            project.root().join("benches").display()
        )));
    }
    if options.benches.is_empty() {
        return Ok(there);
    }
    match options.benches.iter().find(|bench| !there.contains(bench)) {
        Some(bench) => {
            Err(Error::Usage(format!("no bench `{bench}`; there are: {}", there.join(", "))))
        }
        None => Ok(there.into_iter().filter(|bench| options.benches.contains(bench)).collect()),
    }
}

fn refuse_to_replace(
    machine: &Machine,
    benches: &[String],
    options: &Options,
) -> Result<(), Error> {
    let mut taken =
        benches.iter().filter_map(|bench| Some((bench, machine.recordings.get(bench)?)));
    match taken.next() {
        Some((bench, recording)) if !options.replace => Err(Error::Failed(format!(
            "`{bench}` is already recorded for the machine `{}`, on {}; --replace replaces it",
            options.machine, recording.date
        ))),
        _ => Ok(()),
    }
}

/// Builds the benches, with cargo's own progress on the terminal; the program of each.
fn build(project: &Project, benches: &[String]) -> Result<Vec<(String, PathBuf)>, Error> {
    eprintln!("building the benches");
    let mut command = process::cargo(project);
    command
        .args(["bench", "--no-run", "--package", "perf-proved-benches"])
        .arg("--message-format=json-render-diagnostics")
        .args(benches.iter().flat_map(|bench| ["--bench", bench]))
        .stdin(Stdio::null())
        .stderr(Stdio::inherit());
    let out = command.output().map_err(|e| Error::Failed(format!("cannot run cargo: {e}")))?;
    if !out.status.success() {
        return Err(Error::Failed(format!("the benches do not build ({})", out.status)));
    }
    let stdout = String::from_utf8_lossy(&out.stdout);
    let artifacts: Vec<Value> =
        stdout.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    benches
        .iter()
        .map(|bench| {
            let program = artifacts.iter().find_map(|artifact| {
                let target = &artifact["target"];
                let is_it = target["name"] == bench.as_str() && target["kind"][0] == "bench";
                is_it.then(|| artifact["executable"].as_str().map(PathBuf::from))?
            });
            let program = program.ok_or_else(|| {
                Error::Failed(format!("cargo built no program for the bench `{bench}`"))
            })?;
            Ok((bench.clone(), program))
        })
        .collect()
}

/// What the rounds of one bench brought so far.
#[derive(Default)]
struct Rounds {
    done: usize,
    benchmarks: IndexMap<String, Benchmark>,
    not_possible: BTreeMap<String, String>,
    trouble: Option<Error>,
}

impl Rounds {
    /// Adds a round. Ratios are taken inside rounds, so a benchmark that is missing from one is of
    /// no use, and says why.
    fn add(&mut self, run: Run) {
        self.not_possible
            .extend(run.not_possible.into_iter().map(|(id, refused)| (id, refused.reason)));
        let round = self.done + 1;
        let mut fresh = run.benchmarks;
        self.benchmarks.retain(|id, benchmark| match fresh.shift_remove(id) {
            Some(finished) => {
                benchmark.rounds.extend(finished.benchmark.rounds);
                true
            }
            None => {
                self.not_possible
                    .entry(id.clone())
                    .or_insert(format!("round {round} measured nothing"));
                false
            }
        });
        for (id, finished) in fresh {
            if self.done == 0 {
                self.benchmarks.insert(id, finished.benchmark);
            } else {
                self.not_possible.entry(id).or_insert("not measured in every round".to_string());
            }
        }
        self.done = round;
    }
}

/// Runs all rounds. A bench that fails runs no further; what it brought until then stays.
fn measure(
    project: &Project,
    programs: &[(String, PathBuf)],
    rounds: usize,
) -> Vec<(String, Rounds)> {
    let scratch = project.target().join("proved").join(format!("rounds-{}", std::process::id()));
    let mut taken: Vec<(String, Rounds)> =
        programs.iter().map(|(bench, _)| (bench.clone(), Rounds::default())).collect();
    let mut clock = Clock::new(programs.len());
    for round in 1..=rounds {
        for (i, (bench, program)) in programs.iter().enumerate() {
            if taken[i].1.trouble.is_some() {
                continue;
            }
            eprintln!("round {round} of {rounds}: {bench}{}", clock.left(i, rounds - round + 1));
            let started = Instant::now();
            let home = scratch.join(format!("{round}-{bench}"));
            match one_round(project, bench, program, &home) {
                Ok(run) => taken[i].1.add(run),
                Err(e) => {
                    eprintln!("{e}");
                    taken[i].1.trouble = Some(Error::Failed(format!("round {round}: {e}")));
                }
            }
            clock.took(i, started.elapsed());
        }
    }
    let _ = fs::remove_dir_all(&scratch);
    taken
}

fn one_round(project: &Project, bench: &str, program: &Path, home: &Path) -> Result<Run, Error> {
    fs::create_dir_all(home)
        .map_err(|e| Error::Failed(format!("cannot create {}: {e}", home.display())))?;
    let package = project.root().join("benches");
    let mut command = Command::new(program);
    // As cargo runs it: in its package, with `--bench`.
    command
        .current_dir(&package)
        .env("CARGO_MANIFEST_DIR", &package)
        .env("CRITERION_HOME", home)
        .arg("--bench")
        .args(SETTINGS);
    let outcome = process::run(&mut command, BUILD)?;
    if !outcome.success() {
        return Err(outcome.failure(&format!("the bench `{bench}`"), BUILD));
    }
    let run = criterion::read(home)?;
    if run.benchmarks.is_empty() && run.not_possible.is_empty() {
        return Err(Error::Failed(format!("the bench `{bench}` left no results")));
    }
    Ok(run)
}

/// How long the rounds take.
struct Clock {
    last: Vec<Option<Duration>>,
}

impl Clock {
    fn new(benches: usize) -> Clock {
        Clock { last: vec![None; benches] }
    }

    fn took(&mut self, bench: usize, time: Duration) {
        self.last[bench] = Some(time);
    }

    /// The time left as the end of a line, with this bench and `rounds` rounds of it to go; nothing
    /// before one round of every bench is known.
    fn left(&self, bench: usize, rounds: usize) -> String {
        let Some(known) = self.last.iter().copied().collect::<Option<Vec<Duration>>>() else {
            return String::new();
        };
        let to_go = |(i, time): (usize, &Duration)| {
            time.as_secs_f64() * (if i < bench { rounds - 1 } else { rounds }) as f64
        };
        let seconds: f64 = known.iter().enumerate().map(to_go).sum();
        match seconds {
            0.0..90.0 => format!(", about {seconds:.0} s left"),
            _ => format!(", about {:.0} min left", seconds / 60.0),
        }
    }
}

/// Runs the examples for their counts. What was counted before stays unless it may be replaced.
fn count(project: &Project, machine: &mut Machine, options: &Options) -> Vec<Error> {
    let mut troubles = Vec::new();
    for example in project.examples() {
        let wanted = options.benches.is_empty() || options.benches.contains(&example);
        if !wanted || machine.counts.contains_key(&example) && !options.replace && !options.counts {
            continue;
        }
        eprintln!("counting: {example}");
        match examples::run(project, &example) {
            Ok(counts) => {
                machine.counts.insert(example, counts);
            }
            Err(e) => troubles.push(e),
        }
    }
    troubles
}

/// Runs the compiled and explored claims, so that the machine's page has a verdict on them too.
fn prove(project: &Project, machine: &mut Machine) -> Result<(), Error> {
    let pages = chapter::pages(project)?;
    let claims: Vec<&Claim> = pages.iter().flat_map(|page| page.claims()).collect();
    machine.proofs = proofs::run(project, &claims)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Round;
    use crate::machine::criterion::Finished;
    use std::time::SystemTime;

    fn run(results: &[(&str, f64)]) -> Run {
        let mut run = Run::default();
        for (id, median) in results {
            let benchmark = Benchmark {
                group: "g".into(),
                function: None,
                parameter: None,
                throughput_bytes: None,
                throughput_elements: None,
                rounds: vec![Round { median: *median, low: *median, high: *median }],
            };
            run.benchmarks
                .insert(id.to_string(), Finished { benchmark, when: SystemTime::UNIX_EPOCH });
        }
        run
    }

    #[test]
    fn only_what_every_round_measured_is_kept() {
        let mut rounds = Rounds::default();
        rounds.add(run(&[("g/a", 1.0), ("g/b", 2.0)]));
        rounds.add(run(&[("g/a", 1.5), ("g/late", 3.0)]));
        rounds.add(run(&[("g/b", 2.5), ("g/a", 1.2)]));
        assert_eq!(rounds.done, 3);
        let medians: Vec<f64> = rounds.benchmarks["g/a"].rounds.iter().map(|r| r.median).collect();
        assert_eq!(medians, [1.0, 1.5, 1.2]);
        assert_eq!(rounds.benchmarks.len(), 1);
        assert_eq!(rounds.not_possible["g/b"], "round 2 measured nothing");
        assert_eq!(rounds.not_possible["g/late"], "not measured in every round");
    }

    #[test]
    fn the_time_left_is_that_of_the_rounds_to_go() {
        let mut clock = Clock::new(2);
        clock.took(0, Duration::from_secs(10));
        assert_eq!(clock.left(1, 3), "", "nobody knows yet how long the second takes");
        clock.took(1, Duration::from_secs(20));
        assert_eq!(clock.left(0, 2), ", about 60 s left");
        assert_eq!(clock.left(1, 2), ", about 50 s left");
        assert_eq!(clock.left(0, 9), ", about 4 min left");
    }
}

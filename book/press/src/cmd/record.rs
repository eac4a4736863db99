//! `cargo book record`: measures in rounds.
//!
//! A round runs every bench once, each in a fresh process with its own output folder; then the next
//! round begins. So a disturbance that slows the machine down for some minutes hits all benches in
//! the same rounds, and ratios taken within a round hardly change. Before each round a bench is
//! linked again, with its functions in an order of that round, if the linker can do that: what the
//! addresses of functions add to a time then differs from round to round, and widens the interval.
//!
//! A bench's rounds are written after each of them, as a recording that says how many rounds it
//! lacks. Ctrl-C or a crash loses one round at most. A recording in its place is never overwritten
//! without `--replace`, even an interrupted one. With `--replace`, it stays until the new one has
//! all its rounds; until then the new one lies beside it, in `BENCH.json.part`.

use crate::chapter;
use crate::ids::owner;
use crate::machine::criterion::{self, Run};
use crate::machine::environment::{self, BENCHES, CpuTime};
use crate::machine::files::{self, BenchFile, MACHINE, MachineFile};
use crate::machine::{self, Benchmark, Environment, Machine, Recording, Round, Seen};
use crate::model::{Claim, Error, Proof};
use crate::pack;
use crate::project::Project;
use crate::prove::examples::{self, BUILD};
use crate::prove::proofs;
use crate::{date, process};
use indexmap::IndexMap;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use std::{fs, io};

/// The order of functions in a recording, if each round has its own.
const SHUFFLED: &str = "another order of functions in each round";

/// The ending of a recording that waits beside the one that it is to replace.
const PART: &str = ".part";

/// Options of `cargo book record`.
#[derive(Clone, Debug)]
pub struct Options {
    /// The benches to measure; empty means all.
    pub benches: Vec<String>,
    /// The number of rounds, each a fresh process of every bench.
    pub rounds: usize,
    /// The time for all rounds, instead of their number. A third of it goes to the first round,
    /// which leaves out the benches that it does not reach.
    pub minutes: Option<f64>,
    /// The machine's name: `book/machines/NAME/`.
    pub machine: String,
    /// One sentence about the machine.
    pub about: Option<String>,
    /// The person or the team that contributes it.
    pub by: Option<String>,
    /// Replaces existing recordings.
    pub replace: bool,
    /// Measures nothing: only counts and proves again, as `check` would, in place of earlier counts
    /// and proofs.
    pub counts: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            benches: Vec::new(),
            rounds: 9,
            minutes: None,
            machine: "here".to_string(),
            about: None,
            by: None,
            replace: false,
            counts: false,
        }
    }
}

/// Measures, counts and proves, and writes each result as soon as it is there. If a bench or an
/// example fails, the others are recorded all the same.
///
/// # Errors
///
/// Before anything is built: if the arguments make no sense, a bench is already recorded, or
/// `book/machines` cannot be written. After everything else is recorded: what failed.
pub fn run(project: &Project, options: &Options) -> Result<(), Error> {
    let benches = selection(project, options)?;
    let folder = project.machine(&options.machine);
    let recorded = Machine::load(&folder)?.unwrap_or_else(|| Machine::new(&options.machine));
    refuse_to_replace(&recorded, &benches, options)?;
    files::try_to_write(&folder)?;

    let schedule = Schedule::new(options);
    let mut keeper = Keeper::new(project, options, folder);
    let mut programs = if benches.is_empty() { Vec::new() } else { build(project, &benches)? };
    if options.minutes.is_some() {
        let claims = clocked_claims(project)?;
        programs.sort_by_key(|(bench, _)| Reverse(claims.get(bench).copied().unwrap_or(0)));
    }
    let mut troubles: Vec<Error> = keeper.describe(options).err().into_iter().collect();
    // First, because they take seconds, and rounds can be interrupted.
    troubles.extend(count(project, &recorded, &keeper.folder, options));
    measure(project, &programs, schedule, &mut keeper, &mut troubles);
    // An archive has neither the compiler nor the models, and their outcome is the same everywhere.
    if options.benches.is_empty() && project.packed().is_none() {
        troubles.extend(prove(project, &keeper.folder).err());
    }
    eprintln!("recorded in {}", keeper.folder.display());
    if troubles.is_empty() {
        return Ok(());
    }
    Err(Error::Failed(troubles.iter().map(Error::to_string).collect::<Vec<_>>().join("\n")))
}

/// Returns the benches to run in the order of their names, or what is wrong with the arguments.
fn selection(project: &Project, options: &Options) -> Result<Vec<String>, Error> {
    let name = &options.machine;
    if name.is_empty()
        || !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    {
        return Err(Error::Usage(format!(
            "a machine's name is made of a-z, 0-9 and hyphens, not `{name}`"
        )));
    }
    if options.minutes.is_some_and(|minutes| !(0.0..=100_000.0).contains(&minutes)) {
        return Err(Error::Usage("--minutes is a number of minutes above zero".to_string()));
    }
    if options.rounds == 0 {
        return Err(Error::Usage("--rounds is at least 1".to_string()));
    }
    let there = project.benches();
    if there.iter().chain(&project.examples()).any(|name| name == MACHINE) {
        return Err(Error::Failed(format!(
            "no bench or example may be called `{MACHINE}`: {MACHINE}.json describes the machine"
        )));
    }
    if options.counts {
        return match options.benches.is_empty() {
            true => Ok(Vec::new()),
            false => Err(Error::Usage(
                "--counts measures nothing, so it cannot be combined with --bench".to_string(),
            )),
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
        Some((bench, recording)) if !options.replace => {
            let interrupted = recording.planned.map_or(String::new(), |planned| {
                format!(" (interrupted after {} of {planned} rounds)", recording.rounds)
            });
            Err(Error::Failed(format!(
                "`{bench}` is already recorded for the machine `{}`, on {}{interrupted}; --replace \
                 replaces it",
                options.machine, recording.date
            )))
        }
        _ => Ok(()),
    }
}

/// Builds the benches, with cargo's progress on the terminal, and returns the program of each.
pub(super) fn build(
    project: &Project,
    benches: &[String],
) -> Result<Vec<(String, PathBuf)>, Error> {
    if project.packed().is_some() {
        let program = |bench: &String| (bench.clone(), pack::bench(project.root(), bench));
        return Ok(benches.iter().map(program).collect());
    }
    let mut arguments = vec!["bench", "--no-run", "--package", BENCHES];
    arguments.extend(benches.iter().flat_map(|bench| ["--bench", bench]));
    eprintln!("building the benches");
    let mut programs = process::programs(project, "bench", "benches", &arguments)?;
    benches
        .iter()
        .map(|bench| match programs.remove(bench) {
            Some(program) => Ok((bench.clone(), program)),
            None => Err(Error::Failed(format!("cargo built no program for the bench `{bench}`"))),
        })
        .collect()
}

/// Links `bench` again, with its functions in an order that `round` decides, and returns its
/// program.
fn linked_anew(project: &Project, bench: &str, round: usize) -> Result<PathBuf, Error> {
    let order = format!("link-arg=-Wl,--shuffle-sections=.text*={round}");
    let arguments = ["rustc", "--quiet", "--profile", "bench", "--package", BENCHES];
    let arguments = [&arguments[..], &["--bench", bench, "--", "-C", &order]].concat();
    let mut programs = process::programs(project, "bench", "benches", &arguments)?;
    programs
        .remove(bench)
        .ok_or_else(|| Error::Failed(format!("cargo linked no program for the bench `{bench}`")))
}

/// The rounds of one bench so far.
#[derive(Default)]
struct Rounds {
    done: usize,
    benchmarks: IndexMap<String, Benchmark>,
    not_possible: BTreeMap<String, String>,
    /// The settings that the bench used.
    settings: Option<String>,
    trouble: Option<Error>,
}

impl Rounds {
    /// Adds a round. Ratios are taken within rounds, so a benchmark that measured nothing in one of
    /// them, or was refused there, gets a sample that is dropped; one that the first round lacks is
    /// left out, with the reason.
    fn add(&mut self, run: Run) {
        for (id, refused) in run.not_possible {
            if !self.benchmarks.contains_key(&id) {
                self.not_possible.insert(id, refused.reason);
            }
        }
        self.settings = run.settings.or(self.settings.take());
        let mut fresh = run.benchmarks;
        for (id, benchmark) in &mut self.benchmarks {
            match fresh.shift_remove(id) {
                Some(finished) => benchmark.rounds.extend(finished.benchmark.rounds),
                None => benchmark.rounds.push(Round { slowed: 1.0, ..Round::new(0.0, 0.0, 0.0) }),
            }
        }
        for (id, finished) in fresh {
            if self.done == 0 {
                self.benchmarks.insert(id, finished.benchmark);
            } else {
                self.not_possible.entry(id).or_insert("not measured in every round".to_string());
            }
        }
        self.done += 1;
    }

    /// Returns the number of samples whose witnesses disagree, and of all samples.
    fn dropped(&self) -> (usize, usize) {
        let samples = self.benchmarks.values().flat_map(|benchmark| &benchmark.rounds);
        samples.fold((0, 0), |(dropped, all), round| {
            (dropped + usize::from(round.seen() == Seen::Dropped), all + 1)
        })
    }
}

/// Writes the rounds of every bench as they are measured.
struct Keeper {
    folder: PathBuf,
    /// The number of rounds that were asked for.
    planned: usize,
    replace: bool,
    commit: Option<String>,
    modified: Option<bool>,
    /// The hash of the code of each bench.
    sources: BTreeMap<String, String>,
    environment: Environment,
    before: Option<CpuTime>,
    /// The benches whose file already holds a recording of this run.
    in_place: BTreeSet<String>,
}

impl Keeper {
    /// Notes the state of the machine before anything is built or measured.
    fn new(project: &Project, options: &Options, folder: PathBuf) -> Keeper {
        let (commit, modified) = environment::commit(project);
        let mut environment = Environment::read(project);
        environment.criterion = Some(criterion::VERSION.to_string());
        environment.layout = environment.can_shuffle(project).then(|| SHUFFLED.to_string());
        let sources = project.benches().into_iter();
        let sources =
            sources.filter_map(|bench| Some((bench.clone(), machine::hash(project, &bench)?)));
        Keeper {
            folder,
            planned: if options.minutes.is_some() { 0 } else { options.rounds },
            replace: options.replace,
            commit,
            modified,
            sources: sources.collect(),
            environment,
            before: CpuTime::now(),
            in_place: BTreeSet::new(),
        }
    }

    /// Writes the sentence about the machine and its contributor, if they are given.
    fn describe(&self, options: &Options) -> Result<(), Error> {
        if options.about.is_none() && options.by.is_none() {
            return Ok(());
        }
        let path = files::machine_path(&self.folder);
        let mut file: MachineFile = files::load(&path)?.unwrap_or_default();
        file.about = options.about.clone().or(file.about);
        file.by = options.by.clone().or(file.by);
        files::store(&file, &path)
    }

    /// Writes the rounds so far: into the bench's file, or beside it as long as a recording stands
    /// there that they may not replace. Returns the path.
    fn keep(&mut self, bench: &str, rounds: &Rounds) -> Result<PathBuf, Error> {
        let stolen_share = match (self.before, CpuTime::now()) {
            (Some(before), Some(after)) => after.stolen_since(before),
            _ => None,
        };
        let recording = Recording {
            date: date::now(),
            commit: self.commit.clone(),
            modified: self.modified,
            sources: self.sources.get(bench).cloned(),
            rounds: rounds.done,
            planned: (rounds.done < self.planned).then_some(self.planned),
            environment: Environment {
                stolen_share,
                settings: rounds.settings.clone(),
                ..self.environment.clone()
            },
            benchmarks: rounds.benchmarks.clone(),
            not_possible: rounds.not_possible.clone(),
        };
        let path = files::bench_path(&self.folder, bench);
        let part = files::beside(&path, PART);
        // Read each time: minutes pass between rounds, and another terminal may record, too.
        let mut file: BenchFile = files::load(&path)?.unwrap_or_default();
        let may_replace = self.replace && recording.planned.is_none();
        let taken = file.recording.is_some() && !self.in_place.contains(bench);
        if taken && !may_replace {
            files::store(&BenchFile { recording: Some(recording), ..Default::default() }, &part)?;
            return Ok(part);
        }
        file.recording = Some(recording);
        files::store(&file, &path)?;
        self.in_place.insert(bench.to_string());
        match fs::remove_file(&part) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                Err(Error::Failed(format!("cannot remove {}: {e}", part.display())))
            }
            _ => Ok(path),
        }
    }
}

/// The end of the rounds.
#[derive(Clone, Copy)]
enum Schedule {
    /// After this many.
    Rounds(usize),
    /// When the time is up.
    Until { started: Instant, time: Duration },
}

impl Schedule {
    fn new(options: &Options) -> Schedule {
        match options.minutes {
            None => Schedule::Rounds(options.rounds),
            Some(minutes) => Schedule::Until {
                started: Instant::now(),
                time: Duration::from_secs_f64(minutes * 60.0),
            },
        }
    }

    /// Returns `true` if a bench whose last round took `last` can run in `round`. With a time
    /// limit, the first round takes a third of the time, so that a bench has three rounds or none.
    fn allows(&self, round: usize, last: Option<Duration>) -> bool {
        match (self, last) {
            (Schedule::Rounds(rounds), _) => round <= *rounds,
            (Schedule::Until { started, time }, None) => {
                round == 1 && started.elapsed() < *time / 3
            }
            (Schedule::Until { .. }, Some(last)) => last <= self.left(),
        }
    }

    /// Returns the longest that a program may run now.
    fn left(&self) -> Duration {
        match self {
            Schedule::Rounds(_) => BUILD,
            Schedule::Until { started, time } => time.saturating_sub(started.elapsed()),
        }
    }
}

/// Runs all rounds and keeps each. A bench that fails does not run again; its earlier rounds stay.
fn measure(
    project: &Project,
    programs: &[(String, PathBuf)],
    schedule: Schedule,
    keeper: &mut Keeper,
    troubles: &mut Vec<Error>,
) {
    let scratch = project.scratch().join(format!("rounds-{}", std::process::id()));
    let mut taken: Vec<Rounds> = programs.iter().map(|_| Rounds::default()).collect();
    let mut clock = Clock::new(programs.len());
    for round in 1.. {
        let mut ran = false;
        for (i, (bench, program)) in programs.iter().enumerate() {
            if taken[i].trouble.is_some() || !schedule.allows(round, clock.last[i]) {
                continue;
            }
            ran = true;
            eprintln!("round {round}{}: {bench}{}", of(schedule), clock.left(i, round, schedule));
            let started = Instant::now();
            let home = scratch.join(format!("{round}-{bench}"));
            let program = match keeper.environment.layout {
                Some(_) => linked_anew(project, bench, round),
                None => Ok(program.clone()),
            };
            let one = program.and_then(|program| {
                one_round(project, (bench, &program), round, &home, schedule.left())
            });
            match one {
                Ok(run) => {
                    taken[i].add(run);
                    // Not fatal: the next round writes these rounds again.
                    if let Err(e) = keeper.keep(bench, &taken[i]) {
                        eprintln!("{e}");
                    }
                }
                Err(e) => {
                    eprintln!("{e}");
                    // A bench that was stopped because the time was up has done nothing wrong.
                    if !schedule.left().is_zero() {
                        taken[i].trouble = Some(Error::Failed(format!("round {round}: {e}")));
                    }
                }
            }
            let _ = fs::remove_dir_all(&home);
            clock.took(i, started.elapsed());
        }
        if !ran {
            break;
        }
    }
    let without = programs.iter().zip(&taken).filter(|(_, rounds)| {
        matches!(schedule, Schedule::Until { .. }) && rounds.done == 0 && rounds.trouble.is_none()
    });
    let without: Vec<&str> = without.map(|((bench, _), _)| bench.as_str()).collect();
    if !without.is_empty() {
        eprintln!("not measured, because the time was up: {}", without.join(", "));
    }
    let _ = fs::remove_dir_all(&scratch);
    // Written once more, for the share of stolen CPU time over all rounds.
    for ((bench, _), rounds) in programs.iter().zip(&mut taken) {
        troubles.extend(rounds.trouble.take());
        if rounds.done == 0 {
            continue;
        }
        if let (dropped @ 1.., all) = rounds.dropped() {
            eprintln!(
                "{bench}: the cores moved or were slowed down during {dropped} of {all} samples; no \
                 number rests on these"
            );
        }
        match keeper.keep(bench, rounds) {
            Ok(path) if !keeper.in_place.contains(bench) => {
                troubles.push(Error::Failed(format!(
                    "the earlier recording of `{bench}` stays; the {} of {} rounds measured now \
                     are in {}",
                    rounds.done,
                    keeper.planned,
                    path.display()
                )));
            }
            Ok(_) => {}
            Err(e) => troubles.push(e),
        }
    }
}

fn one_round(
    project: &Project,
    (bench, program): (&str, &Path),
    round: usize,
    home: &Path,
    limit: Duration,
) -> Result<Run, Error> {
    fs::create_dir_all(home)
        .map_err(|e| Error::Failed(format!("cannot create {}: {e}", home.display())))?;
    let package = project.root().join("benches");
    let mut command = Command::new(program);
    // Run as cargo runs it: in its package, with `--bench`.
    command
        .current_dir(&package)
        .env("CARGO_MANIFEST_DIR", &package)
        .env("CRITERION_HOME", home)
        // The benches' library orders the variants by it.
        .env("PERF_PROVED_ROUND", round.to_string())
        .arg("--bench");
    let outcome = process::run(&mut command, limit)?;
    if !outcome.success() {
        return Err(outcome.failure(&format!("the bench `{bench}`"), limit));
    }
    let run = criterion::read(home)?;
    if run.benchmarks.is_empty() && run.not_possible.is_empty() {
        return Err(Error::Failed(format!("the bench `{bench}` left no results")));
    }
    Ok(run)
}

/// The duration of each bench's last round.
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

    /// Returns the end of a line: the time left before `bench` runs in `round`. Without a time
    /// limit, it is empty until every bench has run once.
    fn left(&self, bench: usize, round: usize, schedule: Schedule) -> String {
        let seconds = match schedule {
            Schedule::Until { .. } => schedule.left().as_secs_f64(),
            Schedule::Rounds(rounds) => {
                let known = self.last.iter().copied().collect::<Option<Vec<Duration>>>();
                let Some(known) = known else { return String::new() };
                let after = rounds.saturating_sub(round);
                let to_go = |(i, time): (usize, &Duration)| {
                    time.as_secs_f64() * (if i < bench { after } else { after + 1 }) as f64
                };
                known.iter().enumerate().map(to_go).sum()
            }
        };
        match seconds {
            0.0..90.0 => format!(", about {seconds:.0} s left"),
            _ => format!(", about {:.0} min left", seconds / 60.0),
        }
    }
}

/// Returns the number of rounds as a part of a line, if it is known in advance.
fn of(schedule: Schedule) -> String {
    match schedule {
        Schedule::Rounds(rounds) => format!(" of {rounds}"),
        Schedule::Until { .. } => String::new(),
    }
}

/// Runs the examples for their counts. Earlier counts stay unless they may be replaced.
fn count(project: &Project, recorded: &Machine, folder: &Path, options: &Options) -> Vec<Error> {
    let mut troubles = Vec::new();
    for example in project.examples() {
        let wanted = options.benches.is_empty() || options.benches.contains(&example);
        let stays = recorded.counts.contains_key(&example) && !options.replace && !options.counts;
        if !wanted || stays {
            continue;
        }
        eprintln!("counting: {example}");
        let counted = examples::run(project, &example).and_then(|counts| {
            let path = files::bench_path(folder, &example);
            let mut file: BenchFile = files::load(&path)?.unwrap_or_default();
            file.counts = Some(counts);
            files::store(&file, &path)
        });
        troubles.extend(counted.err());
    }
    troubles
}

/// Returns the number of clocked claims that rest on each bench.
fn clocked_claims(project: &Project) -> Result<BTreeMap<String, usize>, Error> {
    let benches = project.benches();
    let mut counts = BTreeMap::new();
    for page in chapter::pages(project)? {
        for claim in page.claims() {
            if let Proof::Clocked(clocked) = &claim.proof
                && let Some(bench) = owner(clocked.subject(), benches.iter().map(String::as_str))
            {
                *counts.entry(bench.to_string()).or_insert(0) += 1;
            }
        }
    }
    Ok(counts)
}

/// Runs the compiled and explored claims, so that the machine's page has a verdict on them, too.
fn prove(project: &Project, folder: &Path) -> Result<(), Error> {
    let pages = chapter::pages(project)?;
    let claims: Vec<&Claim> = pages.iter().flat_map(|page| page.claims()).collect();
    let path = files::machine_path(folder);
    let proofs = proofs::run(project, &claims)?;
    let mut file: MachineFile = files::load(&path)?.unwrap_or_default();
    file.proofs = proofs;
    files::store(&file, &path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Round;
    use crate::machine::criterion::{Finished, Refused};
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
                rounds: vec![Round::new(*median, *median, *median)],
            };
            run.benchmarks
                .insert(id.to_string(), Finished { benchmark, when: SystemTime::UNIX_EPOCH });
        }
        run
    }

    #[test]
    fn a_round_that_measured_nothing_is_dropped_and_a_late_benchmark_left_out() {
        let mut rounds = Rounds::default();
        rounds.add(run(&[("g/a", 1.0), ("g/b", 2.0)]));
        rounds.add(run(&[("g/a", 1.5), ("g/late", 3.0)]));
        rounds.add(run(&[("g/b", 2.5), ("g/a", 1.2)]));
        assert_eq!(rounds.done, 3);
        let medians: Vec<f64> = rounds.benchmarks["g/a"].rounds.iter().map(|r| r.median).collect();
        assert_eq!(medians, [1.0, 1.5, 1.2]);
        let seen: Vec<Seen> = rounds.benchmarks["g/b"].rounds.iter().map(Round::seen).collect();
        assert_eq!(seen, [Seen::Unwitnessed, Seen::Dropped, Seen::Unwitnessed]);
        assert_eq!((rounds.benchmarks.len(), rounds.dropped()), (2, (1, 6)));
        let refused = Refused { reason: "it is gone".to_string(), when: SystemTime::UNIX_EPOCH };
        let gone = BTreeMap::from([("g/b".to_string(), refused)]);
        rounds.add(Run { not_possible: gone.clone(), ..run(&[("g/a", 1.1)]) });
        assert_eq!((rounds.benchmarks["g/b"].rounds.len(), rounds.dropped()), (4, (2, 8)));
        assert_eq!(rounds.not_possible["g/late"], "not measured in every round");
        let mut refused = Rounds::default();
        refused.add(Run { not_possible: gone, ..run(&[("g/a", 1.0)]) });
        refused.add(run(&[("g/a", 1.0), ("g/b", 2.0)]));
        assert_eq!((refused.benchmarks.len(), &*refused.not_possible["g/b"]), (1, "it is gone"));
    }

    #[test]
    fn with_a_time_limit_a_bench_runs_three_times_or_never() {
        let until = |gone: u64, time: u64| Schedule::Until {
            started: Instant::now().checked_sub(Duration::from_secs(gone)).unwrap(),
            time: Duration::from_secs(time),
        };
        let took = |seconds| Some(Duration::from_secs(seconds));
        assert!(until(19, 60).allows(1, None), "in the first third");
        assert!(!until(21, 60).allows(1, None), "after it");
        assert!(!until(10, 60).allows(2, None), "left out in the first round");
        assert!(until(30, 60).allows(2, took(29)), "it fits");
        assert!(!until(30, 60).allows(2, took(31)), "it does not fit");
        assert!(until(70, 60).left().is_zero());
        let three = Schedule::Rounds(3);
        assert!(three.allows(3, took(1000)) && !three.allows(4, None));
    }

    #[test]
    fn the_time_left_is_that_of_the_rounds_to_go() {
        let mut clock = Clock::new(2);
        clock.took(0, Duration::from_secs(10));
        assert_eq!(clock.left(1, 1, Schedule::Rounds(3)), "", "the second has not run yet");
        clock.took(1, Duration::from_secs(20));
        assert_eq!(clock.left(0, 2, Schedule::Rounds(3)), ", about 60 s left");
        assert_eq!(clock.left(1, 2, Schedule::Rounds(3)), ", about 50 s left");
        assert_eq!(clock.left(0, 1, Schedule::Rounds(9)), ", about 4 min left");
    }
}

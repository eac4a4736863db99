//! A machine: its recordings in `book/machines`, or the reader's own results.

use super::benchmark::Benchmark;
use super::environment::Environment;
use super::files::{self, BenchFile, CheckFile, MACHINE, MachineFile, entries, json_files};
use super::known::Known;
use super::recording::{ALL, Counts, ProofRun, Recording};
use super::regime::Regime;
use super::sources::{History, Sources};
use super::statistics::{Quotient, Series};
use super::{criterion, kept, statistics};
use crate::date;
use crate::ids::owner;
use crate::model::{Crossover, Error, Estimate, Round, Times};
use crate::project::Project;
use crate::units::Quantity;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// The name of the reader's own machine, whose folder is not part of the book.
pub const HERE: &str = "here";

/// Everything measured on one machine.
#[derive(Clone, Debug)]
pub struct Machine {
    /// The name of its folder.
    pub name: String,
    /// One sentence about the machine.
    pub about: Option<String>,
    /// The person or the team that contributed it, if it is not one of the book's own.
    pub by: Option<String>,
    /// The code of each recorded bench, compared with the code now.
    pub sources: BTreeMap<String, Sources>,
    /// By bench.
    pub recordings: BTreeMap<String, Recording>,
    /// By example.
    pub counts: BTreeMap<String, Counts>,
    /// The outcomes of builds and models, by `compiled:FILE#ANCHOR` and `explored:MODEL`.
    pub proofs: BTreeMap<String, ProofRun>,
    /// The environment now, which only the reader's own machine can have.
    pub now: Option<Environment>,
}

impl Machine {
    /// Creates a machine without results.
    pub fn new(name: &str) -> Machine {
        Machine {
            name: name.to_string(),
            about: None,
            by: None,
            sources: BTreeMap::new(),
            recordings: BTreeMap::new(),
            counts: BTreeMap::new(),
            proofs: BTreeMap::new(),
            now: None,
        }
    }

    /// Puts a machine together from the files in its folder; `None` if there are none.
    ///
    /// # Errors
    ///
    /// If a file cannot be read, is damaged, or has another format.
    pub fn load(folder: &Path) -> Result<Option<Machine>, Error> {
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        let mut machine = Machine::new(&name);
        let paths = json_files(folder)?;
        for path in &paths {
            let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            if stem == MACHINE {
                let file: MachineFile = files::load(path)?.unwrap_or_default();
                (machine.about, machine.by, machine.proofs) = (file.about, file.by, file.proofs);
                continue;
            }
            let file: BenchFile = files::load(path)?.unwrap_or_default();
            if let Some(recording) = file.recording {
                machine.recordings.insert(stem.clone(), recording);
            }
            if let Some(counts) = file.counts {
                machine.counts.insert(stem, counts);
            }
        }
        Ok(if paths.is_empty() { None } else { Some(machine) })
    }

    /// Returns the reader's machine: for each bench the newer of the recording in
    /// `book/machines/here/` and criterion's last results, with the counts and proofs of the last
    /// `check`, or what an example has kept since. A machine without any results is empty.
    ///
    /// # Errors
    ///
    /// As [`Machine::load`], or if criterion's results are damaged.
    pub fn here(project: &Project) -> Result<Machine, Error> {
        let mut here = Machine::load(&project.machine(HERE))?.unwrap_or_else(|| Machine::new(HERE));
        if !here.recordings.is_empty() {
            here.compare(project, &mut History::of(project));
        }
        // The load when `cargo bench` began is not on record.
        let now = Environment { load_before: None, ..Environment::read(project) };
        let checked: CheckFile = files::load(&project.checked())?.unwrap_or_default();
        for (example, counts) in checked.counts.into_iter().chain(kept::load(project)?) {
            if here.counts.get(&example).is_none_or(|old| old.date <= counts.date) {
                here.counts.insert(example, counts);
            }
        }
        for (proof, run) in checked.proofs {
            if here.proofs.get(&proof).is_none_or(|old| old.date <= run.date) {
                here.proofs.insert(proof, run);
            }
        }
        for (bench, run) in by_bench(project, criterion::read(project.criterion())?) {
            let date = date::rfc3339(run.newest());
            if here.recordings.get(&bench).is_none_or(|old| old.date < date) {
                here.sources.remove(&bench);
                here.recordings.insert(bench, one_round(run, date, now.clone()));
            }
        }
        here.now = Some(now);
        Ok(here)
    }

    /// Returns all machines in `book/machines` except `here`: the reference first, then by name.
    ///
    /// # Errors
    ///
    /// As [`Machine::load`], or if there is a recording of format 1, which was one file a machine.
    pub fn all(project: &Project) -> Result<Vec<Machine>, Error> {
        if let Some(old) = json_files(&project.machines())?.first() {
            let folder = old.with_extension("");
            return Err(Error::Failed(format!(
                "{}: a machine's recordings are now a folder, {}, with a file per bench; remove \
                 this file and record again",
                old.display(),
                folder.display()
            )));
        }
        let mut machines: Vec<Machine> = Vec::new();
        for folder in entries(&project.machines())? {
            if folder.is_dir() && !folder.ends_with(HERE) {
                machines.extend(Machine::load(&folder)?);
            }
        }
        let mut history = History::of(project);
        machines.iter_mut().for_each(|machine| machine.compare(project, &mut history));
        let reference = project.reference();
        machines.sort_by_key(|machine: &Machine| {
            (reference.as_ref() != Some(&machine.name), machine.name.clone())
        });
        Ok(machines)
    }

    /// Notes which benches have changed since their recordings.
    fn compare(&mut self, project: &Project, history: &mut History) {
        let of = |(bench, recording): (&String, &Recording)| {
            let (hash, commit) = (recording.sources.as_deref(), recording.commit.as_deref());
            (bench.clone(), history.compare(project, bench, hash, commit))
        };
        self.sources = self.recordings.iter().map(of).collect();
    }

    /// Returns `true` if it has no results at all.
    pub fn is_empty(&self) -> bool {
        self.recordings.is_empty() && self.counts.is_empty() && self.proofs.is_empty()
    }

    /// Returns the recorded bench that a benchmark or a group belongs to.
    pub fn bench_of(&self, id: &str) -> Option<&str> {
        owner(id, self.recordings.keys().map(String::as_str))
    }

    /// Returns the recording that a benchmark or a group belongs to.
    pub fn recording(&self, id: &str) -> Option<&Recording> {
        self.recordings.get(self.bench_of(id)?)
    }

    /// Returns the environment that a bench, a benchmark or the example of a bench was measured in,
    /// or else any that is known of this machine.
    pub fn environment(&self, id: &str) -> Option<&Environment> {
        let any = || self.recordings.values().next();
        let own = self.recording(id).map(|recording| &recording.environment);
        own.or(self.now.as_ref()).or_else(|| any().map(|recording| &recording.environment))
    }

    /// Returns one benchmark by its full id.
    pub fn benchmark(&self, id: &str) -> Known<&Benchmark> {
        let Some(recording) = self.recording(id) else {
            return Known::NotMeasured;
        };
        match recording.benchmarks.get(id) {
            Some(benchmark) => Known::Measured(benchmark),
            None => recording
                .why_not(id)
                .map_or(Known::NotMeasured, |reason| Known::NotPossible(reason.to_string())),
        }
    }

    /// Returns the benchmarks of a group with their ids: functions in the order in which they ran,
    /// and each function's parameters by size. Null controls are left out.
    pub fn group(&self, group: &str) -> Vec<(&str, &Benchmark)> {
        let Some(recording) = self.recording(group) else {
            return Vec::new();
        };
        let mut members: Vec<(&str, &Benchmark)> = recording
            .benchmarks
            .iter()
            .filter(|(_, benchmark)| benchmark.group == group && !benchmark.is_again())
            .map(|(id, benchmark)| (id.as_str(), benchmark))
            .collect();
        let mut functions: Vec<&Option<String>> = Vec::new();
        for (_, benchmark) in &members {
            if !functions.contains(&&benchmark.function) {
                functions.push(&benchmark.function);
            }
        }
        let place = |benchmark: &Benchmark| {
            functions.iter().position(|function| **function == benchmark.function)
        };
        members
            .sort_by(|(_, a), (_, b)| place(a).cmp(&place(b)).then(a.size().total_cmp(&b.size())));
        members
    }

    /// Returns the time of one iteration in ns, in the regime with the most rounds.
    pub fn time(&self, id: &str) -> Known<Estimate> {
        self.usually(&[id], |regime| self.time_in(id, regime))
    }

    /// Returns the time of one iteration in ns in `regime`, which is `None` for a benchmark without
    /// witness.
    pub fn time_in(&self, id: &str, regime: Option<Regime>) -> Known<Estimate> {
        self.rounds_in(&[id], regime).and_then(|rounds| statistics::time(&rounds[0]))
    }

    /// Returns bytes or elements per second, in the regime with the most rounds; the quantity says
    /// which.
    pub fn throughput(&self, id: &str) -> Known<(Estimate, Quantity)> {
        self.usually(&[id], |regime| self.throughput_in(id, regime))
    }

    /// Returns bytes or elements per second in `regime`.
    pub fn throughput_in(&self, id: &str, regime: Option<Regime>) -> Known<(Estimate, Quantity)> {
        let time = self.time_in(id, regime);
        time.and(self.benchmark(id)).and_then(|(time, benchmark)| benchmark.rate(time))
    }

    /// Returns time(`a`) / time(`b`), in the regime with the most rounds.
    pub fn ratio(&self, a: &str, b: &str) -> Known<Estimate> {
        self.usually(&[a, b], |regime| self.ratio_in(a, b, regime))
    }

    /// Returns time(`a`) / time(`b`) in `regime`. If one recording has both, the ratio is taken
    /// within each round in which both saw that regime; otherwise its interval is as wide as the
    /// intervals of both allow. Recordings from different environments are not compared.
    pub fn ratio_in(&self, a: &str, b: &str, regime: Option<Regime>) -> Known<Estimate> {
        let together = match (self.recording(a), self.recording(b)) {
            (Some(of_a), Some(of_b)) if !of_a.environment.is_like(&of_b.environment) => {
                return Known::NotPossible(
                    "the two were measured in different environments".to_owned(),
                );
            }
            (Some(of_a), Some(of_b)) => std::ptr::eq(of_a, of_b),
            _ => false,
        };
        self.rounds_in(&[a, b], regime).and_then(|rounds| {
            if together {
                statistics::ratio(&rounds[0], &rounds[1])
            } else {
                statistics::quotient(statistics::time(&rounds[0])?, statistics::time(&rounds[1])?)
            }
        })
    }

    /// Returns the time of `a` less the time of `b`, in the regime with the most rounds.
    pub fn difference(&self, a: &str, b: &str) -> Known<Estimate> {
        self.usually(&[a, b], |regime| self.difference_in(a, b, regime))
    }

    /// Returns the time of `a` less the time of `b` in `regime`, taken within each round. Both must
    /// be of one recording.
    pub fn difference_in(&self, a: &str, b: &str, regime: Option<Regime>) -> Known<Estimate> {
        self.of_one_bench(&[a, b], regime)
            .and_then(|rounds| statistics::difference(&rounds[0], &rounds[1]))
    }

    /// Returns `over` / `under` in the regime with the most rounds.
    pub fn quotient(&self, over: &Times, under: &Times) -> Known<Quotient> {
        let ids: Vec<&str> = over.ids().chain(under.ids()).map(String::as_str).collect();
        self.usually(&ids, |regime| self.quotient_in(over, under, regime))
    }

    /// Returns `over` / `under` in `regime`. It is taken within each round, except that of two
    /// benchmarks of different recordings.
    pub fn quotient_in(
        &self,
        over: &Times,
        under: &Times,
        regime: Option<Regime>,
    ) -> Known<Quotient> {
        if let (Times::Of(a), Times::Of(b)) = (over, under) {
            return self.ratio_in(a, b, regime).and_then(|ratio| Some(Quotient::Of(ratio)));
        }
        self.in_series(over, under, regime, statistics::within_rounds)
    }

    /// Returns `over` / `under` in `regime`, with the least and the largest that it may be if the
    /// ratio of any two times is off by `factor` instead of its interval.
    pub fn quotient_off_by(
        &self,
        over: &Times,
        under: &Times,
        factor: f64,
        regime: Option<Regime>,
    ) -> Known<Quotient> {
        if let (Times::Of(a), Times::Of(b)) = (over, under) {
            return self.ratio_in(a, b, regime).and_then(|ratio| {
                let (low, high) = (ratio.value / factor, ratio.value * factor);
                Some(Quotient::Of(Estimate { low, high, ..ratio }))
            });
        }
        let off_by = |over: Series<'_>, under: Series<'_>| statistics::off_by(over, under, factor);
        self.in_series(over, under, regime, off_by)
    }

    fn in_series(
        &self,
        over: &Times,
        under: &Times,
        regime: Option<Regime>,
        quotient: impl Fn(Series<'_>, Series<'_>) -> Option<Quotient>,
    ) -> Known<Quotient> {
        let ids: Vec<&str> = over.ids().chain(under.ids()).map(String::as_str).collect();
        self.of_one_bench(&ids, regime).and_then(|rounds| {
            let (over, under) = rounds.split_at(over.ids().count());
            quotient(series(over)?, series(under)?)
        })
    }

    /// Returns the rounds of benchmarks of one recording in which all of them saw `regime`.
    fn of_one_bench(&self, ids: &[&str], regime: Option<Regime>) -> Known<Vec<Vec<Round>>> {
        let rounds = self.rounds_in(ids, regime);
        let bench = ids.first().and_then(|id| self.bench_of(id));
        if matches!(rounds, Known::Measured(_)) && ids.iter().any(|id| self.bench_of(id) != bench) {
            return Known::NotPossible("they were not measured by one bench".to_owned());
        }
        rounds
    }

    /// Returns throughput(`a`) / throughput(`b`) in the regime with the most rounds, or
    /// `NotMeasured` if one counts bytes and the other elements.
    pub fn percent(&self, a: &str, b: &str) -> Known<Estimate> {
        self.usually(&[a, b], |regime| self.percent_in(a, b, regime))
    }

    /// Returns throughput(`a`) / throughput(`b`) in `regime`.
    pub fn percent_in(&self, a: &str, b: &str, regime: Option<Regime>) -> Known<Estimate> {
        let times = self.ratio_in(b, a, regime);
        let work = self.benchmark(a).and(self.benchmark(b)).and_then(|(a, b)| {
            let ((work_a, unit_a), (work_b, unit_b)) = (a.work()?, b.work()?);
            (unit_a == unit_b).then_some(work_a / work_b)
        });
        times.and(work).and_then(|(time, work)| {
            Some(Estimate {
                value: time.value * work,
                low: time.low * work,
                high: time.high * work,
                rounds: time.rounds,
            })
        })
    }

    /// Asks for a number in the regime with the most rounds.
    fn usually<T>(&self, ids: &[&str], of: impl Fn(Option<Regime>) -> Known<T>) -> Known<T> {
        match self.usual_regime(ids) {
            Known::Measured(regime) => of(regime),
            Known::NotPossible(reason) => Known::NotPossible(reason),
            Known::NotMeasured => Known::NotMeasured,
        }
    }

    /// Returns the smallest parameter from which function `a` beats function `b` at every size at
    /// which both were measured, or `None` in [`Known::Measured`] if `a` does not win at the
    /// largest. `a` beats `b` if the whole interval of time(`b`) / time(`a`) lies above 1. All
    /// ratios are taken in one regime, the one with the most rounds over all sizes.
    pub fn crossover(&self, group: &str, a: &str, b: &str) -> Known<Option<Crossover>> {
        let of = |function: &str| -> Vec<(&str, &Benchmark)> {
            let mut members = self.group(group);
            members.retain(|(_, benchmark)| benchmark.function.as_deref() == Some(function));
            members
        };
        let (of_a, of_b) = (of(a), of(b));
        if let Some(recording) = self.recording(group) {
            for (function, members) in [(a, &of_a), (b, &of_b)] {
                if let (true, Some(reason)) =
                    (members.is_empty(), recording.why_not(&format!("{group}/{function}")))
                {
                    return Known::NotPossible(reason.to_string());
                }
            }
        }
        let ids: Vec<[&str; 2]> = of_a
            .iter()
            .filter_map(|(id_a, one)| {
                let (id_b, _) = of_b.iter().find(|(_, b)| b.parameter == one.parameter)?;
                Some([*id_a, *id_b])
            })
            .collect();
        let mut regimes: BTreeMap<Option<Regime>, usize> = BTreeMap::new();
        for (regime, rounds) in ids.iter().flat_map(|ids| self.regimes(ids)) {
            *regimes.entry(regime).or_default() += rounds;
        }
        let regime = regimes.into_iter().max_by_key(|(_, rounds)| *rounds);
        let regime = regime.and_then(|(regime, _)| regime);
        let mut compared = 0;
        let mut found: Option<Crossover> = None;
        let mut beaten_so_far = true;
        for (id_a, one) in of_a.iter().rev() {
            let Some((id_b, _)) = of_b.iter().find(|(_, b)| b.parameter == one.parameter) else {
                continue;
            };
            compared += 1;
            let (Known::Measured(ratio), Some(size)) =
                (self.ratio_in(id_b, id_a, regime), &one.parameter)
            else {
                break;
            };
            beaten_so_far &= ratio.low > 1.0;
            match &mut found {
                _ if beaten_so_far => {
                    found = Some(Crossover { from: size.clone(), earliest: size.clone() })
                }
                Some(crossover) if ratio.high >= 1.0 => crossover.earliest.clone_from(size),
                _ => break,
            }
        }
        if compared == 0 { Known::NotMeasured } else { Known::Measured(found) }
    }

    /// Returns one count of an example.
    pub fn count(&self, example: &str, key: &str) -> Known<f64> {
        let values = self.counts.get(example).map(|counts| &counts.values);
        match values.and_then(|values| values.get(key).or_else(|| values.get(ALL))) {
            Some(Value::Number(number)) => {
                number.as_f64().map_or(Known::NotMeasured, Known::Measured)
            }
            Some(Value::String(reason)) => Known::NotPossible(reason.clone()),
            _ => Known::NotMeasured,
        }
    }
}

/// Makes a series of the rounds of one benchmark, or of two.
fn series(of: &[Vec<Round>]) -> Option<Series<'_>> {
    let (time, less) = of.split_first()?;
    Some(Series { time, less: less.first().map(Vec::as_slice) })
}

/// Splits criterion's results by bench. Results of benches that no longer exist are left out.
fn by_bench(project: &Project, run: criterion::Run) -> BTreeMap<String, criterion::Run> {
    let benches = project.benches();
    let bench_of = |id: &str| owner(id, benches.iter().map(String::as_str)).map(str::to_string);
    let mut parts: BTreeMap<String, criterion::Run> = BTreeMap::new();
    for (id, finished) in run.benchmarks {
        if let Some(bench) = bench_of(&id) {
            parts.entry(bench).or_default().benchmarks.insert(id, finished);
        }
    }
    for (id, refused) in run.not_possible {
        if let Some(bench) = bench_of(&id) {
            parts.entry(bench).or_default().not_possible.insert(id, refused);
        }
    }
    parts
}

/// Turns the results of `cargo bench` into a recording of one round. criterion notes neither the
/// commit nor the environment, so `environment` is that of the machine now.
fn one_round(run: criterion::Run, date: String, environment: Environment) -> Recording {
    Recording {
        date,
        commit: None,
        modified: None,
        sources: None,
        rounds: 1,
        planned: None,
        environment,
        benchmarks: run.benchmarks.into_iter().map(|(id, f)| (id, f.benchmark)).collect(),
        not_possible: run.not_possible.into_iter().map(|(id, r)| (id, r.reason)).collect(),
    }
}

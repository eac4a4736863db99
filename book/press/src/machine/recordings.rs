//! What was measured on one machine: the files in `book/machines`, and the reader's own results.

use super::benchmark::Benchmark;
use super::environment::Environment;
use super::{criterion, statistics};
use crate::date;
use crate::ids::{covers, owner};
use crate::model::{Crossover, Error, Estimate};
use crate::project::Project;
use crate::units::Quantity;
use indexmap::IndexMap;
use regex::Regex;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;
use std::{fs, io};

/// The version of the file format that this press reads and writes.
pub const FORMAT: u32 = 1;

/// Among an example's values: why it could count nothing at all, as on a system that lacks the
/// technique.
pub const ALL: &str = "*";

/// Everything measured on one machine.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// [`FORMAT`].
    pub format: u32,
    /// The file's name without `.json`.
    pub name: String,
    /// One sentence by whoever recorded it.
    pub about: Option<String>,
    /// By bench.
    #[serde(default)]
    pub recordings: BTreeMap<String, Recording>,
    /// By example.
    #[serde(default)]
    pub counts: BTreeMap<String, Counts>,
    /// Builds and models that went through or did not; `compiled:FILE#ANCHOR` or `explored:MODEL`.
    #[serde(default)]
    pub proofs: BTreeMap<String, ProofRun>,
}

/// One bench, measured in rounds.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recording {
    /// When it ended, RFC 3339 in UTC.
    pub date: String,
    /// git's commit.
    pub commit: Option<String>,
    /// Whether files differed from that commit.
    pub modified: Option<bool>,
    /// Rounds, each a fresh process.
    pub rounds: usize,
    /// Where and how.
    pub environment: Environment,
    /// By criterion's full id, in the order in which they ran.
    pub benchmarks: IndexMap<String, Benchmark>,
    /// Why an id, or everything below a prefix, could not be measured.
    #[serde(default)]
    pub not_possible: BTreeMap<String, String>,
}

/// What an example counted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// When, RFC 3339 in UTC.
    pub date: String,
    /// git's commit.
    pub commit: Option<String>,
    /// `variant.quantity`: a number, or in words why it cannot be had.
    pub values: IndexMap<String, Value>,
}

/// The outcome of a build or of a loom model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProofRun {
    /// When, RFC 3339 in UTC.
    pub date: String,
    /// git's commit.
    pub commit: Option<String>,
    /// Whether it went through.
    pub holds: bool,
    /// In words, what was found.
    pub found: String,
}

/// What a machine knows about one number.
#[derive(Clone, Debug, PartialEq)]
pub enum Known<T> {
    /// It was measured.
    Measured(T),
    /// The machine cannot, for this reason.
    NotPossible(String),
    /// Nobody has measured it.
    NotMeasured,
}

impl<T> Known<T> {
    /// The number, if there is one.
    pub fn measured(self) -> Option<T> {
        match self {
            Known::Measured(value) => Some(value),
            Known::NotPossible(_) | Known::NotMeasured => None,
        }
    }

    /// What `f` makes of the number; `NotMeasured` when it makes nothing of it.
    pub fn and_then<U>(self, f: impl FnOnce(T) -> Option<U>) -> Known<U> {
        match self {
            Known::Measured(value) => f(value).map_or(Known::NotMeasured, Known::Measured),
            Known::NotPossible(reason) => Known::NotPossible(reason),
            Known::NotMeasured => Known::NotMeasured,
        }
    }

    /// Both numbers; a reason why one cannot be had outweighs that nobody has tried the other.
    pub fn and<U>(self, other: Known<U>) -> Known<(T, U)> {
        match (self, other) {
            (Known::Measured(a), Known::Measured(b)) => Known::Measured((a, b)),
            (Known::NotPossible(reason), _) | (_, Known::NotPossible(reason)) => {
                Known::NotPossible(reason)
            }
            _ => Known::NotMeasured,
        }
    }
}

impl Machine {
    /// A machine of which nothing is known.
    pub fn new(name: &str) -> Machine {
        Machine {
            format: FORMAT,
            name: name.to_string(),
            about: None,
            recordings: BTreeMap::new(),
            counts: BTreeMap::new(),
            proofs: BTreeMap::new(),
        }
    }

    /// Reads a machine's file, which names the machine; `None` when there is none.
    pub fn load(path: &Path) -> Result<Option<Machine>, Error> {
        let bad = |what: String| Error::Failed(format!("{}: {what}", path.display()));
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(bad(format!("cannot read: {e}"))),
        };
        let value: Value =
            serde_json::from_str(&text).map_err(|e| bad(format!("damaged, not JSON: {e}")))?;
        match value.get("format").and_then(Value::as_u64) {
            Some(format) if format == u64::from(FORMAT) => {}
            Some(format) => {
                return Err(bad(format!("format {format}, and this press reads format {FORMAT}")));
            }
            None => return Err(bad("damaged, it names no format".to_string())),
        }
        // From the text again, for the line of what is wrong.
        let mut machine: Machine =
            serde_json::from_str(&text).map_err(|e| bad(format!("damaged: {e}")))?;
        if let Some(stem) = path.file_stem().and_then(|stem| stem.to_str()) {
            machine.name = stem.to_string();
        }
        Ok(Some(machine))
    }

    /// Writes the file beside itself and renames it into place, so that it is never half a file.
    pub fn store(&self, path: &Path) -> Result<(), Error> {
        let failed = |e: io::Error| Error::Failed(format!("cannot write {}: {e}", path.display()));
        let text = serde_json::to_string_pretty(self).map_err(|e| failed(e.into()))?;
        // A round a line: a recording has a thousand of them, and people read the difference of
        // two.
        static ROUND: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new(r#"\{\s+("median": [^\s,]+,)\s+("low": [^\s,]+,)\s+("high": [^\s,]+)\s+\}"#)
                .expect("a constant")
        });
        let mut text = ROUND.replace_all(&text, "{ $1 $2 $3 }").into_owned();
        text.push('\n');
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        let beside = path.with_extension(format!("json.{}.tmp", std::process::id()));
        fs::write(&beside, text).and_then(|()| fs::rename(&beside, path)).map_err(|e| {
            let _ = fs::remove_file(&beside);
            failed(e)
        })
    }

    /// The reader's machine: per bench the newer of `book/machines/here.json` and criterion's last
    /// results, and the counts and proofs of the last `check`. Nothing measured is an empty
    /// machine.
    pub fn here(project: &Project) -> Result<Machine, Error> {
        let mut here =
            Machine::load(&project.machine("here"))?.unwrap_or_else(|| Machine::new("here"));
        if let Some(proved) = Machine::load(&project.proved())? {
            for (example, counts) in proved.counts {
                if here.counts.get(&example).is_none_or(|old| old.date <= counts.date) {
                    here.counts.insert(example, counts);
                }
            }
            for (proof, run) in proved.proofs {
                if here.proofs.get(&proof).is_none_or(|old| old.date <= run.date) {
                    here.proofs.insert(proof, run);
                }
            }
        }
        let mut environment = None;
        for (bench, run) in by_bench(project, criterion::read(project.criterion())?) {
            let date = date::rfc3339(run.newest());
            if here.recordings.get(&bench).is_none_or(|old| old.date < date) {
                // Of the load when `cargo bench` began, nobody has kept a record.
                let environment = environment.get_or_insert_with(|| Environment {
                    load_before: None,
                    ..Environment::read(project)
                });
                here.recordings.insert(bench, one_round(run, date, environment.clone()));
            }
        }
        Ok(here)
    }

    /// All machines in `book/machines` except `here`, the reference first, then by name.
    pub fn all(project: &Project) -> Result<Vec<Machine>, Error> {
        let Ok(entries) = fs::read_dir(project.machines()) else {
            return Ok(Vec::new());
        };
        let mut machines = Vec::new();
        for path in entries.flatten().map(|entry| entry.path()) {
            let is_machine = path.extension().is_some_and(|e| e == "json")
                && path.file_stem().is_some_and(|stem| stem != "here");
            if is_machine {
                machines.extend(Machine::load(&path)?);
            }
        }
        machines.sort_by_key(|machine| (machine.name != "reference", machine.name.clone()));
        Ok(machines)
    }

    /// Whether nothing at all is known of it.
    pub fn is_empty(&self) -> bool {
        self.recordings.is_empty() && self.counts.is_empty() && self.proofs.is_empty()
    }

    /// The recorded bench that a benchmark or a group belongs to.
    pub fn bench_of(&self, id: &str) -> Option<&str> {
        owner(id, self.recordings.keys().map(String::as_str))
    }

    /// The recording that a benchmark or a group belongs to.
    pub fn recording(&self, id: &str) -> Option<&Recording> {
        self.recordings.get(self.bench_of(id)?)
    }

    /// One benchmark by its full id.
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

    /// The benchmarks of a group with their ids: functions in the order in which they ran,
    /// parameters by size.
    pub fn group(&self, group: &str) -> Vec<(&str, &Benchmark)> {
        let Some(recording) = self.recording(group) else {
            return Vec::new();
        };
        let mut members: Vec<(&str, &Benchmark)> = recording
            .benchmarks
            .iter()
            .filter(|(_, benchmark)| benchmark.group == group)
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

    /// ns per iteration.
    pub fn time(&self, id: &str) -> Known<Estimate> {
        self.benchmark(id).and_then(Benchmark::time)
    }

    /// Bytes or elements per second; the quantity says which.
    pub fn throughput(&self, id: &str) -> Known<(Estimate, Quantity)> {
        self.benchmark(id).and_then(Benchmark::throughput)
    }

    /// time(a) / time(b): inside the rounds when one recording has both, otherwise as wide as both
    /// intervals allow. Two recordings from different environments are not compared at all.
    pub fn ratio(&self, a: &str, b: &str) -> Known<Estimate> {
        let together = match (self.recording(a), self.recording(b)) {
            (Some(of_a), Some(of_b)) if !of_a.environment.is_like(&of_b.environment) => {
                return Known::NotPossible(
                    "the two were measured in different environments".to_owned(),
                );
            }
            (Some(of_a), Some(of_b)) => std::ptr::eq(of_a, of_b),
            _ => false,
        };
        self.benchmark(a).and(self.benchmark(b)).and_then(|(a, b)| {
            if together {
                statistics::ratio(&a.rounds, &b.rounds)
            } else {
                statistics::quotient(a.time()?, b.time()?)
            }
        })
    }

    /// throughput(a) / throughput(b); `NotMeasured` too when the two do not count the same thing.
    pub fn percent(&self, a: &str, b: &str) -> Known<Estimate> {
        let times = self.ratio(b, a);
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

    /// The smallest parameter from which on function `a` beats function `b` at every size that both
    /// were measured at; `None` inside when there is no such. To beat is to have the whole interval
    /// of time(b) / time(a) above 1.
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
        let mut compared = 0;
        let mut found: Option<Crossover> = None;
        let mut beaten_so_far = true;
        for (id_a, one) in of_a.iter().rev() {
            let Some((id_b, _)) = of_b.iter().find(|(_, b)| b.parameter == one.parameter) else {
                continue;
            };
            compared += 1;
            let (Known::Measured(ratio), Some(size)) = (self.ratio(id_b, id_a), &one.parameter)
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

    /// The ratio first / second of the A/A pair in the group `NAME_aa`; with several, the one whose
    /// interval reaches furthest from 1. `name` is a bench or one of its groups (`sendfile_cpu`).
    pub fn noise(&self, name: &str) -> Known<Estimate> {
        let group = format!("{name}_aa");
        let reach = |ratio: &Estimate| ratio.low.ln().abs().max(ratio.high.ln().abs());
        let mut widest = Known::NotMeasured;
        for (id, benchmark) in self.group(&group) {
            if benchmark.function.as_deref() != Some("first") {
                continue;
            }
            let second = match &benchmark.parameter {
                Some(parameter) => format!("{group}/second/{parameter}"),
                None => format!("{group}/second"),
            };
            if let Known::Measured(ratio) = self.ratio(id, &second) {
                match &widest {
                    Known::Measured(old) if reach(old) >= reach(&ratio) => {}
                    _ => widest = Known::Measured(ratio),
                }
            }
        }
        match (&widest, self.recording(&group).and_then(|recording| recording.why_not(&group))) {
            (Known::NotMeasured, Some(reason)) => Known::NotPossible(reason.to_string()),
            _ => widest,
        }
    }

    /// One number of an example.
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

impl Recording {
    /// Why this machine could not measure an id, a function or a group.
    pub fn why_not(&self, id: &str) -> Option<&str> {
        self.not_possible
            .iter()
            .find(|(prefix, _)| covers(prefix, id))
            .map(|(_, reason)| reason.as_str())
    }
}

/// criterion's results apart by the bench that they come from. What belongs to no bench any more is
/// left out.
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

/// What `cargo bench` left, as a recording of one round. criterion notes neither commit nor
/// environment; that the results are this machine's is all that is known.
fn one_round(run: criterion::Run, date: String, environment: Environment) -> Recording {
    Recording {
        date,
        commit: None,
        modified: None,
        rounds: 1,
        environment,
        benchmarks: run.benchmarks.into_iter().map(|(id, f)| (id, f.benchmark)).collect(),
        not_possible: run.not_possible.into_iter().map(|(id, r)| (id, r.reason)).collect(),
    }
}

//! Reads the output folder of criterion 0.8.2. The format is private to criterion, hence the exact
//! version in `benches/Cargo.toml` and the sample in this crate's tests.
//!
//! A benchmark is a folder with `new/benchmark.json` (its id) and `new/estimates.json` (its times
//! in ns). The folder's name is not the id: criterion replaces characters in it and cuts it at 64
//! bytes. Beside them lie the files of the benches' own library:
//!
//! | file | holds |
//! | --- | --- |
//! | `not_possible.json` | why an id, and all below it, cannot be measured |
//! | `witness.json` | the round trip of a line before and after a benchmark, in ns, and the share of the time on a slowed core |
//! | `second_clock.json` | a benchmark of its own: the times of another clock over the same batches |
//! | `order.json` | the ids of a group in the order of the code; the order in which they ran varies |
//! | `settings.json` | the settings of the last run |

use super::benchmark::Benchmark;
use crate::ids::covers;
use crate::model::{Error, Round};
use indexmap::IndexMap;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// The version whose files this module reads.
pub const VERSION: &str = "0.8.2";

/// The results of one run of some benches.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// The benchmarks by full id, each with one round: groups in the order in which they ran, their
    /// benchmarks in the order of the code, or as they ran if it is not known.
    pub benchmarks: IndexMap<String, Finished>,
    /// The benchmarks that could not be measured, by id or prefix.
    pub not_possible: BTreeMap<String, Refused>,
    /// Criterion's settings in words, if the bench left them.
    pub settings: Option<String>,
}

/// A finished benchmark.
#[derive(Clone, Debug)]
pub struct Finished {
    /// The benchmark with its one round.
    pub benchmark: Benchmark,
    /// The time at which criterion wrote it.
    pub when: SystemTime,
}

/// A benchmark that this machine cannot run.
#[derive(Clone, Debug)]
pub struct Refused {
    /// The reason in words.
    pub reason: String,
    /// The time at which the bench gave it.
    pub when: SystemTime,
}

impl Run {
    /// Returns the time at which the last result was written.
    pub fn newest(&self) -> SystemTime {
        let finished = self.benchmarks.values().map(|finished| finished.when);
        let refused = self.not_possible.values().map(|refused| refused.when);
        finished.chain(refused).max().unwrap_or(UNIX_EPOCH)
    }
}

/// Reads everything below `home`; a missing folder is an empty run. criterion's results stay when a
/// bench can no longer run, so a later refusal takes the place of earlier results.
///
/// # Errors
///
/// If a file cannot be read, or is not what criterion writes.
pub fn read(home: &Path) -> Result<Run, Error> {
    let mut finished = Vec::new();
    let mut witnesses = Vec::new();
    let mut order = Vec::new();
    let mut run = Run::default();
    for path in files(home)? {
        match path.file_name().and_then(|name| name.to_str()) {
            Some("benchmark.json") => finished.push(benchmark(&path)?),
            Some("second_clock.json") => finished.push(second_clock(&path)?),
            Some("witness.json") => witnesses.push((json::<Witness>(&path)?, written(&path)?)),
            Some("order.json") => order.extend(json::<Order>(&path)?.ids),
            Some("settings.json") => run.settings = Some(json::<Settings>(&path)?.to_string()),
            Some("not_possible.json") => {
                let refusal: Refusal = json(&path)?;
                let refused = Refused { reason: refusal.reason, when: written(&path)? };
                run.not_possible.insert(refusal.id, refused);
            }
            _ => {}
        }
    }
    finished.retain(|(id, finished)| {
        let outdated = |(prefix, refused): (&String, &Refused)| {
            covers(prefix, id) && refused.when > finished.when
        };
        !run.not_possible.iter().any(outdated)
    });
    finished.sort_by(|(a, one), (b, other)| one.when.cmp(&other.when).then_with(|| a.cmp(b)));
    let mut groups: Vec<String> = Vec::new();
    for (_, finished) in &finished {
        if !groups.contains(&finished.benchmark.group) {
            groups.push(finished.benchmark.group.clone());
        }
    }
    // Of two results of one id, the later stays.
    let mut benchmarks: IndexMap<String, Finished> = finished.into_iter().collect();
    for (witness, when) in witnesses {
        if let Some(finished) = benchmarks.get_mut(&witness.id)
            // An older one belongs to an earlier result.
            && when >= finished.when
        {
            for round in &mut finished.benchmark.rounds {
                round.witness = witness.before.zip(witness.after).map(|(a, b)| [a, b]);
                round.slowed = witness.slowed.unwrap_or(0.0);
            }
        }
    }
    // The sort is stable, so benchmarks without a place in the code stay as they ran.
    let place = |id: &String, finished: &Finished| {
        let group = groups.iter().position(|group| *group == finished.benchmark.group);
        (group, order.iter().position(|known| known == id).unwrap_or(usize::MAX))
    };
    benchmarks.sort_by(|a, one, b, other| place(a, one).cmp(&place(b, other)));
    run.benchmarks = benchmarks;
    Ok(run)
}

/// The part of `new/benchmark.json` that is read.
#[derive(Deserialize)]
struct Id {
    group_id: String,
    function_id: Option<String>,
    value_str: Option<String>,
    throughput: Option<Throughput>,
    full_id: String,
}

#[derive(Deserialize)]
enum Throughput {
    Bits(u64),
    Bytes(u64),
    BytesDecimal(u64),
    Elements(u64),
    ElementsAndBytes { elements: u64, bytes: u64 },
}

/// The part of `new/estimates.json` that is read: every sampling mode has a median, but not every
/// one has a slope.
#[derive(Deserialize)]
struct Estimates {
    median: Median,
}

#[derive(Deserialize)]
struct Median {
    point_estimate: f64,
    confidence_interval: Interval,
}

#[derive(Deserialize)]
struct Interval {
    lower_bound: f64,
    upper_bound: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Refusal {
    id: String,
    reason: String,
}

/// A file of the benches' library: criterion's description of a benchmark with its times in ns.
#[derive(Deserialize)]
struct SecondClock {
    #[serde(flatten)]
    id: Id,
    median: f64,
    low: f64,
    high: f64,
}

#[derive(Deserialize)]
struct Witness {
    id: String,
    before: Option<f64>,
    after: Option<f64>,
    slowed: Option<f64>,
}

#[derive(Deserialize)]
struct Order {
    ids: Vec<String>,
}

#[derive(Deserialize)]
struct Settings {
    warm_up: String,
    measurement: String,
    samples: usize,
}

impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Settings { warm_up, measurement, samples } = self;
        write!(f, "warm-up {warm_up} s, measurement {measurement} s, {samples} samples")
    }
}

fn benchmark(path: &Path) -> Result<(String, Finished), Error> {
    let id: Id = json(path)?;
    let Estimates { median } = json(&path.with_file_name("estimates.json"))?;
    let Interval { lower_bound, upper_bound } = median.confidence_interval;
    let round = Round::new(median.point_estimate, lower_bound, upper_bound);
    Ok(id.finished(round, written(path)?))
}

fn second_clock(path: &Path) -> Result<(String, Finished), Error> {
    let SecondClock { id, median, low, high } = json(path)?;
    Ok(id.finished(Round::new(median, low, high), written(path)?))
}

impl Id {
    fn finished(self, round: Round, when: SystemTime) -> (String, Finished) {
        let (bytes, elements) = match self.throughput {
            None => (None, None),
            Some(Throughput::Bits(bits)) => (Some(bits / 8), None),
            Some(Throughput::Bytes(bytes) | Throughput::BytesDecimal(bytes)) => (Some(bytes), None),
            Some(Throughput::Elements(elements)) => (None, Some(elements)),
            Some(Throughput::ElementsAndBytes { elements, bytes }) => (Some(bytes), Some(elements)),
        };
        let benchmark = Benchmark {
            group: self.group_id,
            function: self.function_id,
            parameter: self.value_str,
            throughput_bytes: bytes,
            throughput_elements: elements,
            rounds: vec![round],
        };
        (self.full_id, Finished { benchmark, when })
    }
}

/// The files of the benches' library.
const OURS: [&str; 5] =
    ["not_possible.json", "witness.json", "second_clock.json", "order.json", "settings.json"];

/// Finds the files below `folder` that matter: benchmarks in folders `new` (`base` and `change`
/// belong to earlier runs), and those of the benches' library anywhere.
fn files(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let failed =
        |path: &Path, e: io::Error| Error::Failed(format!("cannot read {}: {e}", path.display()));
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            // `cargo bench` renames folders while it runs.
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            Err(e) => return Err(failed(&folder, e)),
        };
        for entry in entries {
            let path = entry.map_err(|e| failed(&folder, e))?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.ends_with("new/benchmark.json")
                || OURS.iter().any(|name| path.ends_with(name))
            {
                found.push(path);
            }
        }
    }
    Ok(found)
}

fn json<T: DeserializeOwned>(path: &Path) -> Result<T, Error> {
    let text = fs::read_to_string(path)
        .map_err(|e| Error::Failed(format!("cannot read {}: {e}", path.display())))?;
    serde_json::from_str(&text).map_err(|e| {
        Error::Failed(format!("{}: not what criterion {VERSION} writes: {e}", path.display()))
    })
}

fn written(path: &Path) -> Result<SystemTime, Error> {
    fs::metadata(path)
        .and_then(|metadata| metadata.modified())
        .map_err(|e| Error::Failed(format!("cannot read the date of {}: {e}", path.display())))
}

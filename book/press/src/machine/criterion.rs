//! Reads the output folder of criterion 0.8.2. The format is private to criterion, hence the exact
//! version in `benches/Cargo.toml` and the sample in this crate's tests.
//!
//! A benchmark is a folder with `new/benchmark.json` (its id) and `new/estimates.json` (its times
//! in ns). The folder's name is not the id: criterion replaces characters in it and cuts it at 64
//! bytes. Beside them, a bench that cannot run leaves a `not_possible.json`: `{"id":
//! "group/function", "reason": "…"}`, for that id and all below it.

use super::benchmark::Benchmark;
use crate::ids::covers;
use crate::model::{Error, Round};
use indexmap::IndexMap;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// The version whose files this module reads.
pub const VERSION: &str = "0.8.2";

/// The results of one run of some benches.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// The benchmarks by full id, in the order in which they ran, each with one round.
    pub benchmarks: IndexMap<String, Finished>,
    /// The benchmarks that could not be measured, by id or prefix.
    pub not_possible: BTreeMap<String, Refused>,
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
    let mut run = Run::default();
    for path in files(home)? {
        match path.file_name().and_then(|name| name.to_str()) {
            Some("benchmark.json") => finished.push(benchmark(&path)?),
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
    run.benchmarks = finished.into_iter().collect();
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

fn benchmark(path: &Path) -> Result<(String, Finished), Error> {
    let id: Id = json(path)?;
    let Estimates { median } = json(&path.with_file_name("estimates.json"))?;
    let (bytes, elements) = match id.throughput {
        None => (None, None),
        Some(Throughput::Bits(bits)) => (Some(bits / 8), None),
        Some(Throughput::Bytes(bytes) | Throughput::BytesDecimal(bytes)) => (Some(bytes), None),
        Some(Throughput::Elements(elements)) => (None, Some(elements)),
        Some(Throughput::ElementsAndBytes { elements, bytes }) => (Some(bytes), Some(elements)),
    };
    let benchmark = Benchmark {
        group: id.group_id,
        function: id.function_id,
        parameter: id.value_str,
        throughput_bytes: bytes,
        throughput_elements: elements,
        rounds: vec![Round {
            median: median.point_estimate,
            low: median.confidence_interval.lower_bound,
            high: median.confidence_interval.upper_bound,
        }],
    };
    Ok((id.full_id, Finished { benchmark, when: written(path)? }))
}

/// Finds the files below `folder` that matter: benchmarks in folders `new` (`base` and `change`
/// belong to earlier runs), and refusals anywhere.
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
            } else if path.ends_with("new/benchmark.json") || path.ends_with("not_possible.json") {
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

//! What was measured on one machine: the files in `book/machines`, and the reader's own results.

use crate::model::{Error, Estimate};
use crate::project::Project;
use crate::units::Quantity;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// The version of the file format that this press reads and writes.
pub const FORMAT: u32 = 1;

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

/// One benchmark's rounds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Benchmark {
    /// First part of the id.
    pub group: String,
    /// Second part.
    pub function: Option<String>,
    /// Third part, with its unit: `64KiB`.
    pub parameter: Option<String>,
    /// Bytes that one iteration moves.
    pub throughput_bytes: Option<u64>,
    /// Elements that one iteration handles.
    pub throughput_elements: Option<u64>,
    /// In order.
    pub rounds: Vec<Round>,
}

/// One round of one benchmark, in ns per iteration.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Round {
    /// The median of the samples.
    pub median: f64,
    /// Lower end of criterion's 95 % interval for it.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// Where and how something was measured. What could not be read is `None`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Environment {
    /// The processor's model name.
    pub cpu: Option<String>,
    /// Processors that this process may use.
    pub cores: Option<usize>,
    /// `L1d 32 KiB, L2 1 MiB, …`.
    pub caches: Option<String>,
    /// Memory, in bytes.
    pub memory_bytes: Option<u64>,
    /// The kernel's name and release.
    pub kernel: Option<String>,
    /// The hypervisor, or `none`.
    pub virtualisation: Option<String>,
    /// How the clock frequency is chosen.
    pub governor: Option<String>,
    /// The file system that `target/` lies on.
    pub filesystem: Option<String>,
    /// `rustc --version`.
    pub rustc: Option<String>,
    /// `RUSTFLAGS` and the profile.
    pub flags: Option<String>,
    /// criterion's version.
    pub criterion: Option<String>,
    /// What criterion was told: warm-up, measurement, samples.
    pub settings: Option<String>,
    /// Share of the CPU time that the hypervisor gave to others meanwhile, 0 to 1.
    pub stolen_share: Option<f64>,
    /// Runnable processes on average over the minute before it began.
    pub load_before: Option<f64>,
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

    /// Reads a machine's file; `None` when there is none.
    pub fn load(path: &Path) -> Result<Option<Machine>, Error> {
        let _ = path;
        todo!()
    }

    /// Writes the file beside itself and renames it into place, so that it is never half a file.
    pub fn store(&self, path: &Path) -> Result<(), Error> {
        let _ = path;
        todo!()
    }

    /// The reader's machine: per bench the newer of `book/machines/here.json` and criterion's last results, and the
    /// counts and proofs of the last `check`. Nothing measured is an empty machine.
    pub fn here(project: &Project) -> Result<Machine, Error> {
        let _ = project;
        todo!()
    }

    /// All machines in `book/machines` except `here`, the reference first, then by name.
    pub fn all(project: &Project) -> Result<Vec<Machine>, Error> {
        let _ = project;
        todo!()
    }

    /// Whether nothing at all is known of it.
    pub fn is_empty(&self) -> bool {
        self.recordings.is_empty() && self.counts.is_empty() && self.proofs.is_empty()
    }

    /// The recording that a benchmark or a group belongs to.
    pub fn recording(&self, id: &str) -> Option<&Recording> {
        let _ = id;
        todo!()
    }

    /// One benchmark by its full id.
    pub fn benchmark(&self, id: &str) -> Known<&Benchmark> {
        let _ = id;
        todo!()
    }

    /// The benchmarks of a group in the order in which they ran, parameters sorted by size within a function.
    pub fn group(&self, group: &str) -> Vec<(&str, &Benchmark)> {
        let _ = group;
        todo!()
    }

    /// ns per iteration.
    pub fn time(&self, id: &str) -> Known<Estimate> {
        let _ = id;
        todo!()
    }

    /// Bytes or elements per second; the quantity says which.
    pub fn throughput(&self, id: &str) -> Known<(Estimate, Quantity)> {
        let _ = id;
        todo!()
    }

    /// time(a) / time(b), inside the rounds when both were measured in the same ones.
    pub fn ratio(&self, a: &str, b: &str) -> Known<Estimate> {
        let _ = (a, b);
        todo!()
    }

    /// throughput(a) / throughput(b); `NotMeasured` too when the two do not count the same thing.
    pub fn percent(&self, a: &str, b: &str) -> Known<Estimate> {
        let _ = (a, b);
        todo!()
    }

    /// The smallest parameter from which on `a` beats `b` at every size; `None` inside when there is no such.
    pub fn crossover(&self, group: &str, a: &str, b: &str) -> Known<Option<String>> {
        let _ = (group, a, b);
        todo!()
    }

    /// The ratio of a bench's A/A pair, the one that strays furthest from 1 when there are several.
    pub fn noise(&self, bench: &str) -> Known<Estimate> {
        let _ = bench;
        todo!()
    }

    /// One number of an example.
    pub fn count(&self, example: &str, key: &str) -> Known<f64> {
        let _ = (example, key);
        todo!()
    }
}

impl Benchmark {
    /// ns per iteration.
    pub fn time(&self) -> Option<Estimate> {
        todo!()
    }

    /// Bytes or elements per second.
    pub fn throughput(&self) -> Option<(Estimate, Quantity)> {
        todo!()
    }
}

impl Environment {
    /// What can be read of this machine now.
    pub fn read(project: &Project) -> Environment {
        let _ = project;
        todo!()
    }

    /// The fields that a page shows, in order, with labels in words; what is not known says so.
    pub fn rows(&self) -> Vec<(&'static str, String)> {
        todo!()
    }
}

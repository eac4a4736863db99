//! Reads what criterion 0.8.2 leaves in its output folder. The format is private to criterion, hence the exact version
//! in `benches/Cargo.toml` and the sample in this crate's tests.

use crate::machine::Benchmark;
use crate::model::Error;
use indexmap::IndexMap;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::SystemTime;

/// One run of some benches.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// By full id, in the order in which they ran; each with one round.
    pub benchmarks: IndexMap<String, Finished>,
    /// Why an id, or everything below a group, could not be measured.
    pub not_possible: BTreeMap<String, String>,
}

/// A benchmark that ran to its end.
#[derive(Clone, Debug)]
pub struct Finished {
    /// Its numbers, one round.
    pub benchmark: Benchmark,
    /// When criterion wrote them.
    pub when: SystemTime,
}

/// Reads everything below `home`. A folder that is not there is an empty run; a damaged file is an error that names it.
pub fn read(home: &Path) -> Result<Run, Error> {
    let _ = home;
    todo!()
}

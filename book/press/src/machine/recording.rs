//! The results of one bench, one example, and one proof.

use super::benchmark::Benchmark;
use super::environment::Environment;
use crate::ids::covers;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// The key under which an example that can count nothing gives its reason, for example on a system
/// without the technique.
pub const ALL: &str = "*";

/// One bench, measured in rounds.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recording {
    /// The end of the last round, RFC 3339 in UTC.
    pub date: String,
    /// The commit that git names.
    pub commit: Option<String>,
    /// `true` if files differed from that commit.
    pub modified: Option<bool>,
    /// The hash of the code that it measured, which no archive or rewritten history loses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sources: Option<String>,
    /// The number of rounds, each a fresh process.
    pub rounds: usize,
    /// The number of rounds that were asked for, if the recording stopped before it had them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub planned: Option<usize>,
    /// The machine and its settings.
    pub environment: Environment,
    /// The benchmarks by criterion's full id, in the order in which they ran.
    pub benchmarks: IndexMap<String, Benchmark>,
    /// Reasons why an id, or everything below a prefix, could not be measured.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub not_possible: BTreeMap<String, String>,
}

impl Recording {
    /// Returns the reason why this machine could not measure an id, a function or a group.
    pub fn why_not(&self, id: &str) -> Option<&str> {
        self.not_possible
            .iter()
            .find(|(prefix, _)| covers(prefix, id))
            .map(|(_, reason)| reason.as_str())
    }
}

/// The counts that one example printed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// The time of the run, RFC 3339 in UTC.
    pub date: String,
    /// The commit that git names.
    pub commit: Option<String>,
    /// By `variant.quantity`: a number, or the reason why it cannot be had.
    pub values: IndexMap<String, Value>,
}

/// The outcome of a build or of a loom model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProofRun {
    /// The time of the run, RFC 3339 in UTC.
    pub date: String,
    /// The commit that git names.
    pub commit: Option<String>,
    /// `true` if the build or the model passed.
    pub holds: bool,
    /// The finding in words.
    pub found: String,
}

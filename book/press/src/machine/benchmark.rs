//! One benchmark's rounds, and the numbers that they give.

use super::statistics;
use crate::model::{Estimate, Round};
use crate::units::{Quantity, parameter};
use serde::{Deserialize, Serialize};

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

impl Benchmark {
    /// ns per iteration.
    pub fn time(&self) -> Option<Estimate> {
        statistics::time(&self.rounds)
    }

    /// Bytes or elements per second.
    pub fn throughput(&self) -> Option<(Estimate, Quantity)> {
        let time = self.time()?;
        let (work, unit) = self.work()?;
        let rate = |ns: f64| work * 1e9 / ns;
        let estimate = Estimate {
            value: rate(time.value),
            low: rate(time.high),
            high: rate(time.low),
            rounds: time.rounds,
        };
        Some((estimate, unit))
    }

    /// What one iteration gets done, and its unit per second.
    pub(super) fn work(&self) -> Option<(f64, Quantity)> {
        let bytes = self.throughput_bytes.map(|n| (n as f64, Quantity::Bytes));
        bytes
            .or_else(|| self.throughput_elements.map(|n| (n as f64, Quantity::Elements)))
            .filter(|(work, _)| *work > 0.0)
    }

    /// The parameter as a number, what has none first.
    pub(super) fn size(&self) -> f64 {
        self.parameter.as_deref().and_then(parameter).unwrap_or(f64::NEG_INFINITY)
    }
}

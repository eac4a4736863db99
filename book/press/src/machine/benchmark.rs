//! One benchmark: its rounds, and the work of one iteration.

use crate::ids::AGAIN;
use crate::model::{Estimate, Round};
use crate::units::{Quantity, parameter};
use serde::{Deserialize, Serialize};

/// One benchmark's rounds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Columns", into = "Columns")]
pub struct Benchmark {
    /// The first part of the id.
    pub group: String,
    /// The second part.
    pub function: Option<String>,
    /// The third part, with its unit: `64KiB`.
    pub parameter: Option<String>,
    /// The bytes that one iteration moves.
    pub throughput_bytes: Option<u64>,
    /// The elements that one iteration handles.
    pub throughput_elements: Option<u64>,
    /// The rounds in order.
    pub rounds: Vec<Round>,
}

/// A benchmark as it stands in a file: rounds in columns, so that each field is named once.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Columns {
    group: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    function: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    parameter: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    throughput_bytes: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    throughput_elements: Option<u64>,
    median: Vec<f64>,
    low: Vec<f64>,
    high: Vec<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    witness_before: Option<Vec<Option<f64>>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    witness_after: Option<Vec<Option<f64>>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    slowed: Option<Vec<f64>>,
}

impl From<Benchmark> for Columns {
    fn from(benchmark: Benchmark) -> Columns {
        let rounds = &benchmark.rounds;
        let column = |of: fn(&Round) -> f64| rounds.iter().map(of).collect();
        let witness = |end: usize| {
            let trips: Vec<_> = rounds.iter().map(|round| Some(round.witness?[end])).collect();
            trips.iter().any(Option::is_some).then_some(trips)
        };
        Columns {
            witness_before: witness(0),
            witness_after: witness(1),
            slowed: rounds.iter().any(|round| round.slowed > 0.0).then(|| column(|r| r.slowed)),
            median: column(|round| round.median),
            low: column(|round| round.low),
            high: column(|round| round.high),
            group: benchmark.group,
            function: benchmark.function,
            parameter: benchmark.parameter,
            throughput_bytes: benchmark.throughput_bytes,
            throughput_elements: benchmark.throughput_elements,
        }
    }
}

impl TryFrom<Columns> for Benchmark {
    type Error = String;

    fn try_from(columns: Columns) -> Result<Benchmark, String> {
        let Columns { median, low, high, witness_before, witness_after, slowed, .. } = columns;
        if low.len() != median.len() || high.len() != median.len() {
            return Err(format!(
                "{} medians, but {} and {} ends of their intervals",
                median.len(),
                low.len(),
                high.len()
            ));
        }
        let count = median.len();
        let witness = |trips: Option<Vec<Option<f64>>>| match trips {
            None => Ok(vec![None; count]),
            Some(trips) if trips.len() == count => Ok(trips),
            Some(trips) => Err(format!("{count} medians, but {} witnesses", trips.len())),
        };
        let slowed = match slowed {
            None => vec![0.0; count],
            Some(shares) if shares.len() == count => shares,
            Some(shares) => return Err(format!("{count} medians, but {} slowed", shares.len())),
        };
        let witnesses = witness(witness_before)?.into_iter().zip(witness(witness_after)?);
        let rounds = median
            .into_iter()
            .zip(low.into_iter().zip(high))
            .zip(witnesses)
            .zip(slowed)
            .map(|(((median, (low, high)), (before, after)), slowed)| Round {
                median,
                low,
                high,
                witness: before.zip(after).map(|(before, after)| [before, after]),
                slowed,
            })
            .collect();
        Ok(Benchmark {
            group: columns.group,
            function: columns.function,
            parameter: columns.parameter,
            throughput_bytes: columns.throughput_bytes,
            throughput_elements: columns.throughput_elements,
            rounds,
        })
    }
}

impl Benchmark {
    /// Returns `true` if it measures the code of another function again.
    pub fn is_again(&self) -> bool {
        self.function.as_ref().is_some_and(|function| function.ends_with(AGAIN))
    }

    /// Returns the work of one iteration, and the unit of that work per second.
    pub(super) fn work(&self) -> Option<(f64, Quantity)> {
        let bytes = self.throughput_bytes.map(|n| (n as f64, Quantity::Bytes));
        bytes
            .or_else(|| self.throughput_elements.map(|n| (n as f64, Quantity::Elements)))
            .filter(|(work, _)| *work > 0.0)
    }

    /// Converts the time of one iteration to bytes or elements per second.
    pub(super) fn rate(&self, time: Estimate) -> Option<(Estimate, Quantity)> {
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

    /// Returns the parameter as a number; benchmarks without one sort first.
    pub(super) fn size(&self) -> f64 {
        self.parameter.as_deref().and_then(parameter).unwrap_or(f64::NEG_INFINITY)
    }
}

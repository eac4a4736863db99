//! The numbers of all series at one time.

use super::name::Kind;
use std::time::SystemTime;

/// A number of a series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// A count, exact up to 2⁶⁴ − 1.
    Integer(u64),
    /// Any other number, with NaN and the infinities.
    Float(f64),
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Integer(number)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Float(number)
    }
}

/// The numbers of all series, read one after another.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The time at which the reading began.
    pub time: SystemTime,
    /// The metrics, in the order in which they were registered, and then those of the monitor.
    pub families: Vec<FamilySnapshot>,
}

/// The numbers of the series of one metric.
#[derive(Clone, Debug)]
pub struct FamilySnapshot {
    /// The name; of a counter, without its suffix `_total`.
    pub name: String,
    /// The description.
    pub help: String,
    /// The kind of the metric.
    pub kind: Kind,
    /// The series, in the order in which they were created; the overflow series is the last.
    pub series: Vec<SeriesSnapshot>,
}

/// The numbers of one series.
#[derive(Clone, Debug)]
pub struct SeriesSnapshot {
    /// The names and values of the labels.
    pub labels: Vec<(String, String)>,
    /// The numbers.
    pub reading: Reading,
}

/// The numbers of one series, by the kind of its metric.
#[derive(Clone, Debug, PartialEq)]
pub enum Reading {
    /// The number of a counter or a gauge.
    Number(Value),
    /// The counts of a histogram.
    Histogram {
        /// The upper bound of each bucket, the last of which is infinite, and the number of
        /// observations that were not larger.
        buckets: Vec<(f64, u64)>,
        /// The sum of the observations. It may lag behind the buckets.
        sum: f64,
    },
}

impl Snapshot {
    /// Returns the number of the counter or gauge `name` with the label values `values`.
    pub fn number(&self, name: &str, values: &[&str]) -> Option<Value> {
        let family = self.families.iter().find(|family| family.name == name)?;
        let is_it = |series: &&SeriesSnapshot| {
            series.labels.iter().map(|(_, value)| value.as_str()).eq(values.iter().copied())
        };
        match family.series.iter().find(is_it)?.reading {
            Reading::Number(value) => Some(value),
            Reading::Histogram { .. } => None,
        }
    }
}

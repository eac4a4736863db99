//! Names of metrics and labels, and the reasons for which they are refused.

use std::collections::HashSet;
use std::{error, fmt};

/// The kind of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A count that only grows.
    Counter,
    /// A number that goes up and down.
    Gauge,
    /// Counts of observations by size.
    Histogram,
}

impl Kind {
    /// Returns the name of the kind in both formats.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }

    /// Returns the suffix of the sample that has the number of a series.
    pub(super) fn suffix(self) -> &'static str {
        match self {
            Self::Counter => "_total",
            Self::Gauge | Self::Histogram => "",
        }
    }

    /// Returns the suffixes of the samples that a metric of this kind exports or may export.
    fn suffixes(self) -> &'static [&'static str] {
        match self {
            Self::Counter => &["", "_total", "_created"],
            Self::Gauge => &[""],
            Self::Histogram => &["", "_bucket", "_count", "_sum", "_created"],
        }
    }
}

/// A metric that was not registered, and the reason.
#[derive(Clone, Debug, PartialEq)]
pub enum RegisterError {
    /// The name is not `[a-zA-Z_:][a-zA-Z0-9_:]*`.
    Name(String),
    /// The name of a label is not `[a-zA-Z_][a-zA-Z0-9_]*`.
    Label(String),
    /// The name of a label belongs to the formats (`le`, `quantile`, `__…`) or to the overflow
    /// series.
    ReservedLabel(String),
    /// Two labels have the same name.
    RepeatedLabel(String),
    /// The metric, or one of its samples, would have the name of another's.
    Taken {
        /// The name of the metric.
        name: String,
        /// The name that both would have.
        clash: String,
    },
    /// The bounds of the buckets are not finite, positive and increasing, or there are none.
    Bounds(Vec<f64>),
}

impl fmt::Display for RegisterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(f, "{name:?} is no name of a metric"),
            Self::Label(name) => write!(f, "{name:?} is no name of a label"),
            Self::ReservedLabel(name) => write!(f, "the label {name:?} is reserved"),
            Self::RepeatedLabel(name) => write!(f, "the label {name:?} occurs twice"),
            Self::Taken { name, clash } => {
                write!(f, "{name:?} would export {clash:?}, a name of another metric")
            }
            Self::Bounds(bounds) => {
                write!(f, "bounds must be finite, positive and increasing: {bounds:?}")
            }
        }
    }
}

impl error::Error for RegisterError {}

/// The name of a label that only the overflow series has.
pub(super) const OVERFLOW: &str = "overflow";

/// Returns the name of the family that `name` registers: a counter's name may be given with its
/// suffix `_total` or without it.
pub(super) fn family(kind: Kind, name: &str) -> &str {
    match kind {
        Kind::Counter => name.strip_suffix("_total").unwrap_or(name),
        Kind::Gauge | Kind::Histogram => name,
    }
}

/// Checks the name and the labels of a metric by themselves.
pub(super) fn check(name: &str, labels: &[&str]) -> Result<(), RegisterError> {
    if !is_name(name, |byte| byte == b':') {
        return Err(RegisterError::Name(name.to_owned()));
    }
    for (index, label) in labels.iter().enumerate() {
        let owned = || (*label).to_owned();
        if !is_name(label, |_| false) {
            return Err(RegisterError::Label(owned()));
        }
        if ["le", "quantile", OVERFLOW].contains(label) || label.starts_with("__") {
            return Err(RegisterError::ReservedLabel(owned()));
        }
        if labels[..index].contains(label) {
            return Err(RegisterError::RepeatedLabel(owned()));
        }
    }
    Ok(())
}

fn is_name(name: &str, is_extra: impl Fn(u8) -> bool) -> bool {
    let is_start = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_' || is_extra(byte);
    let mut bytes = name.bytes();
    bytes.next().is_some_and(is_start) && bytes.all(|byte| is_start(byte) || byte.is_ascii_digit())
}

// ANCHOR: claim
/// Adds the names of all samples of the family `name` to `taken`, or none of them.
pub(super) fn claim(
    taken: &mut HashSet<String>,
    kind: Kind,
    name: &str,
) -> Result<(), RegisterError> {
    let names = kind.suffixes().iter().map(|suffix| format!("{name}{suffix}"));
    let names: Vec<String> = names.collect();
    if let Some(clash) = names.iter().find(|name| taken.contains(*name)) {
        let (name, clash) = (name.to_owned(), clash.clone());
        return Err(RegisterError::Taken { name, clash });
    }
    taken.extend(names);
    Ok(())
}
// ANCHOR_END: claim

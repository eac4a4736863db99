//! The description of a metric, and its exports.

use super::name::{self, Kind, OVERFLOW, RegisterError};
use super::render;
use super::snapshot::SeriesSnapshot;

/// The name, the help text, the kind and the labels of a metric.
pub(super) struct About {
    pub(super) name: String,
    pub(super) help: String,
    pub(super) kind: Kind,
    pub(super) labels: Vec<String>,
}

impl About {
    pub(super) fn new(
        kind: Kind,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> Result<Self, RegisterError> {
        name::check(name, labels)?;
        let name = name::family(kind, name);
        name::check(name, &[])?; // `_total` is a name, and nothing without its suffix
        Ok(Self {
            name: name.to_owned(),
            help: help.to_owned(),
            kind,
            labels: labels.iter().map(|label| (*label).to_owned()).collect(),
        })
    }

    /// Returns the text of a series: of a counter or gauge, all that stands before the value.
    pub(super) fn text(&self, values: &[&str]) -> String {
        let names = self.labels.iter().map(String::as_str);
        let labels = render::labels(names.zip(values.iter().copied()));
        self.text_of(&labels)
    }

    pub(super) fn overflow_text(&self) -> String {
        self.text_of(&render::labels([(OVERFLOW, "true")].into_iter()))
    }

    fn text_of(&self, labels: &str) -> String {
        let Self { name, .. } = self;
        match (self.kind, labels) {
            (Kind::Histogram, _) => labels.to_owned(),
            (Kind::Counter, "") => format!("{name}_total "),
            (Kind::Counter, _) => format!("{name}_total{{{labels}}} "),
            (Kind::Gauge, "") => format!("{name} "),
            (Kind::Gauge, _) => format!("{name}{{{labels}}} "),
        }
    }

    pub(super) fn labeled(&self, values: Vec<String>) -> Vec<(String, String)> {
        self.labels.iter().cloned().zip(values).collect()
    }
}

/// A metric of any kind, as an export sees it.
pub(super) trait Exported: Send + Sync {
    fn about(&self) -> &About;

    /// Appends the samples of all series.
    fn render(&self, out: &mut Vec<u8>);

    /// Returns the numbers of all series.
    fn snapshot(&self) -> Vec<SeriesSnapshot>;

    /// Returns the numbers of look-ups that overflowed, of observations that were clamped, and of
    /// readings that panicked.
    fn troubles(&self) -> [u64; 3];
}

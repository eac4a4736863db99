//! Metrics whose numbers are read when they are exported.

use super::about::{About, Exported};
use super::render;
use super::snapshot::{Reading, SeriesSnapshot, Value};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

/// The numbers that a function of [`Registry::read`](super::Registry::read) reports.
pub struct Readings<'a> {
    about: &'a About,
    most: usize,
    series: Vec<(Vec<String>, Value)>,
    overflows: u64,
}

impl Readings<'_> {
    /// Reports the number of the series with these label values, instead of one that was reported
    /// before. Series beyond the bound ([`Settings`](super::Settings)) are left out, and counted in
    /// `monitor_overflows_total`.
    ///
    /// # Panics
    ///
    /// If there are not as many values as the metric has labels.
    pub fn set(&mut self, values: &[&str], number: impl Into<Value>) {
        assert_eq!(values.len(), self.about.labels.len(), "one value for each label");
        let length = self.series.len();
        match self.series.iter_mut().find(|(before, _)| before == values) {
            Some((_, before)) => *before = number.into(),
            None if length < self.most => {
                let values = values.iter().map(|value| (*value).to_owned()).collect();
                self.series.push((values, number.into()));
            }
            None => self.overflows += 1,
        }
    }
}

/// A function that reports readings.
pub(super) type Read = dyn Fn(&mut Readings<'_>) + Send + Sync;

/// A metric whose numbers a function reports.
pub(super) struct ReadFamily {
    pub(super) about: About,
    pub(super) most: usize,
    pub(super) read: Box<Read>,
    pub(super) overflows: AtomicU64,
    pub(super) panics: AtomicU64,
}

impl ReadFamily {
    /// Returns the readings; none if the function panics.
    fn readings(&self) -> Vec<(Vec<String>, Value)> {
        let Self { about, most, .. } = self;
        let mut readings = Readings { about, most: *most, series: vec![], overflows: 0 };
        let read = catch_unwind(AssertUnwindSafe(|| (self.read)(&mut readings)));
        // Relaxed: counts only.
        self.overflows.fetch_add(readings.overflows, Ordering::Relaxed);
        if read.is_err() {
            self.panics.fetch_add(1, Ordering::Relaxed);
            return vec![];
        }
        readings.series
    }
}

impl Exported for ReadFamily {
    fn about(&self) -> &About {
        &self.about
    }

    fn render(&self, out: &mut Vec<u8>) {
        for (values, value) in self.readings() {
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            render::sample(out, &self.about.text(&values), value);
        }
    }

    fn snapshot(&self) -> Vec<SeriesSnapshot> {
        let series = self.readings().into_iter();
        let series = series.map(|(values, value)| SeriesSnapshot {
            labels: self.about.labeled(values),
            reading: Reading::Number(value),
        });
        series.collect()
    }

    fn troubles(&self) -> [u64; 3] {
        // Relaxed: counts only.
        [self.overflows.load(Ordering::Relaxed), 0, self.panics.load(Ordering::Relaxed)]
    }
}

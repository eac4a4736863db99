//! A metric: its name, its labels, and the look-up of its series.

use super::about::{About, Exported};
use super::buckets::Buckets;
use super::metric::{Cell, Metric, Point};
use super::name::OVERFLOW;
use super::render;
use super::snapshot::{Reading, SeriesSnapshot, Value};
use super::table::{Entry, Seed, Table};
use crate::concurrency::sync::{Arc, AtomicU64, RwLock};
use crate::memory::cache_lines::CachePadded;
use std::fmt;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

/// A metric: one series for each combination of label values. Clones share the series.
pub struct Family<M: Metric>(Arc<Shared<M>>);

struct Shared<M: Metric> {
    about: About,
    config: <M::Cell as Cell>::Config,
    /// The bounds of the buckets, and their texts.
    buckets: Option<Buckets>,
    /// `None` in a disabled registry.
    table: Option<RwLock<Table<M::Cell>>>,
    most: usize,
    seed: Seed,
    /// The series that all label values beyond the bound share.
    overflow: Arc<CachePadded<M::Cell>>,
    /// The number of look-ups that got it.
    overflows: AtomicU64,
}

impl<M: Metric> Family<M> {
    pub(super) fn new(
        about: About,
        config: <M::Cell as Cell>::Config,
        buckets: Option<Buckets>,
        most: usize,
        is_enabled: bool,
    ) -> Self {
        let overflow = Arc::new(CachePadded(M::Cell::new(&config)));
        Self(Arc::new(Shared {
            about,
            config,
            buckets,
            table: is_enabled.then(|| RwLock::new(Table::new())),
            most,
            seed: Seed::new(),
            overflow,
            overflows: AtomicU64::new(0),
        }))
    }

    /// Returns a handle of the series with these label values, which it creates if there is none.
    /// Keep the handle: looking it up takes several times as long as an update.
    ///
    /// Beyond the bound on the series of a metric ([`Settings`](super::Settings)), it returns the
    /// overflow series. Its label is `overflow="true"`, and it takes no place of another series.
    ///
    /// # Panics
    ///
    /// If there are not as many values as the metric has labels.
    // ANCHOR: with
    pub fn with(&self, values: &[&str]) -> M {
        let shared = &*self.0;
        assert_eq!(values.len(), shared.about.labels.len(), "one value for each label");
        let Some(table) = &shared.table else { return M::of(None) };
        let hash = shared.seed.hash(values);
        // A block of its own: the guard of the read lock must be gone before the write lock.
        {
            let table = table.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(cell) = table.find(hash, values) {
                return M::of(Some(cell.clone()));
            }
        }
        let mut table = table.write().unwrap_or_else(PoisonError::into_inner);
        // Another thread may have created it between the two locks.
        if table.find(hash, values).is_none() {
            if table.entries().len() >= shared.most {
                shared.overflows.fetch_add(1, Ordering::Relaxed); // a count only
                return M::of(Some(shared.overflow.clone()));
            }
            let cell = M::Cell::new(&shared.config);
            table.insert(hash, values, shared.about.text(values), cell);
        }
        M::of(table.find(hash, values).cloned())
    }
    // ANCHOR_END: with

    /// Removes a series and returns `true`, or returns `false` if there is none. Series are kept
    /// until they are removed, however long they are idle.
    ///
    /// Handles of a removed series go on counting, but no export shows it any longer. The next
    /// look-up with these values creates a series that begins at zero.
    pub fn remove(&self, values: &[&str]) -> bool {
        let hash = self.0.seed.hash(values);
        self.0.table.as_ref().is_some_and(|table| {
            table.write().unwrap_or_else(PoisonError::into_inner).remove(hash, values)
        })
    }

    /// Returns the number of series, without the overflow series.
    pub fn series(&self) -> usize {
        let read = |table: &RwLock<Table<_>>| {
            table.read().unwrap_or_else(PoisonError::into_inner).entries().len()
        };
        self.0.table.as_ref().map_or(0, read)
    }
}

impl<M: Metric> Exported for Family<M> {
    fn about(&self) -> &About {
        &self.0.about
    }

    fn render(&self, out: &mut Vec<u8>) {
        let mut counts = vec![];
        let mut add = |text: &str, cell: &M::Cell| {
            match (cell.read(&mut counts), &self.0.buckets) {
                (Point::Number(value), _) => render::sample(out, text, value),
                (Point::Histogram { sum }, Some(buckets)) => {
                    render::histogram(out, &self.0.about.name, text, buckets.texts(), &counts, sum);
                }
                (Point::Histogram { .. }, None) => {}
            };
        };
        let Some(table) = &self.0.table else { return };
        let table = table.read().unwrap_or_else(PoisonError::into_inner);
        table.entries().iter().for_each(|Entry { text, cell, .. }| add(text, cell));
        drop(table);
        if self.0.has_overflowed() {
            add(&self.0.about.overflow_text(), &self.0.overflow);
        }
    }

    fn snapshot(&self) -> Vec<SeriesSnapshot> {
        let mut counts = vec![];
        let mut read = |labels: Vec<(String, String)>, cell: &M::Cell| {
            let reading = match (cell.read(&mut counts), &self.0.buckets) {
                (Point::Histogram { sum }, Some(buckets)) => {
                    let bounds = buckets.bounds().iter().chain([&f64::INFINITY]).copied();
                    Reading::Histogram {
                        buckets: bounds.zip(counts.iter().copied()).collect(),
                        sum,
                    }
                }
                (Point::Histogram { sum }, None) => Reading::Number(Value::Float(sum)),
                (Point::Number(value), _) => Reading::Number(value),
            };
            SeriesSnapshot { labels, reading }
        };
        let Some(table) = &self.0.table else { return vec![] };
        let table = table.read().unwrap_or_else(PoisonError::into_inner);
        let entries = table.entries().iter();
        let mut series: Vec<SeriesSnapshot> =
            entries.map(|entry| read(self.0.about.labeled(entry.values()), &entry.cell)).collect();
        drop(table);
        if self.0.has_overflowed() {
            let labels = vec![(OVERFLOW.to_owned(), "true".to_owned())];
            series.push(read(labels, &self.0.overflow));
        }
        series
    }

    fn troubles(&self) -> [u64; 3] {
        let Some(table) = &self.0.table else { return [0; 3] };
        let table = table.read().unwrap_or_else(PoisonError::into_inner);
        let cells = table.entries().iter().map(|entry| &entry.cell).chain([&self.0.overflow]);
        let clamped = cells.map(|cell| cell.clamped()).sum();
        [self.0.overflows.load(Ordering::Relaxed), clamped, 0] // a count only
    }
}

impl<M: Metric> Shared<M> {
    fn has_overflowed(&self) -> bool {
        self.overflows.load(Ordering::Relaxed) > 0 // a count only
    }
}

impl<M: Metric> Clone for Family<M> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<M: Metric> fmt::Debug for Family<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Family").field("name", &self.0.about.name).finish_non_exhaustive()
    }
}

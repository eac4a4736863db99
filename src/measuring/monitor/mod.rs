//! A live monitor: counters, gauges and histograms that cost one atomic operation an update, and
//! exports that never hold an update up.
//!
//! A [`Registry`] holds metrics, a [`Family`] of series each; a handle of a series
//! ([`Counter`], [`Gauge`], [`Histogram`]) is looked up once and then updated. The registry renders
//! all of them in one of two text [`Format`]s, or as a [`Snapshot`] for exporters.
//!
//! | module | provides |
//! | --- | --- |
//! | [`Registry`] | metrics by name, and their exports |
//! | [`Family`] | the series of a metric by label values, up to a bound |
//! | [`Counter`], [`Gauge`], [`Histogram`] | handles of series |
//! | `name` | names, and collisions between them |
//! | `table` | the index of a metric's series |
//! | `render` | Prometheus text and OpenMetrics |
//! | [`Snapshot`] | the numbers of all series, as values |
//! | [`export`] | exporters, each on a thread and a schedule of its own |
//! | [`json_lines`] | an exporter to a file that is rotated |
//! | [`http`] | a server for scrapers, and pages beside it |
//! | [`process`] | the kernel's figures about this process |
//! | [`naive`] | the versions that everyone writes first |
//! | [`variants`], [`experiment`] | what the chapter compares, and how |
//!
//! The book's chapter: [monitor](../../../../measuring/monitor.html).

#![forbid(unsafe_code)]

mod about;
mod buckets;
mod counter;
pub mod experiment;
pub mod export;
mod family;
mod gauge;
mod histogram;
pub mod http;
pub mod json_lines;
mod metric;
pub mod naive;
mod name;
pub mod process;
mod readings;
mod render;
mod snapshot;
mod table;
pub mod variants;

pub use buckets::Buckets;
pub use counter::{Counter, CounterWriter};
pub use family::Family;
pub use gauge::Gauge;
pub use histogram::Histogram;
pub use metric::Metric;
pub use name::{Kind, RegisterError};
pub use readings::Readings;
pub use render::Format;
pub use snapshot::{FamilySnapshot, Reading, SeriesSnapshot, Snapshot, Value};

use crate::concurrency::sync::{Arc, Mutex, MutexGuard};
use about::{About, Exported};
use readings::ReadFamily;
use std::collections::HashSet;
use std::sync::PoisonError;
use std::time::SystemTime;
use std::{fmt, sync};

/// Bounds of a [`Registry`].
#[derive(Clone, Debug)]
pub struct Settings {
    /// The number of series that a metric may have. Updates with other label values go to one
    /// series that all of them share.
    pub series_per_metric: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { series_per_metric: 10_000 }
    }
}

/// Metrics by name. Clones share the metrics.
///
/// ```
/// use perf_proved::measuring::monitor::{Format, Registry};
///
/// let registry = Registry::new();
/// registry.counter("jobs", "Jobs done.", &["kind"])?.with(&["copy"]).add(3);
/// let mut text = vec![];
/// registry.render(Format::Prometheus, &mut text);
/// let text = String::from_utf8(text).expect("names and label values are UTF-8");
/// assert!(text.contains("\njobs_total{kind=\"copy\"} 3\n"));
/// # Ok::<(), perf_proved::measuring::monitor::RegisterError>(())
/// ```
#[derive(Clone)]
pub struct Registry {
    families: Arc<Mutex<Families>>,
    settings: Settings,
    is_enabled: bool,
}

struct Families {
    list: Vec<sync::Arc<dyn Exported>>,
    /// The names of all samples.
    taken: HashSet<String>,
}

/// The monitor's own metrics: a count for each metric that has one.
const OWN: [(&str, &str); 3] = [
    ("monitor_overflows", "Look-ups beyond the bound on the series of a metric."),
    ("monitor_clamped", "Observations that were negative, infinite or no numbers."),
    ("monitor_panics", "Readings of a metric that panicked."),
];

impl Registry {
    /// Creates a registry with the default [`Settings`].
    pub fn new() -> Self {
        Self::with(Settings::default())
    }

    /// Creates a registry with these settings.
    pub fn with(settings: Settings) -> Self {
        let mut taken = HashSet::new();
        for (name, _) in OWN {
            name::claim(&mut taken, Kind::Counter, name).expect("their names differ");
        }
        let families = Families { list: vec![], taken };
        Self { families: Arc::new(Mutex::new(families)), settings, is_enabled: true }
    }

    /// Creates a registry that exports nothing, and whose handles do nothing.
    pub fn disabled() -> Self {
        Self { is_enabled: false, ..Self::new() }
    }

    /// Registers a counter. Its samples are called `NAME_total`, whether `name` ends like that or
    /// not.
    ///
    /// # Errors
    ///
    /// [`RegisterError`] if a name is invalid, reserved or taken.
    pub fn counter(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> Result<Family<Counter>, RegisterError> {
        self.register(Kind::Counter, name, help, labels, (), None)
    }

    /// Registers a gauge.
    ///
    /// # Errors
    ///
    /// As for [`counter`](Self::counter).
    pub fn gauge(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> Result<Family<Gauge>, RegisterError> {
        self.register(Kind::Gauge, name, help, labels, (), None)
    }

    /// Registers a histogram. Its samples are called `NAME_bucket`, `NAME_count` and `NAME_sum`.
    ///
    /// # Errors
    ///
    /// As for [`counter`](Self::counter).
    pub fn histogram(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
        buckets: Buckets,
    ) -> Result<Family<Histogram>, RegisterError> {
        let texts = Some(buckets.clone());
        self.register(Kind::Histogram, name, help, labels, buckets, texts)
    }

    fn register<M: Metric<Cell: metric::Cell<Config = C>>, C>(
        &self,
        kind: Kind,
        name: &str,
        help: &str,
        labels: &[&str],
        config: C,
        buckets: Option<Buckets>,
    ) -> Result<Family<M>, RegisterError> {
        let about = About::new(kind, name, help, labels)?;
        let most = self.settings.series_per_metric;
        let mut families = self.lock();
        name::claim(&mut families.taken, kind, &about.name)?;
        let family = Family::new(about, config, buckets, most, self.is_enabled);
        families.list.push(sync::Arc::new(family.clone()));
        Ok(family)
    }

    /// Registers a counter or a gauge whose numbers `read` reports at each export. If it panics,
    /// that export has no series of this metric, and `monitor_panics_total` counts it.
    ///
    /// It runs on the thread that exports, under no lock. If it hangs, that export hangs with it,
    /// and no other.
    ///
    /// # Errors
    ///
    /// As for [`counter`](Self::counter).
    ///
    /// # Panics
    ///
    /// If `kind` is a histogram.
    pub fn read(
        &self,
        kind: Kind,
        name: &str,
        help: &str,
        labels: &[&str],
        read: impl Fn(&mut Readings<'_>) + Send + Sync + 'static,
    ) -> Result<(), RegisterError> {
        assert!(kind != Kind::Histogram, "a reading is one number");
        let about = About::new(kind, name, help, labels)?;
        let mut families = self.lock();
        name::claim(&mut families.taken, kind, &about.name)?;
        families.list.push(sync::Arc::new(ReadFamily {
            about,
            most: self.settings.series_per_metric,
            read: Box::new(read),
            overflows: sync::atomic::AtomicU64::new(0),
            panics: sync::atomic::AtomicU64::new(0),
        }));
        Ok(())
    }

    /// Appends all metrics to `out`. Look-ups that create a series of a metric wait while that
    /// metric is rendered; updates never wait.
    pub fn render(&self, format: Format, out: &mut Vec<u8>) {
        let families = self.families();
        for family in &families {
            header(out, format, family.about());
            family.render(out);
        }
        for (about, series) in own(&families) {
            header(out, format, &about);
            for (name, count) in series {
                render::sample(out, &about.text(&[name]), Value::Integer(count));
            }
        }
        render::end(out, format);
    }

    /// Returns the numbers of all series.
    pub fn snapshot(&self) -> Snapshot {
        let time = SystemTime::now();
        let list = self.families();
        let families = list.iter().map(|family| {
            let About { name, help, kind, .. } = family.about();
            let (name, help) = (name.clone(), help.clone());
            FamilySnapshot { name, help, kind: *kind, series: family.snapshot() }
        });
        let mut families: Vec<FamilySnapshot> = families.collect();
        families.extend(own(&list).map(|(about, series)| {
            let series = series.into_iter().map(|(name, count)| SeriesSnapshot {
                labels: about.labeled(vec![name.to_owned()]),
                reading: Reading::Number(Value::Integer(count)),
            });
            let series = series.collect();
            FamilySnapshot { name: about.name, help: about.help, kind: about.kind, series }
        }));
        Snapshot { time, families }
    }

    /// Returns the metrics, so that no lock is held while they are read: a reading may register
    /// others.
    fn families(&self) -> Vec<sync::Arc<dyn Exported>> {
        if self.is_enabled { self.lock().list.clone() } else { vec![] }
    }

    fn lock(&self) -> MutexGuard<'_, Families> {
        // No code panics while it holds the lock.
        self.families.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn header(out: &mut Vec<u8>, format: Format, about: &About) {
    let About { name, help, kind, .. } = about;
    render::header(out, format, *kind, name, help);
}

/// Returns the monitor's own metrics with the names of the metrics whose count is not zero.
fn own(families: &[sync::Arc<dyn Exported>]) -> impl Iterator<Item = (About, Vec<(&str, u64)>)> {
    let troubles = families.iter().map(|family| (family.about().name.as_str(), family.troubles()));
    let troubles: Vec<(&str, [u64; 3])> = troubles.collect();
    OWN.iter().enumerate().map(move |(index, (name, help))| {
        let counts = troubles.iter().map(|(metric, counts)| (*metric, counts[index]));
        let about = About {
            name: (*name).to_owned(),
            help: (*help).to_owned(),
            kind: Kind::Counter,
            labels: vec!["metric".to_owned()],
        };
        (about, counts.filter(|(_, count)| *count > 0).collect())
    })
}

impl Default for Registry {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").field("settings", &self.settings).finish_non_exhaustive()
    }
}

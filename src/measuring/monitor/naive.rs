//! The monitor that everyone writes first, after the Go article's `PerformanceMonitor`.
//! `tests/monitor.rs` pins its faults.
//!
//! - Each combination of labels is a series, and all of them stay: memory grows with the input.
//! - The key of a series is a text, so a value with a comma and an equals sign is another series.
//! - An update takes the lock of the map, builds the key, and takes the lock of the series.
//! - Exporters get the live series, so those of one interval see different values.
//! - Exporters take turns on one thread. One that hangs ends all of them, and so does a panic.
//! - The thread has no end, and what was counted since the last interval is never exported.
//!
//! Two more faults of the Go article do not compile. In Go, the exporters read the series without a
//! lock while other threads write them. In Rust, a reference to a series cannot outlive the guard
//! of the map's lock:
//!
//! ```compile_fail,E0505
//! # use std::collections::HashMap;
//! # use std::sync::RwLock;
//! struct Metric { value: f64 }
//! let metrics = RwLock::new(HashMap::from([("jobs", Metric { value: 1.0 })]));
//! let guard = metrics.read().unwrap();
//! let exported: HashMap<&str, &Metric> = guard.iter().map(|(key, one)| (*key, one)).collect();
//! drop(guard);
//! println!("{}", exported["jobs"].value);
//! ```
//!
//! And in Go, a caller that changes its map of labels afterwards changes those of the series, too.
//! In Rust, the monitor owns them:
//!
//! ```compile_fail,E0382
//! use perf_proved::measuring::monitor::naive::{Labels, PerformanceMonitor};
//! use std::time::Duration;
//!
//! let monitor = PerformanceMonitor::new(Duration::from_secs(1), vec![]);
//! let mut labels = Labels::from([("pool".to_owned(), "a".to_owned())]);
//! monitor.add_metric("jobs", 1.0, labels);
//! labels.insert("pool".to_owned(), "b".to_owned());
//! ```

use crate::sys::log;
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread;
use std::time::{Duration, Instant};

/// Labels, sorted by name. In a `HashMap`, equal labels would have different keys, because each map
/// has an order of its own.
pub type Labels = BTreeMap<String, String>;

/// The series of a monitor, by key.
pub type Metrics = HashMap<String, Arc<Mutex<Metric>>>;

// ANCHOR: metric
/// A series.
#[derive(Clone, Debug)]
pub struct Metric {
    /// The name of the metric.
    pub name: String,
    /// The value of the last update.
    pub value: f64,
    /// The number of updates.
    pub count: u64,
    /// The time of the last update.
    pub timestamp: Instant,
    /// The labels.
    pub labels: Labels,
}

/// Takes the series of a monitor elsewhere.
pub trait MetricExporter: Send + Sync {
    /// Exports the series, which change meanwhile.
    ///
    /// # Errors
    ///
    /// The exporter's own.
    fn export(&self, metrics: &Metrics) -> io::Result<()>;
}
// ANCHOR_END: metric

/// The Go article's `PerformanceMonitor`.
pub struct PerformanceMonitor {
    metrics: RwLock<Metrics>,
    interval: Duration,
    exporters: Vec<Box<dyn MetricExporter>>,
}

impl PerformanceMonitor {
    /// Creates a monitor with these exporters. The Go article's has none, and no way to add one.
    pub fn new(interval: Duration, exporters: Vec<Box<dyn MetricExporter>>) -> Self {
        Self { metrics: RwLock::default(), interval, exporters }
    }

    // ANCHOR: add
    /// Sets the value of the series with these labels.
    pub fn add_metric(&self, name: &str, value: f64, labels: Labels) {
        let key = key(name, &labels);
        let mut metrics = self.metrics.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(metric) = metrics.get(&key) {
            let mut metric = lock(metric);
            metric.value = value;
            metric.count += 1;
            metric.timestamp = Instant::now();
        } else {
            let (name, timestamp) = (name.to_owned(), Instant::now());
            let metric = Metric { name, value, count: 1, timestamp, labels };
            metrics.insert(key, Arc::new(Mutex::new(metric)));
        }
    }
    // ANCHOR_END: add

    // ANCHOR: export
    /// Exports the series by one exporter after the other.
    pub fn export_metrics(&self) {
        let metrics = self.metrics();
        for exporter in &self.exporters {
            if let Err(error) = exporter.export(&metrics) {
                log::line(format_args!("failed to export metrics: {error}"));
            }
        }
    }

    /// Starts a thread that exports the series in each interval, forever.
    pub fn start(self: &Arc<Self>) {
        let monitor = self.clone();
        thread::spawn(move || {
            loop {
                thread::sleep(monitor.interval);
                monitor.export_metrics();
            }
        });
    }
    // ANCHOR_END: export

    /// Returns a copy of the map. The series in it are those of the monitor.
    pub fn metrics(&self) -> Metrics {
        self.metrics.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

// ANCHOR: key
/// Returns the key of a series.
fn key(name: &str, labels: &Labels) -> String {
    let labels: Vec<String> =
        labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    format!("{name}{{{}}}", labels.join(","))
}
// ANCHOR_END: key

/// Locks a series.
pub fn lock(metric: &Mutex<Metric>) -> MutexGuard<'_, Metric> {
    metric.lock().unwrap_or_else(PoisonError::into_inner)
}

//! The faults of the naive monitor. Two more do not compile: see its documentation.

use perf_proved::measuring::monitor::experiment;
use perf_proved::measuring::monitor::naive::{
    Labels, MetricExporter, Metrics, PerformanceMonitor, lock,
};
use perf_proved::measuring::monitor::variants::{Monitored, Series, Variant};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Short enough to pass many times in a test.
const INTERVAL: Duration = Duration::from_millis(5);

fn labels(name: &str, value: &str) -> Labels {
    Labels::from([(name.to_owned(), value.to_owned())])
}

/// Sends the value of the first series, then waits for a word, if it is to.
struct Teller {
    values: Mutex<Sender<f64>>,
    waits: Option<Mutex<Receiver<()>>>,
}

impl MetricExporter for Teller {
    fn export(&self, metrics: &Metrics) -> io::Result<()> {
        if let Some(gate) = &self.waits {
            let _word_or_end = gate.lock().unwrap().recv();
        }
        let metric = metrics.values().next().expect("a series");
        let _no_longer_heard = self.values.lock().unwrap().send(lock(metric).value);
        Ok(())
    }
}

fn teller() -> (Box<Teller>, Receiver<f64>) {
    let (values, heard) = channel();
    (Box::new(Teller { values: Mutex::new(values), waits: None }), heard)
}

fn waiting_teller() -> (Box<Teller>, Receiver<f64>, Sender<()>) {
    let (word, gate) = channel();
    let (teller, heard) = teller();
    (Box::new(Teller { waits: Some(Mutex::new(gate)), ..*teller }), heard, word)
}

#[test]
fn each_value_of_a_label_is_a_series_that_stays() {
    let monitor = PerformanceMonitor::new(INTERVAL, vec![]);
    for user in 0..10_000 {
        monitor.add_metric("requests", 1.0, labels("user", &user.to_string()));
    }
    assert_eq!(monitor.metrics().len(), 10_000);
}

#[test]
fn a_value_may_be_the_label_of_another_series() {
    let monitor = PerformanceMonitor::new(INTERVAL, vec![]);
    monitor.add_metric("requests", 1.0, labels("path", "/,status=200"));
    let mut two = labels("path", "/");
    two.insert("status".to_owned(), "200".to_owned());
    monitor.add_metric("requests", 1.0, two);
    assert_eq!(monitor.metrics().len(), 1, "and there should be two");
}

#[test]
fn exporters_of_one_interval_see_different_values() {
    let (first, first_heard) = teller();
    let (second, second_heard, word) = waiting_teller();
    let monitor = Arc::new(PerformanceMonitor::new(INTERVAL, vec![first, second]));
    monitor.add_metric("jobs", 1.0, Labels::new());
    monitor.start();
    assert_eq!(first_heard.recv().unwrap(), 1.0);
    monitor.add_metric("jobs", 2.0, Labels::new());
    word.send(()).unwrap();
    assert_eq!(second_heard.recv().unwrap(), 2.0, "of the same interval");
}

#[test]
fn an_exporter_that_hangs_holds_up_all_others() {
    let (hangs, _heard, _no_word) = waiting_teller();
    let (healthy, healthy_heard) = teller();
    let monitor = Arc::new(PerformanceMonitor::new(INTERVAL, vec![hangs, healthy]));
    monitor.add_metric("jobs", 1.0, Labels::new());
    monitor.start();
    let heard = healthy_heard.recv_timeout(50 * INTERVAL);
    assert!(heard.is_err(), "{heard:?}: the first one is not done");
}

struct Panics;

impl MetricExporter for Panics {
    fn export(&self, _: &Metrics) -> io::Result<()> {
        panic!("a panic that this test wants");
    }
}

struct Counts(Arc<AtomicU64>);

impl MetricExporter for Counts {
    fn export(&self, _: &Metrics) -> io::Result<()> {
        self.0.fetch_add(1, Ordering::Relaxed); // read after a sleep, and no data depends on it
        Ok(())
    }
}

#[test]
fn an_exporter_that_panics_ends_all_exports_without_a_word() {
    let exports = Arc::new(AtomicU64::new(0));
    let exporters: Vec<Box<dyn MetricExporter>> =
        vec![Box::new(Counts(exports.clone())), Box::new(Panics)];
    let monitor = Arc::new(PerformanceMonitor::new(INTERVAL, exporters));
    monitor.start();
    std::thread::sleep(50 * INTERVAL);
    assert_eq!(exports.load(Ordering::Relaxed), 1, "and never again");
    monitor.add_metric("jobs", 1.0, Labels::new()); // and the program does not notice
}

// ---------------------------------------------------------------- the variants

#[test]
fn every_variant_counts_each_update() {
    for variant in Variant::COUNTERS.into_iter().chain(Variant::TIMERS) {
        for series in [Series::Same, Series::Own] {
            let monitored = Monitored::new(variant, 2, series).unwrap();
            std::thread::scope(|scope| {
                scope.spawn(|| monitored.update(0, 1000));
                scope.spawn(|| monitored.update(1, 500));
            });
            let counts = !matches!(variant, Variant::None | Variant::Disabled | Variant::Clock);
            assert_eq!(monitored.total(), if counts { 1500 } else { 0 }, "{}", variant.name());
        }
    }
}

#[test]
fn a_look_up_of_a_series_that_exists_allocates_nothing_unless_it_is_naive() {
    let made = |variant| experiment::allocations(variant, 100).unwrap().calls;
    assert_eq!([Variant::Handle, Variant::Writer, Variant::Lookup].map(made), [0; 3]);
    assert!(made(Variant::Naive) >= 500, "{}", made(Variant::Naive));
}

#[test]
fn series_beyond_the_bound_share_one_and_the_naive_monitor_has_them_all() {
    let found = experiment::cardinality(100, 10).unwrap();
    assert_eq!((found.naive, found.series), (100, 11));
    assert_eq!((found.total, found.overflow), (100, 90));
}

//! Models of the monitor: series that threads create together, the sums of its cells, and the
//! exporter's end.

use crate::explore;
use loom::sync::Arc;
use loom::thread;
use perf_proved::measuring::monitor::export::{Exporters, Schedule};
use perf_proved::measuring::monitor::{
    Buckets, Format, Reading, Registry, Settings, Snapshot, Value,
};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Two threads look up the same series, which does not exist yet.
#[test]
fn one_series() {
    explore(3, || {
        let family = Registry::new().counter("a", "", &["x"]).unwrap();
        let theirs = family.clone();
        let other = thread::spawn(move || theirs.with(&["b"]).increment());
        family.with(&["b"]).increment();
        other.join().unwrap();
        assert_eq!((family.series(), family.with(&["b"]).get()), (1, 2));
    });
}

/// Two threads look up a series each, and there is room for one.
#[test]
fn overflows() {
    explore(3, || {
        let registry = Registry::with(Settings { series_per_metric: 1 });
        let family = registry.counter("a", "", &["x"]).unwrap();
        let theirs = family.clone();
        let other = thread::spawn(move || theirs.with(&["b"]).increment());
        family.with(&["c"]).increment();
        other.join().unwrap();
        assert_eq!(family.series(), 1);
        let series = &registry.snapshot().families[0].series;
        let one = Reading::Number(Value::Integer(1));
        assert!(series.len() == 2 && series.iter().all(|series| series.reading == one));
    });
}

/// A writer ends while another thread reads twice: no reading has its count twice, and none goes
/// back.
#[test]
fn a_writer_ends() {
    explore(3, || {
        let counter = Registry::new().counter("a", "", &[]).unwrap().with(&[]);
        let mut writer = counter.writer();
        let other = thread::spawn(move || {
            writer.increment();
            drop(writer);
        });
        counter.increment();
        let (first, second) = (counter.get(), counter.get());
        assert!(1 <= first && first <= second && second <= 2, "{first}, {second}");
        other.join().unwrap();
        assert_eq!(counter.get(), 2);
    });
}

/// Two threads observe, while a third reads.
#[test]
fn a_histogram_is_consistent() {
    explore(2, || {
        let registry = Registry::new();
        let buckets = Buckets::new(&[1.0]).unwrap();
        let histogram = registry.histogram("a", "", &[], buckets).unwrap().with(&[]);
        let threads = [0.5, 2.5].map(|number| {
            let histogram = histogram.clone();
            thread::spawn(move || histogram.observe(number))
        });
        let mut text = vec![];
        registry.render(Format::OpenMetrics, &mut text);
        let text = String::from_utf8(text).unwrap();
        let count = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.parse::<u64>().unwrap()
        };
        let (low, all) = (count("a_bucket{le=\"1.0\"} "), count("a_bucket{le=\"+Inf\"} "));
        assert!(low <= all && all == count("a_count "), "{text}");
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        let reading = Reading::Histogram { buckets: vec![(1.0, 1), (f64::INFINITY, 2)], sum: 3.0 };
        assert_eq!(registry.snapshot().families[0].series[0].reading, reading);
    });
}

/// An exporter is told to stop when it has begun, or before. Its last export has all that was
/// counted before, and comes once.
#[test]
fn the_last_export() {
    explore(3, || {
        let registry = Registry::new();
        let counter = registry.counter("a", "", &[]).unwrap().with(&[]);
        let calls = Arc::new(AtomicUsize::new(0));
        let theirs = calls.clone();
        let mut exporters = Exporters::new(&registry);
        let schedule = Schedule { interval: Duration::MAX, attempts: 1, pause: Duration::ZERO };
        let exporter = move |snapshot: &Snapshot| {
            assert_eq!(snapshot.number("a", &[]), Some(Value::Integer(1)));
            theirs.fetch_add(1, Ordering::Relaxed);
            Ok(())
        };
        exporters.start("model", schedule, exporter).unwrap();
        counter.increment();
        let counts = exporters.stop(Duration::MAX);
        assert!(counts[0].1.ended);
        assert_eq!((counts[0].1.exported, counts[0].1.panics), (1, 0));
        assert_eq!(calls.load(Ordering::Relaxed), 1);
    });
}

//! Scrapes while writers race: each agrees with itself, and none goes back.

use super::{scrape, watch};
use perf_proved::measuring::monitor::{Buckets, Format, Reading, Registry};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

const SCRAPES: usize = 2000;

/// The parser checks each scrape: buckets are cumulative, and `_count` is that of `+Inf`.
#[test]
fn a_histogram_agrees_with_itself_while_it_is_updated() {
    let _watch = watch();
    let registry = Registry::new();
    let buckets = Buckets::new(&[0.2, 0.4, 0.6, 0.8]).unwrap();
    let family = registry.histogram("a", "", &["x"], buckets).unwrap();
    let (stops, handle) = (AtomicBool::new(false), family.with(&["x"]));
    let mut last = vec![0; 5];
    thread::scope(|scope| {
        for start in 0..2 {
            let (stops, handle) = (&stops, &handle);
            scope.spawn(move || {
                let mut number = f64::from(start);
                while !stops.load(Ordering::Relaxed) {
                    number = (number + 0.618) % 1.0;
                    handle.observe(number);
                }
            });
        }
        for format in [Format::Prometheus, Format::OpenMetrics] {
            for _ in 0..SCRAPES / 2 {
                let text = scrape(&registry, format);
                let samples = &text["a"].samples[..5];
                let counts: Vec<u64> =
                    samples.iter().map(|sample| sample.value.parse().unwrap()).collect();
                assert!(counts.iter().zip(&last).all(|(now, last)| now >= last), "it went back");
                last = counts;
            }
        }
        stops.store(true, Ordering::Relaxed);
    });
    assert!(last[4] > 0, "nothing raced");
}

#[test]
fn a_snapshot_is_as_consistent_as_a_scrape() {
    let _watch = watch();
    let registry = Registry::new();
    let buckets = Buckets::new(&[0.5]).unwrap();
    let handle = registry.histogram("a", "", &[], buckets).unwrap().with(&[]);
    let stops = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stops.load(Ordering::Relaxed) {
                handle.observe(0.2);
                handle.observe(0.7);
            }
        });
        for _ in 0..SCRAPES {
            let snapshot = registry.snapshot();
            let Reading::Histogram { buckets, .. } = &snapshot.families[0].series[0].reading else {
                panic!("a histogram");
            };
            let [(_, low), (bound, all)] = buckets[..] else { panic!("{buckets:?}") };
            assert!(low <= all && bound == f64::INFINITY);
        }
        stops.store(true, Ordering::Relaxed);
    });
}

/// A scrape while series are created and removed shows whole series.
#[test]
fn series_come_and_go_during_scrapes() {
    let _watch = watch();
    let registry = Registry::new();
    let family = registry.counter("a", "", &["x"]).unwrap();
    let kept = family.with(&["kept"]);
    kept.add(9);
    let stops = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0.. {
                if stops.load(Ordering::Relaxed) {
                    return;
                }
                let value = (number % 50).to_string();
                family.with(&[&value]).increment();
                family.remove(&[&((number + 25) % 50).to_string()]);
            }
        });
        for _ in 0..SCRAPES / 4 {
            let text = scrape(&registry, Format::OpenMetrics);
            assert_eq!(text["a"].samples[0].label("x"), Some("kept"));
            assert_eq!(text["a"].samples[0].value, "9");
        }
        stops.store(true, Ordering::Relaxed);
    });
}

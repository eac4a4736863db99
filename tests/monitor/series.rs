//! Series: one for each combination of label values, up to a bound, until they are removed.

use super::{bounded, scrape, watch};
use perf_proved::measuring::monitor::{Buckets, Format, Kind, Registry, Value};
use std::sync::Barrier;
use std::thread;

#[test]
fn label_values_tell_series_apart() {
    let registry = Registry::new();
    let family = registry.counter("a", "", &["x", "y"]).unwrap();
    let values = ["", "a", "ab", "b", "abcdefgh", "abcdefghi", "\0", "\0\0", "\u{1}"];
    for (index, x) in values.iter().enumerate() {
        for (other, y) in values.iter().enumerate() {
            family.with(&[x, y]).add((10 * index + other) as u64);
        }
    }
    assert_eq!(family.series(), values.len().pow(2));
    for (index, x) in values.iter().enumerate() {
        for (other, y) in values.iter().enumerate() {
            assert_eq!(family.with(&[x, y]).get(), (10 * index + other) as u64, "{x:?} {y:?}");
        }
    }
}

/// All threads look up all series, in orders of their own, and count once.
#[test]
fn threads_that_create_a_series_together_get_one() {
    const THREADS: usize = 4;
    const SERIES: usize = 200;
    let _watch = watch();
    for _ in 0..20 {
        let registry = Registry::new();
        let family = registry.counter("a", "", &["number"]).unwrap();
        let barrier = Barrier::new(THREADS);
        thread::scope(|scope| {
            for thread in 0..THREADS {
                let (family, barrier) = (&family, &barrier);
                scope.spawn(move || {
                    barrier.wait();
                    for index in 0..SERIES {
                        let index = if thread % 2 == 0 { index } else { SERIES - 1 - index };
                        family.with(&[&index.to_string()]).increment();
                    }
                });
            }
        });
        assert_eq!(family.series(), SERIES);
        for index in 0..SERIES {
            assert_eq!(family.with(&[&index.to_string()]).get(), THREADS as u64, "{index}");
        }
    }
}

/// A guard that lives as long as its statement would hold the lock here.
#[test]
fn looking_up_while_looking_up_does_not_deadlock() {
    let _watch = watch();
    let registry = Registry::new();
    let family = registry.counter("a", "", &["x"]).unwrap();
    let count = |value: &str| family.with(&[value]).get().to_string();
    match family.with(&[&count("new")]).get() {
        0 => family.with(&["newer"]).increment(),
        _ => unreachable!(),
    }
    assert_eq!(family.series(), 3);
}

#[test]
fn series_beyond_the_bound_share_one_and_the_total_is_exact() {
    let _watch = watch();
    let registry = bounded(3);
    let family = registry.counter("a", "", &["x"]).unwrap();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..1000).for_each(|x| family.with(&[&(x % 10).to_string()]).add(1)));
        }
    });
    assert_eq!(family.series(), 3, "the overflow series takes no place");
    for format in [Format::Prometheus, Format::OpenMetrics] {
        let scrape = scrape(&registry, format);
        let samples = &scrape["a"].samples;
        assert_eq!(samples.len(), 4);
        assert_eq!(samples.iter().map(|sample| sample.number()).sum::<f64>(), 4000.0);
        let (overflow, others) = samples.split_last().unwrap();
        assert_eq!(overflow.labels, [("overflow".to_owned(), "true".to_owned())]);
        assert_eq!(overflow.number(), 2800.0);
        assert!(others.iter().all(|sample| sample.number() == 400.0), "{others:?}");
        let overflows = &scrape["monitor_overflows"].samples;
        assert_eq!(overflows.len(), 1);
        assert_eq!(overflows[0].label("metric"), Some("a"));
        assert_eq!(overflows[0].number(), 2800.0);
    }
    // Existing series are found as before, and the snapshot agrees.
    let snapshot = registry.snapshot();
    assert_eq!(snapshot.number("a", &["true"]), Some(Value::Integer(2800)));
    assert_eq!(snapshot.number("monitor_overflows", &["a"]), Some(Value::Integer(2800)));
}

#[test]
fn a_metric_without_overflow_shows_no_overflow_series() {
    let registry = bounded(3);
    let family = registry.histogram("a", "", &["x"], Buckets::new(&[1.0]).unwrap()).unwrap();
    (0..3).for_each(|x| family.with(&[&x.to_string()]).observe(0.5));
    let before = scrape(&registry, Format::OpenMetrics);
    assert_eq!(before["a"].samples.len(), 3 * 4);
    assert!(!before.contains_key("monitor_overflows"));
    family.with(&["3"]).observe(0.5);
    let after = scrape(&registry, Format::OpenMetrics);
    assert_eq!(after["a"].samples.len(), 4 * 4);
    assert_eq!(after["a"].samples[12].label("overflow"), Some("true"));
}

#[test]
fn a_removed_series_makes_room_and_begins_at_zero() {
    let registry = bounded(2);
    let family = registry.counter("a", "", &["x"]).unwrap();
    let (old, kept) = (family.with(&["old"]), family.with(&["kept"]));
    old.add(5);
    kept.add(7);
    assert!(family.remove(&["old"]));
    assert!(!family.remove(&["old"]), "it is gone");
    assert_eq!(family.series(), 1);
    old.add(100); // into the void
    let samples = &scrape(&registry, Format::Prometheus)["a"].samples;
    assert_eq!((samples.len(), samples[0].number()), (1, 7.0));
    assert_eq!(family.with(&["kept"]).get(), 7, "the index finds what is left");
    let new = family.with(&["old"]);
    assert_eq!(new.get(), 0);
    new.increment();
    assert_eq!((family.with(&["old"]).get(), old.get()), (1, 105));
}

/// Removes every third of many series; the others are found where they were.
#[test]
fn the_index_survives_removals() {
    let registry = Registry::new();
    let family = registry.gauge("a", "", &["x"]).unwrap();
    let name = |x: u32| format!("value {x}");
    (0..300).for_each(|x| family.with(&[&name(x)]).set(f64::from(x)));
    (0..300).step_by(3).for_each(|x| assert!(family.remove(&[&name(x)])));
    for x in 0..300 {
        let expected = if x % 3 == 0 { 0.0 } else { f64::from(x) };
        assert_eq!(family.with(&[&name(x)]).get(), expected, "{x}");
    }
    assert_eq!(family.series(), 300);
}

#[test]
#[should_panic(expected = "one value for each label")]
fn a_value_too_few_panics() {
    Registry::new().counter("a", "", &["x", "y"]).unwrap().with(&["x"]);
}

#[test]
fn a_disabled_registry_counts_and_exports_nothing() {
    let registry = Registry::disabled();
    let counter = registry.counter("a", "", &["x"]).unwrap();
    let buckets = Buckets::new(&[1.0]).unwrap();
    let histogram = registry.histogram("b", "", &[], buckets).unwrap();
    let gauge = registry.gauge("c", "", &[]).unwrap();
    let handle = counter.with(&["x"]);
    handle.increment();
    handle.writer().increment();
    histogram.with(&[]).observe(-1.0);
    gauge.with(&[]).set(1.0);
    gauge.with(&[]).add(1.0);
    assert_eq!((handle.get(), gauge.with(&[]).get(), counter.series()), (0, 0.0, 0));
    assert!(!counter.remove(&["x"]));
    assert!(scrape(&registry, Format::OpenMetrics).is_empty());
    assert!(registry.snapshot().families.iter().all(|family| family.series.is_empty()));
    // Its names are taken all the same, so that a program fails in the same way.
    assert!(registry.gauge("a", "", &[]).is_err());
}

#[test]
fn readings_are_made_at_each_export_and_may_register() {
    let _watch = watch();
    let registry = Registry::new();
    let within = registry.clone();
    let calls = registry.counter("calls", "", &[]).unwrap().with(&[]);
    registry
        .read(Kind::Counter, "read", "Read.", &["x"], move |to| {
            calls.increment();
            to.set(&["a"], calls.get());
            to.set(&["b"], 1.5);
            to.set(&["a"], calls.get() + 10); // instead of the first
            let _first_or_taken = within.gauge("late", "", &[]);
        })
        .unwrap();
    let read = |count: &str| {
        let scrape = scrape(&registry, Format::OpenMetrics);
        let samples = &scrape["read"].samples;
        let values: Vec<&str> = samples.iter().map(|sample| sample.value.as_str()).collect();
        assert_eq!(values, [count, "1.5"]);
        assert!(samples.iter().all(|sample| sample.name == "read_total"));
    };
    read("11");
    read("12");
    assert_eq!(registry.snapshot().number("read", &["a"]), Some(Value::Integer(13)));
    assert!(registry.gauge("late", "", &[]).is_err(), "a reading registered it");
}

#[test]
fn a_reading_that_panics_costs_its_own_series_only() {
    let registry = bounded(2);
    registry.counter("before", "", &[]).unwrap().with(&[]).increment();
    registry
        .read(Kind::Gauge, "bad", "", &[], |to| {
            to.set(&[], 1.0);
            panic!("a panic that this test wants");
        })
        .unwrap();
    let many = |to: &mut perf_proved::measuring::monitor::Readings<'_>| {
        (0..5_u64).for_each(|x| to.set(&[&x.to_string()], x));
    };
    registry.read(Kind::Gauge, "many", "", &["x"], many).unwrap();
    let scrape = scrape(&registry, Format::Prometheus);
    assert_eq!(scrape["before"].samples[0].value, "1");
    assert!(scrape["bad"].samples.is_empty());
    assert_eq!(scrape["many"].samples.len(), 2);
    assert_eq!(scrape["monitor_panics"].samples[0].label("metric"), Some("bad"));
    assert_eq!(scrape["monitor_panics"].samples[0].value, "1");
    assert_eq!(scrape["monitor_overflows"].samples[0].value, "3");
}

//! Updates: exact from many threads, without an allocation.

use super::{scrape, watch};
use perf_proved::measuring::monitor::{Buckets, Format, Reading, Registry};
use perf_proved::proof::allocations;
use std::sync::Barrier;
use std::thread;

const THREADS: u64 = 4;
const EACH: u64 = 200_000;

#[test]
fn no_addition_is_lost() {
    let _watch = watch();
    let registry = Registry::new();
    let counter = registry.counter("a", "", &[]).unwrap().with(&[]);
    let gauge = registry.gauge("b", "", &[]).unwrap().with(&[]);
    let buckets = Buckets::new(&[1.0, 2.0]).unwrap();
    let histogram = registry.histogram("c", "", &[], buckets).unwrap().with(&[]);
    let barrier = Barrier::new(THREADS as usize);
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (counter, gauge, histogram) = (&counter, &gauge, &histogram);
            let barrier = &barrier;
            scope.spawn(move || {
                barrier.wait();
                for number in 0..EACH {
                    counter.add(2);
                    gauge.add(if thread % 2 == 0 { 1.5 } else { -0.5 });
                    histogram.observe((number % 3) as f64 + 0.5);
                }
            });
        }
    });
    let total = THREADS * EACH;
    assert_eq!(counter.get(), 2 * total);
    assert_eq!(gauge.get(), total as f64 / 2.0);
    let thirds = [0, 1, 2].map(|rest| THREADS * (0..EACH).filter(|n| n % 3 <= rest).count() as u64);
    let snapshot = registry.snapshot();
    let family = snapshot.families.iter().find(|family| family.name == "c").unwrap();
    let sum = (0..EACH).map(|number| (number % 3) as f64 + 0.5).sum::<f64>() * THREADS as f64;
    let [first, second, all] = thirds;
    let buckets = vec![(1.0, first), (2.0, second), (f64::INFINITY, all)];
    assert_eq!(family.series[0].reading, Reading::Histogram { buckets, sum });
}

/// Writers come and go while another thread reads: nothing is lost, and no reading goes back.
#[test]
fn writers_lose_nothing_and_no_sum_goes_back() {
    let _watch = watch();
    let registry = Registry::new();
    let counter = registry.counter("a", "", &[]).unwrap().with(&[]);
    let each = EACH / 100;
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for _ in 0..100 {
                    let mut writer = counter.writer();
                    (0..each).for_each(|_| writer.increment());
                    counter.increment();
                }
            });
        }
        let mut last = 0;
        while last < THREADS * 100 * (each + 1) {
            let now = counter.get();
            assert!(now >= last, "{now} after {last}");
            last = now;
        }
    });
    assert_eq!(counter.get(), THREADS * 100 * (each + 1));
}

#[test]
fn a_writer_is_seen_before_it_is_dropped() {
    let registry = Registry::new();
    let counter = registry.counter("a", "", &[]).unwrap().with(&[]);
    let mut writer = counter.writer();
    writer.add(3);
    assert_eq!(counter.get(), 3);
    assert_eq!(scrape(&registry, Format::Prometheus)["a"].samples[0].value, "3");
    drop(writer);
    assert_eq!(counter.get(), 3);
}

#[test]
fn an_observation_is_in_the_first_bucket_that_holds_it() {
    let registry = Registry::new();
    let buckets = Buckets::new(&[1.0, 2.0, 4.0]).unwrap();
    let histogram = registry.histogram("a", "", &[], buckets).unwrap().with(&[]);
    let above = f64::from_bits(2.0_f64.to_bits() + 1);
    [0.0, 1.0, 1.5, 2.0, above, 4.0, 4.5, 1e300].iter().for_each(|x| histogram.observe(*x));
    let samples = &scrape(&registry, Format::OpenMetrics)["a"].samples;
    let values: Vec<&str> = samples[..5].iter().map(|sample| sample.value.as_str()).collect();
    assert_eq!(values, ["2", "4", "6", "8", "8"]);
}

#[test]
fn observations_out_of_range_are_clamped_and_counted() {
    let registry = Registry::new();
    let buckets = Buckets::new(&[1.0, 2.0]).unwrap();
    let histogram = registry.histogram("a", "", &[], buckets).unwrap().with(&[]);
    let all = [-1.0, f64::NAN, f64::NEG_INFINITY, f64::INFINITY, 0.5];
    all.iter().for_each(|number| histogram.observe(*number));
    let text = scrape(&registry, Format::OpenMetrics);
    let values: Vec<&str> = text["a"].samples.iter().map(|sample| sample.value.as_str()).collect();
    assert_eq!(values, ["4", "4", "5", "5", "2.5"], "the sum has 0.5, and 2 for the infinite one");
    let clamped = &text["monitor_clamped"].samples[0];
    assert_eq!((clamped.label("metric"), clamped.value.as_str()), (Some("a"), "4"));
    (0..2).for_each(|_| histogram.observe(f64::MAX));
    let text = scrape(&registry, Format::OpenMetrics);
    assert_eq!(text["a"].samples[4].number(), f64::MAX, "the sum stays finite");
    assert_eq!(text["monitor_clamped"].samples[0].value, "4");
}

#[test]
fn counts_wrap_and_do_not_panic() {
    let counter = Registry::new().counter("a", "", &[]).unwrap().with(&[]);
    counter.add(u64::MAX);
    counter.add(2);
    let mut writer = counter.writer();
    writer.add(u64::MAX);
    assert_eq!(counter.get(), 0);
}

/// No update and no look-up of an existing series allocates, so memory cannot grow while nothing is
/// scraped.
#[test]
fn updates_allocate_nothing() {
    let registry = Registry::new();
    let family = registry.counter("a", "", &["x"]).unwrap();
    let counter = family.with(&["x"]);
    let mut writer = counter.writer();
    let gauge = registry.gauge("b", "", &[]).unwrap().with(&[]);
    let buckets = Buckets::exponential(1e-6, 2.0, 20).unwrap();
    let histogram = registry.histogram("c", "", &[], buckets).unwrap().with(&[]);
    let ((), made) = allocations::count(|| {
        for number in 0..100_000_u32 {
            counter.increment();
            writer.increment();
            gauge.set(f64::from(number));
            gauge.add(1.0);
            histogram.observe(f64::from(number) * 1e-6);
            histogram.observe(f64::NAN);
            family.with(&["x"]).increment();
        }
    });
    assert_eq!((made.calls, made.held), (0, 0));
    // A look-up beyond the bound makes no series, and scraping gives back what it takes.
    let ((), made) = allocations::count(|| drop(scrape(&registry, Format::Prometheus)));
    assert_eq!(made.held, 0);
}

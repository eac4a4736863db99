//! The techniques that the example watches are at work, and their metrics say so.

use super::parser::Family;
use super::{DEADLINE, scrape, watch};
use perf_proved::measuring::monitor::experiment::watched::{NAMES, start};
use perf_proved::measuring::monitor::{Format, Registry};
use std::thread;
use std::time::{Duration, Instant};

#[test]
fn each_technique_that_is_watched_counts() {
    let _watch = watch();
    for name in NAMES {
        let registry = Registry::new();
        let _watched = start(name, &registry).unwrap();
        let begun = Instant::now();
        loop {
            let scrape = scrape(&registry, Format::OpenMetrics);
            let counts = |family: &Family| ["counter", "histogram"].contains(&&*family.kind);
            let moves = |family: &Family| family.samples.iter().any(|sample| sample.number() > 0.0);
            let own = || scrape.iter().filter(|(_, family)| counts(family));
            let idle: Vec<_> = own().filter(|(_, family)| !moves(family)).collect();
            if own().count() >= 2 && idle.is_empty() {
                break;
            }
            let idle: Vec<_> = idle.into_iter().map(|(metric, _)| metric).collect();
            assert!(begun.elapsed() < DEADLINE / 5, "{name} is idle: {idle:?}");
            thread::sleep(Duration::from_millis(10));
        }
    }
}

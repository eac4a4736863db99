//! Exporters that hang, fail and panic, each on its own schedule.

use super::watch;
use perf_proved::measuring::monitor::export::{Counts, Exporter, Exporters, Schedule};
use perf_proved::measuring::monitor::{Registry, Snapshot, Value};
use std::io::{self, ErrorKind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

/// Short enough to pass many times in a test.
const INTERVAL: Duration = Duration::from_millis(2);

/// An interval that never ends in a test.
const NEVER: Duration = Duration::MAX;

fn every(interval: Duration) -> Schedule {
    Schedule { interval, attempts: 1, pause: Duration::ZERO }
}

/// A registry with a counter `a` at 5.
fn registry() -> Registry {
    let registry = Registry::new();
    registry.counter("a", "", &[]).unwrap().with(&[]).add(5);
    registry
}

/// Sends the value of `a` at each export.
fn tells(sender: Sender<Option<Value>>) -> impl Exporter {
    move |snapshot: &Snapshot| {
        let _gone = sender.send(snapshot.number("a", &[]));
        Ok(())
    }
}

/// Says that it begins, and then waits for a word or the end.
fn hangs() -> (impl Exporter, Receiver<()>, Sender<()>) {
    let ((begins, begun), (open, gate)) = (channel(), channel());
    let exporter = move |_: &Snapshot| {
        let _gone = begins.send(());
        let _word_or_end = gate.recv();
        Ok(())
    };
    (exporter, begun, open)
}

fn failure() -> io::Result<()> {
    Err(ErrorKind::BrokenPipe.into())
}

/// Stops the exporters and returns the account of the only one.
fn stopped(exporters: Exporters) -> Counts {
    let [(_, counts)] = &exporters.stop(super::DEADLINE)[..] else { panic!("one exporter") };
    counts.clone()
}

#[test]
fn each_exporter_is_called_on_its_own_schedule() {
    let _watch = watch();
    let (registry, (fast, fast_seen), (slow, slow_seen)) = (registry(), channel(), channel());
    let mut exporters = Exporters::new(&registry);
    exporters.start("fast", every(INTERVAL), tells(fast)).unwrap();
    exporters.start("slow", every(NEVER), tells(slow)).unwrap();
    (0..5).for_each(|_| assert_eq!(fast_seen.recv().unwrap(), Some(Value::Integer(5))));
    assert!(slow_seen.try_recv().is_err());
    let counts = exporters.stop(super::DEADLINE);
    assert_eq!(counts.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["fast", "slow"]);
    assert!(counts.iter().all(|(_, counts)| counts.ended && counts.dropped == 0));
    assert!(counts[0].1.exported >= 5);
    assert_eq!(counts[1].1.exported, 1, "the last interval");
}

#[test]
fn stopping_exports_all_that_was_counted_before() {
    let _watch = watch();
    let (registry, (sender, seen)) = (registry(), channel());
    let mut exporters = Exporters::new(&registry);
    exporters.start("last", every(NEVER), tells(sender)).unwrap();
    registry.gauge("late", "", &[]).unwrap();
    let counts = stopped(exporters);
    assert_eq!(counts, Counts { exported: 1, ended: true, ..Counts::default() });
    assert_eq!(seen.iter().collect::<Vec<_>>(), [Some(Value::Integer(5))]);
}

#[test]
fn an_exporter_that_hangs_holds_up_no_other_and_not_the_end() {
    let _watch = watch();
    let (registry, (sender, seen)) = (registry(), channel());
    let (hanging, begun, open) = hangs();
    let mut exporters = Exporters::new(&registry);
    exporters.start("hangs", every(INTERVAL), hanging).unwrap();
    exporters.start("works", every(INTERVAL), tells(sender)).unwrap();
    begun.recv().unwrap();
    while seen.try_recv().is_ok() {}
    (0..5).for_each(|_| assert!(seen.recv().unwrap().is_some()));
    // The registry can be used, and the account be read.
    registry.gauge("later", "", &[]).unwrap().with(&[]).set(1.0);
    assert_eq!(exporters.counts()[0].1, Counts::default());
    let counts = exporters.stop(Duration::from_millis(50));
    assert!(!counts[0].1.ended, "it hangs");
    drop(open);
}

#[test]
fn dropping_exporters_waits_for_none() {
    let _watch = watch();
    let registry = registry();
    let (hanging, begun, open) = hangs();
    let mut exporters = Exporters::new(&registry);
    exporters.start("hangs", every(INTERVAL), hanging).unwrap();
    begun.recv().unwrap();
    drop(exporters);
    open.send(()).unwrap();
    begun.recv().unwrap(); // told to stop, it exports once more
    drop(open);
    assert!(begun.recv().is_err(), "and ends");
}

#[test]
fn a_failure_is_retried_and_then_dropped() {
    let _watch = watch();
    let registry = registry();
    let mut exporters = Exporters::new(&registry);
    let schedule = Schedule { interval: NEVER, attempts: 3, pause: Duration::ZERO };
    exporters.start("fails", schedule, |_: &Snapshot| failure()).unwrap();
    let counts = stopped(exporters);
    assert_eq!(counts, Counts { dropped: 1, errors: 3, ended: true, ..Counts::default() });
}

#[test]
fn a_retry_that_succeeds_drops_nothing() {
    let _watch = watch();
    let (registry, (sender, seen)) = (registry(), channel());
    let mut exporters = Exporters::new(&registry);
    let schedule = Schedule { interval: INTERVAL, attempts: 3, pause: INTERVAL };
    let mut calls = 0;
    let exporter = move |_: &Snapshot| {
        calls += 1;
        let _gone = sender.send(());
        if calls % 3 == 0 { Ok(()) } else { failure() }
    };
    exporters.start("recovers", schedule, exporter).unwrap();
    (0..6).for_each(|_| seen.recv().unwrap());
    let counts = stopped(exporters);
    assert!(counts.exported >= 2 && counts.errors == 2 * counts.exported, "{counts:?}");
    assert_eq!((counts.dropped, counts.panics), (0, 0));
}

/// Every attempt fails, and the pause between them would never end.
#[test]
fn stopping_does_not_wait_for_a_pause() {
    let _watch = watch();
    let (registry, (sender, seen)) = (registry(), channel());
    let mut exporters = Exporters::new(&registry);
    let schedule = Schedule { interval: INTERVAL, attempts: 2, pause: NEVER };
    let exporter = move |_: &Snapshot| {
        let _gone = sender.send(());
        failure()
    };
    exporters.start("fails", schedule, exporter).unwrap();
    seen.recv().unwrap();
    let counts = stopped(exporters);
    assert_eq!((counts.errors, counts.dropped), (4, 2), "that export, and the last");
}

#[test]
fn a_panic_drops_one_export_and_not_the_next() {
    let _watch = watch();
    let (registry, (sender, seen)) = (registry(), channel());
    let mut exporters = Exporters::new(&registry);
    let schedule = Schedule { attempts: 3, ..every(INTERVAL) };
    let mut calls = 0;
    let exporter = move |_: &Snapshot| {
        calls += 1;
        let _gone = sender.send(());
        assert!(calls > 2, "a panic that this test wants");
        Ok(())
    };
    exporters.start("panics", schedule, exporter).unwrap();
    (0..4).for_each(|_| seen.recv().unwrap());
    let counts = stopped(exporters);
    assert_eq!((counts.panics, counts.dropped, counts.errors), (2, 2, 0), "{counts:?}");
    assert!(counts.exported >= 2 && counts.ended);
}

/// An exporter whose destructor panics.
struct DiesBadly;

impl Exporter for DiesBadly {
    fn export(&mut self, _: &Snapshot) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for DiesBadly {
    fn drop(&mut self) {
        panic!("a panic that this test wants");
    }
}

#[test]
fn a_destructor_that_panics_is_counted() {
    let _watch = watch();
    let registry = registry();
    let mut exporters = Exporters::new(&registry);
    exporters.start("dies badly", every(NEVER), DiesBadly).unwrap();
    let counts = stopped(exporters);
    assert_eq!((counts.exported, counts.panics, counts.ended), (1, 1, true));
}

/// One export takes more than ten intervals.
#[test]
fn missed_intervals_are_counted_and_not_made_up_for() {
    let _watch = watch();
    let (registry, (sender, seen)) = (registry(), channel());
    let mut exporters = Exporters::new(&registry);
    let interval = Duration::from_millis(10);
    let mut is_first = true;
    let exporter = move |_: &Snapshot| {
        if std::mem::take(&mut is_first) {
            thread::sleep(20 * interval);
        }
        let _gone = sender.send(());
        Ok(())
    };
    exporters.start("slow", every(interval), exporter).unwrap();
    (0..2).for_each(|_| seen.recv().unwrap());
    let counts = stopped(exporters);
    // The interval of the first export, and those that are over.
    assert!(counts.missed >= 19, "{counts:?}");
}

#[test]
fn schedules_without_an_export_are_refused() {
    let registry = registry();
    let mut exporters = Exporters::new(&registry);
    for schedule in [every(Duration::ZERO), Schedule { attempts: 0, ..every(NEVER) }] {
        let error = exporters.start("none", schedule, |_: &Snapshot| Ok(())).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert_eq!(error.to_string(), "the exporter none needs an interval and an attempt");
    }
    assert!(exporters.stop(NEVER).is_empty());
}

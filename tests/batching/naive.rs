//! The faults of the naive versions, and the calls of each variant.

use super::{Script, watch};
use perf_proved::harness::scratch::Scratch;
use perf_proved::io::batching::experiment::{
    Load, buf_writer_dropped, calls, gathered, is_right, items, latencies,
};
use perf_proved::io::batching::naive::{BatchProcessor, QUEUE, WaitsForCompany, write_once};
use perf_proved::io::batching::variants::{BATCH, Variant};
use perf_proved_tests::{alone, in_a_process};
use std::io::ErrorKind;
use std::time::Duration;

#[test]
fn a_processor_that_is_not_started_keeps_its_queue_and_drops_the_rest() {
    let processor = BatchProcessor::new(100, Duration::ZERO);
    (0..5050).for_each(|task| processor.add_task(task));
    assert_eq!(processor.end(), (50, QUEUE), "and 4,000 are gone, without a word");
}

#[test]
fn a_batch_that_waits_for_company_is_lost_without() {
    let script = Script::default();
    let mut writer = WaitsForCompany::new(script.clone(), 3);
    items(5, 10).into_iter().for_each(|item| writer.push(item).unwrap());
    assert_eq!(script.bytes().len(), 30);
    assert_eq!(writer.end().1, 2);
    assert_eq!(script.calls(), [3], "and they are lost");
}

#[test]
fn a_gathered_write_takes_what_it_takes() {
    let mut script = Script { short: vec![25], ..Script::default() };
    write_once(&mut script, &items(5, 10)).unwrap();
    assert_eq!(script.bytes().len(), 25);
    let scratch = Scratch::new().unwrap();
    assert_eq!(gathered(scratch.path(), true).unwrap(), 1024, "IOV_MAX");
    assert_eq!(gathered(scratch.path(), false).unwrap(), 2000);
}

/// In a process of its own, whose limit on the size of files it is.
#[test]
fn a_buf_writer_that_is_dropped_drops_its_error() {
    if !in_a_process("naive::a_buf_writer_that_is_dropped_drops_its_error") {
        return;
    }
    let scratch = Scratch::new().unwrap();
    let ends = buf_writer_dropped(scratch.path(), 50, 1000).unwrap();
    assert_eq!((ends.accepted, ends.errors, ends.in_file), (50, 0, 10));
}

// ---------------------------------------------------------------- the variants

#[test]
fn every_variant_writes_every_item_in_order() {
    let _watch = watch();
    let scratch = Scratch::new().unwrap();
    for name in Variant::NAMES {
        match is_right(scratch.path(), name, 1000) {
            Ok(right) => assert!(right, "{name}"),
            Err(error) if error.kind() == ErrorKind::Unsupported => {
                eprintln!("not possible here: {error}");
            }
            Err(error) => panic!("{name}: {error}"),
        }
    }
    let error = is_right(scratch.path(), "else", 1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}

#[test]
fn a_variant_makes_the_calls_that_its_name_says() {
    let _watch = watch();
    let _alone = alone();
    let scratch = Scratch::new().unwrap();
    let made = |name: &str| {
        let calls = calls(scratch.path(), name, 640).unwrap();
        [calls.of("write").made, calls.of("writev").made]
    };
    assert_eq!(made("write"), [640, 0]);
    assert_eq!(made("bufwriter_8KiB"), [640 / 81 + 1, 0], "81 items fit");
    assert_eq!(made("writev"), [0, 10]);
    assert_eq!(made("batch_writer"), [0, 10]);
    let [write, writev] = made("channel");
    assert!(write == 0 && (10..=640).contains(&writev), "{writev}: what is there, up to 64");
}

/// A schedule is kept whatever the variant does: each item has its latency and its lateness.
#[test]
fn an_open_loop_waits_for_no_item() {
    let _watch = watch();
    let scratch = Scratch::new().unwrap();
    let load = Load { items: 100, interval: Duration::from_micros(500) };
    let delay = Duration::from_millis(5);
    let batched =
        latencies(scratch.path(), load, |sink| Variant::batched(sink, BATCH, delay)).unwrap();
    assert_eq!((batched.latencies.len(), batched.lateness.len()), (100, 100));
    let longest = batched.latencies.iter().max().unwrap();
    assert!(*longest >= delay, "{longest:?}: the first of a batch waits for it");
    let company = latencies(scratch.path(), load, |sink| {
        Ok(Variant::Company(WaitsForCompany::new(sink, BATCH)))
    });
    assert_eq!(company.unwrap().latencies.len(), 64, "and 36 are never written");
}

//! The answers to items, when the writer fails.

use super::{Script, patient, watch};
use perf_proved::harness::scratch::Scratch;
use perf_proved::io::batching::experiment::{batch_writer_closed, batch_writer_dropped};
use perf_proved::io::batching::{Answer, BatchWriter, Handle, Reason, Settings};
use perf_proved::sys::raw_code;
use perf_proved_tests::{in_a_process, only, passed};
use proptest::prelude::*;
use std::env;
use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

fn answers(handles: &[Handle]) -> (usize, Option<usize>, usize) {
    let answers: Vec<Answer> = handles.iter().map(Handle::wait).collect();
    let written = answers.iter().take_while(|it| matches!(it, Answer::Written)).count();
    let failed = answers.iter().find_map(|it| match it {
        Answer::Failed { bytes, .. } => Some(*bytes),
        _ => None,
    });
    let rest = answers.iter().filter(|it| matches!(it, Answer::NotAttempted(_))).count();
    assert_eq!(written + usize::from(failed.is_some()) + rest, handles.len(), "{answers:?}");
    (written, failed, rest)
}

#[test]
fn an_error_is_that_of_one_item_and_nothing_is_written_after_it() {
    let _watch = watch();
    let script = Script { fails_after: Some(250), ..Script::default() };
    let writer = BatchWriter::start(script.clone(), &patient()).unwrap();
    let handles: Vec<_> = (0..10).map(|_| writer.push(vec![3; 100]).unwrap()).collect();
    assert_eq!(writer.flush().unwrap_err().kind(), ErrorKind::StorageFull);
    assert_eq!(answers(&handles), (2, Some(50), 7));
    let calls = script.calls().len();

    let rejected = writer.push("late").unwrap_err();
    assert_eq!(rejected.item, b"late");
    assert!(matches!(&rejected.reason, Reason::Failed(it) if it.kind() == ErrorKind::StorageFull));
    assert!(rejected.to_string().starts_with("an item of 4 bytes after a failed write: "));
    assert!(writer.try_push("late").is_err() && writer.flush().is_err(), "it stays");

    let unwritten = writer.close().unwrap_err();
    assert_eq!((unwritten.items.len(), unwritten.bytes), (8, 50));
    assert_eq!(unwritten.error.kind(), ErrorKind::StorageFull);
    assert!(unwritten.to_string().starts_with("8 items were not written: "));
    assert_eq!(unwritten.writer.bytes().len(), 250);
    assert_eq!(script.calls().len(), calls, "no call came after the error");
}

#[test]
fn a_writer_that_panics_has_failed() {
    let _watch = watch();
    let script = Script { fails_after: Some(250), panics: true, ..Script::default() };
    let writer = BatchWriter::start(script, &patient()).unwrap();
    let handles: Vec<_> = (0..10).map(|_| writer.push(vec![3; 100]).unwrap()).collect();
    assert_eq!(writer.flush().unwrap_err().to_string(), "the writer panicked");
    assert_eq!(answers(&handles), (2, Some(50), 7));
    assert_eq!(writer.close().unwrap_err().items.len(), 8);
}

#[test]
fn a_thread_that_waits_for_room_hears_of_the_error() {
    let _watch = watch();
    let (mut script, gate) = Script::gated();
    script.fails_after = Some(0);
    let settings = Settings { items: 1, capacity: 1, ..patient() };
    let writer = BatchWriter::start(script, &settings).unwrap();
    let first = writer.push("fails").unwrap();
    thread::scope(|scope| {
        let pusher = scope.spawn(|| writer.push("waits").unwrap_err());
        thread::sleep(Duration::from_millis(50));
        assert!(!pusher.is_finished());
        drop(gate);
        assert_eq!(pusher.join().unwrap().item, b"waits");
    });
    assert!(matches!(first.wait(), Answer::Failed { bytes: 0, .. }));
}

/// An item whose bytes cannot be had.
struct Panics;

impl From<Panics> for Vec<u8> {
    fn from(_: Panics) -> Self {
        panic!("a panic that this test wants")
    }
}

#[test]
fn a_thread_that_panics_loses_no_item() {
    let _watch = watch();
    let script = Script::default();
    let writer = Arc::new(BatchWriter::start(script.clone(), &patient()).unwrap());
    let shared = writer.clone();
    let pusher = thread::spawn(move || {
        shared.push([1]).unwrap();
        shared.push(Panics).map(drop)
    });
    assert!(pusher.join().is_err());
    writer.push([2]).unwrap();
    writer.flush().unwrap();
    assert_eq!(script.bytes(), [1, 2], "and it harms no other");

    let writer = Arc::into_inner(writer).unwrap();
    let owner = thread::spawn(move || {
        writer.push([3]).unwrap();
        panic!("a panic that this test wants: {writer:?} is dropped")
    });
    assert!(owner.join().is_err());
    assert_eq!(script.bytes(), [1, 2, 3]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever is pushed, and wherever the writer fails: the bytes written are those of the items
    /// that say so, and the rest of the items come back.
    #[test]
    fn every_item_is_accounted_for(
        lengths in prop::collection::vec(0_usize..300, 1..100),
        short in prop::collection::vec(1_usize..500, 0..3),
        fails_after in prop::option::of(0_usize..20_000),
        (items, bytes) in (1_usize..20, 1_usize..1000),
        (capacity, capacity_bytes) in (1_usize..30, 1_usize..2000),
        delay in prop::option::of(0_u64..300),
    ) {
        let _watch = watch();
        let script = Script { short, fails_after, ..Script::default() };
        let delay = delay.map_or(Duration::MAX, Duration::from_micros);
        let settings = Settings { items, bytes, delay, capacity, capacity_bytes };
        let writer = BatchWriter::start(script.clone(), &settings).unwrap();
        let pushed: Vec<Vec<u8>> =
            lengths.iter().zip(0..).map(|(length, at)| vec![at as u8; *length]).collect();
        let (mut handles, mut refused) = (vec![], vec![]);
        for item in pushed.clone() {
            match writer.push(item) {
                Ok(handle) => handles.push(handle),
                Err(rejected) => refused.push(rejected.item),
            }
        }
        let (returned, bytes) = match writer.close() {
            Ok(_) => (vec![], 0),
            Err(unwritten) => (unwritten.items, unwritten.bytes),
        };
        let (written, failed, _) = answers(&handles);
        prop_assert_eq!(failed.unwrap_or(0), bytes);
        let rest = [returned, refused].concat();
        prop_assert!(rest == pushed[written..], "what is not written comes back, in order");
        let mut expected = pushed[..written].concat();
        expected.extend(rest.first().into_iter().flat_map(|item| &item[..bytes]));
        prop_assert!(script.bytes() == expected, "and the rest is there");
    }
}

// ---------------------------------------------------------------- the kernel's errors

/// The limit on the size of a file makes one gathered write short, in the middle of an item, and
/// the next one fail. In a process of its own, whose limit it is.
#[test]
fn a_file_that_may_not_grow_has_the_items_that_say_so() {
    if !in_a_process("answers::a_file_that_may_not_grow_has_the_items_that_say_so") {
        return;
    }
    let scratch = Scratch::new().unwrap();
    let ends = batch_writer_closed(scratch.path(), 5000, 100_050).unwrap();
    assert_eq!((ends.written, ends.failed, ends.bytes_of_failed), (1000, 1, 50));
    assert_eq!((ends.errors, ends.in_file), (4000, 1000));
    assert_eq!(ends.written + ends.returned, ends.accepted);
}

#[test]
fn a_full_device_is_an_error_of_the_first_item() {
    let _watch = watch();
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let writer = BatchWriter::start(full, &Settings::default()).unwrap();
    let handles: Vec<_> = (0..3).map(|_| writer.push("item").unwrap()).collect();
    let unwritten = writer.close().unwrap_err();
    assert_eq!(raw_code(&unwritten.error), Some(libc::ENOSPC));
    assert_eq!(answers(&handles), (0, Some(0), 2));
}

/// No caller is left to be told, so the process that drops it says so on standard error, once.
#[test]
fn dropping_it_says_what_is_not_written() {
    const DROPS: &str = "PERF_PROVED_DROPS";
    if env::var_os(DROPS).is_some() {
        let scratch = Scratch::new().unwrap();
        let ends = batch_writer_dropped(scratch.path(), 50, 1000).unwrap();
        assert_eq!((ends.accepted, ends.written, ends.failed), (50, 10, 1));
        assert_eq!((ends.errors, ends.in_file), (40, 10));
        return;
    }
    let test = "answers::dropping_it_says_what_is_not_written";
    let output = only(test).env(DROPS, "1").output().unwrap();
    passed(&output);
    let said = String::from_utf8_lossy(&output.stderr);
    let lines = said.matches("a batch writer was dropped with 40 of 50 items unwritten: ");
    assert_eq!(lines.count(), 1, "{said}");
}

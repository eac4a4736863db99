//! The moment of writing: enough items, enough bytes, enough time, no room, a flush, the end.

use super::{Script, patient, watch};
use perf_proved::io::batching::{Answer, BatchWriter, Reason, Settings};
use perf_proved_tests::soon;
use std::io::ErrorKind;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

const KIB: usize = 1 << 10;

#[test]
fn settings_with_which_nothing_would_be_written_are_refused() {
    for settings in [
        Settings { items: 0, ..patient() },
        Settings { bytes: 0, ..patient() },
        Settings { capacity: 0, ..patient() },
        Settings { capacity_bytes: 0, ..patient() },
    ] {
        let error = BatchWriter::start(vec![], &settings).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{settings:?}");
    }
}

#[test]
fn a_batch_is_written_when_it_has_enough_items() {
    let _watch = watch();
    let script = Script::default();
    let writer = BatchWriter::start(script.clone(), &Settings { items: 3, ..patient() }).unwrap();
    let handles: Vec<_> = (0..7).map(|_| writer.push("item").unwrap()).collect();
    handles[..6].iter().for_each(|handle| assert!(matches!(handle.wait(), Answer::Written)));
    assert!(handles[6].answer().is_none(), "it waits for company");
    assert_eq!(script.calls(), [3, 3]);
    writer.close().unwrap();
    assert!(matches!(handles[6].answer(), Some(Answer::Written)));
    assert_eq!(script.calls(), [3, 3, 1]);
}

#[test]
fn a_batch_is_written_when_it_has_enough_bytes() {
    let _watch = watch();
    let script = Script::default();
    let writer =
        BatchWriter::start(script.clone(), &Settings { bytes: 10 * KIB, ..patient() }).unwrap();
    let handles: Vec<_> = (0..5).map(|_| writer.push(vec![1; 4 * KIB]).unwrap()).collect();
    handles[..4].iter().for_each(|handle| assert!(matches!(handle.wait(), Answer::Written)));
    assert!(handles[4].answer().is_none(), "it waits for company");
    assert_eq!(script.calls(), [2, 2], "8 KiB fit, and 12 KiB do not");
}

#[test]
fn a_lone_item_is_written_after_the_delay() {
    let _watch = watch();
    let delay = Duration::from_millis(20);
    let writer = BatchWriter::start(Script::default(), &Settings { delay, ..patient() }).unwrap();
    for _ in 0..3 {
        let pushed = Instant::now();
        assert!(matches!(writer.push("alone").unwrap().wait(), Answer::Written));
        assert!(pushed.elapsed() >= delay, "and not before");
    }
}

/// Items come faster than the delay, all the time. A timer that starts again with each of them
/// would never fire. The delay is long, because a busy machine holds up the thread that pushes.
#[test]
fn later_items_do_not_prolong_the_wait_of_the_oldest() {
    let _watch = watch();
    let delay = Duration::from_secs(2);
    let settings = Settings { items: usize::MAX, delay, capacity: usize::MAX, ..patient() };
    let writer = BatchWriter::start(Script::default(), &settings).unwrap();
    let (oldest, deadline) = (writer.push("oldest").unwrap(), soon());
    while oldest.answer().is_none() {
        assert!(Instant::now() < deadline, "it still waits");
        writer.push("later").unwrap();
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_full_writer_refuses_or_makes_the_pusher_wait() {
    let _watch = watch();
    let (script, gate) = Script::gated();
    let settings = Settings { items: 1, capacity: 3, ..patient() };
    let writer = BatchWriter::start(script, &settings).unwrap();
    (0..3).for_each(|_| drop(writer.push("item").unwrap()));
    let rejected = writer.try_push("one more").unwrap_err();
    assert!(matches!(rejected.reason, Reason::Full));
    assert_eq!(rejected.item, b"one more", "it comes back");
    assert_eq!(rejected.to_string(), "no room for an item of 8 bytes");
    thread::scope(|scope| {
        let pusher = scope.spawn(|| writer.push("waits").unwrap());
        thread::sleep(Duration::from_millis(50));
        assert!(!pusher.is_finished());
        gate.send(()).unwrap();
        let handle = pusher.join().unwrap();
        assert!(handle.answer().is_none());
        drop(gate);
        assert!(matches!(handle.wait(), Answer::Written));
    });

    let settings = Settings { capacity_bytes: 100, ..patient() };
    let writer = BatchWriter::start(Script::default(), &settings).unwrap();
    drop(writer.try_push(vec![0; 100]).unwrap());
    assert_eq!(writer.try_push(vec![0; 1]).unwrap_err().item, [0], "as many bytes as may wait");
}

/// Nothing is gained by waiting for company that has no room.
#[test]
fn a_batch_that_no_more_items_can_join_is_written() {
    let _watch = watch();
    let script = Script::default();
    let settings = Settings { capacity: 3, ..patient() };
    let writer = BatchWriter::start(script.clone(), &settings).unwrap();
    (0..10).for_each(|_| drop(writer.push("item").unwrap()));
    assert!(script.calls().iter().all(|items| *items <= 3), "{:?}", script.calls());
    assert!(script.bytes().len() >= 7 * 4);

    let settings = Settings { capacity_bytes: 100, ..patient() };
    let writer = BatchWriter::start(Script::default(), &settings).unwrap();
    let large = writer.push(vec![0; 5000]).unwrap(); // alone
    drop(writer.push(vec![0; 99]).unwrap());
    assert!(matches!(large.wait(), Answer::Written));
    drop(writer.push(vec![0; 2]).unwrap());
    assert_eq!(writer.flush().ok(), Some(()));
}

#[test]
fn a_flush_writes_what_waits() {
    let _watch = watch();
    let script = Script::default();
    let writer = BatchWriter::start(script.clone(), &patient()).unwrap();
    writer.flush().unwrap();
    assert!(script.calls().is_empty(), "there was nothing");
    for round in 1..4 {
        (0..5).for_each(|_| drop(writer.push("item").unwrap()));
        writer.flush().unwrap();
        assert_eq!(script.bytes().len(), round * 5 * 4);
        assert_eq!(script.calls().len(), round);
    }
}

#[test]
fn dropping_it_writes_what_waits() {
    let script = Script::default();
    let writer = BatchWriter::start(script.clone(), &patient()).unwrap();
    let handles: Vec<_> = (0..5).map(|_| writer.push("item").unwrap()).collect();
    drop(writer);
    assert_eq!(script.bytes().len(), 5 * 4);
    assert!(handles.iter().all(|handle| matches!(handle.answer(), Some(Answer::Written))));
}

#[test]
fn many_threads_lose_nothing_and_keep_their_order() {
    let _watch = watch();
    const THREADS: u32 = 8;
    const ITEMS: u32 = 5000;
    let script = Script { short: vec![1, 700, 33, 5000], ..Script::default() };
    let script = Script { interrupted: Some(7), ..script };
    let settings = Settings {
        items: 10,
        bytes: 70,
        delay: Duration::from_micros(100),
        capacity: 50,
        capacity_bytes: 300,
    };
    let writer = Arc::new(BatchWriter::start(script.clone(), &settings).unwrap());
    let threads = (0..THREADS).map(|thread| {
        let writer = writer.clone();
        thread::spawn(move || {
            for item in 0..ITEMS {
                let bytes = [thread.to_le_bytes(), item.to_le_bytes()].concat();
                let handle = writer.push(bytes).unwrap();
                if item.is_multiple_of(97) {
                    assert!(matches!(handle.wait(), Answer::Written));
                }
                if item.is_multiple_of(1009) {
                    writer.flush().unwrap();
                }
            }
        })
    });
    let threads: Vec<_> = threads.collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    Arc::into_inner(writer).unwrap().close().unwrap();
    let mut next = [0; THREADS as usize];
    for item in script.bytes().chunks(8) {
        let word = |at: usize| u32::from_le_bytes(item[at..at + 4].try_into().unwrap());
        assert_eq!(word(4), next[word(0) as usize], "of thread {}", word(0));
        next[word(0) as usize] += 1;
    }
    assert_eq!(next, [ITEMS; THREADS as usize]);
}

//! The least that writes batches: a channel and a thread.

use super::{Script, watch};
use perf_proved::io::batching::channel::ChannelWriter;
use perf_proved_tests::soon;
use std::io::ErrorKind;
use std::thread;
use std::time::{Duration, Instant};

#[test]
fn a_batch_is_what_came_during_the_write_before() {
    let _watch = watch();
    let (script, gate) = Script::gated();
    let writer = ChannelWriter::start(script.clone(), 4, 100).unwrap();
    (0..10).for_each(|item| writer.push(vec![item]).unwrap());
    // The first batch may have begun with any number of them. It has all that there are, up to 4.
    drop(gate);
    writer.flush().unwrap();
    assert_eq!(script.bytes(), (0..10).collect::<Vec<u8>>(), "in their order");
    assert!(script.calls().iter().all(|items| *items <= 4), "{:?}", script.calls());
    assert!(script.calls().len() <= 4, "one before the gate, then 4 at a time");
    writer.push(vec![10]).unwrap();
    assert_eq!(writer.close().unwrap().bytes(), (0..11).collect::<Vec<u8>>());
}

#[test]
fn a_batch_of_at_most_none_is_one_item() {
    let _watch = watch();
    let writer = ChannelWriter::start(Script::default(), 0, 1).unwrap();
    (0..10).for_each(|item| writer.push(vec![item]).unwrap());
    let script = writer.close().unwrap();
    assert_eq!((script.bytes().len(), script.calls()), (10, vec![1; 10]));
}

#[test]
fn a_push_waits_for_room() {
    let _watch = watch();
    let (script, gate) = Script::gated();
    let writer = ChannelWriter::start(script, 1, 1).unwrap();
    thread::scope(|scope| {
        let pusher = scope.spawn(|| (0..3).for_each(|item| writer.push(vec![item]).unwrap()));
        thread::sleep(Duration::from_millis(50));
        assert!(!pusher.is_finished(), "one is being written, and one waits");
        drop(gate);
        pusher.join().unwrap();
    });
    assert_eq!(writer.close().unwrap().bytes(), [0, 1, 2]);
}

#[test]
fn an_error_ends_it_and_closing_returns_it() {
    let _watch = watch();
    let script = Script { fails_after: Some(5), ..Script::default() };
    let writer = ChannelWriter::start(script.clone(), 1, 1).unwrap();
    let deadline = soon();
    let error = loop {
        assert!(Instant::now() < deadline, "no push fails");
        match writer.push(vec![1; 2]) {
            Ok(()) => {}
            Err(error) => break error,
        }
    };
    assert_eq!(error.to_string(), "the thread that writes has failed");
    assert_eq!(writer.flush().unwrap_err().to_string(), "the thread that writes has failed");
    assert_eq!(writer.close().unwrap_err().kind(), ErrorKind::StorageFull);
    assert_eq!(script.bytes().len(), 5, "and nothing came after it");

    let script = Script { fails_after: Some(0), ..Script::default() };
    let writer = ChannelWriter::start(script, 9, 9).unwrap();
    let flushed = writer.push(vec![1]).and_then(|()| writer.flush());
    assert!(flushed.is_err(), "it was not written");
    assert_eq!(writer.close().unwrap_err().kind(), ErrorKind::StorageFull);
}

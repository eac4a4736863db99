//! Models of the batch writer: its wake-ups, when all is well and when the writer fails. No timer
//! fires here, because loom's `wait_timeout` waits without an end.

use crate::explore;
use loom::thread;
use perf_proved::io::batching::{Answer, BatchWriter, Settings};
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

/// Starts a batch writer with room for `capacity` items. Its batches are never full.
fn start<W: Write + Send + 'static>(writer: W, capacity: usize) -> Arc<BatchWriter<W>> {
    let settings = Settings { items: 9, delay: Duration::MAX, capacity, ..Settings::default() };
    Arc::new(BatchWriter::start(writer, &settings).unwrap())
}

#[test]
fn wakes() {
    explore(3, || {
        let writer = start(vec![], 1);
        let first = writer.push("1").unwrap();
        let waiting = thread::spawn(move || matches!(first.wait(), Answer::Written));
        // Each finds room only once the one before is written.
        writer.push("2").unwrap();
        writer.push("3").unwrap();
        assert!(waiting.join().unwrap());
        assert_eq!(Arc::into_inner(writer).unwrap().close().unwrap(), b"123");
    });
}

/// A flush, while another thread pushes, covers what was accepted before it.
#[test]
fn flushes() {
    explore(2, || {
        let writer = start(vec![], 9);
        let shared = writer.clone();
        let other = thread::spawn(move || {
            let handle = shared.push("b").unwrap();
            shared.flush().unwrap();
            matches!(handle.answer(), Some(Answer::Written))
        });
        let handle = writer.push("a").unwrap();
        writer.flush().unwrap();
        assert!(matches!(handle.answer(), Some(Answer::Written)));
        assert!(other.join().unwrap());
        let mut bytes = Arc::into_inner(writer).unwrap().close().unwrap();
        bytes.sort_unstable();
        assert_eq!(bytes, b"ab");
    });
}

#[derive(Debug)]
struct Full;

impl Write for Full {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::StorageFull.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn fails() {
    explore(2, || {
        let writer = start(Full, 1);
        let push = |writer: &BatchWriter<Full>| match writer.push("item") {
            Ok(handle) => usize::from(!matches!(handle.wait(), Answer::Written)),
            Err(rejected) => rejected.item.len() / 4,
        };
        let shared = writer.clone();
        let other = thread::spawn(move || push(&shared));
        assert_eq!(push(&writer) + push(&writer) + other.join().unwrap(), 3);
        assert_eq!(Arc::into_inner(writer).unwrap().close().unwrap_err().items, [b"item"]);
    });
}

//! The faults of the naive versions.

use super::{KIB, watch};
use perf_proved::harness::scratch::{Scratch, pattern};
use perf_proved::io::async_io::naive::{BorrowingRing, Processor, QUEUE, Task, TaskResult};
use perf_proved_tests::{in_a_process, soon};
use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(30);
const SOON: Duration = Duration::from_millis(100);

fn task(kind: &str, source: &Path, target: &Path, data: &[u8]) -> Task {
    let (kind, data) = (kind.to_owned(), data.to_owned());
    Task { kind, source: source.to_owned(), target: target.to_owned(), data, ..Task::default() }
}

fn result_of(task: Task) -> TaskResult {
    let processor = Processor::start(1, QUEUE).unwrap();
    assert!(processor.try_submit(task));
    let result = processor.result(PATIENCE).unwrap();
    assert_eq!(processor.end(), (0, 0));
    result
}

#[test]
fn it_reads_writes_and_copies_when_all_is_well() {
    let scratch = Scratch::new().unwrap();
    let path = |name| scratch.path().join(name);
    let none = Path::new("");
    let wrote = result_of(task("write", none, &path("a"), b"words"));
    assert_eq!((wrote.size, wrote.error.is_none()), (5, true));
    assert_eq!(result_of(task("copy", &path("a"), &path("b"), b"")).size, 5);
    let read = result_of(task("read", &path("b"), none, b""));
    assert_eq!((read.size, &read.data[..]), (5, &b"words"[..]));
}

#[test]
fn an_unknown_kind_succeeds() {
    let scratch = Scratch::new().unwrap();
    let path = scratch.file("file", 100).unwrap();
    let result = result_of(task("delete", &path, &path, b""));
    assert!(result.error.is_none() && result.size == 0 && path.exists());
}

#[test]
fn a_failed_write_reports_the_size_that_was_asked_for() {
    let result = result_of(task("write", Path::new(""), Path::new("/dev/full"), &[7; 5000]));
    assert_eq!(result.error.unwrap().kind(), ErrorKind::StorageFull);
    assert_eq!(result.size, 5000);
}

#[test]
fn a_copy_onto_itself_empties_the_file() {
    let scratch = Scratch::new().unwrap();
    let path = scratch.file("file", 5000).unwrap();
    let result = result_of(task("copy", &path, &path, b""));
    assert!(result.error.is_none() && result.size == 0);
    assert_eq!(fs::metadata(&path).unwrap().len(), 0);
}

#[test]
fn results_that_are_not_read_stop_everything() {
    let _watch = watch("with a naive version");
    let scratch = Scratch::new().unwrap();
    let path = scratch.file("file", 10).unwrap();
    let processor = Processor::start(2, 10).unwrap();
    let (mut accepted, deadline) = (0, soon());
    while accepted < 10 + 2 + 10 && Instant::now() < deadline {
        match processor.try_submit(task("read", &path, &path, b"")) {
            true => accepted += 1,
            false => thread::sleep(Duration::from_millis(1)),
        }
    }
    assert_eq!(accepted, 10 + 2 + 10, "results, workers, queue");
    thread::sleep(SOON);
    assert!(!processor.try_submit(task("read", &path, &path, b"")), "and no more");
    let (queued, delivered) = processor.end();
    assert_eq!((queued, delivered), (10, 10), "and the workers' two are gone");
}

#[test]
fn canceling_loses_the_queue() {
    let _watch = watch("with a naive version");
    let scratch = Scratch::new().unwrap();
    let path = scratch.file("file", 64 * KIB).unwrap();
    let processor = Processor::start(1, QUEUE).unwrap();
    let mut slow = task("read", &path, &path, b"");
    let (open, closed) = channel::<()>();
    slow.callback = Some(Box::new(move |_| _ = closed.recv()));
    assert!(processor.try_submit(slow));
    let rest = || task("read", &path, &path, b"");
    assert!((1..QUEUE).all(|_| processor.try_submit(rest())));
    processor.cancel();
    drop(open);
    let (lost, delivered) = processor.end();
    assert!(lost + delivered == QUEUE && lost >= QUEUE - 1, "{lost} lost, {delivered} delivered");
}

// ---------------------------------------------------------------- borrowed buffers

/// The function is not `unsafe`, and the compiler is content: the borrow has ended.
#[test]
fn a_borrowed_buffer_is_overwritten_when_it_holds_other_bytes() {
    let _watch = watch("with a naive version");
    let mut ring = match BorrowingRing::new() {
        Ok(ring) => ring,
        Err(error) => return eprintln!("not possible here: {error}"),
    };
    let (output, mut input) = io::pipe().unwrap();
    let mut memory = vec![0; 4096];
    ring.read(&output, &mut memory).unwrap();
    memory.copy_from_slice(&pattern(4096)); // the program goes on with its memory
    input.write_all(&[b'k'; 100]).unwrap();
    assert_eq!(ring.wait().unwrap(), 100);
    let memory = std::hint::black_box(memory);
    assert!(memory[..100] == [b'k'; 100] && memory[100..] == pattern(4096)[100..]);
}

/// After the buffer is freed, its memory belongs to whatever is allocated next. In a process of its
/// own, because that might be anything.
#[test]
fn a_freed_buffer_is_overwritten_in_the_hands_of_its_next_owner() {
    let _watch = watch("with a naive version");
    if !in_a_process("naive::a_freed_buffer_is_overwritten_in_the_hands_of_its_next_owner") {
        return;
    }
    const SMALL: usize = 600;
    let mut ring = match BorrowingRing::new() {
        Ok(ring) => ring,
        Err(error) => return eprintln!("not possible here: {error}"),
    };
    let (output, mut input) = io::pipe().unwrap();
    let mut buffer = vec![0_u8; SMALL];
    ring.read(&output, &mut buffer).unwrap();
    drop(buffer);
    // The allocator gives a freed block to the next request of its size.
    let others: Vec<Vec<u8>> = (0..10).map(|_| vec![b'o'; SMALL]).collect();
    input.write_all(&[b'k'; 100]).unwrap();
    assert_eq!(ring.wait().unwrap(), 100);
    let others = std::hint::black_box(others);
    let hit = others.iter().filter(|other| other.contains(&b'k')).count();
    assert_eq!(hit, 1, "one of them has changed without being written to");
}

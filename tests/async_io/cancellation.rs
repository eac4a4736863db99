//! The three outcomes of a cancellation, each with its bytes.

use super::{KIB, MIB, done, occupy, on_both, on_each, one_thread, opened, writable};
use perf_proved::harness::scratch::{Scratch, pattern};
use perf_proved::io::async_io::{
    AsyncIo, Canceler, Cancellation, Completion, Counts, Durability, Engine, Handle, Operation,
    Outcome, SharedFile, SyncKind,
};
use perf_proved_tests::soon;
use std::fs::{self, File};
use std::iter;
use std::os::fd::FromRawFd;
use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

#[test]
fn what_waits_is_canceled_at_once_and_gives_its_buffer_back() {
    let scratch = Scratch::new().unwrap();
    let path = scratch.file("file", 100).unwrap();
    on_each(&one_thread(10), |io| {
        let file = writable(&path);
        let busy = occupy(&io);
        let handle = io.submit(Operation::write_at(&file, vec![1; 50], 0)).unwrap();
        let (effect, end) = handle.cancel(); // while the engine does nothing
        assert_eq!((effect, end.bytes), (Cancellation::Canceled, 0));
        assert_eq!(end.buffer.unwrap().into_vec(), [1; 50]);

        let (tell, hear) = channel();
        let deliver = move |end: Completion| tell.send((thread::current().id(), end)).unwrap();
        let write = Operation::write_at(&file, vec![1; 50], 0);
        io.submit_then(write, deliver).unwrap().cancel();
        let (thread, end) = hear.try_recv().unwrap();
        assert!(thread == thread::current().id() && matches!(end.outcome, Outcome::Canceled));
        drop(busy);
        io.shutdown();
        assert_eq!(fs::read(&path).unwrap(), pattern(100));
        let counts = io.counts();
        assert_eq!((counts.submitted, counts.completed, counts.canceled), (3, 1, 2));
        // A canceled write loses nothing that the program does not know of.
        assert!(file.first_error().is_none());
    });
}

#[test]
fn what_has_ended_cannot_be_canceled() {
    let scratch = Scratch::new().unwrap();
    let file = opened(scratch.file("file", 100).unwrap());
    on_each(&one_thread(10), |io| {
        let handle = io.submit(Operation::read_at(&file, vec![0; 50], 0)).unwrap();
        let canceler: Canceler = handle.canceler();
        while io.counts().completed == 0 {
            thread::yield_now();
        }
        // The first is counted and then delivered, and the same thread delivers the second.
        done(&io, Operation::read_at(&file, vec![0; 50], 0));
        canceler.cancel();
        let (effect, end) = handle.cancel();
        assert_eq!((effect, end.bytes), (Cancellation::Done, 50));
        assert_eq!(end.buffer.unwrap().into_vec(), pattern(50));
        canceler.cancel(); // of no effect
        assert_eq!(io.counts().canceled, 0);
    });
}

#[test]
fn a_copy_is_stopped_midway_and_counts_its_bytes() {
    let scratch = Scratch::new().unwrap();
    let from = writable(scratch.path().join("from"));
    from.file().set_len(1 << 40).unwrap(); // takes hours
    on_both(|io| {
        let path = scratch.path().join("to");
        let to = writable(&path);
        let handle = io.submit(Operation::copy(&from, 0..u64::MAX, &to, 0)).unwrap();
        let deadline = soon();
        while fs::metadata(&path).unwrap().len() < MIB as u64 {
            assert!(Instant::now() < deadline, "nothing is copied");
        }
        let (effect, end) = handle.cancel();
        assert_eq!(effect, Cancellation::Canceled);
        assert!((MIB as u64..1 << 40).contains(&end.bytes));
        assert_eq!(fs::metadata(&path).unwrap().len(), end.bytes, "and not a byte more");
        drop(to);
        fs::remove_file(&path).unwrap();
    });
}

/// A long read that is one request cannot be stopped. It takes a while, in which to try.
#[test]
fn too_late_is_an_outcome_of_its_own() {
    const LENGTH: usize = 32 * MIB;
    let random = opened("/dev/urandom");
    on_both(|io| {
        let deadline = soon();
        let seen = iter::from_fn(|| (Instant::now() < deadline).then_some(())).any(|()| {
            let handle = io.submit(Operation::read_at(&random, vec![0; LENGTH], 0)).unwrap();
            thread::sleep(Duration::from_millis(10));
            let (effect, end) = handle.cancel();
            assert_eq!(end.bytes == LENGTH as u64, effect != Cancellation::Canceled, "{effect:?}");
            effect == Cancellation::TooLate
        });
        assert!(seen, "reads of {LENGTH} bytes were all faster, or canceled");
    });
}

/// A read of an eventfd waits until something is written to it, for as long as it takes.
#[test]
fn what_the_kernel_waits_for_is_canceled_on_a_ring() {
    // SAFETY: takes no pointer, and returns a new descriptor, which no one else owns.
    let event = unsafe { File::from_raw_fd(libc::eventfd(0, libc::EFD_CLOEXEC)) };
    let event = SharedFile::from(event);
    on_both(|io| {
        if io.engine() == Engine::Pool {
            return; // one of its threads would wait, and nothing stops it
        }
        for pause in [0, 1, 20] {
            let handle = io.submit(Operation::read_at(&event, vec![7; 8], 0)).unwrap();
            thread::sleep(Duration::from_millis(pause));
            let (effect, end) = handle.cancel();
            assert_eq!((effect, end.bytes), (Cancellation::Canceled, 0));
            assert_eq!(end.buffer.unwrap().into_vec(), [7; 8]);
        }
        assert_eq!((io.counts().canceled, io.counts().in_flight), (3, 0));
    });
}

#[test]
fn a_canceled_replacement_leaves_the_old_content() {
    let scratch = Scratch::new().unwrap();
    let target = scratch.file("target", 100).unwrap();
    on_both(|io| {
        for pause in 0..100 {
            let new = vec![7; 64 * KIB];
            let replace = Operation::replace(&target, new, Durability::OnDisk);
            let handle = io.submit(replace).unwrap();
            thread::sleep(Duration::from_micros(pause * 20));
            let (effect, end) = handle.cancel();
            let found = fs::read(&target).unwrap();
            match effect {
                Cancellation::Canceled => assert_eq!(found, pattern(100), "{end:?}"),
                _ => assert_eq!((found.len(), end.bytes), (64 * KIB, 64 << 10), "{end:?}"),
            }
            assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 1);
            fs::write(&target, pattern(100)).unwrap();
        }
    });
}

// ---------------------------------------------------------------- 10,000 of them

/// Numbers that look random, the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// The ends that the program has seen.
#[derive(Default)]
struct Seen {
    completed: u64,
    failed: u64,
    canceled: u64,
    effects: [u64; 3],
}

impl Seen {
    fn note(&mut self, end: Completion, expected: &[u8]) {
        // A buffer holds what it has read, and after that what it held before.
        if let (Some(buffer), false) = (&end.buffer, expected.is_empty()) {
            let (read, rest) = buffer.split_at(end.bytes as usize);
            assert!(read == &expected[..read.len()] && rest.iter().all(|byte| *byte == 0xAA));
        }
        match end.outcome {
            Outcome::Done => self.completed += 1,
            Outcome::Failed(_) => self.failed += 1,
            Outcome::Canceled => self.canceled += 1,
        }
    }

    fn note_cancel(&mut self, (effect, end): (Cancellation, Completion), expected: &[u8]) {
        self.effects[effect as usize] += 1;
        assert_eq!(effect == Cancellation::Canceled, matches!(end.outcome, Outcome::Canceled));
        self.note(end, expected);
    }
}

#[test]
fn ten_thousand_random_cancellations_lose_nothing() {
    const EACH: u64 = 5000;
    let scratch = Scratch::new().unwrap();
    let source = opened(scratch.file("source", MIB).unwrap());
    on_each(&perf_proved::io::async_io::Settings { depth: 32, ..Default::default() }, |io| {
        let seen = Mutex::new(Seen::default());
        thread::scope(|scope| {
            for seed in [1, 2] {
                let (io, source, scratch, seen) = (&io, &source, &scratch, &seen);
                scope.spawn(move || {
                    let file = writable(scratch.path().join(format!("target-{seed}")));
                    let mine = cancel_at_random(io, source, &file, seed, EACH);
                    let mut seen = seen.lock().unwrap();
                    seen.completed += mine.completed;
                    seen.failed += mine.failed;
                    seen.canceled += mine.canceled;
                    (0..3).for_each(|index| seen.effects[index] += mine.effects[index]);
                });
            }
        });
        io.shutdown();
        let (counts, seen) = (io.counts(), seen.into_inner().unwrap());
        let Counts { submitted, completed, failed, canceled, in_flight, .. } = counts;
        assert_eq!((submitted, in_flight), (2 * EACH, 0));
        assert_eq!(submitted, completed + failed + canceled);
        assert_eq!(
            (completed, failed, canceled),
            (seen.completed, seen.failed, seen.canceled),
            "as the program has seen it"
        );
        let [done, stopped, late] = seen.effects;
        eprintln!("{counts:?}: done {done}, canceled {stopped}, too late {late}");
        assert!(done > 0 && stopped > 0, "done {done}, canceled {stopped}, too late {late}");
        assert!(counts.most_in_flight <= 32);
    });
}

fn cancel_at_random(
    io: &AsyncIo,
    source: &SharedFile,
    target: &SharedFile,
    seed: u64,
    operations: u64,
) -> Seen {
    let whole = pattern(MIB);
    let (mut random, mut seen) = (Random(seed), Seen::default());
    let mut waiting: Vec<(Handle, &[u8])> = vec![];
    for _ in 0..operations {
        let (at, length) = (random.below(MIB as u64 / 2), random.below(100 * KIB as u64));
        let bytes = vec![0xAA; length as usize];
        let mut expected = &[][..];
        let operation = match random.below(20) {
            0 => Operation::sync(target, SyncKind::Data),
            1..4 => Operation::copy(source, at..at + length, target, at),
            4 => Operation::write_at(source, bytes, at), // not open for that
            5..9 => Operation::write_at(target, bytes, at),
            _ => {
                expected = &whole[at as usize..(at + length) as usize];
                Operation::read_at(source, bytes, at)
            }
        };
        let handle = io.submit(operation).unwrap();
        match random.below(4) {
            0 => seen.note_cancel(handle.cancel(), expected),
            1 => {
                handle.canceler().cancel();
                waiting.push((handle, expected));
            }
            _ => waiting.push((handle, expected)),
        }
        if waiting.len() > 20 {
            let (handle, expected) = waiting.swap_remove(random.below(20) as usize);
            match random.below(2) {
                0 => seen.note_cancel(handle.cancel(), expected),
                _ => seen.note(handle.wait(), expected),
            }
        }
    }
    for (handle, expected) in waiting {
        seen.note(handle.wait(), expected);
    }
    seen
}

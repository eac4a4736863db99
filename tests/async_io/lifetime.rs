//! The bound, callbacks, futures, dropped handles, shutdown, and what is left of it all.

use super::{KIB, done, occupy, on_both, on_each, one_thread, opened, run, watch, writable};
use perf_proved::harness::scratch::{Scratch, pattern};
use perf_proved::io::async_io::stream::Stream;
use perf_proved::io::async_io::{
    AsyncIo, Durability, Engine, Handle, Operation, Outcome, Reason, Settings,
};
use perf_proved::sys::raw_code;
use perf_proved_tests::{in_a_process, soon};
use std::fs::{self, File};
use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::mpsc::channel;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

#[test]
fn settings_that_could_not_run_are_refused() {
    let _watch = watch("with engines of its own");
    for settings in [
        Settings { depth: 0, ..Settings::default() },
        Settings { threads: 0, ..Settings::default() },
        Settings { buffers: 1, buffer_length: 0, ..Settings::default() },
        Settings { buffers: u16::MAX, ..Settings::default() },
    ] {
        let error = AsyncIo::start(&settings).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{settings:?}");
    }
    assert!(AsyncIo::start(&Settings { depth: usize::MAX, ..Settings::default() }).is_ok());
}

// ---------------------------------------------------------------- the bound

#[test]
fn a_full_engine_refuses_or_makes_the_submitter_wait() {
    let null = opened("/dev/null");
    on_each(&one_thread(3), |io| {
        let read = || Operation::read_at(&null, vec![0; 9], 0);
        let busy = occupy(&io);
        let waiting: Vec<Handle> = (0..3).map(|_| io.submit(read()).unwrap()).collect();
        let rejected = io.try_submit(read()).unwrap_err();
        assert_eq!(rejected.reason, Reason::Full);
        assert_eq!(rejected.operation.into_buffer().unwrap().len(), 9, "it comes back");
        let began = Instant::now();
        thread::scope(|scope| {
            let submitter = scope.spawn(|| io.submit(read()).unwrap());
            thread::sleep(Duration::from_millis(50));
            assert!(!submitter.is_finished());
            drop(busy);
            submitter.join().unwrap().wait().done().unwrap();
        });
        assert!(began.elapsed() >= Duration::from_millis(50));
        waiting.into_iter().for_each(|handle| drop(handle.wait().done().unwrap()));
        assert_eq!(io.counts().most_in_flight, 3);
    });
}

#[test]
fn a_callback_may_submit_and_is_never_made_to_wait() {
    let null = opened("/dev/null");
    on_each(&one_thread(2), |io| {
        let (io, file) = (Arc::new(io), null.clone());
        let (tell, hear) = channel();
        let inner = Arc::downgrade(&io);
        let read = Operation::read_at(&null, vec![0; 9], 0);
        io.submit_then(read, move |_| {
            let Some(io) = Weak::upgrade(&inner) else { return };
            let read = || Operation::read_at(&file, vec![0; 9], 0);
            let submitted: Vec<_> = (0..3).map(|_| io.submit(read())).collect();
            tell.send(submitted).unwrap();
        })
        .unwrap();
        let submitted = hear.recv_timeout(Duration::from_secs(30)).unwrap();
        let [a, b, c] = submitted.try_into().unwrap();
        assert_eq!(c.unwrap_err().reason, Reason::Full);
        [a, b].into_iter().for_each(|handle| drop(handle.unwrap().wait().done().unwrap()));
    });
}

#[test]
fn a_callback_that_panics_ends_nothing_but_itself() {
    let null = opened("/dev/null");
    on_each(&one_thread(2), |io| {
        for _ in 0..3 {
            let read = Operation::read_at(&null, vec![0; 9], 0);
            io.submit_then(read, |_| panic!("a panic that this test wants")).unwrap();
        }
        done(&io, Operation::read_at(&null, vec![0; 9], 0));
        io.shutdown();
        assert_eq!((io.counts().completed, io.counts().panicked), (4, 3));
    });
}

// ---------------------------------------------------------------- handles

/// Unparks the thread that blocks on a future.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// The smallest executor.
fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        thread::park();
    }
}

#[test]
fn a_handle_is_a_future_for_any_executor() {
    let scratch = Scratch::new().unwrap();
    let file = opened(scratch.file("file", 10 * KIB).unwrap());
    on_both(|io| {
        let read = |at| io.submit(Operation::read_at(&file, vec![0; KIB], at)).unwrap();
        let whole = block_on(async {
            let handles: Vec<Handle> = (0..10).map(|block| read(block * KIB as u64)).collect();
            let mut whole = vec![];
            for handle in handles {
                whole.extend(handle.await.done().unwrap().buffer.unwrap().into_vec());
            }
            whole
        });
        assert!(whole == pattern(10 * KIB));
    });
    on_each(&one_thread(10), |io| {
        let busy = occupy(&io);
        let mut handle = io.submit(Operation::read_at(&file, vec![0; KIB], 0)).unwrap();
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let poll = pin!(&mut handle).poll(&mut Context::from_waker(&waker));
        assert!(poll.is_pending());
        let handle = handle.try_wait().unwrap_err(); // gives up nothing
        drop(busy);
        assert_eq!(handle.wait().done().unwrap().bytes, KIB as u64);
    });
}

#[test]
fn a_submission_waits_for_room_without_its_thread() {
    let null = opened("/dev/null");
    on_each(&one_thread(2), |io| {
        let read = || Operation::read_at(&null, vec![0; 9], 0);
        let busy = occupy(&io);
        let waiting = [io.submit(read()).unwrap(), io.submit(read()).unwrap()];
        let woken = Arc::new(Counter::default());
        let waker = Waker::from(woken.clone());
        let mut context = Context::from_waker(&waker);
        let mut submissions: Vec<_> = (0..3).map(|_| io.submission(read())).collect();
        for submission in &mut submissions {
            assert!(pin!(submission).poll(&mut context).is_pending());
        }
        assert_eq!((io.counts().in_flight, woken.0.load(SeqCst)), (2, 0));
        drop(busy);
        waiting.into_iter().for_each(|handle| drop(handle.wait().done().unwrap()));
        assert!(woken.0.load(SeqCst) >= 1);
        drop(submissions.remove(0)); // no longer interested
        for submission in submissions {
            block_on(async { submission.await.unwrap().await.done().unwrap() });
        }
        let late = io.submission(read());
        let busy = occupy(&io);
        let waiting = [io.submit(read()).unwrap(), io.submit(read()).unwrap()];
        let mut blocked = io.submission(read());
        let before = woken.0.load(SeqCst);
        assert!(pin!(&mut blocked).poll(&mut context).is_pending());
        thread::scope(|scope| {
            scope.spawn(|| io.shutdown());
            let deadline = soon();
            while woken.0.load(SeqCst) == before {
                assert!(Instant::now() < deadline, "shutdown wakes it");
                thread::yield_now();
            }
            assert_eq!(block_on(blocked).unwrap_err().reason, Reason::ShutDown);
            assert_eq!(block_on(late).unwrap_err().reason, Reason::ShutDown);
            drop(busy);
        });
        waiting.into_iter().for_each(|handle| drop(handle.wait().done().unwrap()));
    });
}

/// Counts wake-ups.
#[derive(Default)]
struct Counter(AtomicU64);

impl Wake for Counter {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

#[test]
fn a_dropped_handle_abandons_the_result_and_not_the_operation() {
    let scratch = Scratch::new().unwrap();
    on_each(&one_thread(10), |io| {
        let path = scratch.path().join("file");
        let file = writable(&path);
        let busy = occupy(&io);
        drop(io.submit(Operation::write_at(&file, pattern(5000), 0)).unwrap());
        drop(file); // the operation has it open
        drop(busy);
        drop(io);
        assert_eq!(fs::read(&path).unwrap(), pattern(5000));
        fs::remove_file(path).unwrap();
    });
}

#[test]
fn a_stream_delivers_each_completion_once_and_refuses_more_than_its_bound() {
    let scratch = Scratch::new().unwrap();
    let file = opened(scratch.file("file", 100 * KIB).unwrap());
    on_both(|io| {
        let mut stream = Stream::new(&io, 10);
        let read = |tag: u64| Operation::read_at(&file, vec![0; 100], tag * 100);
        let (mut submitted, mut seen) = (0, vec![]);
        while seen.len() < 500 {
            while submitted < 500 && stream.pending() < 10 {
                stream.submit(submitted, read(submitted)).unwrap();
                submitted += 1;
            }
            if submitted < 500 {
                assert_eq!(stream.submit(0, read(0)).unwrap_err().reason, Reason::Full);
            }
            let (tag, end) = stream.next().unwrap();
            let at = tag as usize * 100;
            assert!(end.done().unwrap().buffer.unwrap()[..] == pattern(100 * KIB)[at..at + 100]);
            seen.push(tag);
        }
        assert!(stream.next().is_none() && stream.pending() == 0);
        seen.sort_unstable();
        assert!(seen.into_iter().eq(0..500));
        stream.submit(1, read(1)).unwrap(); // goes on
        drop(stream); // and abandons it
        io.shutdown();
        assert_eq!((io.counts().completed, io.counts().panicked), (501, 0));
    });
}

#[test]
fn a_waker_that_panics_ends_nothing_but_itself() {
    struct Broken;
    impl Wake for Broken {
        fn wake(self: Arc<Self>) {
            panic!("a panic that this test wants");
        }
    }
    let null = opened("/dev/null");
    on_each(&one_thread(5), |io| {
        let busy = occupy(&io);
        let mut handle = io.submit(Operation::read_at(&null, vec![0; 9], 0)).unwrap();
        let waker = Waker::from(Arc::new(Broken));
        assert!(pin!(&mut handle).poll(&mut Context::from_waker(&waker)).is_pending());
        drop(busy);
        let deadline = soon();
        while io.counts().panicked == 0 {
            assert!(Instant::now() < deadline, "the waker is called");
            thread::yield_now();
        }
        handle.wait().done().unwrap();
        done(&io, Operation::read_at(&null, vec![0; 9], 0));
        io.shutdown();
        assert_eq!((io.counts().completed, io.counts().panicked), (3, 1));
    });
}

// ---------------------------------------------------------------- shutdown

#[test]
fn shutdown_loses_nothing_and_refuses_what_comes_later() {
    let scratch = Scratch::new().unwrap();
    on_each(&Settings { depth: 2000, ..Settings::default() }, |io| {
        let path = scratch.path().join("file");
        let file = writable(&path);
        let delivered = Arc::new(AtomicU64::new(0));
        for block in 0..1000 {
            let delivered = delivered.clone();
            let write = Operation::write_at(&file, vec![7; 100], block * 100);
            io.submit_then(write, move |end| {
                delivered.fetch_add(end.bytes, SeqCst);
            })
            .unwrap();
        }
        io.shutdown();
        assert_eq!(delivered.load(SeqCst), 100_000);
        assert_eq!(fs::read(&path).unwrap(), [7; 100_000]);
        let counts = io.counts();
        assert_eq!((counts.submitted, counts.completed, counts.in_flight), (1000, 1000, 0));
        let rejected = io.submit(Operation::read_at(&file, vec![0; 9], 0)).unwrap_err();
        assert_eq!(rejected.reason, Reason::ShutDown);
        assert_eq!(rejected.operation.into_buffer().unwrap().len(), 9);
        io.shutdown(); // once more is of no effect
        fs::remove_file(path).unwrap();
    });
}

#[test]
fn shutdown_ends_the_wait_of_a_submitter() {
    let null = opened("/dev/null");
    on_each(&one_thread(1), |io| {
        let read = || Operation::read_at(&null, vec![0; 9], 0);
        let busy = occupy(&io);
        let first = io.submit(read()).unwrap();
        thread::scope(|scope| {
            let submitter = scope.spawn(|| io.submit(read()).map(drop));
            thread::sleep(Duration::from_millis(20));
            let closer = scope.spawn(|| io.shutdown());
            assert_eq!(submitter.join().unwrap().unwrap_err().reason, Reason::ShutDown);
            assert!(!closer.is_finished(), "it waits for the first");
            drop(busy);
        });
        first.wait().done().unwrap();
    });
}

#[test]
fn each_shutdown_waits_until_the_engine_has_ended() {
    let null = opened("/dev/null");
    on_each(&one_thread(1), |io| {
        let busy = occupy(&io);
        thread::scope(|scope| {
            let closers = [0, 1].map(|_| scope.spawn(|| io.shutdown()));
            let deadline = soon();
            let read = || Operation::read_at(&null, vec![0; 9], 0);
            while io.try_submit(read()).map_or_else(|it| it.reason, |_| Reason::Full)
                == Reason::Full
            {
                assert!(Instant::now() < deadline, "a shutdown begins, and lets nothing in");
                thread::yield_now();
            }
            thread::sleep(Duration::from_millis(50));
            assert!(closers.iter().all(|closer| !closer.is_finished()), "a callback still runs");
            drop(busy);
        });
    });
}

#[test]
fn the_last_owner_may_be_a_callback() {
    let null = opened("/dev/null");
    on_both(|io| {
        let io = Arc::new(io);
        let (tell, hear) = channel();
        let (go, gone) = channel::<()>();
        let owner = io.clone();
        io.submit_then(Operation::read_at(&null, vec![0; 9], 0), move |_| {
            let _ = gone.recv(); // until the other owner is gone
            drop(owner);
            tell.send(()).unwrap();
        })
        .unwrap();
        drop(io);
        drop(go);
        hear.recv_timeout(Duration::from_secs(30)).unwrap();
    });
}

// ---------------------------------------------------------------- leaks

fn entries(folder: &str) -> usize {
    fs::read_dir(folder).unwrap().count()
}

/// Waits for what ends at a time of its own: the kernel's workers outlive their ring.
fn settles(folder: &str, expected: usize) {
    let deadline = soon();
    while entries(folder) > expected {
        assert!(Instant::now() < deadline, "{} in {folder}, not {expected}", entries(folder));
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn no_descriptor_and_no_thread_is_left() {
    if !in_a_process("lifetime::no_descriptor_and_no_thread_is_left") {
        return;
    }
    let scratch = Scratch::new().unwrap();
    let path = scratch.file("file", 100 * KIB).unwrap();
    let (descriptors, threads) = (entries("/proc/self/fd"), entries("/proc/self/task"));
    for _ in 0..10 {
        on_each(&Settings { buffers: 4, buffer_length: 4096, ..Settings::default() }, |io| {
            for round in 0..50 {
                let file = writable(&path);
                let at = round * 1000;
                drop(io.submit(Operation::read_at(&file, vec![0; 5000], at)).unwrap());
                drop(
                    io.submit(Operation::read_at(&file, io.buffer().unwrap(), at)).unwrap().wait(),
                );
                let (_, end) =
                    io.submit(Operation::write_at(&file, vec![0; 9], at)).unwrap().cancel();
                assert!(!matches!(end.outcome, Outcome::Failed(_)));
                let copy = scratch.path().join("copy");
                let replace = Operation::replace(&copy, vec![7; 5000], Durability::Cached);
                drop(io.submit(replace).unwrap().cancel());
                assert!(run(&io, Operation::copy(&file, 0..9, &file, 0)).done().is_err());
                let open =
                    || io.submit(Operation::open(&path, File::options().read(true))).unwrap();
                drop(open()); // no one takes the file
                open().canceler().cancel();
                drop(open().cancel());
            }
            drop(io);
            settles("/proc/self/fd", descriptors);
        });
    }
    settles("/proc/self/task", threads);
    assert!(entries(scratch.path().to_str().unwrap()) <= 2, "the file and its copy");
}

/// When a completion is here, its operation has closed the file.
#[test]
fn a_completion_holds_no_descriptor() {
    on_both(|io| {
        for _ in 0..100 {
            let (output, input) = io::pipe().unwrap();
            let file = File::from(std::os::fd::OwnedFd::from(input));
            let error = run(&io, Operation::write_at(&file.into(), vec![1; 9], 0)).done();
            assert_eq!(raw_code(&error.unwrap_err()), Some(libc::ESPIPE));
            // The pipe has no other end any more: reading it finds no byte, and does not wait.
            assert_eq!(io::Read::read(&mut &output, &mut [0; 9]).unwrap(), 0);
        }
    });
}

#[test]
fn an_engine_that_is_asked_for_is_the_one_that_runs() {
    let _watch = watch("with engines of its own");
    let pool = AsyncIo::start(&super::on(Engine::Pool)).unwrap();
    assert!(pool.engine() == Engine::Pool && pool.no_ring().is_none());
    let chosen = AsyncIo::start(&Settings::default()).unwrap();
    assert_eq!(chosen.engine() == Engine::Pool, chosen.no_ring().is_some());
}

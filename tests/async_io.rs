//! File operations on both engines: each ends once, with its bytes, whatever fails, is canceled,
//! dropped or shut down; and the naive versions fail in the ways that their documentation lists.
#![cfg(target_os = "linux")]

#[path = "async_io/cancellation.rs"]
mod cancellation;
#[path = "async_io/lifetime.rs"]
mod lifetime;
#[path = "async_io/local.rs"]
mod local;
#[path = "async_io/naive.rs"]
mod naive;
#[path = "async_io/operations.rs"]
mod operations;
#[path = "async_io/refusals.rs"]
mod refusals;
#[path = "async_io/replacement.rs"]
mod replacement;

use perf_proved::io::async_io::{AsyncIo, Completion, Engine, Operation, Settings, SharedFile};
use perf_proved_tests::Watch;
use std::fs::{File, OpenOptions};
use std::panic::Location;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

/// Long enough for anything here that works, on a busy machine.
const DEADLINE: Duration = Duration::from_secs(120);

/// Watches the test of this thread.
#[track_caller]
fn watch(on: &str) -> Watch {
    Watch::new(DEADLINE, &format!(", in {}, {on}", Location::caller()))
}

fn on(engine: Engine) -> Settings {
    Settings { engine: Some(engine), ..Settings::default() }
}

/// Runs `test` on each engine that there is, with `settings` for the rest, and a deadline.
#[track_caller]
fn on_each(settings: &Settings, test: impl Fn(AsyncIo)) {
    for engine in [Engine::Pool, Engine::Ring] {
        let _watch = watch(&format!("on the {engine:?}"));
        match AsyncIo::start(&Settings { engine: Some(engine), ..settings.clone() }) {
            Ok(io) => {
                assert_eq!(io.engine(), engine);
                eprintln!("on the {engine:?}");
                test(io);
            }
            Err(error) if engine == Engine::Ring => eprintln!("not possible here: {error}"),
            Err(error) => panic!("{error}"),
        }
    }
}

#[track_caller]
fn on_both(test: impl Fn(AsyncIo)) {
    on_each(&Settings::default(), test);
}

fn opened(path: impl AsRef<Path>) -> SharedFile {
    File::open(path).unwrap().into()
}

/// Opens a file for reading and writing, which is made if it does not exist.
fn writable(path: impl AsRef<Path>) -> SharedFile {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).open(path).unwrap().into()
}

fn run(io: &AsyncIo, operation: Operation) -> Completion {
    io.submit(operation).unwrap().wait()
}

fn done(io: &AsyncIo, operation: Operation) -> Completion {
    run(io, operation).done().unwrap()
}

/// An engine with one thread that is busy in a callback, until this is dropped. What is submitted
/// meanwhile waits in the queue.
struct Busy(#[expect(dead_code, reason = "dropping it ends the callback")] Sender<()>);

/// Occupies the engine, which must have one thread.
fn occupy(io: &AsyncIo) -> Busy {
    let (release, released): (Sender<()>, Receiver<()>) = channel();
    let (tell, hear) = channel();
    let operation = Operation::read_at(&opened("/dev/null"), vec![0; 1], 0);
    io.submit_then(operation, move |_| {
        tell.send(()).unwrap();
        let _ = released.recv();
    })
    .unwrap();
    hear.recv().unwrap();
    Busy(release)
}

/// Settings for [`occupy`].
fn one_thread(depth: usize) -> Settings {
    Settings { depth, threads: 1, ..Settings::default() }
}

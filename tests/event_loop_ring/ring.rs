//! The loops on io_uring themselves: that rings serve, how few calls they make, what they do where
//! they are forbidden, and a thousand connections at once.

use super::site::{Client, calm, site};
use perf_proved::io::event_loop::{Engine, Server, Settings};
use perf_proved::proof::resident;
use perf_proved::proof::syscalls::{self, Calls};
use perf_proved::sys::denial::Denial;
use perf_proved::sys::raw_code;
use perf_proved::sys::rlimit::raise_open_files;
use perf_proved::zero_copy::sendfile::server::Limits;
use perf_proved_tests::{PATIENCE, alone, in_a_process, only, passed, soon};
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use std::{env, fs, io, thread};

fn settings(engine: Option<Engine>, loops: usize, limits: Limits) -> Settings {
    Settings { limits, loops, engine, ..Settings::default() }
}

/// Starts loops on rings, if there are any here.
fn start(root: &Path, loops: usize, limits: Limits) -> Option<Server> {
    let settings = settings(Some(Engine::Ring), loops, limits);
    match Server::start(root, "127.0.0.1:0", settings, |_, _| {}) {
        Ok(server) => {
            assert_eq!((server.engine(), server.no_ring().is_none()), (Engine::Ring, true));
            Some(server)
        }
        Err(error) => {
            eprintln!("not possible here: {error}");
            None
        }
    }
}

/// Returns the calls of a loop that is started, answers `requests` on one connection, and is shut
/// down.
fn calls_for(root: &Path, requests: u64) -> Option<Calls> {
    // The client's thread is there before the tracer, so its calls do not count.
    let (address, addressed) = mpsc::channel();
    let (done, finished) = mpsc::channel();
    let client = thread::spawn(move || {
        let Ok(address) = addressed.recv() else { return None };
        let mut client = Client(TcpStream::connect(address).unwrap());
        for _ in 0..requests {
            assert_eq!(client.get("/ten").body, b"0123456789");
        }
        done.send(()).unwrap();
        Some(client)
    });
    let served = syscalls::trace(|| {
        let server = start(root, 1, calm())?;
        address.send(server.address()).unwrap();
        finished.recv().unwrap();
        Some(server.shutdown(PATIENCE))
    });
    drop(address);
    let (counts, calls) = served.unwrap();
    client.join().unwrap();
    let counts = counts?;
    assert_eq!((counts.responses, counts.failed), (requests, 0));
    Some(calls)
}

#[test]
fn a_ring_serves_and_no_other_engine() {
    const REQUESTS: u64 = 50;
    let _alone = alone();
    let site = site();
    let Some(few) = calls_for(&site.root(), REQUESTS) else { return };
    let Some(many) = calls_for(&site.root(), 2 * REQUESTS) else { return };
    // Receiving, opening, reading and sending are operations. One `enter` hands over each of them,
    // and one waits for the next request.
    let enters = many.of("io_uring_enter").made - few.of("io_uring_enter").made;
    assert!((REQUESTS..=4 * REQUESTS + 4).contains(&enters), "{few:?} {many:?}");
    for call in ["statx", "close"] {
        assert_eq!(many.of(call).made - few.of(call).made, REQUESTS, "{call}: {few:?} {many:?}");
    }
    let calls = ["epoll_create1", "epoll_wait", "epoll_ctl", "ppoll", "accept4", "sendfile"];
    for call in calls {
        assert_eq!(many.of(call).made, 0, "{call}: {many:?}");
    }
    // The probe's client and the root are all that is read, sent and opened by calls.
    for call in ["recvfrom", "sendto", "openat2", "read", "pread64"] {
        assert_eq!(many.of(call).made, few.of(call).made, "{call}: {few:?} {many:?}");
    }
}

// ---------------------------------------------------------------- where it is forbidden

/// Tells a child which call is denied, and by which error.
const DENIED: &str = "PERF_PROVED_DENIED";

/// Returns the error that is the answer to the denied call, in a child.
fn code() -> Option<i32> {
    env::var(DENIED).ok()?.parse().ok()
}

/// Checks that a server comes up on `epoll` where `call` is denied, by one error after the other.
fn denied_by_each(call: libc::c_long) {
    for code in [libc::EPERM, libc::ENOSYS, libc::EOPNOTSUPP, libc::EINVAL, libc::EACCES] {
        let denial = Denial { call, code };
        let mut child = only("ring::in_a_child_without_a_ring");
        child.env(DENIED, code.to_string());
        // SAFETY: between fork and exec, the child makes system calls on local values.
        unsafe { child.pre_exec(move || denial.install()) };
        passed(&child.output().unwrap());
    }
}

#[test]
fn a_ring_that_cannot_be_set_up_is_replaced_by_epoll() {
    denied_by_each(libc::SYS_io_uring_setup);
}

#[test]
fn a_ring_that_cannot_be_entered_is_replaced_by_epoll() {
    denied_by_each(libc::SYS_io_uring_enter);
}

#[test]
fn a_ring_that_cannot_register_buffers_is_replaced_by_epoll() {
    denied_by_each(libc::SYS_io_uring_register);
}

/// Run by the tests above. On its own, it has nothing to do.
#[test]
fn in_a_child_without_a_ring() {
    let Some(code) = code() else { return };
    let place = site();
    let entries = |directory: &str| fs::read_dir(directory).unwrap().count();
    let before = (entries("/proc/self/fd"), entries("/proc/self/task"));
    let start = |engine| {
        Server::start(&place.root(), "127.0.0.1:0", settings(engine, 2, calm()), |_, _| {})
    };
    let insisted = start(Some(Engine::Ring)).err().unwrap();
    assert_eq!(raw_code(&insisted), Some(code), "{insisted}");
    let deadline = soon();
    while (entries("/proc/self/fd"), entries("/proc/self/task")) != before {
        assert!(Instant::now() < deadline, "an engine that is not to be had leaves something");
        thread::sleep(Duration::from_millis(1));
    }
    let server = start(None).unwrap();
    assert_eq!(server.engine(), Engine::Epoll);
    let said = server.no_ring().unwrap().to_string();
    assert_eq!(raw_code(server.no_ring().unwrap()), Some(code), "{said}");
    let system = io::Error::from_raw_os_error(code).to_string();
    assert!(said.starts_with("io_uring: ") && said.ends_with(&system), "{said}");
    assert_eq!(Client::new(&server).get("/ten").body, b"0123456789");
    assert_eq!(server.shutdown(PATIENCE).responses, 1);
    let server = start(Some(Engine::Epoll)).unwrap();
    assert_eq!((server.engine(), server.no_ring().is_none()), (Engine::Epoll, true));
}

#[test]
fn a_ring_that_is_denied_later_ends_when_it_is_told_to() {
    if !in_a_process("ring::a_ring_that_is_denied_later_ends_when_it_is_told_to") {
        return;
    }
    let place = site();
    let errors = Arc::new(Mutex::new(vec![]));
    let theirs = Arc::clone(&errors);
    let settings = settings(Some(Engine::Ring), 1, calm());
    let report = move |_: Option<_>, error: &io::Error| {
        theirs.lock().unwrap().push(raw_code(error));
    };
    let server = match Server::start(&place.root(), "127.0.0.1:0", settings, report) {
        Ok(server) => server,
        Err(error) => return eprintln!("not possible here: {error}"),
    };
    let mut client = Client::new(&server);
    assert_eq!(client.get("/ten").status, 200);
    let denial = Denial { call: libc::SYS_io_uring_enter, code: libc::EPERM };
    if let Err(error) = denial.install_for_all() {
        return eprintln!("not possible here: {error}");
    }
    client.send("GET /ten HTTP/1.1\r\n\r\n"); // wakes the loop, whose next wait is denied
    let begun = Instant::now();
    server.shutdown(Duration::from_millis(100));
    assert!(begun.elapsed() < PATIENCE);
    assert!(errors.lock().unwrap().contains(&Some(libc::EPERM)));
}

// ---------------------------------------------------------------- many connections

#[test]
fn connections_that_wait_have_no_buffer() {
    const NAME: &str = "ring::connections_that_wait_have_no_buffer";
    if !in_a_process(NAME) {
        return;
    }
    let place = site();
    let files = raise_open_files().unwrap();
    // Both ends of each connection are descriptors of this process.
    let count = 2000.min((files / 2).saturating_sub(100) as usize);
    let limits = Limits { connections: count + 1, ..calm() };
    let Some(server) = start(&place.root(), 1, limits) else { return };
    // All buffers have been used once.
    for _ in 0..200 {
        assert_eq!(Client::new(&server).get("/ten").status, 200);
    }
    let before = resident::now().unwrap();
    let mut clients: Vec<Client> = (0..count).map(|_| Client::new(&server)).collect();
    for client in &mut clients {
        assert_eq!(client.get("/ten").body, b"0123456789");
    }
    let memory = resident::now().unwrap().saturating_sub(before) / count as u64;
    assert!(memory <= 1024, "{memory} bytes for each idle connection");
    drop(clients);
    let counts = server.shutdown(PATIENCE);
    assert_eq!((counts.responses, counts.failed), (count as u64 + 200, 0));
}

#[test]
fn connections_go_to_the_ring_with_the_fewest() {
    let site = site();
    let Some(server) = start(&site.root(), 4, calm()) else { return };
    let clients: Vec<Client> = (0..40)
        .map(|_| {
            let mut client = Client::new(&server);
            assert_eq!(client.get("/ten").status, 200);
            client
        })
        .collect();
    assert_eq!(server.connections(), [10; 4]);
    drop(clients);
    let counts = server.shutdown(PATIENCE);
    assert_eq!((counts.cut_off, counts.failed), (0, 0));
}

#[test]
fn an_idle_ring_sleeps() {
    let _alone = alone();
    let site = site();
    let (address, addressed) = mpsc::channel();
    let clients = thread::spawn(move || {
        let Ok(address) = addressed.recv() else { return vec![] };
        (0..100).map(|_| TcpStream::connect(address).unwrap()).collect::<Vec<_>>()
    });
    let (held, calls) = syscalls::trace(|| {
        let server = start(&site.root(), 1, calm())?;
        address.send(server.address()).unwrap();
        let clients = clients.join().unwrap();
        let deadline = soon();
        while server.connections() != [100] {
            assert!(Instant::now() < deadline, "{:?}", server.connections());
            thread::sleep(Duration::from_millis(1));
        }
        thread::sleep(Duration::from_millis(300));
        Some((server, clients)) // to be closed afterwards
    })
    .unwrap();
    if held.is_some() {
        // At most one round for each client, and those of the probe. A loop that does not sleep
        // makes thousands.
        let enters = calls.of("io_uring_enter").made;
        assert!(enters <= 200, "{enters} rounds for 100 clients");
    }
}

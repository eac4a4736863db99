//! Tests that need a process of their own: they count its descriptors and threads, exhaust its
//! limits, or change its signals.

use super::site::{Client, calm, exchange, first_200, site, start, status};
use super::{KIB, MIB};
use perf_proved::harness::scratch::pattern;
use perf_proved::zero_copy::sendfile::experiment;
use perf_proved::zero_copy::sendfile::server::{Counts, FileServer, Limits};
use perf_proved_tests::{PATIENCE, only, passed, soon};
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::process::CommandExt;
use std::process::{Output, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};
use std::{array, env};

/// Returns `true` in the process that runs only this test. Otherwise starts that process and checks
/// that the test passes there.
fn in_a_process(test: &str) -> bool {
    if env::var_os("PERF_PROVED_ALONE").is_some() {
        return true;
    }
    passed(&only(test).env("PERF_PROVED_ALONE", "1").output().unwrap());
    false
}

fn entries(directory: &str) -> usize {
    fs::read_dir(directory).unwrap().count()
}

#[test]
fn well_behaved_clients_are_served_beside_ill_behaved_ones() {
    if !in_a_process("processes::well_behaved_clients_are_served_beside_ill_behaved_ones") {
        return;
    }
    let site = site();
    let large = pattern(3 * MIB + 1);
    site.0.file("root/shrinking", MIB).unwrap();
    let before = (entries("/proc/self/fd"), entries("/proc/self/task"));
    let limits = Limits { connections: 400, body_per_mib: PATIENCE, ..calm() };
    let (server, troubles) = start(&site.root(), limits);
    let stop = AtomicBool::new(false);
    let served = AtomicU64::new(0);
    let outcome: Counts = thread::scope(|scope| {
        let (server, stop, served, large, site) = (&server, &stop, &served, &large, &site);
        // Some read a head and nothing else, until the end.
        let stalled: [Client; 20] = array::from_fn(|_| {
            let mut client = Client::new(server);
            client.send("GET /huge HTTP/1.1\r\nHost: a\r\n\r\n");
            client
        });
        // Some go away in the middle of a body.
        for _ in 0..10 {
            scope.spawn(move || {
                while !stop.load(SeqCst) {
                    let mut client = Client::new(server);
                    client.send("GET /huge HTTP/1.1\r\nHost: a\r\n\r\n");
                    let _ = client.0.read(&mut [0; 5000]);
                    thread::sleep(Duration::from_millis(5));
                }
            });
        }
        // One file shrinks and grows all the time. A client that asks for it gets either size.
        scope.spawn(move || {
            let file = OpenOptions::new().write(true).open(site.root().join("shrinking")).unwrap();
            while !stop.load(SeqCst) {
                file.set_len(1000).unwrap();
                file.set_len(MIB as u64).unwrap();
                thread::sleep(Duration::from_millis(1));
            }
        });
        for _ in 0..5 {
            scope.spawn(move || {
                while !stop.load(SeqCst) {
                    let mut client = Client::new(server);
                    client.send("GET /shrinking HTTP/1.1\r\nHost: a\r\n\r\n");
                    if let Ok(reply) = client.reply(false) {
                        assert!(matches!(reply.body.len(), 1000 | MIB));
                    }
                }
            });
        }
        // One tries to reach the secret.
        scope.spawn(move || {
            while !stop.load(SeqCst) {
                for path in [
                    "/../secret",
                    "/%2e%2e/secret",
                    "/out",
                    "/outdirectory/secret",
                    "/fifo",
                    "/magic/etc/passwd",
                ] {
                    let answer =
                        exchange(server, format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
                    assert_eq!(status(&answer), 404);
                }
                thread::sleep(Duration::from_millis(2));
            }
        });
        // Meanwhile, 250 well-behaved clients get everything they ask for.
        let honest: Vec<_> = (0..250)
            .map(|i| {
                let client = move || {
                    let mut client = Client::new(server);
                    for round in 0..4 {
                        assert_eq!(client.get("/ten").body, b"0123456789");
                        assert_eq!(client.get("/nothing").status, 404);
                        if (i + round) % 8 == 0 {
                            assert!(client.get("/large").body == *large);
                        }
                        let start = (i * 7919 + round * 104_729) % (3 * MIB - 5000);
                        let range = format!("Range: bytes={start}-{}", start + 4999);
                        client.send(format!("GET /large HTTP/1.1\r\nHost: a\r\n{range}\r\n\r\n"));
                        assert!(client.reply(false).unwrap().body == large[start..start + 5000]);
                        served.fetch_add(1, SeqCst);
                    }
                };
                thread::Builder::new().stack_size(256 * KIB).spawn_scoped(scope, client).unwrap()
            })
            .collect();
        honest.into_iter().for_each(|client| client.join().unwrap());
        stop.store(true, SeqCst);
        drop(stalled);
        server.counts()
    });
    assert_eq!(served.load(SeqCst), 1000);
    assert_eq!(outcome.refused, 0);
    assert_eq!(server.shutdown(PATIENCE).cut_off, 0);
    for (kind, says) in troubles.lock().unwrap().iter() {
        let known = [
            ErrorKind::ConnectionReset,
            ErrorKind::BrokenPipe,
            ErrorKind::UnexpectedEof,
            ErrorKind::NotConnected,
        ];
        assert!(known.contains(kind), "{says}");
    }
    assert_eq!(entries("/proc/self/fd"), before.0, "descriptors leak");
    // A thread that has been joined may not have left the kernel yet.
    let deadline = soon();
    while entries("/proc/self/task") != before.1 {
        assert!(Instant::now() < deadline, "threads leak");
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn out_of_descriptors_it_rests_and_recovers() {
    if !in_a_process("processes::out_of_descriptors_it_rests_and_recovers") {
        return;
    }
    let site = site();
    let (server, troubles) = start(&site.root(), calm());
    let mut client = Client::new(&server);
    assert_eq!(client.get("/ten").status, 200);
    // SAFETY: `limit` is live.
    unsafe {
        let limit = libc::rlimit { rlim_cur: 64, rlim_max: 64 };
        assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit), 0);
    }
    let mut hoard: Vec<File> = Vec::new();
    // One descriptor for the waiting client's end, none for the server's.
    while let Ok(file) = File::open("/dev/null") {
        hoard.push(file);
    }
    hoard.pop();
    let mut waiting = Client::new(&server);
    waiting.send("GET /ten HTTP/1.1\r\nHost: a\r\n\r\n");
    thread::sleep(Duration::from_millis(500));
    let failed = server.counts().failed;
    assert!((1..200).contains(&failed), "{failed} errors in half a second: it rests, and says so");
    assert_eq!(client.get("/ten").status, 503, "a file needs a descriptor too");
    drop(hoard);
    // It may have got the descriptor of the first client's connection, before there was another for
    // its file.
    assert!(
        matches!(waiting.reply(false).unwrap().status, 200 | 503),
        "the waiting client gets an answer"
    );
    assert_eq!(first_200(&server), b"0123456789");
    assert!(
        troubles.lock().unwrap().iter().all(|(_, says)| says.contains("Too many open files")),
        "{troubles:?}"
    );
}

/// A TCP socket that is made before it is connected: connecting then needs no descriptor.
struct Socket(TcpStream);

impl Socket {
    fn new() -> Self {
        // SAFETY: no pointers; the descriptor is new and owned by nothing else.
        Self(unsafe {
            let fd = libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0);
            assert!(fd >= 0);
            TcpStream::from_raw_fd(fd)
        })
    }

    fn connect(&self, address: SocketAddr) {
        let SocketAddr::V4(v4) = address else { panic!("{address} is not an IPv4 address") };
        let address = libc::sockaddr_in {
            sin_family: libc::AF_INET as libc::sa_family_t,
            sin_port: v4.port().to_be(),
            sin_addr: libc::in_addr { s_addr: u32::from(*v4.ip()).to_be() },
            sin_zero: [0; 8],
        };
        let size = size_of_val(&address) as libc::socklen_t;
        // SAFETY: the socket is open, `address` is live and `size` is its size.
        let connected =
            unsafe { libc::connect(self.0.as_raw_fd(), (&raw const address).cast(), size) };
        assert_eq!(connected, 0);
    }
}

#[test]
fn a_wait_that_fails_is_reported_and_tried_again() {
    if !in_a_process("processes::a_wait_that_fails_is_reported_and_tried_again") {
        return;
    }
    let place = site();
    let listening = Arc::new(Mutex::new(Vec::new()));
    let reports = Arc::clone(&listening);
    let report = move |peer: Option<SocketAddr>, error: &io::Error| {
        if peer.is_none() {
            reports.lock().unwrap().push(error.kind());
        }
    };
    let server = FileServer::start(&place.root(), "127.0.0.1:0", calm(), report).unwrap();
    let waker = Socket::new();
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is live. Nothing else uses standard input, whose descriptor becomes free:
    // with a limit of one descriptor `accept` can use it, while `ppoll` refuses to wait for two
    // (EINVAL).
    unsafe {
        assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit), 0);
        let one = libc::rlimit { rlim_cur: 1, ..limit };
        assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &raw const one), 0);
        assert_eq!(libc::close(0), 0);
    }
    waker.connect(server.address()); // so that the acceptor waits anew
    thread::sleep(Duration::from_millis(500));
    // SAFETY: as above.
    unsafe { assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit), 0) };
    let failed: Vec<ErrorKind> = listening.lock().unwrap().clone();
    assert!(failed.contains(&ErrorKind::InvalidInput), "{failed:?}");
    assert!(failed.len() < 200, "{} errors in half a second: it never rests", failed.len());
    assert_eq!(first_200(&server), b"0123456789");
}

#[test]
fn a_reset_does_not_kill_where_sigpipe_would() {
    if !in_a_process("processes::a_reset_does_not_kill_where_sigpipe_would") {
        return;
    }
    // As in a program without Rust's runtime.
    // SAFETY: the default action runs no code of ours.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    let site = site();
    let (server, troubles) = start(&site.root(), calm());
    for _ in 0..20 {
        let mut client = Client::new(&server);
        client.send("GET /huge HTTP/1.1\r\nHost: a\r\n\r\n");
        client.0.read_exact(&mut vec![0; 200_000]).unwrap();
    }
    assert_eq!(server.shutdown(PATIENCE).cut_off, 0);
    assert_eq!(troubles.lock().unwrap().len(), 20);
}

/// Serves until SIGINT in a process that can open few files, with `stderr` as its standard error.
/// Fills its descriptors, so that it has something to report, and returns what it wrote.
fn serve_with_stderr(stderr: Stdio) -> Output {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut command = only("processes::a_server_outlives_its_log");
    command.env("PERF_PROVED_SERVE", address.to_string()).stdout(Stdio::piped()).stderr(stderr);
    // The threads of the test harness must not take the signal that the server waits for.
    // SAFETY: between fork and exec the child makes three async-signal-safe calls, on a set of its
    // own.
    unsafe {
        command.pre_exec(|| {
            let mut set = std::mem::zeroed();
            libc::sigemptyset(&raw mut set);
            libc::sigaddset(&raw mut set, libc::SIGINT);
            libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut());
            Ok(())
        })
    };
    let server = command.spawn().unwrap();
    let ten = || {
        let mut client = TcpStream::connect(address)?;
        client.set_read_timeout(Some(PATIENCE))?;
        client.write_all(b"GET /ten HTTP/1.0\r\n\r\n")?;
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).map(|_| answer.ends_with(b"0123456789"))
    };
    let serves = || {
        let deadline = soon();
        while !matches!(ten(), Ok(true)) {
            assert!(Instant::now() < deadline, "it does not serve");
            thread::sleep(Duration::from_millis(10));
        }
    };
    serves();
    let clients: Vec<_> = (0..64).map(|_| TcpStream::connect(address)).collect();
    thread::sleep(Duration::from_millis(200));
    drop(clients);
    serves();
    // SAFETY: our own child, which has not been waited for.
    assert_eq!(unsafe { libc::kill(server.id() as libc::pid_t, libc::SIGINT) }, 0);
    server.wait_with_output().unwrap()
}

#[test]
fn a_server_outlives_its_log() {
    if let Ok(address) = env::var("PERF_PROVED_SERVE") {
        let place = site();
        // SAFETY: `limit` is live.
        unsafe {
            let limit = libc::rlimit { rlim_cur: 40, rlim_max: 40 };
            assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit), 0);
        }
        return experiment::serve(&place.root(), &address).unwrap();
    }
    let log = serve_with_stderr(Stdio::piped());
    passed(&log);
    let log = String::from_utf8(log.stderr).unwrap();
    assert!(log.contains("accepting: Too many open files"), "nothing went wrong: {log}");
    assert!(log.contains("finishing what is in flight"), "{log}");

    let (closed, full) = (io::pipe().unwrap().1, File::options().write(true).open("/dev/full"));
    passed(&serve_with_stderr(closed.into()));
    passed(&serve_with_stderr(full.unwrap().into()));
}

//! Tests of the server with a thread for each connection: how its threads wait, and its log.

use super::site::{calm, first_200, site, status};
use perf_proved::harness::loopback::pair;
use perf_proved::zero_copy::sendfile::experiment;
use perf_proved::zero_copy::sendfile::server::{FileServer, Limits, Site};
use perf_proved_tests::{PATIENCE, in_a_process, only, passed, set_buffer, soon};
use std::env;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::process::CommandExt;
use std::process::{Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// Returns a client and its connection, whose buffers hold some 64 KiB of what the server sends.
fn pair_with_little_room() -> (TcpStream, TcpStream) {
    let (client, socket) = pair().unwrap();
    set_buffer(&socket, libc::SO_SNDBUF, 32 << 10);
    set_buffer(&client, libc::SO_RCVBUF, 64 << 10);
    (client, socket)
}

#[test]
fn a_trickle_of_progress_does_not_extend_the_deadline() {
    let place = site();
    let site =
        Site::new(&place.root(), Limits { body_per_mib: Duration::from_millis(300), ..calm() })
            .unwrap();
    // With the usual buffers the kernel wakes the server for about a MiB at a time.
    let (mut client, socket) = pair_with_little_room();
    client.write_all(b"GET /huge HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let reader = thread::spawn(move || {
        let deadline = soon();
        while Instant::now() < deadline && client.read_exact(&mut [0; 8192]).is_ok() {
            thread::sleep(Duration::from_millis(8));
        }
    });
    assert_eq!(site.serve(socket).unwrap_err().kind(), ErrorKind::TimedOut);
    reader.join().unwrap();
}

#[test]
fn a_head_may_be_as_long_as_its_limit_and_no_longer() {
    let place = site();
    let limit = 6000; // more than the server reads at once
    for (length, expected) in [(limit, 200), (limit + 1, 431)] {
        let site = Site::new(&place.root(), Limits { head_bytes: limit, ..calm() }).unwrap();
        let (mut client, socket) = pair().unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        let (start, end) = ("GET /ten HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX: ", "\r\n\r\n");
        let value = "x".repeat(length - start.len() - end.len());
        client.write_all(format!("{start}{value}{end}").as_bytes()).unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        // Keeps the connection open, so that only its shutdown ends the response.
        let open = socket.try_clone().unwrap();
        site.serve(socket).unwrap();
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).unwrap();
        assert_eq!(status(&answer), expected, "{length} bytes");
        assert!(open.nodelay().unwrap());
    }
}

#[test]
fn a_client_that_reads_late_gets_a_response_to_each_request() {
    const REQUESTS: usize = 2000;
    let place = site();
    let site = Site::new(&place.root(), calm()).unwrap();
    let (mut client, socket) = pair_with_little_room();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut writer = client.try_clone().unwrap();
    let answers = thread::scope(|scope| {
        scope.spawn(|| site.serve(socket).unwrap());
        scope.spawn(move || {
            let requests = "HEAD /ten HTTP/1.1\r\nHost: a\r\n\r\n".repeat(REQUESTS);
            writer.write_all(requests.as_bytes()).unwrap();
            writer.shutdown(Shutdown::Write).unwrap();
        });
        // Reads once the server waits for room.
        let (mut before, mut now, deadline) = (0, 0, soon());
        while now == 0 || now != before {
            assert!(Instant::now() < deadline, "{now} responses");
            thread::sleep(Duration::from_millis(20));
            (before, now) = (now, site.responses());
        }
        let mut answers = String::new();
        client.read_to_string(&mut answers).unwrap();
        answers
    });
    let heads: Vec<&str> = answers.split_terminator("\r\n\r\n").collect();
    assert_eq!(heads.len(), REQUESTS);
    assert!(heads.iter().all(|head| head.starts_with("HTTP/1.1 200 OK\r\n")));
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
    if !in_a_process("threads::a_wait_that_fails_is_reported_and_tried_again") {
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
    let (begun, deadline) = (Instant::now(), soon());
    while !listening.lock().unwrap().contains(&ErrorKind::InvalidInput) {
        assert!(Instant::now() < deadline, "no error");
        thread::sleep(Duration::from_millis(1));
    }
    thread::sleep(Duration::from_millis(500));
    let time = begun.elapsed();
    // SAFETY: as above.
    unsafe { assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit), 0) };
    let failed: Vec<ErrorKind> = listening.lock().unwrap().clone();
    let most = 1 + time.as_millis() / 10; // it rests five times as long
    assert!(failed.len() as u128 <= most, "{} errors in {time:?}: it never rests", failed.len());
    assert_eq!(first_200(&server), b"0123456789");
}

/// The descriptors that such a server may have.
const DESCRIPTORS: usize = 40;

/// Serves until `signal` in a process that can open few files, with `stderr` as its standard error.
/// Fills its descriptors, so that it has something to report, and returns what it wrote.
fn serve_with_stderr(stderr: Stdio, signal: libc::c_int) -> Output {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut command = only("threads::a_server_outlives_its_log");
    command.env("PERF_PROVED_SERVE", address.to_string()).stdout(Stdio::piped()).stderr(stderr);
    // The threads of the test harness must not take the signal that the server waits for.
    // SAFETY: between fork and exec the child makes three async-signal-safe calls, on a set of its
    // own.
    unsafe {
        command.pre_exec(move || {
            let mut set = std::mem::zeroed();
            libc::sigemptyset(&raw mut set);
            libc::sigaddset(&raw mut set, signal);
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
    let (descriptors, deadline) = (format!("/proc/{}/fd", server.id()), soon());
    while fs::read_dir(&descriptors).unwrap().count() < DESCRIPTORS {
        assert!(Instant::now() < deadline, "it does not accept");
        thread::sleep(Duration::from_millis(1));
    }
    thread::sleep(Duration::from_millis(200)); // it finds out
    drop(clients);
    serves();
    // SAFETY: our own child, which has not been waited for.
    assert_eq!(unsafe { libc::kill(server.id() as libc::pid_t, signal) }, 0);
    server.wait_with_output().unwrap()
}

#[test]
fn a_server_outlives_its_log() {
    if let Ok(address) = env::var("PERF_PROVED_SERVE") {
        let place = site();
        // SAFETY: `limit` is live.
        unsafe {
            let most = DESCRIPTORS as libc::rlim_t;
            let limit = libc::rlimit { rlim_cur: most, rlim_max: most };
            assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit), 0);
        }
        return experiment::serve(&place.root(), &address).unwrap();
    }
    let log = serve_with_stderr(Stdio::piped(), libc::SIGINT);
    passed(&log);
    let log = String::from_utf8(log.stderr).unwrap();
    assert!(log.contains("accepting: Too many open files"), "nothing went wrong: {log}");
    assert!(log.contains("finishing what is in flight"), "{log}");

    let (closed, full) = (io::pipe().unwrap().1, File::options().write(true).open("/dev/full"));
    passed(&serve_with_stderr(closed.into(), libc::SIGTERM));
    passed(&serve_with_stderr(full.unwrap().into(), libc::SIGINT));
}

//! Tests that need a process of their own: they count its descriptors and threads, exhaust its
//! limits, or change its signals.

use super::site::{Client, calm, exchange, first_200, site, start, status};
use super::{KIB, MIB};
use perf_proved::harness::scratch::pattern;
use perf_proved::zero_copy::sendfile::server::{Counts, Limits};
use perf_proved_tests::{PATIENCE, in_a_process, soon};
use std::array;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read};
use std::iter;
use std::net::Shutdown;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

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

/// Returns the number of errors that a server reports in `time` at most, if it rests after each.
/// Its rests are five times as long, but each of several loops has its own.
fn rests(time: Duration) -> u64 {
    1 + u64::try_from(time.as_millis()).unwrap() / 10
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
    let fill = |hoard: &mut Vec<File>| hoard.extend(iter::from_fn(|| File::open("/dev/null").ok()));
    // One descriptor for the waiting client's end, none for the server's.
    fill(&mut hoard);
    hoard.pop();
    let mut waiting = Client::new(&server);
    waiting.send("GET /ten HTTP/1.1\r\nHost: a\r\n\r\n");
    let (begun, deadline) = (Instant::now(), soon());
    while server.counts().failed == 0 {
        assert!(Instant::now() < deadline, "it never says so");
        thread::sleep(Duration::from_millis(1));
    }
    thread::sleep(Duration::from_millis(500));
    let (failed, most) = (server.counts().failed, rests(begun.elapsed()));
    assert!(failed <= most, "{failed} errors: it does not rest");
    // A ring may have closed the first answer's file only now.
    fill(&mut hoard);
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
    for number in 0..20 {
        let mut client = Client::new(&server);
        client.send("GET /huge HTTP/1.1\r\nHost: a\r\n\r\n");
        if number % 2 == 0 {
            // After this, a reset is EPIPE and raises the signal; otherwise, it is ECONNRESET.
            client.0.shutdown(Shutdown::Write).unwrap();
        }
        client.0.read_exact(&mut vec![0; 200_000]).unwrap();
    }
    assert_eq!(server.shutdown(PATIENCE).cut_off, 0);
    assert_eq!(troubles.lock().unwrap().len(), 20);
}

//! The faults of the naive loops.

use super::MIB;
use perf_proved::harness::loopback::pair;
use perf_proved::io::event_loop::experiment::silence;
use perf_proved::io::event_loop::naive;
use perf_proved::proof::cpu::ThreadClock;
use perf_proved::proof::syscalls::{Calls, trace};
use perf_proved_tests::alone;
use std::cell::Cell;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

const TENTH: Duration = Duration::from_millis(100);

/// Returns `count` clients, and the servers' ends of their connections, which do not block.
fn pairs(count: usize) -> (Vec<TcpStream>, Vec<TcpStream>) {
    let pairs = (0..count).map(|_| pair().unwrap());
    let (clients, servers): (Vec<_>, Vec<_>) = pairs.unzip();
    servers.iter().for_each(|server| server.set_nonblocking(true).unwrap());
    (clients, servers)
}

/// Counts the calls of `server` while one of 100 clients says hello after a tenth of a second, or
/// as soon as a busy machine has left the server some time, and all of them close after that.
fn with_a_quiet_client(server: impl FnOnce(Vec<TcpStream>) -> io::Result<()>) -> Calls {
    let (mut clients, servers) = pairs(100);
    let (start, started) = mpsc::channel();
    // This thread is there before the tracer, so its calls do not count.
    let clock = ThreadClock::mine().unwrap();
    let client = thread::spawn(move || {
        started.recv().unwrap();
        silence(clock).unwrap();
        clients[42].write_all(b"hello").unwrap();
        let mut answer = [0; 5];
        clients[42].read_exact(&mut answer).unwrap();
        answer
    });
    let served = trace(|| {
        start.send(()).unwrap();
        server(servers)
    });
    let (result, calls) = served.unwrap();
    result.unwrap();
    assert_eq!(client.join().unwrap(), *b"hello");
    calls
}

// Tracing slows each call down, so both do far more in vain than is counted here.

#[test]
fn naive_asks_idle_connections_without_end() {
    let _alone = alone();
    let calls = with_a_quiet_client(|mut servers| naive::busy_poll(&mut servers));
    let reads = calls.of("recvfrom");
    assert_eq!(reads.returned, 5);
    // 100 connections closed, and one read that found something.
    assert_eq!(reads.made, reads.failed + 101);
    assert!(reads.failed > 1000, "{} reads in vain", reads.failed);
}

#[test]
fn naive_spins_while_there_is_room_to_send() {
    let _alone = alone();
    let calls = with_a_quiet_client(naive::watch_both);
    assert_eq!(calls.of("recvfrom").failed, 0);
    let waits = calls.of("epoll_wait").made;
    // Of the 101 events, each has a round of its own at most.
    assert!(waits > 500, "{waits} rounds for 101 events");
}

#[test]
fn naive_leaves_what_did_not_fit_one_read() {
    let (mut clients, servers) = pairs(2);
    clients[0].write_all(&[1; naive::BUFFER]).unwrap();
    clients[1].write_all(&[1; 10_000]).unwrap();
    assert_eq!(naive::read_once(&servers, TENTH).unwrap(), [naive::BUFFER; 2]);
    let left = (&servers[1]).read(&mut vec![0; MIB]).unwrap();
    assert_eq!(left, 10_000 - naive::BUFFER, "it waits, and nothing will be reported");
    assert_eq!((&servers[0]).read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[test]
fn naive_serves_one_client_to_its_end_while_another_waits() {
    let (mut clients, servers) = pairs(2);
    let body = vec![1; 64 * MIB];
    let (others, most) = (Cell::new(0), Cell::new(0));
    let mut buffer = vec![0; body.len()];
    // The clients read what is sent at once, so no socket is ever full. This counts how much the
    // first one gets before the second one gets anything.
    naive::write_until_full(&servers, &body, |client, count| {
        clients[client].read_exact(&mut buffer[..count]).unwrap();
        others.set(if client == 0 { others.get() + count } else { 0 });
        most.set(most.get().max(others.get()));
    })
    .unwrap();
    assert_eq!(most.get(), body.len());
}

//! The faults of the naive loops.

use super::MIB;
use perf_proved::harness::loopback::pair;
use perf_proved::io::event_loop::naive;
use perf_proved::proof::syscalls::trace;
use perf_proved_tests::alone;
use std::cell::Cell;
use std::io::{ErrorKind, Read, Write};
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

#[test]
fn naive_asks_idle_connections_without_end() {
    let _alone = alone();
    let (mut clients, mut servers) = pairs(100);
    let (start, started) = mpsc::channel();
    let client = thread::spawn(move || {
        started.recv().unwrap();
        thread::sleep(TENTH);
        clients[42].write_all(b"hello").unwrap();
        let mut answer = [0; 5];
        clients[42].read_exact(&mut answer).unwrap();
        answer
    });
    let polled = trace(|| {
        start.send(()).unwrap();
        naive::busy_poll(&mut servers)
    });
    let (result, calls) = polled.unwrap();
    result.unwrap();
    assert_eq!(client.join().unwrap(), *b"hello");
    let reads = calls.of("recvfrom");
    assert_eq!(reads.returned, 5);
    // 100 connections closed, and one read that found something. Tracing slows each call down, so
    // this is far less than it would be.
    let in_vain = reads.failed;
    assert_eq!(reads.made, in_vain + 101);
    assert!(in_vain > 1000, "{in_vain} reads in vain in a tenth of a second");
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

//! Connections: limits and deadlines, files that change, shutdown.

use super::engine;
use super::site::{Client, calm, first_200, reported, site, start, start_at};
use perf_proved::zero_copy::sendfile::server::Limits;
use perf_proved_tests::{PATIENCE, soon};
use std::fs::OpenOptions;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

#[test]
fn a_slow_head_times_out_and_an_idle_connection_is_closed() {
    let site = site();
    let limits =
        Limits { head: Duration::from_millis(200), idle: Duration::from_secs(1), ..calm() };
    let (server, troubles) = start(&site.root(), limits);
    let mut slow = Client::new(&server);
    slow.0.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    let (begun, deadline) = (Instant::now(), soon());
    // One byte every 20 ms, for as long as the server reads.
    for byte in b"GET /ten HTTP/1.1\r\nX: ".iter().chain(std::iter::repeat(&b'x')) {
        if slow.0.write_all(&[*byte]).is_err() || slow.0.peek(&mut [0]).is_ok_and(|count| count > 0)
        {
            break;
        }
        assert!(Instant::now() < deadline, "the server still reads");
    }
    assert!(begun.elapsed() >= Duration::from_millis(200));
    slow.0.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(slow.reply(false).unwrap().status, 408);

    let mut idle = Client::new(&server);
    assert_eq!(idle.get("/ten").status, 200);
    assert!(idle.closed(), "closed without a response");
    let mut silent = Client::new(&server);
    assert!(silent.closed(), "closed even before the first request");
    assert!(troubles.lock().unwrap().is_empty());
}

#[test]
fn a_head_and_an_idle_connection_have_limits_of_their_own() {
    let site = site();
    let (server, _) = start(&site.root(), Limits { head: Duration::from_millis(1), ..calm() });
    let mut idle = Client::new(&server);
    thread::sleep(Duration::from_millis(50));
    assert_eq!(idle.get("/ten").status, 200, "the limit of a head is for none that has not begun");

    let (server, _) = start(&site.root(), Limits { head: Duration::from_millis(100), ..calm() });
    let mut half = Client::new(&server);
    half.send("GET /ten HTTP/1.1\r\nHost: a\r\n\r\nGET /ten HT");
    assert_eq!(half.reply(false).unwrap().status, 200);
    assert_eq!(half.reply(false).unwrap().status, 408, "it began with the request before it");
}

#[test]
fn a_stalled_reader_is_reset_and_frees_its_connection() {
    let site = site();
    let limits = Limits { connections: 1, body_per_mib: Duration::from_millis(200), ..calm() };
    let (server, troubles) = start(&site.root(), limits);
    let mut reader = Client::new(&server);
    reader.send("GET /huge HTTP/1.1\r\nHost: a\r\n\r\n");
    reported(&troubles, ErrorKind::TimedOut);
    assert!(troubles.lock().unwrap()[0].1.starts_with("sent "), "{troubles:?}");
    assert_eq!(first_200(&server), b"0123456789");
    let mut rest = Vec::new();
    let end = reader.0.read_to_end(&mut rest);
    assert!(
        end.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset) && rest.len() < 64 << 20
    );
}

#[test]
fn a_connection_beyond_the_limit_is_answered_503_at_once() {
    let site = site();
    let (server, _) = start(&site.root(), Limits { connections: 2, ..calm() });
    let mut inside = [Client::new(&server), Client::new(&server)];
    inside.iter_mut().for_each(|client| assert_eq!(client.get("/ten").status, 200));
    let mut third = Client::new(&server);
    let refused = third.reply(false).unwrap();
    assert_eq!((refused.status, refused.field("Retry-After")), (503, Some("1")));
    assert!(third.closed());
    assert_eq!(server.counts().failed, 0, "to refuse a client is no error");
    inside.iter_mut().for_each(|client| {
        assert_eq!(client.get("/ten").status, 200, "open connections are not affected")
    });
    drop(inside);
    assert_eq!(first_200(&server), b"0123456789");
    assert!(server.counts().refused >= 1);
}

#[test]
fn a_file_that_shrinks_ends_its_connection_and_no_other() {
    let site = site();
    let (server, troubles) = start(&site.root(), calm());
    let mut other = Client::new(&server);
    assert_eq!(other.get("/ten").status, 200);
    let mut client = Client::new(&server);
    let request = "GET /huge HTTP/1.1\r\nHost: a\r\nRange: bytes=1000-\r\n\r\n";
    let head = client.send(request).head().unwrap();
    assert!(head.contains("Content-Length: 67107864\r\n"));
    OpenOptions::new().write(true).open(site.root().join("huge")).unwrap().set_len(0).unwrap();
    let rest = client.0.read_to_end(&mut Vec::new()).unwrap();
    assert!(rest < 64 << 20, "the promised length cannot be sent, and the client can tell");
    reported(&troubles, ErrorKind::UnexpectedEof);
    let sent = format!("sent {rest} of 67107864 bytes of the file: ");
    assert!(troubles.lock().unwrap()[0].1.starts_with(&sent), "{sent}: {troubles:?}");
    assert_eq!(other.get("/ten").body, b"0123456789");
}

#[test]
fn shutdown_finishes_what_is_in_flight() {
    let site = site();
    let (server, troubles) = start(&site.root(), calm());
    let address = server.address();
    let mut idle = Client::new(&server);
    assert_eq!(idle.get("/ten").status, 200);
    let mut busy = Client::new(&server);
    busy.send("GET /huge HTTP/1.1\r\nHost: a\r\n\r\n").head().unwrap();
    let begun = Instant::now();
    let shutdown = thread::spawn(move || server.shutdown(PATIENCE));
    assert!(idle.closed(), "an idle connection ends at once");
    assert!(!shutdown.is_finished());
    busy.0.read_exact(&mut vec![0; 64 << 20]).unwrap();
    drop(busy);
    let counts = shutdown.join().unwrap();
    assert!(begun.elapsed() < PATIENCE, "the last connection wakes it");
    assert_eq!(
        (counts.accepted, counts.responses, counts.cut_off, counts.failed),
        (2, 2, 0, 0),
        "{troubles:?}"
    );
    assert!(TcpStream::connect(address).is_err(), "the port is closed");
}

#[test]
fn shutdown_cuts_off_what_outlasts_its_grace_period() {
    let site = site();
    let (server, troubles) = start(&site.root(), calm());
    let mut stalled = Client::new(&server);
    stalled.send("GET /huge HTTP/1.1\r\nHost: a\r\n\r\n").head().unwrap();
    let mut half = Client::new(&server);
    half.send("GET /ten HT");
    while server.counts().accepted < 2 {
        thread::yield_now();
    }
    let begun = Instant::now();
    let counts = server.shutdown(Duration::from_millis(100));
    assert!(begun.elapsed() < PATIENCE);
    assert!(counts.cut_off >= 1, "{counts:?}");
    reported(&troubles, ErrorKind::ConnectionAborted);
}

#[test]
fn an_address_in_use_is_named() {
    let place = site();
    let (server, _) = start(&place.root(), calm());
    let address = server.address().to_string();
    let error = engine::start(&place.root(), &address, calm(), |_, _| {}).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    assert!(error.to_string().starts_with(&format!("listening on {address}: ")), "{error}");
    drop(server);
    let (again, _) = start_at(&address, &place.root(), calm());
    assert_eq!(again.address().to_string(), address, "dropping a server frees its address");
}

#[test]
fn a_report_that_panics_ends_neither_a_connection_nor_the_server() {
    let place = site();
    let limits = Limits { body_per_mib: Duration::from_millis(50), ..calm() };
    let server = engine::start(&place.root(), "127.0.0.1:0", limits, |_, error| {
        panic!("standard error is full, and {error} cannot be written to it");
    });
    let server = server.unwrap();
    let mut stalled = Client::new(&server);
    stalled.send("GET /huge HTTP/1.1\r\nHost: a\r\n\r\n");
    let deadline = soon();
    while server.counts().failed == 0 {
        assert!(Instant::now() < deadline, "the stalled client is never reported");
        thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(Client::new(&server).get("/ten").body, b"0123456789");
    let counts = server.shutdown(PATIENCE);
    assert_eq!((counts.responses, counts.cut_off), (1, 0), "{counts:?}");
}

//! The state machine of a connection, without a socket and without a clock.

use super::MIB;
use super::site::{Place, site};
use perf_proved::zero_copy::sendfile::server::conversation::{Conversation, Step};
use perf_proved::zero_copy::sendfile::server::{Limits, Service};
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

const GET: &str = "GET /ten HTTP/1.1\r\nHost: a\r\n\r\n";
const HUGE: &str = "GET /huge HTTP/1.1\r\nHost: a\r\n\r\n";
const SECOND: Duration = Duration::from_secs(1);

fn limits() -> Limits {
    Limits { head: 2 * SECOND, idle: 7 * SECOND, body_per_mib: 3 * SECOND, ..Limits::default() }
}

fn service() -> (Place, Service) {
    let place = site();
    let service = Service::new(&place.root(), limits()).unwrap();
    (place, service)
}

fn error(kind: ErrorKind) -> io::Error {
    kind.into()
}

/// Passes `bytes` to it, and opens the file that it asks for.
fn receive(conversation: &mut Conversation, service: &Service, bytes: &[u8], now: Instant) {
    conversation.received(service, bytes, now);
    open(conversation, service, now);
}

fn open(conversation: &mut Conversation, service: &Service, now: Instant) {
    if let Step::Open(path) = conversation.step(service) {
        let file = service.open(path);
        conversation.opened(service, file, now);
    }
}

/// Sends up to `most` bytes of the next step, and returns them; nothing if it is no sending step.
fn send(conversation: &mut Conversation, service: &Service, most: usize, now: Instant) -> Vec<u8> {
    let sent = match conversation.step(service) {
        Step::Send { bytes, .. } => bytes[..bytes.len().min(most)].to_vec(),
        Step::SendFile(file, piece) => {
            let mut bytes = vec![0; most.min((piece.end - piece.start) as usize)];
            file.read_exact_at(&mut bytes, piece.start).unwrap();
            bytes
        }
        _ => return vec![],
    };
    assert!(!sent.is_empty(), "no step is empty");
    conversation.sent(service, sent.len(), now);
    open(conversation, service, now);
    sent
}

/// Returns everything that it sends until it wants to read again, or ends.
fn send_all(conversation: &mut Conversation, service: &Service, most: usize) -> String {
    let mut all = vec![];
    loop {
        match send(conversation, service, most, Instant::now()) {
            sent if sent.is_empty() => return String::from_utf8(all).unwrap(),
            sent => all.extend(sent),
        }
    }
}

/// Replaces what changes from second to second.
fn without_date(text: &str) -> String {
    let lines = text.split_inclusive("\r\n").filter(|line| !line.starts_with("Date: "));
    lines.collect()
}

#[test]
fn the_pieces_in_which_bytes_arrive_and_leave_change_nothing() {
    let (_place, service) = service();
    let bytes = [GET, "\r\n", GET, "HEAD /nothing HTTP/1.1\r\nHost: a\r\n\r\n", GET, "GET\r\n\r\n"];
    let bytes = bytes.concat();
    let run = |arrives: usize, leaves: usize| {
        let mut conversation = Conversation::new(&service, Instant::now());
        let mut answers = String::new();
        let mut rest = bytes.as_bytes();
        while let Step::Receive(room) = conversation.step(&service) {
            let (piece, after) = rest.split_at(arrives.min(room).min(rest.len()));
            rest = after;
            receive(&mut conversation, &service, piece, Instant::now());
            answers += &send_all(&mut conversation, &service, leaves);
        }
        assert!(matches!(conversation.step(&service), Step::ShutDown), "after a refusal");
        without_date(&answers)
    };
    let whole = run(usize::MAX, usize::MAX);
    assert_eq!(whole.matches("HTTP/1.1 ").count(), 5, "{whole}");
    for arrives in [1, 2, 3, 7, 40, 1000] {
        for leaves in [1, 5, 1000] {
            assert_eq!(run(arrives, leaves), whole, "{arrives} {leaves}");
        }
    }
    assert_eq!(service.responses(), 5 * 19);
}

#[test]
fn no_progress_within_a_head_or_a_piece_moves_its_deadline() {
    let (_place, service) = service();
    let start = Instant::now();
    let mut conversation = Conversation::new(&service, start);
    assert_eq!(conversation.deadline(), start + 7 * SECOND, "idle");
    let mut now = start + SECOND;
    for byte in HUGE.as_bytes() {
        assert!(now < start + 3 * SECOND);
        receive(&mut conversation, &service, &[*byte], now);
        if !matches!(conversation.step(&service), Step::Receive(_)) {
            break;
        }
        assert_eq!(conversation.deadline(), start + 3 * SECOND, "from the first byte on");
        now += SECOND / 100;
    }
    assert_eq!(conversation.deadline(), now + 3 * SECOND, "the response");
    let mut piece = now;
    while matches!(conversation.step(&service), Step::Send { .. }) {
        assert_eq!(conversation.deadline(), piece + 3 * SECOND);
        now += SECOND / 100;
        send(&mut conversation, &service, 10, now);
    }
    piece = now;
    for kib in 1..=1024 {
        assert_eq!(conversation.deadline(), piece + 3 * SECOND, "{kib} KiB into the body");
        now += SECOND / 500;
        send(&mut conversation, &service, 1024, now);
    }
    assert_eq!(conversation.deadline(), now + 3 * SECOND, "the second MiB has its own");
}

#[test]
fn a_deadline_ends_each_state_in_its_own_way() {
    let (_place, service) = service();
    let now = Instant::now();
    let timed_out = || error(ErrorKind::TimedOut);
    let new = || Conversation::new(&service, now);

    let mut idle = new();
    idle.cut_off(&service, timed_out(), now).unwrap();
    assert!(matches!(idle.step(&service), Step::Close));

    let mut half = new();
    receive(&mut half, &service, &GET.as_bytes()[..9], now);
    half.cut_off(&service, timed_out(), now).unwrap();
    assert!(send_all(&mut half, &service, MIB).starts_with("HTTP/1.1 408 "));
    assert!(matches!(half.step(&service), Step::ShutDown));
    half.shut_down(now);
    assert_eq!(half.deadline(), now + SECOND, "the client has a second to close");
    half.cut_off(&service, timed_out(), now).unwrap();
    assert!(matches!(half.step(&service), Step::Close));
    half.end().unwrap();

    let mut aborted = new();
    receive(&mut aborted, &service, &GET.as_bytes()[..9], now);
    let cause = error(ErrorKind::ConnectionAborted);
    let end = aborted.cut_off(&service, cause, now).unwrap_err();
    assert_eq!(end.kind(), ErrorKind::ConnectionAborted);

    let mut stalled = new();
    receive(&mut stalled, &service, HUGE.as_bytes(), now);
    while matches!(stalled.step(&service), Step::Send { .. }) {
        send(&mut stalled, &service, MIB, now);
    }
    send(&mut stalled, &service, MIB, now);
    send(&mut stalled, &service, 1000, now);
    let end = stalled.cut_off(&service, timed_out(), now).unwrap_err();
    assert_eq!(end.kind(), ErrorKind::TimedOut);
    let sent = format!("sent {} of {} bytes of the file: ", MIB + 1000, 64 * MIB);
    assert!(end.to_string().starts_with(&sent), "{end}");
}

#[test]
fn a_shutdown_answers_what_has_arrived_and_nothing_more() {
    let (_place, service) = service();
    let now = Instant::now();
    let mut idle = Conversation::new(&service, now);
    idle.finish();
    assert!(matches!(idle.step(&service), Step::Receive(_)), "something may have arrived");
    assert!(idle.found_nothing());
    assert!(matches!(idle.step(&service), Step::Close));

    let mut busy = Conversation::new(&service, now);
    busy.finish();
    receive(&mut busy, &service, [GET, GET].concat().as_bytes(), now);
    let answer = send_all(&mut busy, &service, MIB);
    assert_eq!(answer.matches("HTTP/1.1 200 OK").count(), 1, "{answer}");
    assert!(answer.contains("Connection: close\r\n"), "{answer}");
    assert!(matches!(busy.step(&service), Step::ShutDown));

    let mut half = Conversation::new(&service, now);
    receive(&mut half, &service, &GET.as_bytes()[..9], now);
    half.finish();
    assert!(!half.found_nothing());
    assert!(matches!(half.step(&service), Step::Receive(_)), "a request that has begun");
}

#[test]
fn the_part_of_a_file_that_follows_a_head_is_named_until_the_head_has_left() {
    let (_place, service) = service();
    let mut conversation = Conversation::new(&service, Instant::now());
    assert!(conversation.following().is_none(), "nothing was asked");
    receive(&mut conversation, &service, GET.as_bytes(), Instant::now());
    for _ in 0..2 {
        let (file, piece) = conversation.following().unwrap();
        let mut body = [0; 10];
        assert_eq!(file.read_at(&mut body, piece.start).unwrap(), 10);
        assert_eq!((&body, piece), (b"0123456789", 0..10));
        assert_eq!(send(&mut conversation, &service, 20, Instant::now()).len(), 20);
    }
    while let Step::Send { .. } = conversation.step(&service) {
        send(&mut conversation, &service, 20, Instant::now());
    }
    assert!(conversation.following().is_none(), "it is the step itself");
    assert_eq!(send(&mut conversation, &service, 20, Instant::now()), b"0123456789");
    let head = GET.replace("GET", "HEAD");
    receive(&mut conversation, &service, head.as_bytes(), Instant::now());
    assert!(matches!(conversation.step(&service), Step::Send { more: false, .. }));
    assert!(conversation.following().is_none(), "a head has no body");
}

//! Tests of `splice`: a relay loses nothing, passes on the end of a stream as an end and a reset as
//! a reset, and never gives one connection's bytes to another.
#![cfg(target_os = "linux")]

use perf_proved::harness::loopback::{FNV_START, fnv1a, pair};
use perf_proved::harness::report::is_unavailable;
use perf_proved::harness::scratch::{Scratch, pattern};
use perf_proved::sys::log;
use perf_proved::sys::socket::reset_on_close;
use perf_proved::zero_copy::splice::experiment::{Allowance, allowance};
use perf_proved::zero_copy::splice::pool::PipePool;
use perf_proved::zero_copy::splice::proxy::Proxy;
use perf_proved::zero_copy::splice::relay::{Moved, RelayError, relay};
use perf_proved::zero_copy::splice::variants::Variant;
use perf_proved::zero_copy::splice::{Pipe, naive, send_range_with};
use perf_proved_tests::{PATIENCE, hears, only, passed, set_buffer};
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// The pipe of the tests, in bytes.
const PIPE: usize = 64 << 10;

/// Connects a client and a server through a relay that runs on a thread of its own.
fn proxied(
    name: &'static str,
    idle: Duration,
) -> (TcpStream, TcpStream, JoinHandle<Result<Moved, RelayError>>) {
    let (client, first) = pair().unwrap();
    let (server, second) = pair().unwrap();
    for end in [&client, &server] {
        end.set_read_timeout(Some(PATIENCE)).unwrap();
    }
    let relaying = thread::spawn(move || {
        let (mut forward, mut back) = (Variant::new(name).unwrap(), Variant::new(name).unwrap());
        relay(&first, &second, [&mut forward, &mut back], idle)
    });
    (client, server, relaying)
}

#[test]
fn an_ordinary_user_gets_64_large_pipes_at_most_and_then_two_pages() {
    let Allowance { large, last } = match allowance() {
        Err(error) if is_unavailable(&error) => return eprintln!("not possible here: {error}"),
        found => found.unwrap(),
    };
    // Other pipes of this user count too.
    assert!((1..=64).contains(&large), "{large}");
    assert_eq!(last, 8192);
}

/// Sends `bytes` and ends the stream, on a thread of its own.
fn says(mut end: TcpStream, bytes: Vec<u8>) -> JoinHandle<()> {
    thread::spawn(move || {
        end.write_all(&bytes).unwrap();
        end.shutdown(Shutdown::Write).unwrap();
    })
}

#[test]
fn both_directions_at_once_at_every_size() {
    let lengths = [0, 1, 4095, 4096, 4097, PIPE - 1, PIPE, PIPE + 1, 3 << 20];
    for (length, name) in
        lengths.into_iter().flat_map(|length| Variant::NAMES.map(|name| (length, name)))
    {
        let (client, server, relaying) = proxied(name, PATIENCE);
        let (up, mut down) = (pattern(length), pattern(length));
        down.reverse();
        let speaking = [
            says(client.try_clone().unwrap(), up.clone()),
            says(server.try_clone().unwrap(), down.clone()),
        ];
        let hearing = thread::spawn(move || hears(&server));
        assert!(hears(&client) == down, "{name}, {length} bytes back");
        assert!(hearing.join().unwrap() == up, "{name}, {length} bytes forward");
        speaking.into_iter().for_each(|side| side.join().unwrap());
        let length = length as u64;
        assert_eq!(relaying.join().unwrap().unwrap(), Moved { forward: length, back: length });
    }
}

#[test]
fn a_file_larger_than_two_gibibytes_goes_through_a_pipe_and_the_relay() {
    let length = (2 << 30) + 1_u64;
    let scratch = Scratch::new().unwrap();
    let path = scratch.path().join("sparse");
    let mut file = File::create_new(&path).unwrap();
    file.set_len(length - 1).unwrap();
    std::io::Seek::seek(&mut file, std::io::SeekFrom::End(0)).unwrap();
    file.write_all(b"!").unwrap();
    let (client, server, relaying) = proxied("splice_64KiB", PATIENCE);
    let sending = thread::spawn(move || {
        let file = File::open(path).unwrap();
        let mut pipe = Pipe::new().unwrap();
        send_range_with(&mut pipe, &client, &file, 0..length, || unreachable!("the socket blocks"))
            .unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        client
    });
    let (mut all, mut last, mut buffer) = (0, 0, vec![0; 1 << 20]);
    loop {
        let count = (&server).read(&mut buffer).unwrap();
        if count == 0 {
            break;
        }
        let zeros =
            if last == b'!' { 0 } else { count - usize::from(all + count as u64 == length) };
        assert!(
            buffer[..zeros].iter().all(|byte| *byte == 0),
            "before byte {}",
            all + count as u64
        );
        all += count as u64;
        last = buffer[count - 1];
    }
    assert_eq!((all, last), (length, b'!'));
    server.shutdown(Shutdown::Write).unwrap();
    drop(sending.join().unwrap());
    assert_eq!(relaying.join().unwrap().unwrap(), Moved { forward: length, back: 0 });
}

#[test]
fn a_half_that_closes_is_passed_on_and_the_other_half_goes_on() {
    for swapped in [false, true] {
        let (client, server, relaying) = proxied("splice_64KiB", PATIENCE);
        let (mut asks, mut answers) = if swapped { (server, client) } else { (client, server) };
        asks.write_all(b"question").unwrap();
        asks.shutdown(Shutdown::Write).unwrap();
        assert_eq!(
            hears(&answers),
            b"question",
            "the end of it arrives while nothing was answered"
        );
        answers.write_all(b"an answer").unwrap();
        answers.shutdown(Shutdown::Write).unwrap();
        assert_eq!(hears(&asks), b"an answer");
        let moved = relaying.join().unwrap().unwrap();
        let (question, answer) =
            if swapped { (moved.back, moved.forward) } else { (moved.forward, moved.back) };
        assert_eq!((question, answer), (8, 9));
    }
}

/// Closes `end` with a reset.
fn reset(end: TcpStream) {
    reset_on_close(&end, true).unwrap();
}

/// Returns `true` if `end` was reset, and `false` if its stream has ended.
fn is_reset(mut end: &TcpStream) -> bool {
    match end.read(&mut [0]) {
        Ok(0) => false,
        Err(error) if error.kind() == ErrorKind::ConnectionReset => true,
        other => panic!("neither the end of the stream nor a reset: {other:?}"),
    }
}

#[test]
fn a_reset_is_passed_on_as_a_reset() {
    for (whose, name) in
        ["client", "server"].into_iter().flat_map(|w| Variant::NAMES.map(|name| (w, name)))
    {
        let (client, server, relaying) = proxied(name, PATIENCE);
        let (mut gone, mut stays) =
            if whose == "client" { (client, server) } else { (server, client) };
        gone.write_all(b"half an ans").unwrap();
        stays.read_exact(&mut [0; 11]).unwrap();
        reset(gone);
        assert!(is_reset(&stays), "{name}, the {whose} resets");
        let error = relaying.join().unwrap().unwrap_err();
        assert_eq!(error.cause.kind(), ErrorKind::ConnectionReset, "{error}");
        assert!(error.cause.to_string().contains(&format!("from the {whose}: ")), "{error}");
    }
}

#[test]
fn bytes_that_the_peer_has_not_read_reset_the_connection_too() {
    for whose in ["client", "server"] {
        let (client, server, relaying) = proxied("splice_64KiB", PATIENCE);
        let (gone, mut stays) = if whose == "client" { (client, server) } else { (server, client) };
        stays.write_all(b"unread").unwrap();
        assert_eq!(gone.peek(&mut [0]).unwrap(), 1); // it has arrived
        drop(gone);
        assert!(is_reset(&stays), "the {whose} closes");
        let error = relaying.join().unwrap().unwrap_err();
        assert_eq!(error.cause.kind(), ErrorKind::ConnectionReset, "{error}");
    }
}

#[test]
fn a_reset_after_the_end_of_a_stream_is_passed_on_at_once() {
    for whose in ["client", "server"] {
        let (client, server, relaying) = proxied("splice_64KiB", PATIENCE);
        let (mut gone, stays) = if whose == "client" { (client, server) } else { (server, client) };
        gone.write_all(b"question").unwrap();
        gone.shutdown(Shutdown::Write).unwrap();
        assert_eq!(hears(&stays), b"question");
        reset(gone); // nothing is written to it that could fail
        let error = relaying.join().unwrap().unwrap_err();
        // The kernel reports a reset after the end of the stream as EPIPE.
        assert_eq!(error.cause.kind(), ErrorKind::BrokenPipe, "{error}");
        assert!(error.cause.to_string().starts_with(&format!("the {whose}: ")), "{error}");
        let error = (&stays).write(b"answer").and_then(|_| (&stays).write(b"answer")).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe));
    }
}

#[test]
fn the_end_of_a_stream_cannot_be_passed_on_to_a_side_that_was_reset() {
    let ((client, first), (server, second)) = (pair().unwrap(), pair().unwrap());
    client.shutdown(Shutdown::Write).unwrap();
    reset(client);
    server.shutdown(Shutdown::Write).unwrap();
    let (mut forward, mut back) = (Pipe::new().unwrap(), Pipe::new().unwrap());
    // Both streams have ended before the relay starts, so it never polls: `shutdown` finds the
    // reset.
    let error = relay(&first, &second, [&mut forward, &mut back], PATIENCE).unwrap_err();
    assert_eq!(error.cause.kind(), ErrorKind::BrokenPipe, "{error}");
    assert!(error.cause.to_string().starts_with("the client: "), "{error}");
}

#[test]
fn the_idle_limit_resets_both_sides() {
    for name in ["copy_64KiB", "splice_64KiB"] {
        let (client, mut server, relaying) = proxied(name, Duration::from_millis(200));
        server.write_all(b"half an ans").unwrap();
        (&client).read_exact(&mut [0; 11]).unwrap();
        assert!(is_reset(&client) && is_reset(&server), "{name}");
        let error = relaying.join().unwrap().unwrap_err();
        assert_eq!(error.cause.kind(), ErrorKind::TimedOut, "{error}");
    }
}

#[test]
fn after_the_end_of_both_streams_the_connections_close_in_order() {
    let (client, server, relaying) = proxied("splice_64KiB", PATIENCE);
    says(server, pattern(1 << 20)).join().unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    relaying.join().unwrap().unwrap(); // its sockets are closed, and the client has read nothing
    assert!(hears(&client) == pattern(1 << 20));
}

#[test]
fn when_the_output_stalls_the_rest_is_named() {
    let (client, server, relaying) = proxied("splice_64KiB", Duration::from_millis(300));
    // Nothing reads `server`; the client writes until nothing moves any more.
    client.set_nonblocking(true).unwrap();
    let mut error = None;
    let mut said = 0;
    while !relaying.is_finished() {
        match (&client).write(&[7; 64 << 10]) {
            Ok(count) => said += count as u64,
            Err(stalled) if stalled.kind() == ErrorKind::WouldBlock => {
                thread::sleep(Duration::from_millis(5))
            }
            Err(gone) => {
                error = Some(gone);
                break;
            }
        }
    }
    let stalled = relaying.join().unwrap().unwrap_err();
    assert_eq!(stalled.cause.kind(), ErrorKind::TimedOut, "{stalled}");
    assert!(stalled.held.forward > 0 && stalled.held.forward <= PIPE as u64, "{stalled}");
    assert!(stalled.moved.forward + stalled.held.forward <= said, "{stalled}, {error:?}");
    assert!(
        stalled
            .to_string()
            .contains(&format!("{} and 0 more were under way", stalled.held.forward))
    );
    drop(server);
}

#[test]
fn a_file_arrives_whole_and_leaves_the_pipe_empty() {
    let scratch = Scratch::new().unwrap();
    for length in [0, 1, PIPE - 1, PIPE, PIPE + 1, 5 * PIPE + 1] {
        let file = File::open(scratch.file("file", length + 2).unwrap()).unwrap();
        let (peer, socket) = pair().unwrap();
        let reading = thread::spawn(move || hears(&peer));
        let mut pipe = Pipe::with_capacity(PIPE).unwrap();
        let range = 1..length as u64 + 1;
        send_range_with(&mut pipe, &socket, &file, range, || unreachable!("the socket blocks"))
            .unwrap();
        assert_eq!(pipe.held(), 0);
        drop(socket);
        assert!(reading.join().unwrap() == pattern(length + 1)[1..], "{length} bytes");
    }
}

#[test]
fn a_file_that_has_become_shorter_ends_the_transfer_and_all_that_it_had_has_arrived() {
    let scratch = Scratch::new().unwrap();
    let file = File::open(scratch.file("file", PIPE + 10).unwrap()).unwrap();
    let (peer, socket) = pair().unwrap();
    let reading = thread::spawn(move || hears(&peer));
    let mut pipe = Pipe::with_capacity(PIPE).unwrap();
    let error =
        send_range_with(&mut pipe, &socket, &file, 10..1 << 20, || unreachable!()).unwrap_err();
    assert_eq!(
        (error.sent, error.of, error.cause.kind()),
        (PIPE as u64, (1 << 20) - 10, ErrorKind::UnexpectedEof)
    );
    assert_eq!(
        error.to_string(),
        "sent 65536 of 1048566 bytes of the file: the file has become shorter"
    );
    drop(socket);
    assert!(reading.join().unwrap() == pattern(PIPE + 10)[10..]);
}

#[test]
fn a_full_socket_is_waited_for_and_what_was_sent_is_known_when_the_wait_ends() {
    let scratch = Scratch::new().unwrap();
    let length = 32 << 20;
    let file = File::open(scratch.file("file", length).unwrap()).unwrap();
    for patient in [true, false] {
        let (peer, socket) = pair().unwrap();
        socket.set_nonblocking(true).unwrap();
        let mut pipe = Pipe::with_capacity(PIPE).unwrap();
        let (mut waits, mut reading) = (0, None);
        let outcome = send_range_with(&mut pipe, &socket, &file, 0..length as u64, || {
            waits += 1;
            if !patient {
                return Err(ErrorKind::TimedOut.into());
            }
            reading.get_or_insert_with(|| {
                let mut peer = peer.try_clone().unwrap();
                thread::spawn(move || {
                    let mut received = vec![0; length];
                    peer.read_exact(&mut received).map(|()| received)
                })
            });
            thread::sleep(Duration::from_micros(100));
            Ok(())
        });
        assert!(waits > 0, "the socket has room for 32 MiB");
        if patient {
            outcome.unwrap();
            assert!(reading.unwrap().join().unwrap().unwrap() == pattern(length));
        } else {
            let error = outcome.unwrap_err();
            assert_eq!((error.cause.kind(), waits), (ErrorKind::TimedOut, 1));
            drop(socket);
            assert_eq!(
                hears(&peer).len() as u64,
                error.sent,
                "what the error says was sent, and no more, arrives"
            );
        }
    }
}

#[test]
fn what_is_left_in_the_pipe_can_be_drained_later() {
    let scratch = Scratch::new().unwrap();
    let whole = pattern(PIPE);
    let file = File::open(scratch.file("file", PIPE).unwrap()).unwrap();
    let mut pipe = Pipe::with_capacity(PIPE).unwrap();
    let mut at = 0;
    while at < PIPE as u64 {
        assert!(pipe.fill(&file, Some(&mut at), PIPE).unwrap() > 0);
    }
    assert_eq!(
        (pipe.held(), pipe.fill(&file, Some(&mut 0), 1).unwrap_err().kind()),
        (PIPE, ErrorKind::WouldBlock)
    );
    assert_eq!(
        Pipe::new().unwrap().fill(&file, Some(&mut at), 1).unwrap(),
        0,
        "the end of the file"
    );

    // A socket that is full takes nothing, and the bytes stay.
    let (peer, socket) = pair().unwrap();
    socket.set_nonblocking(true).unwrap();
    let mut before = 0_u64;
    loop {
        match (&socket).write(&[0; 64 << 10]) {
            Ok(count) => before += count as u64,
            Err(error) => break assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
    }
    assert_eq!(pipe.drain(&socket, false).unwrap_err().kind(), ErrorKind::WouldBlock);
    assert_eq!(pipe.held(), PIPE);
    let reading = thread::spawn(move || {
        std::io::copy(&mut (&peer).take(before), &mut std::io::sink()).unwrap();
        hears(&peer)
    });
    socket.set_nonblocking(false).unwrap();
    while pipe.held() > 0 {
        assert!(pipe.drain(&socket, true).unwrap() > 0);
    }
    drop(socket);
    assert_eq!(fnv1a(FNV_START, &reading.join().unwrap()), fnv1a(FNV_START, &whole));
}

#[test]
fn a_short_drain_keeps_count_of_the_rest() {
    let Ok(mut pipe) = Pipe::with_capacity(1 << 20) else {
        panic!("a pipe of 1 MiB, the largest for every user")
    };
    let scratch = Scratch::new().unwrap();
    let whole = pattern(1 << 20);
    let file = File::open(scratch.file("file", whole.len()).unwrap()).unwrap();
    let mut at = 0;
    while pipe.held() < whole.len() {
        assert!(pipe.fill(&file, Some(&mut at), whole.len()).unwrap() > 0);
    }
    let (peer, socket) = pair().unwrap();
    set_buffer(&socket, libc::SO_SNDBUF, 16 << 10);
    socket.set_nonblocking(true).unwrap();
    let mut left = whole.len();
    let moved = pipe.drain(&socket, false).unwrap();
    assert!(moved > 0 && moved < left, "the socket has room for {moved} bytes of {left}");
    left -= moved;
    assert_eq!(pipe.held(), left);
    let reading = thread::spawn(move || hears(&peer));
    socket.set_nonblocking(false).unwrap();
    while pipe.held() > 0 {
        pipe.drain(&socket, false).unwrap();
    }
    drop(socket);
    assert!(reading.join().unwrap() == whole);
}

#[test]
fn what_cannot_be_spliced_to_is_an_error_and_the_bytes_stay() {
    let scratch = Scratch::new().unwrap();
    let file = File::open(scratch.file("file", 4096).unwrap()).unwrap();
    let device = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut pipe = Pipe::new().unwrap();
    assert_eq!(pipe.fill(&file, Some(&mut 0), 4096).unwrap(), 4096);
    assert_eq!(pipe.drain(&device, false).unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!(pipe.held(), 4096);
}

#[test]
fn a_pipe_has_the_capacity_that_the_kernel_grants() {
    for (asked, granted) in
        [(0, 4096), (1, 4096), (4096, 4096), (4097, 8192), (PIPE, PIPE), (1 << 20, 1 << 20)]
    {
        match Pipe::with_capacity(asked) {
            Ok(pipe) => assert_eq!(pipe.capacity(), granted, "asked for {asked}"),
            // A user whose pipes hold the soft limit already gets no larger ones.
            Err(error) => assert!(
                asked > PIPE && error.kind() == ErrorKind::PermissionDenied,
                "{asked}: {error}"
            ),
        }
    }
    assert_eq!(Pipe::with_capacity(usize::MAX).unwrap_err().kind(), ErrorKind::InvalidInput);
}

/// Returns `true` if this process may exceed the limits on pipes (`CAP_SYS_RESOURCE`).
fn privileged() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:")).unwrap();
    u64::from_str_radix(effective.trim(), 16).unwrap() >> 24 & 1 == 1
}

#[test]
fn a_pipe_beyond_the_limit_is_refused_or_made_smaller() {
    let most: usize =
        fs::read_to_string("/proc/sys/fs/pipe-max-size").unwrap().trim().parse().unwrap();
    let asked = Pipe::with_capacity(2 * most);
    let granted = Pipe::up_to(2 * most).unwrap().capacity();
    if privileged() {
        assert_eq!((asked.unwrap().capacity(), granted), (2 * most, 2 * most));
    } else {
        assert_eq!(asked.unwrap_err().kind(), ErrorKind::PermissionDenied);
        // The pipes of other tests count against this user's pages, too.
        let most_is_free = || Pipe::with_capacity(most).is_ok();
        assert!(granted == most || granted < most && !most_is_free(), "{granted}");
    }
    assert_eq!(Pipe::up_to(usize::MAX).unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[test]
fn tee_leaves_the_bytes_and_fills_the_room_in_the_other_pipe() {
    let scratch = Scratch::new().unwrap();
    let file = File::open(scratch.file("file", 4 * 4096).unwrap()).unwrap();
    let (mut pipe, mut small) =
        (Pipe::with_capacity(PIPE).unwrap(), Pipe::with_capacity(4096).unwrap());
    assert_eq!(pipe.tee(&mut small).unwrap(), 0, "nothing to copy");
    let mut at = 0;
    while pipe.held() < 4 * 4096 {
        pipe.fill(&file, Some(&mut at), PIPE).unwrap();
    }
    assert_eq!(pipe.tee(&mut small).unwrap(), 4096, "room for a page");
    assert_eq!((pipe.held(), small.held()), (4 * 4096, 4096));
    assert_eq!(pipe.tee(&mut small).unwrap_err().kind(), ErrorKind::WouldBlock, "no room");
    for (pipe, length) in [(&mut pipe, 4 * 4096), (&mut small, 4096)] {
        let (peer, socket) = pair().unwrap();
        while pipe.held() > 0 {
            pipe.drain(&socket, false).unwrap();
        }
        drop(socket);
        assert!(hears(&peer) == pattern(4 * 4096)[..length]);
    }
}

#[test]
fn lent_memory_arrives_and_a_full_pipe_says_so() {
    /// On one page: across a boundary it would take two of the pipe's slots.
    #[repr(align(4096))]
    struct Page([AtomicU8; 1000]);
    static PAGE: Page = Page([const { AtomicU8::new(7) }; 1000]);
    static LENT: &[AtomicU8] = &PAGE.0;
    let mut pipe = Pipe::with_capacity(4096).unwrap();
    assert_eq!((pipe.lend(LENT).unwrap(), pipe.held()), (1000, 1000));
    assert_eq!(
        pipe.lend(LENT).unwrap_err().kind(),
        ErrorKind::WouldBlock,
        "one reference fills a pipe of one page"
    );
    let (peer, socket) = pair().unwrap();
    while pipe.held() > 0 {
        pipe.drain(&socket, false).unwrap();
    }
    drop(socket);
    assert_eq!(hears(&peer), [LENT[0].load(Ordering::Relaxed); 1000]);
}

/// Makes `accept` fail with `EINVAL` when dropped, even by a failed assertion, so that the proxy
/// ends.
struct Closing<'a>(&'a TcpListener);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        // SAFETY: an open socket.
        unsafe { libc::shutdown(self.0.as_raw_fd(), libc::SHUT_RD) };
    }
}

/// Runs a proxy in front of `to` while `talk` talks to it. Returns what it reported, sorted and
/// without the client's address, and the error that ended it.
fn with_proxy(
    to: std::net::SocketAddr,
    connections: usize,
    talk: impl FnOnce(std::net::SocketAddr),
) -> (Vec<String>, io::Error) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = Proxy::new(to, PIPE, connections, PATIENCE);
    let reports = Mutex::new(vec![]);
    let ended = thread::scope(|scope| {
        let running = scope.spawn(|| {
            proxy.run(&listener, |_, ended| {
                reports.lock().unwrap().push(
                    ended.map_or_else(|error| error.to_string(), |moved| format!("{moved:?}")),
                );
            })
        });
        let closing = Closing(&listener);
        talk(listener.local_addr().unwrap());
        drop(closing);
        running.join().unwrap()
    });
    let mut reports = reports.into_inner().unwrap();
    reports.sort();
    (reports, ended)
}

#[test]
fn the_proxy_relays_clients_side_by_side_and_reports_how_each_ended() {
    let origin = TcpListener::bind("127.0.0.1:0").unwrap();
    let (reports, ended) = with_proxy(origin.local_addr().unwrap(), 2, |address| {
        let clients = [1, 2].map(|number| {
            let client = TcpStream::connect(address).unwrap();
            (&client).write_all(&vec![b'q'; number]).unwrap();
            client.shutdown(Shutdown::Write).unwrap();
            client
        });
        for _ in &clients {
            let (mut server, _) = origin.accept().unwrap();
            let question = hears(&server);
            server.write_all(&question.repeat(100_000)).unwrap();
        }
        for (client, number) in clients.iter().zip([1, 2]) {
            assert_eq!(hears(client), vec![b'q'; number * 100_000]);
        }
    });
    assert_eq!(
        reports,
        ["Moved { forward: 1, back: 100000 }", "Moved { forward: 2, back: 200000 }"]
    );
    assert_eq!(ended.raw_os_error(), Some(libc::EINVAL));
}

#[test]
fn the_proxy_resets_clients_beyond_its_limit() {
    let origin = TcpListener::bind("127.0.0.1:0").unwrap();
    let (reports, _) = with_proxy(origin.local_addr().unwrap(), 1, |address| {
        let first = TcpStream::connect(address).unwrap();
        let server = origin.accept().unwrap().0;
        let second = TcpStream::connect(address).unwrap();
        second.set_read_timeout(Some(PATIENCE)).unwrap();
        assert!(is_reset(&second), "at once");
        drop(first);
        assert_eq!(hears(&server), b"");
    });
    assert_eq!(reports.len(), 2, "{reports:?}");
    assert!(reports.iter().any(|report| report.contains("forward: 0, back: 0")), "{reports:?}");
}

#[test]
fn the_proxy_resets_a_client_whose_server_refuses_and_names_the_server() {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = gone.local_addr().unwrap();
    drop(gone);
    let (reports, _) = with_proxy(server, 1, |address| {
        let client = TcpStream::connect(address).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        assert!(is_reset(&client), "not an empty answer");
    });
    let says = format!("connecting to {server}: Connection refused (os error 111)");
    assert_eq!(reports, [says]);
}

#[test]
fn the_proxy_resets_a_client_whose_answer_is_cut_off() {
    let origin = TcpListener::bind("127.0.0.1:0").unwrap();
    let (reports, _) = with_proxy(origin.local_addr().unwrap(), 1, |address| {
        let client = TcpStream::connect(address).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        let (mut server, _) = origin.accept().unwrap();
        server.write_all(b"half an ans").unwrap();
        (&client).read_exact(&mut [0; 11]).unwrap();
        reset(server);
        assert!(is_reset(&client));
    });
    let says = "relayed 0 bytes forward and 11 back, 0 and 0 more were under way: \
                splice from the server: Connection reset by peer (os error 104)";
    assert_eq!(reports, [says]);
}

/// In a process of its own, whose standard error is full.
#[test]
fn the_proxy_outlives_its_log() {
    if std::env::var_os("PERF_PROVED_FULL_LOG").is_none() {
        let mut child = only("the_proxy_outlives_its_log");
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = child.env("PERF_PROVED_FULL_LOG", "1").stderr(full).output().unwrap();
        return passed(&output);
    }
    let origin = TcpListener::bind("127.0.0.1:0").unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = Proxy::new(origin.local_addr().unwrap(), PIPE, 2, PATIENCE);
    thread::scope(|scope| {
        let running = scope.spawn(|| {
            proxy.run(&listener, |client, ended| log::line(format_args!("{client}: {ended:?}")))
        });
        let closing = Closing(&listener);
        for _ in 0..2 {
            let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            client.shutdown(Shutdown::Write).unwrap();
            drop(origin.accept().unwrap());
            assert_eq!(hears(&client), b"");
        }
        drop(closing);
        assert_eq!(running.join().unwrap().raw_os_error(), Some(libc::EINVAL));
    });
}

#[test]
fn a_pool_keeps_empty_pipes_up_to_its_bound_and_no_other() {
    let scratch = Scratch::new().unwrap();
    let file = File::open(scratch.file("secret", 100).unwrap()).unwrap();
    let pool = PipePool::new(PIPE, 2);
    assert_eq!(pool.idle(), 0);
    {
        let _three = [pool.take().unwrap(), pool.take().unwrap(), pool.take().unwrap()];
    }
    assert_eq!(pool.idle(), 2, "the third was one too many");
    {
        let mut left_full = pool.take().unwrap();
        left_full.fill(&file, Some(&mut 0), 100).unwrap();
    }
    assert_eq!(pool.idle(), 1, "what holds a connection's bytes is closed");
    let mut next = pool.take().unwrap();
    assert_eq!(next.held(), 0);
    let (peer, socket) = pair().unwrap();
    next.fill(&file, Some(&mut 98), 2).unwrap();
    next.drain(&socket, false).unwrap();
    drop(socket);
    assert_eq!(hears(&peer), pattern(100)[98..], "and nothing that was there before");
}

#[test]
fn naive_cuts_a_file_short_and_says_nothing() {
    let scratch = Scratch::new().unwrap();
    let file = File::open(scratch.file("file", 1 << 20).unwrap()).unwrap();
    let (peer, socket) = pair().unwrap();
    naive::send_file(&socket, &file, 1 << 20).unwrap();
    drop(socket);
    assert!(
        hears(&peer) == pattern(1 << 20)[..Pipe::new().unwrap().capacity()],
        "as much as a pipe holds"
    );
}

#[test]
fn naive_fills_a_pipe_that_nothing_drains_and_never_returns() {
    let scratch = Scratch::new().unwrap();
    let file = File::open(scratch.file("file", 1 << 20).unwrap()).unwrap();
    let (mut output, input) = io::pipe().unwrap();
    let filling = thread::spawn(move || naive::fill_first(input, &file, 1 << 20));
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(300) {
        assert!(!filling.is_finished());
        thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(output.read(&mut vec![0; 1 << 20]).unwrap(), PIPE, "as much as a pipe holds");
    drop(output);
    assert_eq!(filling.join().unwrap().unwrap_err().kind(), ErrorKind::BrokenPipe);
}

#[test]
fn naive_takes_an_error_for_a_success() {
    let scratch = Scratch::new().unwrap();
    let directory = File::open(scratch.path()).unwrap();
    let (peer, socket) = pair().unwrap();
    naive::send_file(&socket, &directory, 1).unwrap();
    drop(socket);
    assert_eq!(hears(&peer), b"");
}

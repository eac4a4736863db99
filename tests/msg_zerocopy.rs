//! A sender that owns each buffer until the kernel has released it: what it guarantees, and how the
//! naive version breaks that.
#![cfg(target_os = "linux")]

use perf_proved::harness::loopback::pair;
use perf_proved::harness::report::is_unavailable;
use perf_proved::harness::scratch::{Scratch, pattern};
use perf_proved::proof::syscalls::trace;
use perf_proved::proof::usage;
use perf_proved::zero_copy::msg_zerocopy::experiment::fill;
use perf_proved::zero_copy::msg_zerocopy::outstanding::{Completion, Outstanding, Returned};
use perf_proved::zero_copy::msg_zerocopy::registered::{Buffer, Registered};
use perf_proved::zero_copy::msg_zerocopy::ring::Ring;
use perf_proved::zero_copy::msg_zerocopy::sender::ZeroCopySender;
use perf_proved::zero_copy::msg_zerocopy::variants::{Counts, Variant};
use perf_proved::zero_copy::msg_zerocopy::{dummy_device, kernel_tls, limits, naive};
use perf_proved_tests::{reads_all, set_buffer, soon};
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::net::{TcpStream, UdpSocket};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

const MIB: usize = 1 << 20;

/// Makes the tests that pin many pages take turns: an ordinary user's processes share one account
/// of `RLIMIT_MEMLOCK`, usually 8 MiB. Returns `None`, after saying why, where other processes or a
/// lower limit leave less than half of that.
fn pinning() -> Option<MutexGuard<'static, ()>> {
    static TURN: Mutex<()> = Mutex::new(());
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let (_peer, socket) = pair().unwrap();
    socket.set_nonblocking(true).unwrap();
    match naive::send(&socket, &vec![0; 4 * MIB]) {
        Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {
            eprintln!("not possible here: pinning 4 MiB: {error} ({})", limits());
            None
        }
        sent => sent.map(|_| turn).ok(),
    }
}

/// Waits for all buffers that the kernel still reads.
fn all_back<S: std::os::fd::AsFd>(sender: &mut ZeroCopySender<S>) -> Vec<Returned> {
    std::iter::from_fn(|| sender.wait(soon()).unwrap()).collect()
}

/// Returns a ring, or `None` after saying why there is none.
fn ring() -> Option<Ring> {
    let because = |error: &io::Error| {
        eprintln!("not possible here: {error}");
        let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
        let major: u32 = release.split('.').next().unwrap().parse().unwrap();
        assert!(major < 6 || !error.to_string().contains("Linux 6.0"), "{release}");
    };
    Ring::new().inspect_err(because).ok()
}

// ---------------------------------------------------------------- bookkeeping

fn buffers(lengths: &[u32], first: u32) -> Outstanding {
    let mut outstanding = Outstanding::new(first);
    for (number, sends) in lengths.iter().enumerate() {
        outstanding.begin(vec![number as u8]);
        (0..*sends).for_each(|_| outstanding.sent(0));
        outstanding.finish(|_| unreachable!("no completion has come"));
    }
    outstanding
}

fn complete(outstanding: &mut Outstanding, first: u32, last: u32, copied: bool) -> Vec<(u8, bool)> {
    let mut back = vec![];
    outstanding
        .complete(Completion { first, last, copied }, |it| back.push((it.buffer[0], it.copied)));
    back
}

#[test]
fn a_buffer_comes_back_when_all_its_sends_are_complete_in_any_order_and_across_the_wrap() {
    for start in [0_u32, 5, u32::MAX, u32::MAX - 1, u32::MAX - 3, (1 << 31) - 2] {
        let at = |distance: u32| start.wrapping_add(distance);
        // Buffer 0 has send 0, buffer 1 sends 1 to 3, buffer 2 send 4.
        let mut outstanding = buffers(&[1, 3, 1], start);
        assert_eq!(complete(&mut outstanding, at(2), at(4), false), [(2, false)]);
        assert_eq!(complete(&mut outstanding, at(0), at(0), true), [(0, true)]);
        assert_eq!(
            complete(&mut outstanding, at(1), at(1), true),
            [(1, true)],
            "a buffer of which one part was copied was copied"
        );
        assert!(outstanding.is_empty());

        let mut outstanding = buffers(&[1, 3, 1], start);
        assert_eq!(
            complete(&mut outstanding, at(0), at(4), false),
            [(0, false), (1, false), (2, false)],
            "coalesced"
        );
        assert_eq!(
            complete(&mut outstanding, at(0), at(4), false),
            [],
            "an unknown completion changes nothing"
        );
    }
}

#[test]
fn a_buffer_whose_first_part_is_complete_stays_until_its_last_is() {
    let mut outstanding = Outstanding::new(u32::MAX);
    outstanding.begin(vec![9]);
    outstanding.sent(0);
    assert_eq!(complete(&mut outstanding, u32::MAX, u32::MAX, true), [], "more may follow");
    outstanding.sent(1);
    outstanding.finish(|_| unreachable!("one is open"));
    assert_eq!(complete(&mut outstanding, 0, 0, false), [(9, true)]);
}

#[test]
fn a_part_that_fell_back_to_a_copy_is_sent_and_awaits_no_completion() {
    let mut outstanding = Outstanding::new(0);
    outstanding.begin(vec![1, 2, 3]);
    outstanding.sent(1);
    outstanding.fell_back(2);
    assert!(outstanding.rest().is_empty());
    outstanding.finish(|_| unreachable!("one send is open"));
    let mut back = vec![];
    let first = Completion { first: 0, last: 0, copied: false };
    outstanding.complete(first, |returned| back.push(returned));
    let whole = Returned { buffer: vec![1, 2, 3], sent: 3, copied: false, fell_back: 2 };
    assert_eq!(back, [whole]);
}

#[test]
fn the_bookkeeping_agrees_with_a_model_that_marks_every_send() {
    let mut seed = 1_u64;
    let mut random = |bound: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % bound
    };
    for _ in 0..500 {
        let start = random(1 << 32) as u32;
        let sends: Vec<u32> = (0..1 + random(6)).map(|_| 1 + random(4) as u32).collect();
        let mut outstanding = buffers(&sends, start);
        let owner: Vec<u8> =
            sends.iter().enumerate().flat_map(|(at, n)| vec![at as u8; *n as usize]).collect();
        let mut open: Vec<u32> = (0..owner.len() as u32).collect();
        let mut copied = vec![false; sends.len()];
        while !open.is_empty() {
            // A run of consecutive sends, from anywhere.
            let from = random(open.len() as u64) as usize;
            let mut to = from;
            while to + 1 < open.len() && open[to + 1] == open[to] + 1 && random(2) == 0 {
                to += 1;
            }
            let (first, last) = (open[from], open[to]);
            open.drain(from..=to);
            let touched = owner[first as usize]..=owner[last as usize];
            let is_copied = random(4) == 0;
            touched.clone().for_each(|buffer| copied[buffer as usize] |= is_copied);
            let wanted: Vec<(u8, bool)> = touched
                .filter(|buffer| !open.iter().any(|send| owner[*send as usize] == *buffer))
                .map(|buffer| (buffer, copied[buffer as usize]))
                .collect();
            assert!(outstanding.awaits_completions());
            let back = complete(
                &mut outstanding,
                start.wrapping_add(first),
                start.wrapping_add(last),
                is_copied,
            );
            assert_eq!(back, wanted);
        }
        assert!(!outstanding.awaits_completions());
        assert!(outstanding.is_empty());
    }
}

// ---------------------------------------------------------------- sending

#[test]
fn every_variant_delivers_every_byte_at_every_size() {
    let turn = pinning();
    for name in Variant::NAMES {
        for length in [1, 4095, 4096, 4097, 65_535, 65_536, 65_537, MIB, 8 * MIB + 1] {
            let (peer, socket) = pair().unwrap();
            let mut variant = match Variant::new(name, &socket, &pattern(length)) {
                Err(error) if name.starts_with("io_uring") && is_unavailable(&error) => {
                    eprintln!("{error}");
                    continue;
                }
                other => other.unwrap(),
            };
            let peer = reads_all(peer);
            (0..3).for_each(|_| variant.send().unwrap());
            variant.finish().unwrap();
            let asked = if name.ends_with("send") || name.ends_with("in_turn") { 0 } else { 3 };
            let Counts { returned, copied, fell_back, .. } = variant.counts();
            assert_eq!(returned, asked, "{name}, {length} bytes");
            // A loopback send is copied after all, and a refused one falls back to a copy. A buffer
            // may be both.
            assert!(copied + fell_back >= asked, "{name}, {length} bytes: {copied}, {fell_back}");
            if turn.is_some() && length <= MIB {
                assert_eq!((copied, fell_back), (asked, 0), "{name}, {length} bytes");
            }
            drop((variant, socket));
            assert!(peer.join().unwrap() == pattern(length).repeat(3), "{name}, {length} bytes");
        }
    }
    assert!(Variant::new("sendto", &pair().unwrap().0, b"").is_err());
}

#[test]
fn a_full_socket_is_waited_for_and_a_deadline_holds() {
    let Some(_turn) = pinning() else { return };
    let (peer, socket) = pair().unwrap();
    socket.set_nonblocking(true).unwrap();
    let mut sender = ZeroCopySender::new(socket).unwrap();
    let whole = pattern(16 * MIB);
    let started = Instant::now();
    let error = sender.send(whole.clone(), started + Duration::from_millis(100)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(started.elapsed() < Duration::from_secs(60));
    assert_eq!(sender.under_way(), 1, "its beginning is in the send queue");
    assert_eq!(
        sender.wait(Instant::now() + Duration::from_millis(20)).unwrap_err().kind(),
        ErrorKind::TimedOut
    );

    // Once the peer reads, the buffer comes back with the number of bytes sent, and the next one
    // has room in time.
    let peer = reads_all(peer);
    let back = all_back(&mut sender);
    assert_eq!((back.len(), back[0].buffer == whole), (1, true));
    assert!((1..16 * MIB).contains(&back[0].sent), "{}", back[0].sent);
    sender.send(whole.clone(), soon()).unwrap();
    assert_eq!(all_back(&mut sender)[0].sent, 16 * MIB);
    drop(sender);
    let arrived = peer.join().unwrap();
    assert!(arrived[..back[0].sent] == whole[..back[0].sent] && arrived[back[0].sent..] == whole);
}

/// While completions are queued, `poll` returns at once; a loop that does not read them spins.
#[test]
fn waiting_for_room_costs_no_core_while_completions_come() {
    let Some(_turn) = pinning() else { return };
    let (mut peer, socket) = pair().unwrap();
    socket.set_nonblocking(true).unwrap();
    let mut sender = ZeroCopySender::new(socket).unwrap();
    sender.send(vec![1; 4096], soon()).unwrap(); // its completion is here before the wait begins
    let (before, started) = (perf_proved::proof::cpu::thread().unwrap(), Instant::now());
    let error =
        sender.send(vec![2; 32 * MIB], Instant::now() + Duration::from_millis(400)).unwrap_err();
    let used = perf_proved::proof::cpu::thread().unwrap() - before;
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(used < started.elapsed() / 2, "{used:?} of {:?}", started.elapsed());
    peer.read_exact(&mut [0; 4096]).unwrap();
}

#[test]
fn nothing_is_sent_and_comes_back_at_once() {
    let (_peer, socket) = pair().unwrap();
    let mut sender = ZeroCopySender::new(socket).unwrap();
    sender.send(vec![], soon()).unwrap();
    assert_eq!(sender.under_way(), 0);
    assert_eq!(
        sender.take_back().unwrap(),
        Some(Returned { buffer: vec![], sent: 0, copied: false, fell_back: 0 })
    );
    assert_eq!(sender.wait(soon()).unwrap(), None);
}

#[test]
fn a_buffer_can_be_taken_back_without_a_wait() {
    let (_peer, socket) = pair().unwrap();
    let mut sender = ZeroCopySender::new(socket).unwrap();
    sender.send(vec![1; 100], soon()).unwrap();
    let deadline = soon();
    let returned = loop {
        if let Some(returned) = sender.take_back().unwrap() {
            break returned;
        }
        assert!(Instant::now() < deadline, "its completion is never read");
        thread::yield_now();
    };
    assert_eq!((returned.sent, returned.buffer), (100, vec![1; 100]));
    assert_eq!(sender.take_back().unwrap(), None);
}

#[test]
fn a_reset_is_an_error_and_gives_the_buffers_back() {
    let Some(_turn) = pinning() else { return };
    let (peer, socket) = pair().unwrap();
    socket.set_nonblocking(true).unwrap();
    let mut sender = ZeroCopySender::new(socket).unwrap();
    let _ = sender.send(vec![1; 16 * MIB], Instant::now() + Duration::from_millis(50));
    assert_eq!(sender.under_way(), 1);
    drop(peer); // with bytes unread
    let error = sender.send(vec![2; 4096], soon()).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{error}");
    let mut back = all_back(&mut sender);
    back.sort_by_key(|returned| returned.buffer.len());
    assert_eq!((back.len(), back[0].sent, back[0].buffer.len()), (2, 0, 4096));
    assert!(back[1].sent > 0);
}

/// A single send can be longer than all that an ordinary user may pin. It goes in pieces.
#[test]
fn a_buffer_longer_than_the_limit_is_sent_whole() {
    let turn = pinning();
    let (peer, socket) = pair().unwrap();
    let mut sender = ZeroCopySender::new(socket).unwrap();
    let whole = pattern(20 * MIB + 1);
    let peer = reads_all(peer);
    sender.send(whole.clone(), soon()).unwrap();
    let back = all_back(&mut sender);
    assert_eq!((back.len(), back[0].sent), (1, whole.len()));
    if turn.is_some() {
        assert_eq!(back[0].fell_back, 0, "{} refusals", sender.refusals());
    }
    drop(sender);
    assert!(peer.join().unwrap() == whole);
}

#[test]
fn other_sockets_are_refused() {
    let (one, _other) = std::os::unix::net::UnixStream::pair().unwrap();
    let error = ZeroCopySender::new(one).err().unwrap();
    assert!(error.to_string().starts_with("SO_ZEROCOPY: "), "{error}");
}

/// Small enough for the allocator to give the same memory out again.
const PIECE: usize = 32 << 10;

/// Counts the bytes waiting in a connection that arrive as what the program wrote into later
/// allocations.
fn of_later_allocations(peer: TcpStream, socket: TcpStream) -> usize {
    let later: Vec<Vec<u8>> = (0..1000).map(|_| vec![b'b'; PIECE]).collect();
    drop(socket);
    let arrived = reads_all(peer).join().unwrap();
    assert!(arrived.len() > PIECE && later.iter().flatten().all(|byte| *byte == b'b'));
    arrived.iter().filter(|byte| **byte == b'b').count()
}

#[test]
fn a_dropped_sender_keeps_the_memory_that_is_under_way() {
    let Some(_turn) = pinning() else { return };
    let (peer, socket) = pair().unwrap();
    socket.set_nonblocking(true).unwrap();
    let mut sender = ZeroCopySender::new(socket.try_clone().unwrap()).unwrap();
    let deadline = Instant::now() + Duration::from_millis(100);
    while sender.send(vec![b'a'; PIECE], deadline).is_ok() {}
    assert!(sender.under_way() > 1);
    drop(sender);
    assert_eq!(of_later_allocations(peer, socket), 0);
}

#[test]
fn a_dropped_ring_keeps_the_memory_that_is_under_way() {
    let Some(_turn) = pinning() else { return };
    let Some(mut ring) = ring() else { return };
    let (peer, socket) = pair().unwrap();
    // A ring waits for room, so there is room for all, most of it on this side.
    set_buffer(&peer, libc::SO_RCVBUF, 16 << 10);
    set_buffer(&socket, libc::SO_SNDBUF, 1 << 20); // at least 208 KiB are granted, doubled
    (0..8).for_each(|_| ring.send_zc(&socket, vec![b'a'; PIECE]).unwrap());
    assert!(ring.under_way() > 1);
    drop(ring);
    assert_eq!(of_later_allocations(peer, socket), 0);
}

#[test]
fn naive_sends_what_a_later_allocation_holds() {
    let Some(_turn) = pinning() else { return };
    let (peer, socket) = pair().unwrap();
    socket.set_nonblocking(true).unwrap();
    let mut buffers = vec![];
    loop {
        let buffer = vec![b'a'; PIECE];
        let sent = naive::send(&socket, &buffer);
        buffers.push(buffer);
        if sent.is_err() {
            break;
        }
    }
    drop(buffers);
    assert!(of_later_allocations(peer, socket) > 0);
}

// ---------------------------------------------------------------- where nothing is copied

#[test]
fn a_device_that_discards_everything_copies_nothing() {
    let socket: UdpSocket = match dummy_device::socket() {
        Err(error) => return eprintln!("not possible here: {error}"),
        Ok(socket) => socket,
    };
    let mut sender = ZeroCopySender::new(socket).unwrap();
    for length in [1, 100, 1400] {
        sender.send(vec![7; length], soon()).unwrap();
    }
    let back = all_back(&mut sender);
    assert_eq!(back.len(), 3);
    assert!(back.iter().all(|returned| !returned.copied && returned.sent == returned.buffer.len()));
    // A datagram that does not fit into one packet is copied into the kernel's own fragments.
    sender.send(vec![7; 8000], soon()).unwrap();
    assert!(all_back(&mut sender)[0].copied);
}

// ---------------------------------------------------------------- io_uring

#[test]
fn a_ring_gives_back_its_buffers_even_after_a_reset() {
    let Some(mut ring) = ring() else { return };
    let (peer, socket) = pair().unwrap();
    drop(peer);
    let error = (0..100)
        .find_map(|_| ring.send_zc(&socket, vec![1; 4096]).err())
        .expect("the peer is gone");
    assert!(matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{error}");
    let mut last = None;
    while let Some(returned) = ring.wait().unwrap() {
        last = Some(returned.buffer.len());
    }
    assert_eq!((last, ring.under_way()), (Some(4096), 0));
    assert!(ring.send(&socket, b"more").is_err());
}

#[test]
fn a_ring_sends_a_file_and_notices_that_it_has_shrunk() {
    let Some(mut ring) = ring() else { return };
    let scratch = Scratch::new().unwrap();
    let file = File::open(scratch.file("file", 3 * MIB + 1).unwrap()).unwrap();
    let (peer, socket) = pair().unwrap();
    let peer = reads_all(peer);
    ring.send_file(&socket, &file, 2 * MIB as u64 + 1).unwrap(); // and no more
    ring.send_file(&socket, &file, 3 * MIB as u64 + 1).unwrap();
    let error = ring.send_file(&socket, &file, 4 * MIB as u64).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
    drop(socket);
    let whole = pattern(3 * MIB + 1);
    assert!(peer.join().unwrap() == [&whole[..2 * MIB + 1], &whole, &whole].concat());
}

#[test]
fn a_ring_keeps_the_empty_pipe_for_its_next_file() {
    let Some(mut ring) = ring() else { return };
    let scratch = Scratch::new().unwrap();
    let file = File::open(scratch.file("file", 1000).unwrap()).unwrap();
    let (peer, socket) = pair().unwrap();
    let peer = reads_all(peer);
    ring.send_file(&socket, &file, 1000).unwrap();
    match trace(|| ring.send_file(&socket, &file, 1000)) {
        Err(reason) => return eprintln!("not possible here: {reason}"),
        Ok((sent, calls)) => {
            sent.unwrap();
            assert_eq!(calls.of("pipe2").made, 0);
        }
    }
    drop(socket);
    assert!(peer.join().unwrap() == pattern(1000).repeat(2));
}

/// The kernel takes such a buffer from a privileged user, and refuses it to an ordinary one.
#[test]
fn a_ring_sends_a_buffer_longer_than_the_limit() {
    let Some(mut ring) = ring() else { return };
    let (peer, socket) = pair().unwrap();
    let peer = reads_all(peer);
    let whole = pattern(20 * MIB + 1);
    ring.send_zc(&socket, whole.clone()).unwrap();
    let returned = ring.wait().unwrap().unwrap();
    assert_eq!((returned.sent, returned.buffer.len()), (whole.len(), whole.len()));
    let fell_back = if ring.refusals() > 0 { whole.len() } else { 0 };
    assert_eq!(returned.fell_back, fell_back);
    drop(socket);
    assert!(peer.join().unwrap() == whole);
}

/// Returns registered buffers of 3 MiB, or `None` after saying why there are none.
fn register(ring: &mut Ring, count: usize) -> Option<Vec<Registered>> {
    match ring.register(vec![pattern(3 * MIB).into(); count]) {
        Err(error) if is_unavailable(&error) => {
            assert!(error.to_string().contains("RLIMIT_MEMLOCK"), "{error}");
            eprintln!("not possible here: {error}");
            None
        }
        registered => Some(registered.unwrap()),
    }
}

/// If the sends pinned 3 MiB each, beside the 6 MiB that stay pinned, that would be more than the
/// 8 MiB of an ordinary user.
#[test]
fn registered_buffers_are_pinned_once_and_sent_again_and_again() {
    let Some(_turn) = pinning() else { return };
    let Some(mut ring) = ring() else { return };
    let Some(mut buffers) = register(&mut ring, 2) else { return };
    assert!(usage::pinned().unwrap() >= 6 * MIB as u64);
    let (peer, socket) = pair().unwrap();
    let peer = reads_all(peer);
    for round in 0..3 {
        for mut buffer in std::mem::take(&mut buffers) {
            buffer[0] = round;
            ring.send_zc(&socket, buffer).unwrap();
        }
        while let Some(returned) = ring.wait().unwrap() {
            let Buffer::Registered(buffer) = returned.buffer else { panic!("it was registered") };
            assert_eq!((returned.sent, returned.copied, returned.fell_back), (3 * MIB, true, 0));
            buffers.push(buffer);
        }
        assert_eq!((buffers.len(), ring.refusals()), (2, 0));
    }
    drop(socket);
    let arrived = peer.join().unwrap();
    let mut expected = pattern(3 * MIB);
    for (sent, part) in arrived.chunks(3 * MIB).enumerate() {
        expected[0] = sent as u8 / 2;
        assert!(part == expected, "send {sent}");
    }
    assert_eq!(arrived.len(), 18 * MIB);
}

#[test]
fn a_buffer_that_is_registered_with_another_ring_is_refused_and_comes_back() {
    let Some(_turn) = pinning() else { return };
    let (Some(mut ring), Some(mut other)) = (ring(), ring()) else { return };
    let Some(mut buffers) = register(&mut ring, 1) else { return };
    let Some(_others) = register(&mut other, 1) else { return };
    let (_peer, socket) = pair().unwrap();
    let error = other.send_zc(&socket, buffers.remove(0)).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EFAULT));
    let returned = other.wait().unwrap().unwrap();
    assert_eq!((returned.buffer.len(), returned.sent), (3 * MIB, 0));
    assert!(ring.register(vec![[0; 1].into()]).is_err(), "a ring registers once");
}

// ---------------------------------------------------------------- kernel TLS

#[test]
fn kernel_tls_is_there_or_says_why_not() {
    let (peer, socket) = pair().unwrap();
    match kernel_tls(&socket) {
        Ok(()) => {}
        Err(error) => {
            assert!(
                error.kind() != ErrorKind::NotFound || error.to_string().contains("without TLS"),
                "{error}"
            )
        }
    }
    assert!(kernel_tls(UdpSocket::bind("127.0.0.1:0").unwrap()).is_err());
    drop(peer);
}

// ---------------------------------------------------------------- the naive version's faults

fn received(mut peer: TcpStream, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    peer.read_exact(&mut bytes)?;
    Ok(bytes)
}

#[test]
fn naive_changes_what_it_has_sent_when_the_buffer_is_filled_again() {
    let Some(_turn) = pinning() else { return };
    let (peer, socket) = pair().unwrap();
    let mut buffer = vec![b'a'; 16 * MIB];
    let sent = fill(&socket, &buffer).unwrap();
    buffer.fill(b'b');
    let arrived = received(peer, sent).unwrap();
    let kept = arrived.iter().take_while(|byte| **byte == b'a').count();
    // The receiving side copied what it had room for; what waits in the send queue is not copied.
    assert!(kept > 0 && kept < sent, "{kept} of {sent}");
    assert!(arrived[kept..].iter().all(|byte| *byte == b'b'));
}

#[test]
fn naive_sends_a_small_buffer_unchanged_if_the_peer_has_room() {
    let Some(_turn) = pinning() else { return };
    let (peer, socket) = pair().unwrap();
    let mut buffer = vec![b'a'; 4096];
    assert_eq!(naive::send(&socket, &buffer).unwrap(), 4096);
    buffer.fill(b'b');
    assert_eq!(
        received(peer, 4096).unwrap(),
        [b'a'; 4096],
        "so no test with a small message finds the fault"
    );
}

#[test]
fn naive_sends_less_than_all() {
    let Some(_turn) = pinning() else { return };
    let (_peer, socket) = pair().unwrap();
    socket.set_nonblocking(true).unwrap();
    let buffer = vec![1; MIB + 1];
    let short = (0..100).map(|_| naive::send(&socket, &buffer).unwrap());
    assert!(short.into_iter().any(|sent| sent < buffer.len()));
}

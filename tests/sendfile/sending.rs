//! Sending a range of a file: short results, interruptions, resets, files that change.

use super::{KIB, MIB, sparse};
use perf_proved::harness::loopback::pair;
use perf_proved::harness::scratch::{Scratch, pattern};
use perf_proved::sys::socket::data_segments_sent;
use perf_proved::zero_copy::sendfile::variants::Variant;
use perf_proved::zero_copy::sendfile::{MAX_PER_CALL, send_range, send_range_with, sendfile};
use perf_proved_tests::{reads_all, signals, soon};
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, Write};
use std::os::fd::FromRawFd;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

#[test]
fn exactly_the_range_arrives_and_the_file_position_stays() {
    let scratch = Scratch::new().unwrap();
    let whole = pattern(MIB + 5000);
    let mut file = File::open(scratch.file("file", whole.len()).unwrap()).unwrap();
    file.seek(io::SeekFrom::Start(17)).unwrap();
    for start in [0, 1, 4095, 4096, 4097] {
        for length in [0, 1, 4095, 4096, 4097, 65_535, 65_536, 65_537, MIB - 1, MIB, MIB + 1] {
            for nonblocking in [false, true] {
                let (peer, socket) = pair().unwrap();
                socket.set_nonblocking(nonblocking).unwrap();
                let peer = reads_all(peer);
                send_range(&socket, &file, start as u64..(start + length) as u64, soon()).unwrap();
                drop(socket);
                assert!(
                    peer.join().unwrap() == whole[start..start + length],
                    "{length} bytes from {start}"
                );
            }
        }
    }
    assert_eq!(file.stream_position().unwrap(), 17);
}

#[test]
fn every_variant_sends_the_file_up_to_the_length_and_no_further() {
    let scratch = Scratch::new().unwrap();
    let file = File::open(scratch.file("file", 300_001).unwrap()).unwrap();
    for name in Variant::NAMES {
        let mut variant = Variant::new(name).unwrap();
        for length in [1, 4096, 65_537, 300_001] {
            let (peer, socket) = pair().unwrap();
            let peer = reads_all(peer);
            variant.send(&socket, &file, 0..length as u64).unwrap();
            drop(socket);
            assert!(peer.join().unwrap() == pattern(length), "{name}, {length}");
        }
        let (peer, socket) = pair().unwrap();
        let peer = reads_all(peer);
        assert!(
            variant.send(&socket, &file, 0..400_000).is_err(),
            "{name}: a file that is shorter"
        );
        drop(socket);
        peer.join().unwrap();
    }
}

#[test]
fn every_variant_but_the_map_sends_from_any_place() {
    let scratch = Scratch::new().unwrap();
    let whole = pattern(300_001);
    let file = File::open(scratch.file("file", whole.len()).unwrap()).unwrap();
    for name in Variant::NAMES {
        let mut variant = Variant::new(name).unwrap();
        for range in [1..1, 4096..90_000, 299_999..300_001] {
            let (peer, socket) = pair().unwrap();
            let peer = reads_all(peer);
            let sent = variant.send(&socket, &file, range.clone());
            drop(socket);
            let received = peer.join().unwrap();
            if name == "mmap_write" {
                assert_eq!(sent.unwrap_err().kind(), ErrorKind::InvalidInput);
            } else {
                sent.unwrap();
                assert!(received == whole[range.start as usize..range.end as usize], "{name}");
            }
        }
    }
}

#[test]
fn only_one_variant_leaves_nagles_algorithm_on() {
    for name in Variant::NAMES {
        let (_peer, socket) = pair().unwrap();
        for before in [false, true] {
            socket.set_nodelay(before).unwrap();
            Variant::new(name).unwrap().prepare(&socket).unwrap();
            assert_eq!(socket.nodelay().unwrap(), name != "read_write_8KiB_nagle", "{name}");
        }
    }
}

#[test]
fn the_kernel_counts_segments() {
    let (_peer, mut socket) = pair().unwrap();
    socket.set_nodelay(true).unwrap();
    let before = data_segments_sent(&socket).unwrap();
    for _ in 0..3 {
        socket.write_all(b"alone").unwrap();
    }
    assert_eq!(data_segments_sent(&socket).unwrap() - before, 3, "each write leaves at once");
}

#[test]
fn a_slow_reader_gets_everything() {
    let scratch = Scratch::new().unwrap();
    let file = File::open(scratch.file("file", 12 * MIB).unwrap()).unwrap();
    let (mut peer, socket) = pair().unwrap();
    socket.set_nonblocking(true).unwrap();
    let (full, was_full) = mpsc::channel();
    let peer = thread::spawn(move || {
        let _ = was_full.recv(); // an error: the socket never was
        let (mut all, mut buffer) = (Vec::new(), vec![0; 64 * KIB]);
        while let count @ 1.. = peer.read(&mut buffer).unwrap() {
            all.extend_from_slice(&buffer[..count]);
            thread::sleep(Duration::from_millis(1));
        }
        all
    });
    let mut waited = 0;
    let range = 0..12 * MIB as u64;
    send_range_with(&socket, &file, range, || {
        waited += 1;
        let _ = full.send(()); // only the first counts
        thread::sleep(Duration::from_millis(1));
        Ok(())
    })
    .unwrap();
    drop((socket, full));
    assert!(peer.join().unwrap() == pattern(12 * MIB));
    assert!(waited > 0, "the socket was never full, so nothing was tested");
}

#[test]
fn a_missed_deadline_reports_how_much_was_sent() {
    let scratch = Scratch::new().unwrap();
    let file = sparse(&scratch, "file", 64 << 20);
    let (mut peer, socket) = pair().unwrap();
    socket.set_nonblocking(true).unwrap();
    let error = send_range(&socket, &file, 0..64 << 20, Instant::now() + Duration::from_millis(50))
        .unwrap_err();
    assert_eq!((error.cause.kind(), error.of), (ErrorKind::TimedOut, 64 << 20));
    assert!(
        error.to_string().starts_with(&format!("sent {} of 67108864 bytes", error.sent)),
        "{error}"
    );
    drop(socket);
    assert_eq!(
        peer.read_to_end(&mut Vec::new()).unwrap() as u64,
        error.sent,
        "the peer reads what was sent, and no more"
    );
}

#[test]
fn an_interrupted_transfer_loses_nothing() {
    signals::catch();
    let scratch = Scratch::new().unwrap();
    let path = scratch.file("file", 8 * MIB).unwrap();
    for nonblocking in [false, true] {
        let (mut peer, socket) = pair().unwrap();
        socket.set_nonblocking(nonblocking).unwrap();
        let file = File::open(&path).unwrap();
        let sender = thread::spawn(move || {
            let result = send_range(&socket, &file, 0..8 * MIB as u64, soon());
            drop(socket);
            result
        });
        let (mut all, mut buffer) = (Vec::new(), vec![0; 64 * KIB]);
        while let count @ 1.. = peer.read(&mut buffer).unwrap() {
            all.extend_from_slice(&buffer[..count]);
            signals::interrupt(&sender);
            thread::sleep(Duration::from_micros(200));
        }
        sender.join().unwrap().unwrap();
        assert!(all == pattern(8 * MIB));
    }
    assert!(signals::caught() > 0, "no signal came");
}

#[test]
fn a_reset_is_an_error() {
    let scratch = Scratch::new().unwrap();
    let file = sparse(&scratch, "file", 64 << 20);
    for nonblocking in [false, true] {
        let (mut peer, socket) = pair().unwrap();
        socket.set_nonblocking(nonblocking).unwrap();
        // Reads a part, and closes with bytes unread.
        let peer = thread::spawn(move || peer.read_exact(&mut vec![0; MIB]).unwrap());
        let error = send_range(&socket, &file, 0..64 << 20, soon()).unwrap_err();
        peer.join().unwrap();
        assert!(
            matches!(error.cause.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe),
            "{error}"
        );
        assert!(error.sent < error.of);
    }
}

#[test]
fn a_file_that_shrinks_is_an_error_and_one_that_grows_is_not() {
    let scratch = Scratch::new().unwrap();
    for (name, becomes) in [("shrinks", 0), ("grows", 128 << 20)] {
        let file = sparse(&scratch, name, 64 << 20);
        let (mut peer, socket) = pair().unwrap();
        socket.set_nonblocking(true).unwrap();
        let mut reader = None;
        let result = send_range_with(&socket, &file, 0..64 << 20, || {
            // The first time the socket is full, the file changes, and only then the peer reads.
            reader.get_or_insert_with(|| {
                file.set_len(becomes).unwrap();
                reads_all(peer.try_clone().unwrap())
            });
            thread::yield_now();
            Ok(())
        });
        drop(socket);
        let arrived = reader.unwrap().join().unwrap().len() as u64;
        assert_eq!(peer.read(&mut [0]).unwrap(), 0);
        match result {
            Ok(()) => assert_eq!((name, arrived), ("grows", 64 << 20)),
            Err(error) => {
                assert_eq!((name, error.cause.kind()), ("shrinks", ErrorKind::UnexpectedEof));
                assert_eq!(error.sent, arrived);
            }
        }
    }
}

#[test]
fn files_beyond_two_gibibytes_take_several_calls() {
    let length = (2_u64 << 30) + 1;
    // SAFETY: the name ends in NUL; the descriptor is new and owned by nothing else.
    let file =
        unsafe { File::from_raw_fd(libc::memfd_create(c"large".as_ptr(), libc::MFD_CLOEXEC)) };
    file.set_len(length).unwrap();
    let null = OpenOptions::new().write(true).open("/dev/null").unwrap();
    let mut at = 0;
    assert_eq!(
        sendfile(&null, &file, &mut at, length as usize).unwrap(),
        MAX_PER_CALL,
        "one call has a limit"
    );
    assert_eq!(at, MAX_PER_CALL as u64);
    send_range(&null, &file, 0..length, soon()).unwrap();
    let error = send_range(&null, &file, 1..length + 7, soon()).unwrap_err();
    assert_eq!((error.sent, error.cause.kind()), (length - 1, ErrorKind::UnexpectedEof));
    assert!(sendfile(&null, &file, &mut u64::MAX.clone(), 1).is_err(), "no such offset");
}

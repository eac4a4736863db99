//! The faults of the naive version.

use super::site::{SECRET, site};
use super::{MIB, sparse};
use perf_proved::harness::loopback::pair;
use perf_proved::harness::scratch::Scratch;
use perf_proved::zero_copy::sendfile::{MAX_PER_CALL, naive};
use std::fs::File;
use std::io::Read;
use std::os::fd::FromRawFd;
use std::thread;

#[test]
fn naive_sends_a_part_after_promising_the_whole() {
    let scratch = Scratch::new().unwrap();
    sparse(&scratch, "file", 64 << 20);
    let (mut peer, socket) = pair().unwrap();
    socket.set_nonblocking(true).unwrap();
    let error = naive::serve_file(&socket, scratch.path().to_str().unwrap(), "file").unwrap_err();
    assert!(error.to_string().starts_with("incomplete transfer: "), "{error}");
    drop(socket);
    let mut answer = Vec::new();
    peer.read_to_end(&mut answer).unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\nContent-Length: 67108864\r\n\r\n"));
    assert!(answer.len() < 64 << 20);
}

#[test]
fn naive_stops_short_of_two_gibibytes_on_a_blocking_socket() {
    // SAFETY: as above.
    let file =
        unsafe { File::from_raw_fd(libc::memfd_create(c"large".as_ptr(), libc::MFD_CLOEXEC)) };
    let length = (2 << 30) + 1;
    file.set_len(length).unwrap();
    let (mut peer, socket) = pair().unwrap();
    let peer = thread::spawn(move || {
        let (mut total, mut buffer) = (0, vec![0; MIB]);
        while let count @ 1.. = peer.read(&mut buffer).unwrap() {
            total += count;
        }
        total
    });
    assert_eq!(naive::send_file(&socket, &file, length).unwrap(), 2_147_479_552);
    drop(socket);
    assert_eq!(peer.join().unwrap(), MAX_PER_CALL);
}

#[test]
fn naive_serves_files_outside_the_root() {
    let site = site();
    let (mut peer, socket) = pair().unwrap();
    naive::serve_file(&socket, site.root().to_str().unwrap(), "../secret").unwrap();
    drop(socket);
    let mut answer = String::new();
    peer.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with(SECRET));
}

#[test]
fn naive_answers_200_for_a_directory() {
    let site = site();
    let (mut peer, socket) = pair().unwrap();
    assert!(naive::serve_file(&socket, site.root().to_str().unwrap(), "directory").is_err());
    drop(socket);
    let mut answer = String::new();
    peer.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\n"), "{answer}");
}

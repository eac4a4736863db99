//! Every path delivers the bytes that it promises, and the naive one fails as its documentation
//! says.
#![cfg(target_os = "linux")]

use perf_proved::harness::loopback::{FNV_START, Loopback, fnv1a, pair};
use perf_proved::harness::scratch::{Scratch, pattern};
use perf_proved::proof::allocations::{Counting, count};
use perf_proved::proof::usage::Usage;
use perf_proved::zero_copy::copies::naive;
use perf_proved::zero_copy::copies::variants::{BUFFER, Variant};
use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::thread;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const MIB: usize = 1 << 20;

#[test]
fn every_variant_delivers_what_it_promises_at_every_size() {
    let scratch = Scratch::new().unwrap();
    let mut line = Loopback::new(None).unwrap();
    for length in [0, 1, 4095, 4096, 4097, BUFFER - 1, BUFFER, BUFFER + 1, MIB + 1] {
        let file = File::open(scratch.file("file", length).unwrap()).unwrap();
        let expected = fnv1a(FNV_START, &pattern(length));
        for name in Variant::NAMES {
            if name == "mmap_write" && length == 0 {
                continue; // see the next test
            }
            let mut variant = Variant::new(name).unwrap();
            let arrives = variant.arrives(length as u64);
            let ((), checksum) = line
                .transfer_checked(arrives, |socket| variant.run(socket, &file, 0..length as u64))
                .unwrap();
            match name {
                "read_only" => assert_eq!(arrives, 0),
                "write_only" => {}
                _ => assert_eq!(checksum, expected, "{name}, {length} bytes"),
            }
        }
    }
    line.close().unwrap();
}

#[test]
fn an_empty_file_cannot_be_mapped() {
    let scratch = Scratch::new().unwrap();
    let file = File::open(scratch.file("empty", 0).unwrap()).unwrap();
    let (_peer, socket) = pair().unwrap();
    let error = Variant::new("mmap_write").unwrap().run(&socket, &file, 0..0).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}

#[test]
fn a_file_that_became_shorter_is_an_error() {
    let scratch = Scratch::new().unwrap();
    let path = scratch.file("file", 3 * BUFFER).unwrap();
    let file = File::open(&path).unwrap();
    OpenOptions::new().write(true).open(&path).unwrap().set_len(BUFFER as u64 + 1).unwrap();
    for name in ["read_write_64KiB", "read_only", "sendfile"] {
        let (_peer, socket) = pair().unwrap();
        let error =
            Variant::new(name).unwrap().run(&socket, &file, 0..3 * BUFFER as u64).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof, "{name}");
    }
}

#[test]
fn an_unknown_name_is_an_error() {
    assert!(Variant::new("").is_err() && Variant::new("read_write_8KiB").is_err());
}

#[test]
fn naive_holds_the_whole_file_while_its_peer_reads_nothing() {
    let scratch = Scratch::new().unwrap();
    let file = File::open(scratch.file("file", 16 * MIB).unwrap()).unwrap();
    let (_peer, socket) = pair().unwrap();
    socket.set_nonblocking(true).unwrap();
    let (result, made) = count(|| naive::send_whole(&socket, &file));
    assert_eq!(result.unwrap_err().kind(), ErrorKind::WouldBlock, "the peer has read nothing");
    assert!(made.bytes >= 16 * MIB as u64, "{made:?}");
    let (result, made) =
        count(|| Variant::new("read_write_64KiB").unwrap().run(&socket, &file, 0..16 * MIB as u64));
    assert_eq!(result.unwrap_err().kind(), ErrorKind::WouldBlock);
    assert_eq!(made.bytes, BUFFER as u64);
}

#[test]
fn naive_pays_for_fresh_pages_on_every_large_file() {
    let scratch = Scratch::new().unwrap();
    let file = File::open(scratch.file("file", 64 * MIB).unwrap()).unwrap();
    let faults = |name: &'static str| {
        // On a new thread: the kernel counts for each thread, and other tests run beside this one.
        let file = &file;
        let counted = thread::scope(|scope| {
            let counting = scope.spawn(move || {
                let (mut line, mut variant) =
                    (Loopback::new(None).unwrap(), Variant::new(name).unwrap());
                let mut faults = 0;
                for _ in 0..2 {
                    let before = Usage::of_thread().unwrap();
                    line.transfer(64 * MIB as u64, |socket| {
                        variant.run(socket, file, 0..64 * MIB as u64)
                    })
                    .unwrap();
                    faults = (Usage::of_thread().unwrap() - before).minor_faults;
                }
                line.close().unwrap();
                faults
            });
            counting.join()
        });
        counted.unwrap()
    };
    // One for each page, or one for 2 MiB where huge pages are always on.
    let (whole, reused) = (faults("read_whole"), faults("read_write_64KiB"));
    assert!(whole >= 32, "{whole} faults in the second transfer");
    assert!(reused < 32, "{reused} faults with a reused buffer");
}

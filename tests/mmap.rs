//! Every variant finds the same sum, a load from a truncated map kills a child and not this
//! process, a sealed file never changes, and the naive version fails as its documentation says.
#![cfg(target_os = "linux")]

use perf_proved::harness::child::{End, end_of};
use perf_proved::harness::loopback::pair;
use perf_proved::harness::scratch::{Scratch, pattern};
use perf_proved::proof::syscalls::trace;
use perf_proved::zero_copy::mmap::experiment::{maps_of, signal_of_load};
use perf_proved::zero_copy::mmap::sealed::SealedMap;
use perf_proved::zero_copy::mmap::variants::{BUFFER, Variant};
use perf_proved::zero_copy::mmap::{Advice, Map, naive, page_cache, sum};
use perf_proved::zero_copy::sendfile::variants::Variant as SendVariant;
use std::ffi::CString;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read};
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

const MIB: usize = 1 << 20;

fn open(path: &Path) -> File {
    OpenOptions::new().read(true).write(true).open(path).unwrap()
}

fn page() -> usize {
    perf_proved::sys::region::page_size()
}

#[test]
fn every_variant_finds_the_sum_at_every_size() {
    let scratch = Scratch::new().unwrap();
    for length in [1, 7, 8, 9, 4095, 4096, 4097, BUFFER - 1, BUFFER, BUFFER + 1, MIB, 2 * MIB + 3] {
        let file = open(&scratch.file_in_pieces("file", length, BUFFER).unwrap());
        let expected = sum::of_bytes(&pattern(length));
        for name in Variant::NAMES {
            match Variant::new(name).unwrap().sum(&file, length) {
                Ok(found) => assert_eq!(found, expected, "{name}, {length} bytes"),
                // Advice that this kernel does not know.
                Err(error) => assert_eq!(error.kind(), ErrorKind::Unsupported, "{name}: {error}"),
            }
        }
        assert_eq!(sum::of_map(&Map::whole(&file).unwrap()), expected);
    }
}

#[test]
fn the_sum_sees_each_byte_and_adds_up_over_pieces() {
    let bytes = pattern(8 * 5 + 3);
    let words = bytes.chunks(8).map(|chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        u64::from_le_bytes(word)
    });
    assert_eq!(sum::of_bytes(&bytes), words.fold(0, u64::wrapping_add));
    assert_eq!(
        sum::of_bytes(&bytes),
        sum::of_bytes(&bytes[..16]).wrapping_add(sum::of_bytes(&bytes[16..]))
    );
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        assert_ne!(sum::of_bytes(&changed), sum::of_bytes(&bytes), "byte {at}");
    }
}

#[test]
fn an_unknown_name_is_refused_and_the_loop_has_no_map() {
    assert!(Variant::new("").is_err() && Variant::new("read_8KiB").is_err());
    let file = File::open("Cargo.toml").unwrap();
    assert!(Variant::new("read_64KiB").unwrap().map(&file, 0, 1).unwrap().is_none());
    assert!(Variant::new("map").unwrap().map(&file, 0, 1).unwrap().is_some());
}

#[test]
fn a_whole_map_is_as_long_as_its_file_and_an_empty_one_makes_no_call() {
    let scratch = Scratch::new().unwrap();
    for length in [1, page() - 1, page(), page() + 1] {
        let map = Map::whole(&open(&scratch.file("file", length).unwrap())).unwrap();
        let bytes: Vec<u8> = map.bytes().iter().map(|byte| byte.load(Relaxed)).collect();
        assert_eq!(bytes, pattern(length));
        assert_eq!(map.words().len(), length / 8);
    }
    let file = open(&scratch.file("empty", 0).unwrap());
    let (map, calls) = trace(|| Map::whole(&file).unwrap()).unwrap();
    assert!(map.bytes().is_empty() && map.words().is_empty());
    assert_eq!((calls.of("mmap").made, calls.of("munmap").made), (0, 0));
    map.advise(Advice::WillNeed).unwrap();
    assert_eq!(sum::of_map(&map), 0);
    assert_eq!(page_cache::resident(&file).unwrap(), 0);
}

#[test]
fn advice_is_given_to_the_kernel() {
    let scratch = Scratch::new().unwrap();
    let map = Map::whole(&open(&scratch.file("file", 2 * page()).unwrap())).unwrap();
    let (advised, calls) = trace(|| map.advise(Advice::Random)).unwrap();
    advised.unwrap();
    assert_eq!(calls.of("madvise").made, 1);
}

#[test]
fn only_a_regular_file_is_mapped() {
    let scratch = Scratch::new().unwrap();
    let (pipe, _writer) = std::io::pipe().unwrap();
    let pipe = File::from(std::os::fd::OwnedFd::from(pipe));
    for file in [File::open(scratch.path()).unwrap(), pipe] {
        assert_eq!(Map::whole(&file).unwrap_err().kind(), ErrorKind::InvalidInput);
        assert_eq!(Map::new(&file, 1).unwrap_err().raw_os_error(), Some(libc::ENODEV));
    }
    assert_eq!(
        Map::new(File::open("Cargo.toml").unwrap(), 0).unwrap_err().kind(),
        ErrorKind::InvalidInput
    );
}

#[test]
fn a_file_is_unmapped_on_drop_even_after_an_error() {
    let scratch = Scratch::new().unwrap();
    let path = scratch.file("file", MIB).unwrap();
    let file = open(&path);
    for name in Variant::NAMES {
        let _ = Variant::new(name).unwrap().sum(&file, MIB);
        assert_eq!(maps_of(&path).unwrap(), 0, "{name}");
    }
    let map = Map::whole(&file).unwrap();
    assert_eq!(maps_of(&path).unwrap(), 1);
    drop(map);
    assert_eq!(maps_of(&path).unwrap(), 0);
}

#[test]
fn a_load_beyond_the_new_end_kills_but_reads_zeros_up_to_the_end_of_its_page() {
    let scratch = Scratch::new().unwrap();
    let file = open(&scratch.file("file", 4 * page()).unwrap());
    let map = Map::whole(&file).unwrap();
    file.set_len(page() as u64 + 1).unwrap();
    assert_eq!(map.bytes()[page() - 1].load(Relaxed), pattern(page())[page() - 1]);
    assert_eq!(map.bytes()[page() + 1].load(Relaxed), 0, "the rest of the last page");
    assert_eq!(signal_of_load(&map, 2 * page() - 1).unwrap(), 0);
    assert_eq!(signal_of_load(&map, 2 * page()).unwrap(), libc::SIGBUS);
    // When the file grows again, the page is back, filled with zeros. So a later look at the size
    // does not show what happened in between.
    file.set_len(4 * page() as u64).unwrap();
    assert_eq!(signal_of_load(&map, 2 * page()).unwrap(), 0);
    assert_eq!(map.bytes()[2 * page()].load(Relaxed), 0);
}

#[test]
fn a_map_that_is_longer_than_its_file_kills_beyond_it() {
    let scratch = Scratch::new().unwrap();
    let map = Map::new(open(&scratch.file("file", 1).unwrap()), 2 * page()).unwrap();
    assert_eq!(
        (signal_of_load(&map, page() - 1).unwrap(), signal_of_load(&map, page()).unwrap()),
        (0, libc::SIGBUS)
    );
}

#[test]
fn where_a_load_kills_a_system_call_returns_an_error() {
    let scratch = Scratch::new().unwrap();
    let file = open(&scratch.file("file", MIB).unwrap());
    let map = Map::whole(&file).unwrap();
    file.set_len(0).unwrap();
    let (_reader, pipe) = std::io::pipe().unwrap();
    let error = map.write_to(pipe, 0).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EFAULT));
    let (_peer, socket) = pair().unwrap();
    let error =
        SendVariant::new("mmap_write").unwrap().send(&socket, &file, 0..MIB as u64).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EFAULT));
    assert_eq!(file.read_at(&mut [0; 8], 0).unwrap(), 0);
    let error = Variant::new("read_64KiB").unwrap().sum(&file, MIB).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
    if let Err(error) = map.advise(Advice::PopulateRead) {
        assert!(matches!(error.raw_os_error(), Some(libc::EFAULT | libc::EINVAL)), "{error}");
    }
}

#[test]
fn a_part_of_a_file_is_mapped_read_and_written_from_there() {
    let scratch = Scratch::new().unwrap();
    let length = 3 * page() + 5;
    let file = open(&scratch.file("file", length).unwrap());
    let part = &pattern(length)[page()..];
    let map = Map::part(&file, page() as u64, part.len()).unwrap();
    assert_eq!(sum::of_map(&map), sum::of_bytes(part));
    for name in ["read_64KiB", "map", "map_populate"] {
        let mut variant = Variant::new(name).unwrap();
        let found = variant.sum_of_part(&file, page() as u64, part.len()).unwrap();
        assert_eq!(found, sum::of_bytes(part), "{name}");
    }
    let (mut reader, pipe) = std::io::pipe().unwrap();
    assert_eq!(map.write_to(&pipe, 7).unwrap(), part.len() - 7);
    drop(pipe);
    let mut arrived = vec![];
    reader.read_to_end(&mut arrived).unwrap();
    assert!(arrived == part[7..]);
    assert_eq!(Map::part(&file, 1, 1).unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[test]
fn a_map_shows_later_writes() {
    let scratch = Scratch::new().unwrap();
    let file = open(&scratch.file("file", 8).unwrap());
    let map = Map::whole(&file).unwrap();
    file.write_all_at(&[7], 3).unwrap();
    assert_eq!(map.bytes()[3].load(Relaxed), 7);
}

#[test]
fn a_sealed_file_can_be_neither_changed_nor_truncated() {
    for length in [0, 1, page(), page() + 1] {
        let map = SealedMap::new(SealedMap::seal(&pattern(length)).unwrap()).unwrap();
        let refused = |result: std::io::Result<()>| {
            assert_eq!(result.unwrap_err().raw_os_error(), Some(libc::EPERM))
        };
        if length > 0 {
            refused(map.file().set_len(0));
        }
        refused(map.file().set_len(length as u64 + 1));
        refused(map.file().write_all_at(&[7], 0));
        let hole = libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE;
        // SAFETY: an open descriptor and integers.
        let punched = unsafe { libc::fallocate(map.file().as_raw_fd(), hole, 0, 1) };
        assert_eq!(punched, -1, "a hole loses bytes too");
        assert_eq!(*map, *pattern(length));
    }
}

#[test]
fn a_file_that_lacks_a_seal_is_not_mapped_as_sealed() {
    let scratch = Scratch::new().unwrap();
    let error = SealedMap::new(open(&scratch.file("file", 1).unwrap())).unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::PermissionDenied),
        "{error}"
    );
    for seals in [
        0,
        libc::F_SEAL_SHRINK,
        libc::F_SEAL_WRITE,
        libc::F_SEAL_SHRINK | libc::F_SEAL_FUTURE_WRITE,
    ] {
        // SAFETY: a C string and a flag; the new descriptor has no other owner; a command with an
        // integer.
        let file = unsafe {
            let file =
                File::from_raw_fd(libc::memfd_create(c"test".as_ptr(), libc::MFD_ALLOW_SEALING));
            assert_eq!(libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, seals), 0);
            file
        };
        assert_eq!(
            SealedMap::new(file).unwrap_err().kind(),
            ErrorKind::PermissionDenied,
            "{seals:#x}"
        );
    }
}

#[test]
fn an_evicted_file_is_out_of_memory_and_a_read_brings_it_back() {
    let scratch = Scratch::new().unwrap();
    let file = open(&scratch.file("file", MIB).unwrap());
    let pages = (MIB / page()) as u64;
    assert_eq!(page_cache::resident(&file).unwrap(), pages);
    let hole = open(&scratch.file("hole", 0).unwrap());
    hole.set_len(MIB as u64).unwrap();
    assert_eq!(page_cache::resident(&hole).unwrap(), 0, "nothing has read it");
    match page_cache::evict(&file) {
        Ok(()) => assert_eq!(page_cache::resident(&file).unwrap(), 0),
        // A file system in memory.
        Err(error) => return assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}"),
    }
    assert_eq!(Variant::new("map").unwrap().sum(&file, MIB).unwrap(), sum::of_bytes(&pattern(MIB)));
    assert_eq!(page_cache::resident(&file).unwrap(), pages);
    // The kernel keeps pages that are mapped, and `evict` reports that.
    let map = Map::whole(&file).unwrap();
    sum::of_map(&map);
    assert_eq!(page_cache::evict(&file).unwrap_err().kind(), ErrorKind::Unsupported);
}

#[test]
fn naive_fails_for_an_empty_file_and_a_directory() {
    let scratch = Scratch::new().unwrap();
    let errno = |path: &Path| naive::count_lines(path).unwrap_err().raw_os_error();
    assert_eq!(errno(&scratch.file("empty", 0).unwrap()), Some(libc::EINVAL));
    assert_eq!(errno(scratch.path()), Some(libc::ENODEV));
}

#[test]
fn naive_blocks_until_a_writer_opens_the_pipe() {
    let scratch = Scratch::new().unwrap();
    let path = scratch.path().join("fifo");
    let name = CString::new(path.as_os_str().as_bytes()).unwrap();
    // SAFETY: a C string and a mode.
    assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
    let (sender, receiver) = mpsc::channel();
    let theirs = path.clone();
    let waiting = thread::spawn(move || {
        sender.send(naive::count_lines(&theirs).unwrap_err().raw_os_error()).unwrap()
    });
    assert!(receiver.recv_timeout(Duration::from_millis(300)).is_err(), "it waits in open");
    drop(OpenOptions::new().write(true).open(&path).unwrap());
    assert_eq!(
        receiver.recv_timeout(Duration::from_secs(60)).unwrap(),
        Some(libc::EINVAL),
        "and maps 0 bytes of a pipe"
    );
    waiting.join().unwrap();
}

#[test]
fn naive_leaves_the_file_mapped_on_an_error() {
    let scratch = Scratch::new().unwrap();
    let path = scratch.file("binary", page()).unwrap();
    for times in 1..=3 {
        assert_eq!(
            naive::count_lines(&path).unwrap_err().to_string(),
            str::from_utf8(&pattern(page())).unwrap_err().to_string()
        );
        assert_eq!(maps_of(&path).unwrap(), times);
    }
    fs::write(&path, "one\ntwo\n").unwrap();
    assert_eq!(naive::count_lines(&path).unwrap(), 2);
    assert_eq!(maps_of(&path).unwrap(), 3, "a text is unmapped");
}

#[test]
fn naive_hands_out_a_slice_that_changes_and_kills() {
    let scratch = Scratch::new().unwrap();
    let path = scratch.file("file", 2 * page()).unwrap();
    let bytes = naive::map_file(&path).unwrap();
    let file = open(&path);
    // Volatile: through the reference, the compiler may assume that nothing changes.
    // SAFETY: inside the slice, which is mapped and never unmapped.
    let load = |at: usize| unsafe { (&raw const bytes[at]).read_volatile() };
    assert_eq!(load(0), 0);
    file.write_all_at(&[255], 0).unwrap(); // it was UTF-8, and no longer is
    assert_eq!(load(0), 255);
    file.set_len(0).unwrap();
    // SAFETY: one load, and no call.
    assert_eq!(unsafe { end_of(|| i32::from(load(page()))) }.unwrap(), End::Signal(libc::SIGBUS));
}

#[test]
fn a_child_reports_how_it_ended() {
    // SAFETY: nothing is called; `raise` is async-signal-safe.
    unsafe {
        assert_eq!(end_of(|| 3).unwrap(), End::Exit(3));
        assert_eq!(end_of(|| libc::raise(libc::SIGKILL)).unwrap(), End::Signal(libc::SIGKILL));
    }
}

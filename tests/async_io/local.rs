//! The ring of the calling thread, direct I/O, reads of the page cache, and the variants.

use super::{KIB, opened, watch, writable};
use perf_proved::harness::scratch::{Scratch, pattern};
use perf_proved::io::async_io::cached::read_cached;
use perf_proved::io::async_io::direct::{self, Alignment};
use perf_proved::io::async_io::experiment::{Blocks, cancel_at_random};
use perf_proved::io::async_io::local::LocalRing;
use perf_proved::io::async_io::variants::{BLOCK, Then, Variant};
use perf_proved::io::async_io::{
    Durability, Engine, Operation, Outcome, Reason, SharedFile, SyncKind,
};
use perf_proved::measuring::limits::file::filesystem;
use perf_proved::sys::denial::Denial;
use perf_proved::sys::raw_code;
use perf_proved::zero_copy::mmap::page_cache;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::FromRawFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use std::{env, mem, thread};

const LOCAL: &str = "on a local ring";

/// Returns a ring, if there is one here.
fn ring(depth: usize, buffers: u16) -> Option<LocalRing<usize>> {
    match LocalRing::new(depth, buffers, 8 * KIB) {
        Ok(ring) => Some(ring),
        Err(error) => {
            eprintln!("not possible here: {error}");
            None
        }
    }
}

#[test]
fn a_local_ring_carries_out_every_operation() {
    let _watch = watch(LOCAL);
    let Some(mut ring) = ring(4, 0) else { return };
    let scratch = Scratch::new().unwrap();
    let path = |name| scratch.path().join(name);
    let mut done = |operation| {
        ring.submit(7, operation).unwrap();
        let (tag, end) = ring.next().unwrap().unwrap();
        assert_eq!(tag, 7);
        end.done().unwrap()
    };
    let file = writable(path("file"));
    assert_eq!(done(Operation::write_at(&file, pattern(5000), 10)).bytes, 5000);
    done(Operation::sync(&file, SyncKind::Data));
    done(Operation::sync(&file, SyncKind::All));
    let read = done(Operation::read_at(&file, vec![0; 6000], 10));
    assert!(read.bytes == 5000 && read.buffer.unwrap()[..5000] == pattern(5000));
    let copy = writable(path("copy"));
    assert_eq!(done(Operation::copy(&file, 10..u64::MAX, &copy, 0)).bytes, 5000);
    done(Operation::replace(path("file"), pattern(3000), Durability::OnDisk));
    let opened = done(Operation::open(path("file"), File::options().read(true)));
    let read = done(Operation::read_at(&opened.file.unwrap(), vec![0; 6000], 0));
    assert!(read.bytes == 3000 && read.buffer.unwrap()[..3000] == pattern(3000));
    assert!(ring.next().unwrap().is_none() && ring.pending() == 0);
}

#[test]
fn a_local_ring_refuses_more_than_its_depth() {
    let _watch = watch(LOCAL);
    for depth in [0, 1023, usize::MAX] {
        let error = LocalRing::<()>::new(depth, 0, 0).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{depth}: {error}");
    }
    for depth in [1, 3, 1022] {
        let Some(mut ring) = ring(depth, 0) else { return };
        let null = opened("/dev/null");
        let read = || Operation::read_at(&null, vec![0; 9], 0);
        for turn in 0..3 {
            (0..depth).for_each(|tag| ring.submit(tag, read()).unwrap());
            let rejected = ring.submit(0, read()).unwrap_err();
            assert_eq!(rejected.reason, Reason::Full);
            assert_eq!(rejected.operation.into_buffer().unwrap().len(), 9);
            let mut tags: Vec<usize> =
                (0..depth).map(|_| ring.next().unwrap().unwrap().0).collect();
            tags.sort_unstable();
            assert!(tags.into_iter().eq(0..depth), "turn {turn}");
        }
    }
}

#[test]
fn a_local_ring_that_is_dropped_waits_for_what_is_in_flight() {
    let _watch = watch(LOCAL);
    let Some(mut ring) = ring(8, 4) else { return };
    let scratch = Scratch::new().unwrap();
    let path = scratch.path().join("file");
    let file = writable(&path);
    for block in 0..8 {
        let mut buffer = ring.buffer().unwrap_or_else(|| vec![0; 8 * KIB].into());
        buffer.fill(block as u8 + 1);
        ring.submit(block, Operation::write_at(&file, buffer, (block * 8 * KIB) as u64)).unwrap();
    }
    drop(file);
    drop(ring);
    let written = fs::read(&path).unwrap();
    assert!((0..64 * KIB).all(|at| written[at] as usize == at / (8 * KIB) + 1));
}

#[test]
fn a_local_ring_reports_errors_and_goes_on() {
    let _watch = watch(LOCAL);
    let Some(mut ring) = ring(8, 0) else { return };
    let full = writable("/dev/full");
    ring.submit(1, Operation::write_at(&full, vec![1; 10], 0)).unwrap();
    let (_, end) = ring.next().unwrap().unwrap();
    let Outcome::Failed(error) = &end.outcome else { panic!("{end:?}") };
    assert_eq!(raw_code(error), Some(libc::ENOSPC));
    ring.submit(2, Operation::sync(&full, SyncKind::All)).unwrap();
    assert_eq!(raw_code(&ring.next().unwrap().unwrap().1.done().unwrap_err()), Some(libc::ENOSPC));
    ring.submit(3, Operation::read_at(&opened("/dev/null"), vec![1; 10], 0)).unwrap();
    assert_eq!(ring.next().unwrap().unwrap().1.done().unwrap().bytes, 0);
}

/// The request never reaches the kernel: the memory is leaked, and nothing hangs.
#[test]
fn a_local_ring_that_is_denied_later_says_so() {
    let _watch = watch(LOCAL);
    thread::spawn(|| {
        let Some(mut ring) = ring(8, 2) else { return };
        let null = opened("/dev/null");
        ring.submit(1, Operation::read_at(&null, ring.buffer().unwrap(), 0)).unwrap();
        let denial = Denial { call: libc::SYS_io_uring_enter, code: libc::EPERM };
        if let Err(error) = denial.install() {
            return eprintln!("not possible here: {error}");
        }
        for _ in 0..2 {
            assert_eq!(raw_code(&ring.next().unwrap_err()), Some(libc::EPERM));
        }
        assert_eq!(ring.pending(), 1);
    })
    .join()
    .unwrap();
}

/// A tag that tells whether it has been dropped, and with it the operation in the same place.
struct Tag {
    _owns: Arc<()>,
    panics: bool,
}

impl Drop for Tag {
    fn drop(&mut self) {
        assert!(!self.panics, "a panic that this test wants");
    }
}

/// Returns a ring with two operations in flight, whose tags own `owned`: a read of `event`, for
/// which the kernel waits, and one that has not been handed in, whose tag may panic.
fn waiting_ring(owned: &Arc<()>, event: &SharedFile, panics: bool) -> Option<LocalRing<Tag>> {
    let mut ring = match LocalRing::new(4, 0, 0) {
        Ok(ring) => ring,
        Err(error) => {
            eprintln!("not possible here: {error}");
            return None;
        }
    };
    let read = |file: &SharedFile| Operation::read_at(file, vec![0; 8], 0);
    let tag = |panics| Tag { _owns: owned.clone(), panics };
    let null = opened("/dev/null");
    ring.submit(tag(false), read(&null)).unwrap();
    ring.submit(tag(false), read(event)).unwrap();
    drop(ring.next().unwrap().unwrap()); // the kernel has both requests, and has answered one
    ring.submit(tag(panics), read(&null)).unwrap();
    Some(ring)
}

/// A read of it waits until something is written to it.
fn event() -> File {
    // SAFETY: takes no pointer, and returns a new descriptor, which no one else owns.
    unsafe { File::from_raw_fd(libc::eventfd(0, libc::EFD_CLOEXEC)) }
}

#[test]
fn a_tag_that_panics_when_it_is_dropped_frees_nothing_early() {
    let _watch = watch(LOCAL);
    let (owned, event) = (Arc::new(()), event());
    let (shared, mut writer) = (event.try_clone().unwrap().into(), event.try_clone().unwrap());
    let Some(ring) = waiting_ring(&owned, &shared, true) else { return };
    let writer = thread::spawn(move || {
        thread::sleep(Duration::from_millis(50));
        writer.write_all(&1_u64.to_ne_bytes()).unwrap();
    });
    catch_unwind(AssertUnwindSafe(|| drop(ring))).unwrap_err();
    assert_eq!(Arc::strong_count(&owned), 1, "the ring was closed before the tag was dropped");
    writer.join().unwrap();
    (&event).write_all(&2_u64.to_ne_bytes()).unwrap();
    let mut count = [0; 8];
    (&event).read_exact(&mut count).unwrap();
    assert_eq!(u64::from_ne_bytes(count), 2, "the kernel has answered the other operation");
}

/// The kernel still has the buffer, and writes to it when it likes: it is never freed.
#[test]
fn a_local_ring_that_cannot_wait_leaks_what_is_in_flight() {
    let _watch = watch(LOCAL);
    for denied in [false, true] {
        thread::spawn(move || {
            let (owned, event) = (Arc::new(()), event());
            let shared = event.try_clone().unwrap().into();
            let Some(ring) = waiting_ring(&owned, &shared, false) else { return };
            if denied {
                let denial = Denial { call: libc::SYS_io_uring_enter, code: libc::EPERM };
                if let Err(error) = denial.install() {
                    mem::forget(ring);
                    return eprintln!("not possible here: {error}");
                }
                drop(ring);
            } else {
                mem::forget(ring);
            }
            (&event).write_all(&1_u64.to_ne_bytes()).unwrap();
            assert_eq!(Arc::strong_count(&owned), 3, "denied: {denied}");
        })
        .join()
        .unwrap();
    }
}

// ---------------------------------------------------------------- registered files, polled rings

#[test]
fn a_registered_file_is_read_and_written_as_any_other() {
    let _watch = watch(LOCAL);
    let Some(mut ring) = ring(4, 2) else { return };
    let scratch = Scratch::new().unwrap();
    let files = ["a", "b"].map(|name| writable(scratch.file(name, 10 * KIB).unwrap()));
    if let Err(error) = ring.register_files(&files[1..]) {
        return eprintln!("not possible here: {error}");
    }
    let twice = ring.register_files(&files).unwrap_err();
    assert_eq!(raw_code(&twice), Some(libc::EBUSY));
    assert!(twice.to_string().starts_with("registering 2 files: "), "{twice}");
    for (tag, file) in files.iter().enumerate() {
        let bytes = vec![tag as u8 + 1; KIB];
        for operation in [
            Operation::write_at(file, bytes.clone(), 0),
            Operation::sync(file, SyncKind::Data),
            Operation::read_at(file, ring.buffer().unwrap(), 0),
            Operation::read_at(file, vec![0; KIB], 0),
        ] {
            ring.submit(tag, operation).unwrap();
            let end = ring.next().unwrap().unwrap().1.done().unwrap();
            assert!(end.buffer.is_none_or(|buffer| buffer[..KIB] == bytes), "file {tag}");
        }
    }
}

#[test]
fn a_polled_ring_wakes_its_thread_and_has_room_for_its_depth() {
    let _watch = watch(LOCAL);
    let scratch = Scratch::new().unwrap();
    let file = opened(scratch.file("file", 40 * KIB).unwrap());
    for depth in [1, 2, 30, 62] {
        let idle = Duration::from_millis(1);
        let mut ring = match LocalRing::polled(depth, 0, 0, idle) {
            Ok(ring) => ring,
            Err(error) => return eprintln!("not possible here: {error}"),
        };
        let mut submitted = 0;
        for turn in 0..300 {
            if turn % 100 == 0 {
                thread::sleep(20 * idle); // it sleeps now, too
            }
            while ring.pending() < depth {
                let at = submitted % 30;
                let read = Operation::read_at(&file, vec![0; 100], at * KIB as u64);
                ring.submit(at as usize, read).unwrap();
                submitted += 1;
            }
            let (at, end) = ring.next().unwrap().unwrap();
            let read = end.done().unwrap().buffer.unwrap();
            assert!(read[..] == pattern(40 * KIB)[at * KIB..][..100]);
        }
    }
}

// ---------------------------------------------------------------- direct I/O

#[test]
fn direct_io_is_aligned_as_the_file_asks() {
    let _watch = watch(LOCAL);
    let scratch = Scratch::new().unwrap();
    let path = scratch.file("file", 64 * KIB).unwrap();
    let kind = filesystem(scratch.path());
    let (file, alignment) = match direct::open(&path, File::options().read(true)) {
        Ok(opened) => opened,
        Err(error) => return eprintln!("not possible here, on {kind:?}: {error}"),
    };
    eprintln!("{kind:?}: {alignment:?}");
    let Alignment { memory, position } = alignment;
    assert!(memory.is_power_of_two() && position.is_power_of_two());
    let buffer = alignment.buffer(1).unwrap();
    assert_eq!((buffer.len(), buffer.as_ptr().addr() % memory), (position, 0));
    let Some(mut ring) = ring(1, 0) else { return };
    let read = Operation::read_at(&file, alignment.buffer(16 * KIB).unwrap(), position as u64);
    ring.submit(0, read).unwrap();
    let read = ring.next().unwrap().unwrap().1.done().unwrap();
    assert!(read.buffer.unwrap()[..] == pattern(64 * KIB)[position..][..16 * KIB]);
    // The kernel refuses what is not aligned.
    ring.submit(0, Operation::read_at(&file, alignment.buffer(1).unwrap(), 1)).unwrap();
    let error = ring.next().unwrap().unwrap().1.done().unwrap_err();
    assert_eq!(raw_code(&error), Some(libc::EINVAL), "{error}");
}

#[test]
fn a_file_without_direct_io_is_refused() {
    for path in ["/proc/version", "/dev/shm"] {
        let path = Path::new(path);
        let scratch = path.is_dir().then(|| Scratch::within(path).unwrap());
        let path = match &scratch {
            Some(scratch) if filesystem(path).unwrap() == "tmpfs" => {
                scratch.file("file", 4096).unwrap()
            }
            Some(_) => continue,
            None => path.to_owned(),
        };
        let error = direct::open(&path, File::options().read(true)).unwrap_err();
        let is_expected = [Some(libc::EINVAL), None].contains(&raw_code(&error));
        assert!(is_expected && error.to_string().starts_with("direct I/O on "), "{error}");
    }
    assert!(Alignment { memory: 512, position: 512 }.buffer(usize::MAX).is_err());
    assert!(Alignment { memory: 512, position: 512 }.buffer(0).is_err());
}

// ---------------------------------------------------------------- the page cache

#[test]
fn a_read_of_the_page_cache_waits_for_nothing() {
    let scratch = Scratch::new().unwrap();
    let path = scratch.file("file", 40 * KIB).unwrap();
    let file = File::open(&path).unwrap();
    let mut buffer = [0; 4096];
    match read_cached(&file, &mut buffer, 1000) {
        Err(error) if raw_code(&error) == Some(libc::EOPNOTSUPP) => {
            return eprintln!("not possible here: {error}");
        }
        found => assert_eq!(found.unwrap(), Some(4096)),
    }
    assert!(buffer[..] == pattern(40 * KIB)[1000..][..4096]);
    assert_eq!(read_cached(&file, &mut buffer, 40 * KIB as u64 - 9).unwrap(), Some(9));
    assert_eq!(read_cached(&file, &mut buffer, 40 * KIB as u64).unwrap(), Some(0), "the end");
    let (pipe, _input) = io::pipe().unwrap();
    let pipe = File::from(std::os::fd::OwnedFd::from(pipe));
    assert_eq!(raw_code(&read_cached(&pipe, &mut buffer, 0).unwrap_err()), Some(libc::ESPIPE));
    // A read in vain begins to read the file ahead, and a disk can be done before it looks again.
    let missed = (0..100).any(|_| match page_cache::evict(&file) {
        Ok(()) => read_cached(&file, &mut buffer, 0).unwrap().is_none(),
        Err(error) => {
            eprintln!("not possible here: {error}");
            true
        }
    });
    assert!(missed, "it waits for the disk");
}

// ---------------------------------------------------------------- the variants

#[test]
fn every_variant_reads_and_writes_each_block_once() {
    let _watch = watch("of a variant");
    let blocks = Blocks::new(&env::temp_dir(), 1000).unwrap();
    for name in Variant::NAMES {
        for depth in [1, 7, 32] {
            match blocks.is_right(name, &blocks.open().unwrap(), depth) {
                Ok(right) => assert!(right, "{name}, {depth} in flight"),
                Err(error) => eprintln!("{name}: not possible here: {error}"),
            }
        }
    }
    for name in Variant::NAMES {
        let Ok(mut variant) = Variant::new(name, &blocks.open().unwrap(), 4) else { continue };
        for count in [1, 2, 5, 0, 100, 1] {
            let mut seen = 0; // again and again, and no buffer is lost on the way
            variant.read(&blocks.places(count), |_, _| seen += 1).unwrap();
            assert_eq!(seen, count, "{name}");
        }
    }
    assert!(Variant::new("best", &blocks.open().unwrap(), 1).is_err());
    for name in ["loop", "pool", "ring", "local_ring"] {
        for then in [Then::Nothing, Then::Sync] {
            let scratch = Scratch::new().unwrap();
            let path = scratch.file("file", 200 * BLOCK).unwrap();
            let file = SharedFile::from(OpenOptions::new().write(true).open(&path).unwrap());
            let Ok(mut variant) = Variant::new(name, &file, 8) else { continue };
            let places: Vec<u64> = (0..100).map(|block| block * 2 * BLOCK as u64).collect();
            for part in places.chunks(30) {
                variant.write(part, then).unwrap();
            }
            let written = fs::read(&path).unwrap();
            for (block, bytes) in written.chunks(BLOCK).enumerate() {
                let expected = if block % 2 == 0 {
                    bytes.iter().all(|byte| *byte == 0)
                } else {
                    Blocks::is_block((block * BLOCK) as u64, bytes)
                };
                assert!(expected, "{name}, {then:?}, block {block}");
            }
        }
    }
}

#[test]
fn a_place_beyond_the_end_is_an_error() {
    let _watch = watch("of a variant");
    let blocks = Blocks::new(&env::temp_dir(), 10).unwrap();
    for name in ["loop", "pool", "ring", "local_ring"] {
        let Ok(mut variant) = Variant::new(name, &blocks.open().unwrap(), 4) else { continue };
        let error = variant.read(&[10 * BLOCK as u64], |_, _| {}).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof, "{name}");
    }
}

#[test]
fn the_examples_cancellations_lose_nothing() {
    let _watch = watch("of the example");
    let blocks = Blocks::new(&env::temp_dir(), 1000).unwrap();
    for engine in [Engine::Pool, Engine::Ring] {
        match cancel_at_random(&blocks, engine, 2000) {
            Ok(ends) => {
                let ended = ends.completed + ends.failed + ends.canceled;
                assert_eq!((ends.submitted, ended, ends.buffers_lost), (2000, 2000, 0));
                assert!(ends.failed > 0 && ends.canceled > 0, "{ends:?}");
            }
            Err(error) => eprintln!("{engine:?}: not possible here: {error}"),
        }
    }
}

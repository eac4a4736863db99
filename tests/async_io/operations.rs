//! Reads, writes, syncs and copies: the bytes, the ends, and the errors.

use super::{KIB, MIB, done, on_both, on_each, opened, run, watch, writable};
use perf_proved::harness::scratch::{Scratch, pattern};
use perf_proved::io::async_io::{
    AsyncIo, Buffer, Engine, Handle, Operation, Outcome, Settings, SharedFile, SyncKind,
};
use perf_proved::proof::syscalls::trace;
use perf_proved::sys::{raw_code, rlimit};
use perf_proved::zero_copy::sendfile::MAX_PER_CALL;
use perf_proved_tests::{alone, in_a_process, signals, soon};
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::Instant;

const SIZES: [usize; 9] = [0, 1, 4095, 4096, 4097, 256 * KIB - 1, 256 * KIB, 256 * KIB + 1, MIB];

// ---------------------------------------------------------------- the bytes

#[test]
fn what_is_written_is_read_at_every_size() {
    let scratch = Scratch::new().unwrap();
    on_both(|io| {
        let file = writable(scratch.path().join("file"));
        for length in SIZES {
            let wrote = done(&io, Operation::write_at(&file, pattern(length), 77));
            assert_eq!(wrote.bytes, length as u64);
            assert!(wrote.buffer.unwrap()[..] == pattern(length), "it comes back unchanged");
            done(&io, Operation::sync(&file, SyncKind::Data));
            let read = done(&io, Operation::read_at(&file, vec![0; length], 77));
            assert_eq!(read.bytes, length as u64);
            assert!(read.buffer.unwrap().into_vec() == pattern(length), "{length} bytes");
        }
        done(&io, Operation::sync(&file, SyncKind::All));
    });
}

#[test]
fn a_read_ends_at_the_end_of_the_file() {
    let scratch = Scratch::new().unwrap();
    let file = opened(scratch.file("file", 5000).unwrap());
    on_both(|io| {
        for (at, expected) in [(0, 5000), (4000, 1000), (4999, 1), (5000, 0), (1 << 40, 0)] {
            let read = done(&io, Operation::read_at(&file, vec![0xAA; 6000], at));
            assert_eq!(read.bytes, expected);
            let buffer = read.buffer.unwrap();
            let (read, rest) = buffer.split_at(expected as usize);
            assert!(read == pattern(5000)[5000 - read.len()..].to_vec());
            assert!(rest.iter().all(|byte| *byte == 0xAA), "the rest is untouched");
        }
    });
}

/// Files in `/proc` give at most a few pages a call.
#[test]
fn short_reads_are_continued() {
    let path = "/proc/kallsyms";
    let mut expected = vec![];
    let Ok(file) = File::open(path) else { return eprintln!("not possible here: no {path}") };
    file.take(512 * KIB as u64).read_to_end(&mut expected).unwrap();
    let mut once = vec![0; 512 * KIB];
    let first = File::open(path).unwrap().read_at(&mut once, 0).unwrap();
    assert!(first < expected.len(), "one call reads {first} of {} bytes", expected.len());
    on_both(|io| {
        let read = done(&io, Operation::read_at(&opened(path), vec![0; 512 * KIB], 0));
        assert_eq!(read.bytes, expected.len() as u64);
        assert!(read.buffer.unwrap()[..expected.len()] == expected);
    });
}

#[test]
fn lengths_beyond_one_call_are_written_whole() {
    let length = MAX_PER_CALL + 5000; // zeroed, and never touched
    on_both(|io| {
        let wrote = done(&io, Operation::write_at(&writable("/dev/null"), vec![0; length], 0));
        assert_eq!(wrote.bytes, length as u64);
    });
}

/// Reads 2 GiB, and so has as many in memory, one engine after the other.
#[test]
fn lengths_beyond_one_call_are_read_whole() {
    if !in_a_process("operations::lengths_beyond_one_call_are_read_whole") {
        return;
    }
    let scratch = Scratch::new().unwrap();
    let length = MAX_PER_CALL + 5000;
    let path = scratch.path().join("sparse");
    let file = writable(&path);
    file.file().set_len(length as u64 + 100).unwrap();
    file.file().write_at(b"the end", length as u64 - 7).unwrap();
    on_both(|io| {
        let buffer = match Buffer::aligned(length, MIB * 2) {
            Ok(buffer) => buffer,
            Err(error) => panic!("{error}"),
        };
        let read = done(&io, Operation::read_at(&file, buffer, 0));
        assert_eq!(read.bytes, length as u64);
        assert!(read.buffer.unwrap().ends_with(b"\0the end"));
    });
}

#[test]
fn many_operations_in_flight_do_not_mix_their_bytes() {
    const BLOCK: usize = 3 * KIB;
    let scratch = Scratch::new().unwrap();
    let whole = pattern(200 * BLOCK);
    on_both(|io| {
        let file = writable(scratch.path().join(format!("{:?}", io.engine())));
        let at = |block: usize| (block * BLOCK) as u64;
        let blocks = whole.chunks(BLOCK).enumerate();
        let writes: Vec<Handle> = blocks
            .map(|(block, bytes)| {
                io.submit(Operation::write_at(&file, bytes.to_vec(), at(block))).unwrap()
            })
            .collect();
        writes.into_iter().for_each(|handle| drop(handle.wait().done().unwrap()));
        let read = |block| io.submit(Operation::read_at(&file, vec![0; BLOCK], at(block))).unwrap();
        let reads: Vec<Handle> = (0..200).map(read).collect();
        let read = reads.into_iter().map(|handle| handle.wait().done().unwrap().buffer.unwrap());
        assert!(read.flat_map(Buffer::into_vec).eq(whole.iter().copied()));
        assert!(io.counts().most_in_flight <= 128);
    });
}

/// `O_DIRECT` needs an aligned buffer, and a file system that supports it.
#[test]
fn an_aligned_buffer_serves_direct_io() {
    let scratch = Scratch::new().unwrap();
    let path = scratch.file("file", 60 * KIB + 5000).unwrap();
    let direct = OpenOptions::new().read(true).write(true).custom_flags(libc::O_DIRECT).open(path);
    let file = match direct {
        Ok(file) => SharedFile::from(file),
        Err(error) => return eprintln!("not possible here: O_DIRECT: {error}"),
    };
    on_both(|io| {
        let buffer = Buffer::aligned(16 * KIB, 4096).unwrap();
        let read = done(&io, Operation::read_at(&file, buffer, 4096));
        let buffer = read.buffer.unwrap();
        assert!(buffer[..] == pattern(64 * KIB)[4096..20 * KIB]);
        done(&io, Operation::write_at(&file, buffer, 4096));
        // The last block is not whole. A position in it is none to read from.
        let buffer = Buffer::aligned(16 * KIB, 4096).unwrap();
        let read = done(&io, Operation::read_at(&file, buffer, 60 * KIB as u64));
        assert_eq!(read.bytes, 5000);
        assert!(read.buffer.unwrap()[..5000] == pattern(65 * KIB)[60 * KIB..][..5000]);
    });
}

#[test]
fn the_settings_buffers_are_lent_and_come_back() {
    let scratch = Scratch::new().unwrap();
    let file = writable(scratch.file("file", 100 * KIB).unwrap());
    // Not more than an ordinary user may pin.
    on_each(&Settings { buffers: 4, buffer_length: 10 * KIB, ..Settings::default() }, |io| {
        if let Some(reason) = io.not_registered() {
            eprintln!("not registered: {reason}");
        }
        for round in 0..3_u64 {
            let buffers: Vec<Buffer> = std::iter::from_fn(|| io.buffer()).collect();
            assert_eq!((buffers.len(), buffers[0].len()), (4, 12 * KIB), "whole pages");
            let read = |(at, buffer)| io.submit(Operation::read_at(&file, buffer, at)).unwrap();
            let places = (0..4).map(|index| round * 1000 + index * 7);
            let handles: Vec<Handle> = places.clone().zip(buffers).map(read).collect();
            for (at, handle) in places.zip(handles) {
                let read = handle.wait().done().unwrap();
                let at = at as usize;
                assert!(read.buffer.unwrap()[..] == pattern(100 * KIB)[at..at + 12 * KIB]);
            }
        }
        // Another engine takes them, too.
        let other = AsyncIo::start(&super::on(Engine::Pool)).unwrap();
        done(&other, Operation::write_at(&file, io.buffer().unwrap(), 200 * KIB as u64));
        assert!(other.buffer().is_none(), "none were asked for");
    });
}

/// The kernel is the witness that an engine is the one that its name says.
#[test]
fn the_calls_are_the_engines() {
    let _watch = watch("with engines of its own");
    let _alone = alone();
    let scratch = Scratch::new().unwrap();
    let path = scratch.file("file", 100 * KIB).unwrap();
    for engine in [Engine::Pool, Engine::Ring] {
        let file = opened(&path);
        let traced = trace(|| {
            let io = match AsyncIo::start(&super::on(engine)) {
                Ok(io) => io,
                Err(error) => return eprintln!("not possible here: {error}"),
            };
            for at in 0..20 {
                done(&io, Operation::read_at(&file, vec![0; 4096], at * 4096));
            }
        });
        let ((), calls) = match traced {
            Ok(traced) => traced,
            Err(error) => return eprintln!("not possible here: {error}"),
        };
        match engine {
            Engine::Pool => {
                assert!(calls.of("pread64").returned == 20 * 4096, "{calls:?}");
                assert_eq!(calls.of("io_uring_setup").made, 0);
            }
            Engine::Ring if calls.of("io_uring_enter").made == 0 => {}
            Engine::Ring => {
                assert_eq!(calls.of("pread64").made, 0, "{calls:?}");
                assert!(calls.of("io_uring_enter").made >= 20, "{calls:?}");
            }
        }
    }
}

#[test]
fn a_file_is_opened_and_read() {
    let scratch = Scratch::new().unwrap();
    let path = scratch.file("file", 100).unwrap();
    on_both(|io| {
        let options = File::options().read(true).clone();
        let opened = done(&io, Operation::open(&path, &options));
        let read = done(&io, Operation::read_at(&opened.file.unwrap(), vec![0; 100], 0));
        assert!(read.buffer.unwrap()[..] == pattern(100) && read.file.is_none());
        let missing = scratch.path().join("missing");
        let error = run(&io, Operation::open(&missing, &options)).done().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().starts_with(&format!("opening {}: ", missing.display())));
    });
}

// ---------------------------------------------------------------- copies

#[test]
fn a_copy_has_the_bytes_of_its_range() {
    let scratch = Scratch::new().unwrap();
    on_both(|io| {
        for length in SIZES {
            let from = opened(scratch.file("from", length).unwrap());
            let to_path = scratch.path().join("to");
            let _ = fs::remove_file(&to_path);
            let to = writable(&to_path);
            let copied = done(&io, Operation::copy(&from, 0..u64::MAX, &to, 10));
            assert_eq!((copied.bytes, copied.buffer.is_none()), (length as u64, true));
            let whole = [vec![0; if length == 0 { 0 } else { 10 }], pattern(length)].concat();
            assert!(fs::read(&to_path).unwrap() == whole, "{length} bytes");
            if length > 100 {
                done(&io, Operation::copy(&from, 50..90, &to, 3));
                assert!(fs::read(&to_path).unwrap()[3..43] == pattern(length)[50..90]);
            }
        }
    });
}

#[test]
fn a_copy_onto_itself_is_refused() {
    let scratch = Scratch::new().unwrap();
    let path = scratch.file("file", 5000).unwrap();
    let link = scratch.path().join("link");
    fs::hard_link(&path, &link).unwrap();
    on_both(|io| {
        let file = writable(&path);
        for other in [file.clone(), writable(&path), writable(&link)] {
            let copied = run(&io, Operation::copy(&file, 0..100, &other, 2000));
            let Outcome::Failed(error) = copied.outcome else { panic!("{copied:?}") };
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
        }
        assert!(fs::read(&path).unwrap() == pattern(5000));
        done(&io, Operation::sync(&file, SyncKind::All)); // nothing has been lost
    });
}

// ---------------------------------------------------------------- errors

#[test]
fn an_error_says_what_was_tried_and_keeps_the_kernels_number() {
    let scratch = Scratch::new().unwrap();
    let path = scratch.file("file", 10).unwrap();
    on_both(|io| {
        let file = opened(&path);
        let write = run(&io, Operation::write_at(&file, vec![1; 10], 5)).done().unwrap_err();
        assert_eq!(raw_code(&write), Some(libc::EBADF), "{write}");
        assert!(write.to_string().starts_with("writing 10 bytes at 5, after 0 of them: "));
        let only = SharedFile::from(OpenOptions::new().write(true).open(&path).unwrap());
        let read = run(&io, Operation::read_at(&only, vec![1; 10], 5)).done().unwrap_err();
        assert_eq!(raw_code(&read), Some(libc::EBADF), "{read}");
        let folder = opened(scratch.path());
        let read = run(&io, Operation::read_at(&folder, vec![1; 10], 0)).done().unwrap_err();
        assert_eq!(raw_code(&read), Some(libc::EISDIR), "{read}");
        let (pipe, _input) = std::io::pipe().unwrap();
        let pipe = SharedFile::from(File::from(std::os::fd::OwnedFd::from(pipe)));
        let sync = run(&io, Operation::sync(&pipe, SyncKind::All)).done().unwrap_err();
        assert_eq!(raw_code(&sync), Some(libc::EINVAL), "{sync}");
        let counts = io.counts();
        assert_eq!((counts.submitted, counts.failed), (4, 4));
    });
}

/// The memory at address 0 cannot be read: the kernel says `EIO`.
#[test]
fn an_input_output_error_is_reported() {
    let memory = opened("/proc/self/mem");
    on_both(|io| {
        let read = run(&io, Operation::read_at(&memory, vec![0xAA; 10], 0));
        assert_eq!((read.bytes, read.buffer.as_ref().unwrap()[..] == [0xAA; 10]), (0, true));
        assert_eq!(raw_code(&read.done().unwrap_err()), Some(libc::EIO));
    });
}

#[test]
fn a_full_device_is_an_error_that_a_sync_repeats() {
    on_both(|io| {
        let full = writable("/dev/full");
        drop(io.submit(Operation::write_at(&full, vec![1; 10], 0)).unwrap()); // no one hears of it
        while io.counts().in_flight > 0 {
            thread::yield_now();
        }
        for kind in [SyncKind::Data, SyncKind::All] {
            let error = run(&io, Operation::sync(&full, kind)).done().unwrap_err();
            assert_eq!(raw_code(&error), Some(libc::ENOSPC), "{error}");
        }
        assert_eq!(raw_code(&full.first_error().unwrap()), Some(libc::ENOSPC));
    });
}

/// A limit on the size of files leaves the beginning of a write, as a full disk does.
#[test]
fn a_write_that_fails_midway_counts_its_bytes() {
    if !in_a_process("operations::a_write_that_fails_midway_counts_its_bytes") {
        return;
    }
    let scratch = Scratch::new().unwrap();
    on_both(|io| {
        let path = scratch.path().join(format!("{:?}", io.engine()));
        let file = writable(&path);
        let write = || run(&io, Operation::write_at(&file, pattern(10_000), 0));
        let wrote = rlimit::file_size(4096, write).unwrap();
        let Outcome::Failed(error) = &wrote.outcome else { panic!("{wrote:?}") };
        assert_eq!((raw_code(error), wrote.bytes), (Some(libc::EFBIG), 4096));
        assert!(error.to_string().contains("after 4096 of them"), "{error}");
        assert!(fs::read(&path).unwrap() == pattern(4096));
        // The disk has all that the file has, and still no sync says so.
        file.file().sync_all().unwrap();
        let error = run(&io, Operation::sync(&file, SyncKind::All)).done().unwrap_err();
        assert_eq!(raw_code(&error), Some(libc::EFBIG), "{error}");
        done(&io, Operation::sync(&writable(&path), SyncKind::All));
    });
}

/// Mounts a file system of 64 KiB, which only root can, and fills it.
#[test]
fn a_full_disk_leaves_the_bytes_that_it_had_room_for() {
    thread::spawn(|| {
        let scratch = Scratch::new().unwrap();
        let mounted = mount_small_disk(scratch.path());
        if let Err(error) = mounted {
            return eprintln!("not possible here: mounting a tmpfs: {error}");
        }
        on_both(|io| {
            let path = scratch.path().join("file");
            let file = writable(&path);
            let wrote = run(&io, Operation::write_at(&file, pattern(100 * KIB), 0));
            let Outcome::Failed(error) = &wrote.outcome else { panic!("{wrote:?}") };
            assert_eq!(raw_code(error), Some(libc::ENOSPC), "{error}");
            assert!((1..100 * KIB as u64).contains(&wrote.bytes), "{}", wrote.bytes);
            assert_eq!(fs::metadata(&path).unwrap().len(), wrote.bytes);
            assert!(run(&io, Operation::sync(&file, SyncKind::Data)).done().is_err());
            fs::remove_file(&path).unwrap();
        });
    })
    .join()
    .unwrap();
}

/// Mounts a tmpfs of 64 KiB on `folder`, for the calling thread and its children alone.
fn mount_small_disk(folder: &std::path::Path) -> std::io::Result<()> {
    let folder = std::ffi::CString::new(folder.to_str().unwrap()).unwrap();
    let flags = libc::MS_REC | libc::MS_PRIVATE;
    let (none, tmpfs, size) = (std::ptr::null(), c"tmpfs".as_ptr(), c"size=64k".as_ptr());
    // SAFETY: C strings and flags.
    let results = unsafe {
        [
            libc::unshare(libc::CLONE_FS | libc::CLONE_NEWNS),
            libc::mount(none, c"/".as_ptr(), none, flags, std::ptr::null()),
            libc::mount(tmpfs, folder.as_ptr(), tmpfs, 0, size.cast()),
        ]
    };
    if results == [0; 3] { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}

#[test]
fn signals_do_no_harm() {
    signals::catch();
    let scratch = Scratch::new().unwrap();
    let from = scratch.file("from", 4 * MIB).unwrap();
    on_both(|io| {
        let to_path = scratch.path().join("to");
        let (from, to) = (opened(&from), writable(&to_path));
        let (before, done_with) = (signals::caught(), AtomicBool::new(false));
        thread::scope(|scope| {
            scope.spawn(|| {
                while !done_with.load(SeqCst) {
                    interrupt_engines();
                    thread::yield_now();
                }
            });
            // On a busy machine, the other thread may take its time.
            let (mut copies, deadline) = (0, soon());
            while (copies < 20 || signals::caught() == before) && Instant::now() < deadline {
                assert_eq!(done(&io, Operation::copy(&from, 0..u64::MAX, &to, 0)).bytes, 4 << 20);
                copies += 1;
            }
            done_with.store(true, SeqCst);
        });
        assert!(signals::caught() > before, "no signal came");
        assert!(fs::read(&to_path).unwrap() == pattern(4 * MIB));
    });
}

/// Sends a signal to each thread of an engine in this process.
fn interrupt_engines() {
    for task in fs::read_dir("/proc/self/task").unwrap().flatten() {
        let name = fs::read_to_string(task.path().join("comm")).unwrap_or_default();
        if name.starts_with("file-io") {
            let thread: libc::pid_t = task.file_name().to_str().unwrap().parse().unwrap();
            // SAFETY: signals have a handler, and a thread that has ended is refused.
            unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), thread, libc::SIGUSR1) };
        }
    }
}

//! Atomic replacement: the old content or the new one, and never another file left over.

use super::{KIB, done, on_both, run, watch};
use perf_proved::harness::scratch::{Scratch, pattern};
use perf_proved::io::async_io::{Durability, Operation, Outcome};
use perf_proved::proof::syscalls::trace;
use perf_proved::sys::{raw_code, rlimit};
use perf_proved_tests::{alone, in_a_process, names, soon};
use std::fs::{self, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread;
use std::time::Instant;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

#[test]
fn the_target_gets_the_bytes_and_keeps_its_mode() {
    let scratch = Scratch::new().unwrap();
    let target = scratch.path().join("target");
    on_both(|io| {
        let _ = fs::remove_file(&target);
        let fresh = scratch.path().join("fresh");
        fs::write(&fresh, b"").unwrap();
        for durability in [Durability::Cached, Durability::OnDisk] {
            for length in [0, 1, 5000, 300 * KIB] {
                let replace = Operation::replace(&target, pattern(length), durability);
                let replaced = done(&io, replace);
                assert_eq!(replaced.bytes, length as u64);
                assert!(replaced.buffer.unwrap()[..] == pattern(length));
                assert!(fs::read(&target).unwrap() == pattern(length));
            }
        }
        assert_eq!(mode(&target), mode(&fresh), "a new file's is what the umask leaves");
        for bits in [0o600, 0o640, 0o444, 0o4755] {
            fs::set_permissions(&target, Permissions::from_mode(bits)).unwrap();
            done(&io, Operation::replace(&target, pattern(3), Durability::Cached));
            assert_eq!(mode(&target), bits & 0o777);
        }
        fs::remove_file(fresh).unwrap();
        assert_eq!(names(scratch.path()), ["target"]);
    });
}

#[test]
fn a_link_stays_and_its_file_is_replaced() {
    let scratch = Scratch::new().unwrap();
    let folder = scratch.path().join("folder");
    fs::create_dir(&folder).unwrap();
    let (target, link) = (folder.join("target"), scratch.path().join("link"));
    symlink("folder/target", &link).unwrap();
    on_both(|io| {
        let replace = || run(&io, Operation::replace(&link, pattern(7), Durability::OnDisk));
        assert_eq!(replace().done().unwrap_err().kind(), ErrorKind::NotFound, "it leads nowhere");
        fs::write(&target, b"old").unwrap();
        replace().done().unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&target).unwrap(), pattern(7));
        assert_eq!(
            (names(scratch.path()), names(&folder)),
            (vec!["folder".into(), "link".into()], vec!["target".into()])
        );
        fs::remove_file(&target).unwrap();
    });
}

#[test]
fn what_is_no_regular_file_is_refused() {
    let scratch = Scratch::new().unwrap();
    let folder = scratch.path().join("folder");
    fs::create_dir(&folder).unwrap();
    let missing = scratch.path().join("missing/file");
    // Not a device of this machine, which root could replace where the check is broken.
    let socket = scratch.path().join("socket");
    let _listener = UnixListener::bind(&socket).unwrap();
    on_both(|io| {
        for (target, kind) in [
            (&*socket, ErrorKind::InvalidInput),
            (&folder, ErrorKind::InvalidInput),
            (&missing, ErrorKind::NotFound),
            (Path::new("/"), ErrorKind::InvalidInput),
            (Path::new(""), ErrorKind::NotFound),
        ] {
            let replaced = run(&io, Operation::replace(target, pattern(7), Durability::Cached));
            assert!(replaced.buffer.is_some());
            let Outcome::Failed(error) = replaced.outcome else { panic!("{}", target.display()) };
            let is_expected = error.kind() == kind || error.kind() == ErrorKind::InvalidInput;
            assert!(is_expected, "{}: {error}", target.display());
        }
        assert_eq!(names(scratch.path()), ["folder", "socket"]);
        assert!(fs::symlink_metadata(&socket).unwrap().file_type().is_socket());
    });
}

#[test]
fn a_failure_leaves_the_old_content_and_no_other_file() {
    if !in_a_process("replacement::a_failure_leaves_the_old_content_and_no_other_file") {
        return;
    }
    let scratch = Scratch::new().unwrap();
    let target = scratch.file("target", 100).unwrap();
    on_both(|io| {
        let replace = || run(&io, Operation::replace(&target, pattern(10_000), Durability::OnDisk));
        let replaced = rlimit::file_size(4096, replace).unwrap();
        let Outcome::Failed(error) = &replaced.outcome else { panic!("{replaced:?}") };
        assert_eq!((raw_code(error), replaced.bytes), (Some(libc::EFBIG), 4096), "{error}");
        assert!(error.to_string().contains(target.to_str().unwrap()), "{error}");
        assert!(fs::read(&target).unwrap() == pattern(100));
        assert_eq!(names(scratch.path()), ["target"]);
    });
}

#[test]
fn a_reader_finds_the_old_content_or_the_new_one() {
    let scratch = Scratch::new().unwrap();
    let target = scratch.path().join("target");
    on_both(|io| {
        fs::write(&target, vec![0; 20 * KIB]).unwrap();
        let (stop, reads) = (AtomicBool::new(false), AtomicU64::new(0));
        thread::scope(|scope| {
            let reader = scope.spawn(|| {
                while !stop.load(SeqCst) {
                    let found = fs::read(&target).unwrap();
                    assert!(found.len() == 20 * KIB && found.iter().all(|it| *it == found[0]));
                    reads.fetch_add(1, SeqCst);
                }
            });
            // On a busy machine, the reader may take its time.
            let (mut round, deadline) = (0, soon());
            while (round < 100 || reads.load(SeqCst) < 100) && Instant::now() < deadline {
                let new = vec![round as u8; 20 * KIB];
                done(&io, Operation::replace(&target, new, Durability::Cached));
                round += 1;
            }
            stop.store(true, SeqCst);
            reader.join().unwrap();
            assert!(reads.load(SeqCst) > 0);
        });
    });
}

/// A durable replacement syncs the file before its name changes, and the directory after.
#[test]
fn durability_takes_two_syncs() {
    let _watch = watch("with engines of its own");
    let _alone = alone();
    let scratch = Scratch::new().unwrap();
    let target = scratch.file("target", 100).unwrap();
    for (durability, expected) in [(Durability::Cached, 0), (Durability::OnDisk, 2)] {
        let traced = trace(|| {
            let pool = super::on(perf_proved::io::async_io::Engine::Pool);
            let io = perf_proved::io::async_io::AsyncIo::start(&pool).unwrap();
            done(&io, Operation::replace(&target, pattern(10), durability));
        });
        match traced {
            Ok(((), calls)) => assert_eq!(calls.of("fsync").made, expected, "{calls:?}"),
            Err(error) => eprintln!("not possible here: {error}"),
        }
    }
}

//! Tests of `copy_file_range`: a copy is whole or not there, keeps its holes, and says what
//! happened; the naive version fails in the ways that its documentation lists.
#![cfg(target_os = "linux")]

use perf_proved::harness::scratch::{Scratch, pattern};
use perf_proved::proof::syscalls::trace;
use perf_proved::zero_copy::copy_file_range::extents::{DataExtents, allocated};
use perf_proved::zero_copy::copy_file_range::replacement::Replacement;
use perf_proved::zero_copy::copy_file_range::variants::Variant;
use perf_proved::zero_copy::copy_file_range::{
    Copied, CopyError, Durability, Method, copy, copy_file_range, naive,
};
use perf_proved::zero_copy::sendfile::MAX_PER_CALL;
use perf_proved_tests::{names, only, passed, signals};
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::mpsc;
use std::time::Duration;
use std::{env, ptr, thread};

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;
/// Around every boundary: of a page, of the fallback's buffer, of a pipe, of the largest buffer.
const SIZES: [usize; 11] =
    [0, 1, 4095, 4096, 4097, 64 * KIB - 1, 64 * KIB, 64 * KIB + 1, MIB - 1, MIB, MIB + 1];

fn cached(from: &Path, to: &Path) -> Result<Copied, CopyError> {
    copy(from, to, Durability::Cached)
}

/// Makes a directory in `/dev/shm`, if that is another file system than `scratch`.
fn elsewhere(scratch: &Scratch) -> Option<Scratch> {
    let other = Scratch::within(Path::new("/dev/shm")).ok()?;
    let device = |scratch: &Scratch| scratch.path().metadata().unwrap().dev();
    let another = device(&other) != device(scratch);
    if !another {
        eprintln!("not tested here: /dev/shm is no other file system");
    }
    another.then_some(other)
}

// ---------------------------------------------------------------- the bytes

#[test]
fn a_copy_has_the_bytes_of_the_file_at_every_size() {
    let scratch = Scratch::new().unwrap();
    let to = scratch.path().join("to");
    for length in SIZES {
        let from = scratch.file("from", length).unwrap();
        for durability in [Durability::Cached, Durability::OnDisk] {
            assert_eq!(copy(&from, &to, durability).unwrap().length, length as u64);
            assert!(fs::read(&to).unwrap() == pattern(length), "{length} bytes");
        }
    }
    assert_eq!(names(scratch.path()), ["from", "to"]);
}

#[test]
fn every_variant_copies_at_every_size_and_reports_a_file_that_is_shorter() {
    let scratch = Scratch::new().unwrap();
    for name in Variant::NAMES {
        let mut variant = Variant::new(name).unwrap();
        for length in SIZES {
            let from = File::open(scratch.file("from", length).unwrap()).unwrap();
            let path = scratch.path().join("to");
            let to = File::create(&path).unwrap();
            variant.copy(&from, &to, length as u64).unwrap();
            assert!(fs::read(&path).unwrap() == pattern(length), "{name}, {length} bytes");
            Variant::rewind(&from, &to).unwrap();
            let error = variant.copy(&from, &to, length as u64 + 1).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::UnexpectedEof, "{name}, {length} bytes");
        }
    }
    assert!(Variant::new("").is_err());
}

#[test]
fn one_call_takes_and_keeps_positions_apart() {
    let scratch = Scratch::new().unwrap();
    let mut from = File::open(scratch.file("from", 10_000).unwrap()).unwrap();
    let mut to =
        OpenOptions::new().read(true).write(true).open(scratch.file("to", 10).unwrap()).unwrap();
    from.seek(SeekFrom::Start(7)).unwrap();
    to.seek(SeekFrom::Start(3)).unwrap();
    assert_eq!(copy_file_range(&from, 251, &to, 5, 5000).unwrap(), 5000);
    assert_eq!((from.stream_position().unwrap(), to.stream_position().unwrap()), (7, 3));
    to.rewind().unwrap();
    let mut all = vec![];
    to.read_to_end(&mut all).unwrap();
    assert!(all == [&pattern(5)[..], &pattern(5000)[..]].concat(), "251 is the pattern's period");
    assert_eq!(copy_file_range(&from, 9_990, &to, 0, 5000).unwrap(), 10, "up to the end");
    assert_eq!(copy_file_range(&from, 10_000, &to, 0, 1).unwrap(), 0, "at the end");
    assert_eq!(copy_file_range(&from, 20_000, &to, 0, 1).unwrap(), 0, "behind the end");
    assert_eq!(
        copy_file_range(&from, u64::MAX, &to, 0, 1).unwrap_err().raw_os_error(),
        Some(libc::EOVERFLOW)
    );
    // Ranges of one file may not overlap; others may be copied.
    assert_eq!(
        copy_file_range(&to, 0, &to, 1, 100).unwrap_err().raw_os_error(),
        Some(libc::EINVAL)
    );
    assert_eq!(copy_file_range(&to, 0, &to, 10_000, 100).unwrap(), 100);
    let append = OpenOptions::new().append(true).open(scratch.path().join("to")).unwrap();
    assert_eq!(
        copy_file_range(&from, 0, &append, 0, 1).unwrap_err().raw_os_error(),
        Some(libc::EBADF)
    );
}

#[test]
fn signals_do_no_harm() {
    signals::catch();
    let scratch = Scratch::new().unwrap();
    let (from, to) = (scratch.file("from", 32 * MIB).unwrap(), scratch.path().join("to"));
    let path = to.clone();
    let copying = thread::spawn(move || {
        for _ in 0..5 {
            cached(&from, &path).unwrap();
            let (from, to) = (File::open(&from).unwrap(), File::create(&path).unwrap());
            let mut at = 0;
            while at < 32 * MIB as u64 {
                at += copy_file_range(&from, at, &to, at, u64::MAX).unwrap() as u64;
            }
        }
    });
    while !copying.is_finished() {
        signals::interrupt(&copying);
        thread::sleep(Duration::from_micros(50));
    }
    copying.join().unwrap();
    assert!(signals::caught() > 0, "no signal came");
    assert!(fs::read(to).unwrap() == pattern(32 * MIB));
}

// ---------------------------------------------------------------- holes

/// Makes a file of `length` bytes with data, bytes that are not 0, in these pieces.
fn with_holes(path: &Path, length: u64, pieces: &[(u64, usize)]) -> File {
    let file =
        OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path).unwrap();
    file.set_len(length).unwrap();
    for (at, bytes) in pieces {
        file.write_all_at(&vec![7; *bytes], *at).unwrap();
    }
    file.sync_all().unwrap();
    file
}

#[test]
fn holes_stay_holes() {
    let scratch = Scratch::new().unwrap();
    let (from, to) = (scratch.path().join("from"), scratch.path().join("to"));
    let whole = MIB as u64;
    let cases: [(u64, &[(u64, usize)]); 7] = [
        (whole, &[]),
        (whole, &[(0, 4096)]),
        (whole, &[(whole - 4096, 4096)]),
        (whole, &[(65_536, 4096), (262_144, 65_536), (whole - 1, 1)]),
        (whole, &[(0, MIB)]),
        (whole + 1, &[(0, 1)]),
        (1, &[]),
    ];
    for (length, pieces) in cases {
        let before = with_holes(&from, length, pieces);
        assert_eq!(cached(&from, &to).unwrap().length, length);
        let after = File::open(&to).unwrap();
        after.sync_all().unwrap();
        assert!(fs::read(&from).unwrap() == fs::read(&to).unwrap(), "{length}, {pieces:?}");
        assert!(allocated(&after).unwrap() <= allocated(&before).unwrap(), "{length}, {pieces:?}");
        let parts: Vec<_> = DataExtents::of(&after, length).map(Result::unwrap).collect();
        assert!(
            pieces.iter().all(|(at, _)| parts.iter().any(|part| part.contains(at))),
            "{parts:?}, {pieces:?}"
        );
    }
}

#[test]
fn a_truncated_file_has_no_more_extents() {
    let scratch = Scratch::new().unwrap();
    let file = with_holes(&scratch.path().join("from"), MIB as u64, &[(0, 4096), (524_288, 4096)]);
    let mut parts = DataExtents::of(&file, MIB as u64);
    assert_eq!(parts.next().unwrap().unwrap().start, 0);
    file.set_len(10).unwrap();
    assert!(parts.next().is_none());
}

#[test]
fn a_file_larger_than_two_gibibytes_keeps_its_holes_and_its_last_byte() {
    let length = (2 << 30) + 1_u64;
    let scratch = Scratch::new().unwrap();
    let (from, to) = (scratch.path().join("from"), scratch.path().join("to"));
    with_holes(&from, length, &[(MAX_PER_CALL as u64 - 1, 2), (length - 1, 1)]);
    assert_eq!(cached(&from, &to).unwrap().length, length);
    let (mut copy, mut all, mut buffer) = (File::open(&to).unwrap(), 0, vec![0; MIB]);
    assert!(allocated(&copy).unwrap() < MIB as u64);
    let zeros = vec![0; MIB];
    loop {
        let count = copy.read(&mut buffer).unwrap();
        if count == 0 {
            break;
        }
        for at in [MAX_PER_CALL as u64 - 1, MAX_PER_CALL as u64, length - 1] {
            if (all..all + count as u64).contains(&at) {
                assert_eq!(std::mem::take(&mut buffer[(at - all) as usize]), 7, "byte {at}");
            }
        }
        assert!(buffer[..count] == zeros[..count], "before byte {}", all + count as u64);
        all += count as u64;
    }
    assert_eq!(all, length);
}

// ---------------------------------------------------------------- where the kernel refuses

#[test]
fn into_another_file_system_the_bytes_go_through_a_buffer() {
    let scratch = Scratch::new().unwrap();
    let Some(other) = elsewhere(&scratch) else { return };
    for length in SIZES {
        let (from, to) = (scratch.file("from", length).unwrap(), other.path().join("to"));
        assert_eq!(
            cached(&from, &to).unwrap(),
            Copied { length: length as u64, method: Method::ReadWrite }
        );
        assert!(fs::read(&to).unwrap() == pattern(length), "{length} bytes");
    }
    let (from, to) = (scratch.path().join("holes"), other.path().join("to"));
    with_holes(&from, 16 * MIB as u64, &[(MIB as u64, 4096)]);
    cached(&from, &to).unwrap();
    assert!(fs::read(&from).unwrap() == fs::read(&to).unwrap());
    assert!(
        allocated(&File::open(&to).unwrap()).unwrap() <= MIB as u64,
        "holes are kept all the same"
    );
    let (from, to) = (File::open(from).unwrap(), File::create(to).unwrap());
    assert_eq!(copy_file_range(&from, 0, &to, 0, 1).unwrap_err().kind(), ErrorKind::CrossesDevices);
}

#[test]
fn files_that_do_not_know_their_size_are_read_to_their_end() {
    let scratch = Scratch::new().unwrap();
    let to = scratch.path().join("to");
    // The length of the first is 0, that of the second a page.
    for from in ["/proc/version", "/sys/kernel/mm/transparent_hugepage/enabled"].map(Path::new) {
        let Ok(content) = fs::read(from) else {
            eprintln!("not tested here: there is no {}", from.display());
            continue;
        };
        assert_ne!(from.metadata().unwrap().len(), content.len() as u64);
        assert_eq!(cached(from, &to).unwrap().length, content.len() as u64);
        assert!(fs::read(&to).unwrap() == content, "{}", from.display());
    }
}

// ---------------------------------------------------------------- names, permissions, durability

#[test]
fn a_file_is_not_copied_onto_itself() {
    let scratch = Scratch::new().unwrap();
    let from = scratch.file("from", 5000).unwrap();
    let [hard, soft] = ["hard", "soft"].map(|name| scratch.path().join(name));
    fs::hard_link(&from, &hard).unwrap();
    symlink(&from, &soft).unwrap();
    for to in [&from, &hard, &soft] {
        assert!(matches!(cached(&from, to), Err(CopyError::SameFile)), "{}", to.display());
        assert!(matches!(cached(to, &from), Err(CopyError::SameFile)), "{}", to.display());
    }
    assert!(fs::read(&from).unwrap() == pattern(5000));
    assert_eq!(names(scratch.path()), ["from", "hard", "soft"]);
}

#[test]
fn an_existing_target_is_replaced_and_not_written_to() {
    let scratch = Scratch::new().unwrap();
    let (from, to) = (scratch.file("from", 5000).unwrap(), scratch.path().join("to"));
    fs::write(&to, "old").unwrap();
    let [hard, soft] = ["hard", "soft"].map(|name| scratch.path().join(name));
    fs::hard_link(&to, &hard).unwrap();
    let mut reader = File::open(&to).unwrap();
    cached(&from, &to).unwrap();
    let mut old = String::new();
    reader.read_to_string(&mut old).unwrap();
    assert_eq!(old, "old", "a reader that has it open keeps it");
    assert_eq!(fs::read(&hard).unwrap(), b"old", "so does another name");
    assert!(fs::read(&to).unwrap() == pattern(5000));

    symlink(&hard, &soft).unwrap();
    cached(&from, &soft).unwrap();
    assert!(fs::symlink_metadata(&soft).unwrap().is_file(), "a link is replaced");
    assert_eq!(fs::read(&hard).unwrap(), b"old", "and not followed");
    assert_eq!(names(scratch.path()), ["from", "hard", "soft", "to"]);
}

#[test]
fn readers_see_the_old_file_or_the_new_one_and_writers_leave_no_mixture() {
    let scratch = Scratch::new().unwrap();
    let to = scratch.path().join("to");
    let sources: Vec<PathBuf> = (1..=3_u8)
        .map(|number| {
            let path = scratch.path().join(number.to_string());
            fs::write(&path, vec![number; 300_000 + usize::from(number)]).unwrap();
            path
        })
        .collect();
    cached(&sources[0], &to).unwrap();
    thread::scope(|scope| {
        let copying: Vec<_> = sources
            .iter()
            .map(|from| {
                scope.spawn(|| (0..50).try_for_each(|_| cached(from, &to).map(|_| ())).unwrap())
            })
            .collect();
        while !copying.iter().all(|thread| thread.is_finished()) {
            let seen = fs::read(&to).unwrap();
            assert!(seen == vec![seen[0]; 300_000 + usize::from(seen[0])], "{} bytes", seen.len());
        }
    });
    assert_eq!(names(scratch.path()), ["1", "2", "3", "to"]);
}

#[test]
fn the_copy_has_the_permission_bits_and_no_others() {
    let scratch = Scratch::new().unwrap();
    let (from, to) = (scratch.file("from", 10).unwrap(), scratch.path().join("to"));
    for (mode, expected) in [
        (0o644, 0o644),
        (0o600, 0o600),
        (0o777, 0o777),
        (0o4755, 0o755),
        (0o2750, 0o750),
        (0o400, 0o400),
    ] {
        fs::set_permissions(&from, Permissions::from_mode(mode)).unwrap();
        cached(&from, &to).unwrap();
        assert_eq!(to.metadata().unwrap().mode() & 0o7777, expected, "{mode:o}");
    }
}

#[test]
fn a_source_that_is_not_a_regular_file_is_refused_without_waiting() {
    let scratch = Scratch::new().unwrap();
    let (from, to) = (scratch.file("from", 10).unwrap(), scratch.path().join("to"));
    let [fifo, folder] = ["fifo", "folder"].map(|name| scratch.path().join(name));
    make_fifo(&fifo);
    fs::create_dir(&folder).unwrap();
    for hostile in [&fifo, &folder, Path::new("/dev/zero"), Path::new("/dev/full")] {
        let (said, path, target) = (mpsc::channel(), hostile.to_owned(), to.clone());
        thread::spawn(move || said.0.send(cached(&path, &target)));
        let said = said.1.recv_timeout(Duration::from_secs(60)).expect("no wait for a writer");
        assert!(
            matches!(said, Err(CopyError::SourceNotAFile(_))),
            "{}: {said:?}",
            hostile.display()
        );
    }
    let socket = scratch.path().join("socket");
    let _listener = UnixListener::bind(&socket).unwrap();
    assert!(matches!(cached(&socket, &to), Err(CopyError::Failed("opening the source", _))));
    assert!(matches!(
        cached(&scratch.path().join("none"), &to),
        Err(CopyError::Failed("opening the source", _))
    ));
    assert!(matches!(cached(&from, &scratch.path().join("none/to")), Err(CopyError::Failed(_, _))));
    assert_eq!(names(scratch.path()), ["fifo", "folder", "from", "socket"]);
}

#[test]
fn a_target_that_is_not_a_regular_file_is_refused_and_stays() {
    let scratch = Scratch::new().unwrap();
    let from = scratch.file("from", 10).unwrap();
    let at = |name: &str| scratch.path().join(name);
    make_fifo(&at("fifo"));
    fs::create_dir(at("folder")).unwrap();
    let _listener = UnixListener::bind(at("socket")).unwrap();
    let mut targets = vec![("fifo", "a FIFO"), ("folder", "a directory"), ("socket", "a socket")];
    for (name, kind, says) in
        [("null", libc::S_IFCHR, "a character device"), ("disk", libc::S_IFBLK, "a block device")]
    {
        // The numbers of /dev/null and of a RAM disk. Nothing opens them.
        match make_device(&at(name), kind, if kind == libc::S_IFCHR { (1, 3) } else { (1, 0) }) {
            Ok(()) => targets.push((name, says)),
            Err(reason) => eprintln!("not tested here: making {says}: {reason}"),
        }
    }
    let before = names(scratch.path());
    for (name, kind) in targets {
        let link = at("link");
        symlink(at(name), &link).unwrap();
        for to in [at(name), link.clone()] {
            let file_type = fs::symlink_metadata(&to).unwrap().file_type();
            let error = cached(&from, &to).unwrap_err();
            assert_eq!(error.to_string(), format!("the target is {kind}, not a regular file"));
            assert_eq!(fs::symlink_metadata(&to).unwrap().file_type(), file_type, "{kind}");
        }
        fs::remove_file(link).unwrap();
        assert_eq!(names(scratch.path()), before, "{kind}");
    }
    assert!(matches!(cached(&from, Path::new("/")), Err(CopyError::TargetNotAFile("a directory"))));
    // A link that leads in a circle cannot be examined; one that leads nowhere is replaced.
    symlink(at("circle"), at("circle")).unwrap();
    assert!(matches!(
        cached(&from, &at("circle")),
        Err(CopyError::Failed("examining the target", _))
    ));
    symlink(at("nowhere"), at("dangling")).unwrap();
    cached(&from, &at("dangling")).unwrap();
    assert!(fs::symlink_metadata(at("dangling")).unwrap().is_file());
}

fn make_device(path: &Path, kind: libc::mode_t, (major, minor): (u32, u32)) -> io::Result<()> {
    let path = std::ffi::CString::new(path.as_os_str().as_encoded_bytes()).unwrap();
    // SAFETY: a live C string.
    match unsafe { libc::mknod(path.as_ptr(), kind | 0o600, libc::makedev(major, minor)) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn make_fifo(path: &Path) {
    let path = std::ffi::CString::new(path.as_os_str().as_encoded_bytes()).unwrap();
    // SAFETY: a live C string.
    assert_eq!(unsafe { libc::mkfifo(path.as_ptr(), 0o600) }, 0);
}

#[test]
fn a_target_without_a_name_is_refused_and_nothing_is_made() {
    let scratch = Scratch::new().unwrap();
    let folder = scratch.path().join("folder");
    fs::create_dir(&folder).unwrap();
    let error = Replacement::beside(&folder.join("..")).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert_eq!(names(scratch.path()), ["folder"]);
}

#[test]
fn only_a_copy_on_disk_waits_for_the_disk() {
    let scratch = Scratch::new().unwrap();
    let (from, to) = (scratch.file("from", 10).unwrap(), scratch.path().join("to"));
    for (durability, syncs) in [(Durability::Cached, 0), (Durability::OnDisk, 2)] {
        let (result, calls) = trace(|| copy(&from, &to, durability)).unwrap();
        result.unwrap();
        assert_eq!(calls.of("fsync").made, syncs, "{durability:?}");
        assert_eq!(calls.of("rename").made + calls.of("renameat").made, 1);
    }
    // A target without a directory in front of it is in the current one.
    let name = format!("copy-{}", std::process::id());
    copy(&from, Path::new(&name), Durability::OnDisk).unwrap();
    fs::remove_file(name).unwrap();
}

// ---------------------------------------------------------------- sources that change

#[test]
fn a_source_that_changes_meanwhile_is_noticed() {
    type Change = fn(&File, u64);
    let length = 64 * MIB as u64;
    let changes: [(&str, Change); 3] = [
        ("grows", |file, round| file.set_len(64 * MIB as u64 + round).unwrap()),
        ("shrinks", |file, round| file.set_len(64 * MIB as u64 - round).unwrap()),
        ("is written to", |file, round| file.write_all_at(&[round as u8], 5).unwrap()),
    ];
    for (what, change) in changes {
        let scratch = Scratch::new().unwrap();
        let (from, to) =
            (scratch.file("from", length as usize).unwrap(), scratch.path().join("to"));
        fs::write(&to, "old").unwrap();
        let file = OpenOptions::new().write(true).open(&from).unwrap();
        let done = AtomicBool::new(false);
        let said = thread::scope(|scope| {
            let changing = scope.spawn(|| {
                let mut round = 0;
                while !done.load(SeqCst) {
                    round += 1;
                    change(&file, round);
                    thread::sleep(Duration::from_micros(100));
                }
            });
            thread::sleep(Duration::from_millis(5));
            let said = cached(&from, &to);
            done.store(true, SeqCst);
            changing.join().unwrap();
            said
        });
        match said {
            Err(CopyError::Changed) => {
                assert_eq!(fs::read(&to).unwrap(), b"old", "the source {what}")
            }
            // A reflink takes no time in which the source could change.
            Ok(Copied { method: Method::Reflink, .. }) => {}
            said => panic!("the source {what}: {said:?}"),
        }
        assert_eq!(names(scratch.path()), ["from", "to"]);
    }
}

// ---------------------------------------------------------------- a full disk

/// Runs in a process of its own, with a private file system of 1 MiB.
#[test]
fn on_a_full_disk_nothing_is_left_that_looks_whole() {
    if let Some(disk) = env::var_os("PERF_PROVED_SMALL_DISK") {
        return full_disk(Path::new(&disk));
    }
    let scratch = Scratch::new().unwrap();
    let disk = scratch.path().join("disk");
    fs::create_dir(&disk).unwrap();
    let mut child = only("on_a_full_disk_nothing_is_left_that_looks_whole");
    child.env("PERF_PROVED_SMALL_DISK", &disk);
    let path = std::ffi::CString::new(disk.as_os_str().as_encoded_bytes()).unwrap();
    let ids = IdMaps::to_root();
    // SAFETY: only system calls between fork and exec.
    unsafe { child.pre_exec(move || small_disk(&path, &ids)) };
    match child.output() {
        Ok(output) => passed(&output),
        Err(reason) => eprintln!("not tested here: mounting a tmpfs: {reason}"),
    }
}

/// The content of the files under `/proc/self` that map a user and a group of a new user namespace.
struct IdMaps([(&'static std::ffi::CStr, String); 3]);

impl IdMaps {
    /// Makes this process's user and group root in the namespace. Unmapped ids cannot make files:
    /// the kernel refuses with `EOVERFLOW`.
    fn to_root() -> Self {
        // SAFETY: these calls have no preconditions.
        let (uid, gid) = unsafe { (libc::geteuid(), libc::getegid()) };
        Self([
            (c"/proc/self/setgroups", "deny".to_owned()), // else gid_map takes a privilege
            (c"/proc/self/uid_map", format!("0 {uid} 1")),
            (c"/proc/self/gid_map", format!("0 {gid} 1")),
        ])
    }

    /// Writes them with bare system calls, between fork and exec.
    fn write(&self) -> io::Result<()> {
        for (path, content) in &self.0 {
            // SAFETY: a live C string, and a live buffer with its length. The descriptor is closed
            // by exec.
            let written = unsafe {
                match libc::open(path.as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC) {
                    -1 => -1,
                    file => libc::write(file, content.as_ptr().cast(), content.len()),
                }
            };
            if written < 0 {
                return Err(io::Error::last_os_error());
            }
        }
        Ok(())
    }
}

/// Mounts a tmpfs of 1 MiB that no other process sees, as root or as the root of a new user
/// namespace.
fn small_disk(path: &std::ffi::CStr, ids: &IdMaps) -> io::Result<()> {
    let did =
        |result: libc::c_int| if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) };
    // SAFETY: system calls on live C strings and on flags.
    unsafe {
        did(libc::unshare(libc::CLONE_NEWNS)).or_else(|_| {
            did(libc::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNS))?;
            ids.write()
        })?;
        did(libc::mount(
            ptr::null(),
            c"/".as_ptr(),
            ptr::null(),
            libc::MS_REC | libc::MS_PRIVATE,
            ptr::null(),
        ))?;
        let (kind, size) = (c"tmpfs".as_ptr(), c"size=1m".as_ptr());
        did(libc::mount(kind, path.as_ptr(), kind, 0, size.cast()))
    }
}

fn full_disk(disk: &Path) {
    let outside = Scratch::new().unwrap();
    let [from, to] = ["from", "to"].map(|name| disk.join(name));
    fs::write(&from, pattern(600 * KIB)).unwrap();
    fs::write(&to, "old").unwrap();
    for source in [&from, &outside.file("large", 2 * MIB).unwrap()] {
        let error = cached(source, &to).unwrap_err();
        assert_eq!(error.to_string(), "copying: No space left on device (os error 28)");
        assert_eq!(fs::read(&to).unwrap(), b"old");
        assert_eq!(names(disk), ["from", "to"]);
    }
    // The standard library reports the error, and leaves a part in the target's place.
    assert_eq!(fs::copy(&from, &to).unwrap_err().kind(), ErrorKind::StorageFull);
    let left = to.metadata().unwrap().len();
    assert!(left > 3 && left < 600 * KIB as u64, "{left}");
    // The naive version calls the part a success.
    naive::copy(&from, &to).unwrap();
    let left = to.metadata().unwrap().len();
    assert!(left > 3 && left < 600 * KIB as u64, "{left}");
    assert!(fs::read(&to).unwrap() == pattern(600 * KIB)[..left as usize]);
}

// ---------------------------------------------------------------- naive

#[test]
fn naive_empties_a_file_that_is_copied_onto_itself() {
    let scratch = Scratch::new().unwrap();
    let path = scratch.file("file", 5000).unwrap();
    naive::copy(&path, &path).unwrap();
    assert_eq!(fs::read(path).unwrap(), b"");
}

#[test]
fn naive_cuts_what_is_longer_than_one_call() {
    let length = MAX_PER_CALL as u64 + 4097;
    let Ok(scratch) = Scratch::within(Path::new("/dev/shm")) else { return };
    let (from, to) = (scratch.path().join("from"), scratch.path().join("to"));
    if room(scratch.path()) < 3 << 30 {
        return eprintln!("not tested here: /dev/shm has no room for 2 GiB");
    }
    with_holes(&from, length, &[(length - 1, 1)]);
    naive::copy(&from, &to).unwrap();
    assert_eq!(to.metadata().unwrap().len(), MAX_PER_CALL as u64);
}

/// Returns the bytes that the file system and the machine's memory still have room for.
fn room(folder: &Path) -> u64 {
    let path = std::ffi::CString::new(folder.as_os_str().as_encoded_bytes()).unwrap();
    // SAFETY: all-zero bytes are a valid `statvfs`, which is live and writable, as the C string is
    // live.
    let stat = unsafe {
        let mut stat: libc::statvfs = std::mem::zeroed();
        assert_eq!(libc::statvfs(path.as_ptr(), &raw mut stat), 0);
        stat
    };
    let memory = fs::read_to_string("/proc/meminfo").unwrap();
    let line = memory.lines().find(|line| line.starts_with("MemAvailable:")).unwrap();
    let free: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    (stat.f_bavail * stat.f_frsize).min(free << 10)
}

#[test]
fn naive_fills_holes_unless_the_file_system_shares_blocks() {
    let scratch = Scratch::new().unwrap();
    let [from, to] = ["from", "to"].map(|name| scratch.path().join(name));
    with_holes(&from, 16 * MIB as u64, &[(MIB as u64, 4096)]);
    if cached(&from, &to).unwrap().method == Method::Reflink {
        return eprintln!("not tested here: this file system shares blocks");
    }
    naive::copy(&from, &to).unwrap();
    let copy = File::open(&to).unwrap();
    copy.sync_all().unwrap();
    assert!(allocated(&copy).unwrap() >= 16 * MIB as u64);
}

#[test]
fn naive_waits_at_a_fifo_for_a_writer() {
    let scratch = Scratch::new().unwrap();
    let [fifo, to] = ["fifo", "to"].map(|name| scratch.path().join(name));
    make_fifo(&fifo);
    let path = fifo.clone();
    let copying = thread::spawn(move || naive::copy(&path, &to));
    thread::sleep(Duration::from_millis(200));
    assert!(!copying.is_finished());
    // What it does then is over before anything could be written.
    drop(OpenOptions::new().write(true).open(fifo).unwrap());
    // The length of a FIFO is 0, so nothing is copied, or the kernel refuses: which one depends on
    // its version.
    let _ = copying.join().unwrap();
}

#[test]
fn naive_loses_the_target_where_the_kernel_refuses() {
    let scratch = Scratch::new().unwrap();
    let to = scratch.path().join("to");
    fs::write(&to, "old").unwrap();
    // An error, or on kernels from 5.3 to 5.18 a success.
    let _ = naive::copy(Path::new("/proc/version"), &to);
    assert_eq!(fs::read(&to).unwrap(), b"");
    let Some(other) = elsewhere(&scratch) else { return };
    let to = other.path().join("to");
    fs::write(&to, "old").unwrap();
    let from = scratch.file("from", 100).unwrap();
    // Refused since Linux 5.19, and before 5.3.
    if let Err(error) = naive::copy(&from, &to) {
        assert_eq!(error.kind(), ErrorKind::CrossesDevices);
        assert_eq!(fs::read(&to).unwrap(), b"");
    }
}

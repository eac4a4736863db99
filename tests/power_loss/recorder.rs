//! The recorder: what programs do, seen by the kernel, against what they were told to do.

use super::{Contents, sets};
use perf_proved::proof::power_loss::{Recorder, Recording, Rules, Search, search};
use perf_proved::sys::storage::{Directory, Storage, StoredFile};
use perf_proved_tests::only;
use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, IoSlice, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, thread};

const DIRECTORY: &str = "PERF_PROVED_WATCHED";

/// Runs `work` in a process of its own that is recorded, and returns `None` there. `test` is the
/// name of the test that calls this.
fn record(test: &str, prepare: impl FnOnce(&Path), work: impl FnOnce(&Path)) -> Option<Recording> {
    try_record(test, prepare, work).map(|recording| recording.unwrap())
}

fn try_record(
    test: &str,
    prepare: impl FnOnce(&Path),
    work: impl FnOnce(&Path),
) -> Option<io::Result<Recording>> {
    if let Some(directory) = env::var_os(DIRECTORY) {
        work(Path::new(&directory));
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    prepare(folder.path());
    let mut program = only(&format!("recorder::{test}"));
    program.env(DIRECTORY, folder.path()).stdout(Stdio::null());
    let recorded = Recorder::new(folder.path()).ignore(".shm").record(&mut program);
    if let Ok(recording) = &recorded {
        assert!(recording.status.success(), "{}", recording.status);
    }
    Some(recorded)
}

/// Returns the events that are not acknowledgments, as text.
fn events(recording: &Recording) -> Vec<String> {
    let history = &recording.history;
    let events = history.events().iter().map(|event| history.describe(&event.what).to_string());
    events.filter(|event| !event.starts_with("acknowledge")).collect()
}

/// Returns everything that a power cut may leave at the end.
fn left(recording: &Recording, rules: Rules) -> BTreeSet<Contents> {
    let mut left = vec![];
    let found = search(&recording.history, rules, Search::default(), |crash| {
        let text = |content: Option<&[u8]>| {
            let content = content.map_or("(directory)".into(), String::from_utf8_lossy);
            content.replace('\0', "0")
        };
        let files = crash.image.iter().map(|(path, content)| (path.to_owned(), text(content)));
        left.push((crash.acknowledged.len(), files.collect::<Contents>()));
        Ok(())
    });
    assert_eq!(found.sampled, 0);
    let last = left.iter().map(|(acks, _)| *acks).max().unwrap();
    left.into_iter().filter(|(acks, _)| *acks == last).map(|(_, contents)| contents).collect()
}

#[test]
fn every_call_that_writes_is_noted_with_its_bytes() {
    let prepare = |folder: &Path| fs::write(folder.join("old"), "0123456789").unwrap();
    let work = |folder: &Path| {
        let mut file = File::create(folder.join("new")).unwrap();
        file.write_all(b"one").unwrap();
        assert_eq!(file.write_vectored(&[IoSlice::new(b"t"), IoSlice::new(b"wo")]).unwrap(), 3);
        file.write_all_at(b"at", 10).unwrap();
        file.set_len(11).unwrap();
        file.sync_data().unwrap();
        let mut appended = OpenOptions::new().append(true).open(folder.join("old")).unwrap();
        appended.write_all(b"more").unwrap();
        let dsync = OpenOptions::new()
            .write(true)
            .custom_flags(libc::O_DSYNC)
            .open(folder.join("old"))
            .unwrap();
        dsync.write_all_at(b"S", 1).unwrap();
        let storage = Directory::open(folder).unwrap();
        let file = storage.open("old").unwrap();
        file.allocate(0, 20).unwrap();
        file.write_vectored_at(&[IoSlice::new(b"p"), IoSlice::new(b"v")], 18).unwrap();
        fs::rename(folder.join("new"), folder.join("renamed")).unwrap();
        fs::hard_link(folder.join("renamed"), folder.join("link")).unwrap();
        fs::remove_file(folder.join("renamed")).unwrap();
        fs::create_dir(folder.join("sub")).unwrap();
        fs::write(folder.join("sub/inner"), "in").unwrap();
        storage.sync().unwrap();
    };
    let test = "every_call_that_writes_is_noted_with_its_bytes";
    let Some(recording) = record(test, prepare, work) else { return };
    let expected = [
        "create new",
        "write 3 bytes at 0 of new",
        "write 3 bytes at 3 of new",
        "write 2 bytes at 10 of new",
        "resize new to 11 bytes",
        "fdatasync new",
        "write 4 bytes at 10 of old",
        "write 1 bytes at 1 of old, durably",
        "allocate 20 bytes of old",
        "write 2 bytes at 18 of old",
        "rename new to renamed",
        "create link",
        "remove renamed",
        "make directory sub",
        "create sub/inner",
        "write 2 bytes at 0 of sub/inner",
        "fsync .",
    ];
    assert_eq!(events(&recording), expected);
    // That the bytes are right is checked by the recorder: they explain the directory.
}

#[test]
fn threads_and_children_are_followed() {
    let work = |folder: &Path| {
        let folder = folder.to_owned();
        let path = folder.join("by-thread");
        thread::spawn(move || fs::write(path, "t").unwrap()).join().unwrap();
        let status = Command::new("sh")
            .args(["-c", "echo c > by-child; (echo g > by-grandchild; mv by-grandchild moved)"])
            .current_dir(&folder)
            .status()
            .unwrap();
        assert!(status.success());
    };
    let test = "threads_and_children_are_followed";
    let Some(recording) = record(test, |_| (), work) else { return };
    assert_eq!(
        events(&recording),
        [
            "create by-thread",
            "write 1 bytes at 0 of by-thread",
            "create by-child",
            "write 2 bytes at 0 of by-child",
            "create by-grandchild",
            "write 2 bytes at 0 of by-grandchild",
            "rename by-grandchild to moved",
        ]
    );
}

#[test]
fn a_descriptor_that_was_duplicated_or_moved_is_the_same_file() {
    let work = |folder: &Path| {
        let mut file = File::create(folder.join("a")).unwrap();
        let mut other = file.try_clone().unwrap();
        fs::rename(folder.join("a"), folder.join("b")).unwrap();
        file.write_all(b"1").unwrap();
        other.write_all(b"2").unwrap();
        fs::remove_file(folder.join("b")).unwrap();
        other.write_all(b"3").unwrap();
        fs::write(folder.join("a"), "4").unwrap();
    };
    let test = "a_descriptor_that_was_duplicated_or_moved_is_the_same_file";
    let Some(recording) = record(test, |_| (), work) else { return };
    let expected = [
        "create a",
        "rename a to b",
        "write 1 bytes at 0 of a",
        "write 1 bytes at 1 of a",
        "remove b",
        "write 1 bytes at 2 of a",
        "create a",
        "write 1 bytes at 0 of a",
    ];
    assert_eq!(events(&recording), expected);
}

#[test]
fn what_is_told_to_the_world_is_an_acknowledgment() {
    let folder = tempfile::tempdir().unwrap();
    let mut shell = Command::new("sh");
    shell.args(["-c", "echo 1 > a; echo early; sync a; echo aside >&2; echo late 5>&1 >&5"]);
    shell.current_dir(folder.path()).stdout(Stdio::null()).stderr(Stdio::piped());
    let recording = Recorder::new(folder.path()).record(&mut shell).unwrap();
    let mut told = BTreeSet::new();
    search(&recording.history, Rules::POSIX, Search::default(), |crash| {
        told.insert(String::from_utf8(crash.told(1)).unwrap());
        Ok(())
    });
    assert_eq!(told, ["", "early\n", "early\nlate\n"].map(String::from).into());
    // `sync a` is coreutils', and calls fsync.
    assert!(events(&recording).contains(&"fsync a".to_owned()), "{:?}", events(&recording));
    assert_eq!(left(&recording, Rules::EXT4_ORDERED), sets(&[&["a=1\n"]]));
    assert_eq!(left(&recording, Rules::POSIX), sets(&[&[], &["a=1\n"]]));
}

#[test]
fn directories_are_lost_with_all_that_is_in_them() {
    let folder = tempfile::tempdir().unwrap();
    let mut shell = Command::new("sh");
    shell.args(["-c", "mkdir d; echo 1 > d/a; sync d/a d; echo done"]).current_dir(folder.path());
    let recording = Recorder::new(folder.path()).record(&mut shell).unwrap();
    let expected = sets(&[&[], &["d=(directory)", "d/a=1\n"]]);
    assert_eq!(left(&recording, Rules::POSIX), expected);
}

/// Returns the error of recording `work`.
fn refused(test: &str, work: impl FnOnce(&Path)) -> Option<String> {
    let recorded = try_record(test, |folder| fs::write(folder.join("a"), "aaaa").unwrap(), work)?;
    let error = recorded.expect_err("this is not modeled");
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    Some(error.to_string())
}

fn open(path: PathBuf) -> File {
    OpenOptions::new().read(true).write(true).open(path).unwrap()
}

#[test]
fn a_shared_map_is_refused() {
    let work = |folder: &Path| {
        let file = open(folder.join("a"));
        // SAFETY: a fresh mapping of a file of four bytes, which is never used.
        unsafe {
            let protection = libc::PROT_READ | libc::PROT_WRITE;
            libc::mmap(std::ptr::null_mut(), 4, protection, libc::MAP_SHARED, file.as_raw_fd(), 0);
        }
    };
    let Some(said) = refused("a_shared_map_is_refused", work) else { return };
    assert!(said.starts_with("a shared writable mmap: not modeled"), "{said}");
}

#[test]
fn copies_inside_the_kernel_are_refused() {
    let work = |folder: &Path| {
        let (from, to) = (open(folder.join("a")), open(folder.join("a")));
        let (mut at, mut target) = (0, 4);
        // SAFETY: two open files and two offsets, all live.
        unsafe {
            libc::copy_file_range(
                from.as_raw_fd(),
                &raw mut at,
                to.as_raw_fd(),
                &raw mut target,
                4,
                0,
            );
        }
    };
    let Some(said) = refused("copies_inside_the_kernel_are_refused", work) else { return };
    assert!(said.starts_with("copy_file_range: not modeled"), "{said}");
}

/// A call of a 32-bit program has other numbers: it must not be taken for one of these.
#[cfg(target_arch = "x86_64")]
#[test]
fn calls_of_another_architecture_are_refused() {
    let work = |_: &Path| {
        // SAFETY: `getpid` of 32-bit programs, which touches no memory. A kernel without them kills
        // the process.
        unsafe {
            std::arch::asm!(
                "int 0x80",
                inlateout("rax") 20_u64 => _,
                out("r8") _, out("r9") _, out("r10") _, out("r11") _,
            );
        }
    };
    let test = "calls_of_another_architecture_are_refused";
    if let Some(directory) = env::var_os(DIRECTORY) {
        return work(Path::new(&directory));
    }
    let folder = tempfile::tempdir().unwrap();
    let mut program = only(&format!("recorder::{test}"));
    program.env(DIRECTORY, folder.path()).stdout(Stdio::null());
    match Recorder::new(folder.path()).record(&mut program) {
        Ok(recording) => {
            assert!(!recording.status.success(), "the kernel killed it, or it is wrong")
        }
        Err(error) => {
            assert!(error.to_string().starts_with("a call of another architecture"), "{error}");
        }
    }
}

#[test]
fn symbolic_links_and_moves_out_are_refused() {
    for (script, call) in [("ln -s a b", "symlink"), ("mv a ../out-of-it", "a rename")] {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("inside");
        fs::create_dir(&inside).unwrap();
        fs::write(inside.join("a"), "aaaa").unwrap();
        let mut shell = Command::new("sh");
        shell.args(["-c", script]).current_dir(&inside);
        let error = Recorder::new(&inside).record(&mut shell).expect_err("not modeled");
        assert!(error.to_string().starts_with(call), "{script}: {error}");
    }
}

#[test]
fn a_change_that_no_call_explains_is_noticed() {
    // A map that was not writable at first is not seen, and its bytes are.
    let work = |folder: &Path| {
        let file = open(folder.join("a"));
        // SAFETY: a fresh mapping of a file of four bytes, of which the first is written.
        unsafe {
            let (none, shared) = (std::ptr::null_mut(), libc::MAP_SHARED);
            let map = libc::mmap(none, 4, libc::PROT_READ, shared, file.as_raw_fd(), 0);
            assert_eq!(libc::mprotect(map, 4, libc::PROT_READ | libc::PROT_WRITE), 0);
            map.cast::<u8>().write(b'x');
        }
    };
    let Some(said) = refused("a_change_that_no_call_explains_is_noticed", work) else { return };
    assert!(said.contains("do not explain a"), "{said}");
}

#[test]
fn a_file_that_is_ignored_may_be_mapped() {
    let work = |folder: &Path| {
        let file = File::create_new(folder.join("b.shm"));
        let file = file.and_then(|file| file.set_len(4).map(|()| file)).unwrap();
        drop(file);
        let file = open(folder.join("b.shm"));
        // SAFETY: as above, and unmapped at the end of the process.
        unsafe {
            let (none, both) = (std::ptr::null_mut(), libc::PROT_READ | libc::PROT_WRITE);
            let map = libc::mmap(none, 4, both, libc::MAP_SHARED, file.as_raw_fd(), 0);
            map.cast::<u8>().write(b'x');
        }
        fs::write(folder.join("a"), "1").unwrap();
    };
    let Some(recording) = record("a_file_that_is_ignored_may_be_mapped", |_| (), work) else {
        return;
    };
    assert_eq!(events(&recording), ["create a", "write 1 bytes at 0 of a"]);
}

#[test]
fn a_signal_reaches_the_program_and_its_end_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap 'echo caught > a' USR1; kill -USR1 $$; exit 7"]);
    shell.current_dir(folder.path());
    let recording = Recorder::new(folder.path()).record(&mut shell).unwrap();
    assert_eq!(recording.status.code(), Some(7));
    assert_eq!(fs::read_to_string(folder.path().join("a")).unwrap(), "caught\n");
    let missing = Recorder::new(folder.path()).record(&mut Command::new("/nonexistent"));
    assert!(missing.unwrap_err().to_string().starts_with("starting /nonexistent"));
}

/// Killed in the middle of its work, a program leaves all that its calls wrote, and nothing of what
/// it still held in a buffer of its own.
#[test]
fn a_killed_program_leaves_what_it_wrote_and_not_what_it_buffered() {
    let work = |folder: &Path| {
        let mut buffered = io::BufWriter::new(File::create(folder.join("buffered")).unwrap());
        buffered.write_all(b"in the process").unwrap();
        fs::write(folder.join("written"), "in the page cache").unwrap();
        // SAFETY: ends this process.
        unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
    };
    let test = "a_killed_program_leaves_what_it_wrote_and_not_what_it_buffered";
    if let Some(directory) = env::var_os(DIRECTORY) {
        work(Path::new(&directory));
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut program = only(&format!("recorder::{test}"));
    let status = program.env(DIRECTORY, folder.path()).stdout(Stdio::null()).status().unwrap();
    assert!(!status.success());
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    assert_eq!((read("written").as_str(), read("buffered").as_str()), ("in the page cache", ""));
}

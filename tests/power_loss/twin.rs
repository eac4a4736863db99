//! The twin does what a directory does, and fails as it is told.

use perf_proved::proof::power_loss::{Call, Image, Outcome, Rules, Search, Twin, search};
use perf_proved::sys::raw_code;
use perf_proved::sys::storage::{Directory, Storage, StoredFile};
use proptest::prelude::*;
use std::io::{ErrorKind, IoSlice};

/// A call, with small numbers, so that calls meet each other.
#[derive(Clone, Debug)]
enum Step {
    Create(u8),
    Write(u8, u16, Vec<u8>),
    WriteVectored(u8, u16, Vec<Vec<u8>>),
    Read(u8, u16, u8),
    SetLen(u8, u16),
    Allocate(u8, u16, u8),
    Rename(u8, u8),
    Remove(u8),
    Sync(u8),
}

fn step() -> impl Strategy<Value = Step> {
    let (name, at) = (|| 0..3_u8, || 0..5000_u16);
    let data = || proptest::collection::vec(any::<u8>(), 0..20);
    prop_oneof![
        name().prop_map(Step::Create),
        (name(), at(), data()).prop_map(|(name, at, data)| Step::Write(name, at, data)),
        (name(), at(), proptest::collection::vec(data(), 0..4))
            .prop_map(|(name, at, data)| Step::WriteVectored(name, at, data)),
        (name(), at(), any::<u8>()).prop_map(|(name, at, size)| Step::Read(name, at, size)),
        (name(), at()).prop_map(|(name, size)| Step::SetLen(name, size)),
        (name(), at(), 1..=255_u8).prop_map(|(name, at, size)| Step::Allocate(name, at, size)),
        (name(), name()).prop_map(|(from, to)| Step::Rename(from, to)),
        name().prop_map(Step::Remove),
        name().prop_map(Step::Sync),
    ]
}

/// Makes one call, and returns all that it tells.
fn made(storage: &impl Storage, step: &Step) -> Result<String, ErrorKind> {
    let name = |number: &u8| format!("file-{number}");
    let told = match step {
        Step::Create(file) => storage.create(&name(file)).map(|_| String::new()),
        Step::Rename(from, to) => storage.rename(&name(from), &name(to)).map(|()| String::new()),
        Step::Remove(file) => storage.remove(&name(file)).map(|()| String::new()),
        Step::Write(file, at, data) => storage
            .open(&name(file))
            .and_then(|file| Ok(format!("{}", file.write_at(data, u64::from(*at))?))),
        Step::WriteVectored(file, at, data) => storage.open(&name(file)).and_then(|file| {
            let slices: Vec<IoSlice<'_>> = data.iter().map(|data| IoSlice::new(data)).collect();
            Ok(format!("{}", file.write_vectored_at(&slices, u64::from(*at))?))
        }),
        Step::Read(file, at, size) => storage.open(&name(file)).and_then(|file| {
            let mut into = vec![0; usize::from(*size)];
            let read = file.read_at(&mut into, u64::from(*at))?;
            Ok(format!("{:?} of {}", &into[..read], file.len()?))
        }),
        Step::SetLen(file, size) => storage
            .open(&name(file))
            .and_then(|file| file.set_len(u64::from(*size)).map(|()| String::new())),
        Step::Allocate(file, at, size) => storage.open(&name(file)).and_then(|file| {
            file.allocate(u64::from(*at), u64::from(*size)).map(|()| String::new())
        }),
        Step::Sync(file) => storage.open(&name(file)).and_then(|file| {
            file.sync_all()?;
            file.sync_data()?;
            storage.sync().map(|()| String::new())
        }),
    };
    let names = storage.names().map_err(|error| error.kind())?;
    told.map(|told| format!("{told} {names:?}")).map_err(|error| error.kind())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_twin_does_what_a_directory_does(steps in proptest::collection::vec(step(), 0..40)) {
        let folder = tempfile::tempdir().unwrap();
        let (real, twin) = (Directory::open(folder.path()).unwrap(), Twin::new());
        for step in &steps {
            prop_assert_eq!(made(&real, step), made(&twin, step), "{:?}", step);
        }
        let image = Image::read(folder.path()).unwrap();
        prop_assert_eq!(&image, &twin.image());
        // And a power cut right after syncing everything leaves that.
        for name in twin.names().unwrap() {
            twin.open(&name).unwrap().sync_all().unwrap();
        }
        twin.sync().unwrap();
        twin.acknowledge(b"all of it");
        let few = Search { at_most: 16, seed: 1 };
        let found = search(&twin.history(), Rules::POSIX, few, |crash| {
            let whole = crash.acknowledged.is_empty() || *crash.image == image;
            whole.then_some(()).ok_or_else(|| "something is lost".to_owned())
        });
        prop_assert_eq!(found.violations, 0, "{:?}", found.first);
    }
}

#[test]
fn a_file_stays_open_when_its_name_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    fn check(storage: &impl Storage) {
        let file = storage.create("a").unwrap();
        file.write_at(b"here", 0).unwrap();
        storage.remove("a").unwrap();
        storage.create("a").unwrap();
        let mut read = [0; 8];
        assert_eq!((file.read_at(&mut read, 0).unwrap(), &read[..4]), (4, &b"here"[..]));
        assert!(!file.is_empty().unwrap());
    }
    check(&Directory::open(folder.path()).unwrap());
    check(&Twin::new());
}

#[test]
fn errors_name_the_file() {
    let folder = tempfile::tempdir().unwrap();
    fn check(storage: &impl Storage) {
        let error = storage.open("absent").err().expect("there is no such file");
        assert!(error.to_string().contains("absent"), "{error}");
        assert_eq!(error.kind(), ErrorKind::NotFound);
        storage.create("a").unwrap();
        let error = storage.create("a").err().expect("it exists");
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        for name in ["", ".", "..", "a/b", "../a", "a\0"] {
            let error = storage.create(name).err().expect("no name of a file");
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{name:?}");
        }
    }
    check(&Directory::open(folder.path()).unwrap());
    check(&Twin::new());
}

#[test]
fn faults_come_at_the_call_that_was_named() {
    let twin = Twin::new();
    twin.inject(Call::Write, 2, Outcome::Error(libc::EIO));
    twin.inject(Call::Write, 3, Outcome::Short(1));
    twin.inject(Call::SyncDirectory, 1, Outcome::Error(libc::EIO));
    twin.inject(Call::Write, 4, Outcome::Error(libc::EINTR));
    let file = twin.create("a").unwrap();
    assert_eq!(file.write_at(b"abc", 0).unwrap(), 3);
    let error = file.write_at(b"xyz", 0).unwrap_err();
    assert_eq!(raw_code(&error), Some(libc::EIO));
    assert!(error.to_string().starts_with("writing a: "), "{error}");
    assert_eq!(file.write_at(b"xyz", 0).unwrap(), 1);
    assert_eq!(file.write_at(b"xyz", 0).unwrap_err().kind(), ErrorKind::Interrupted);
    assert_eq!(raw_code(&twin.sync().unwrap_err()), Some(libc::EIO));
    twin.sync().unwrap();
    assert_eq!(twin.image().file("a"), Some(&b"xbc"[..]));
    assert_eq!((twin.calls(Call::Write), twin.calls(Call::Create)), (4, 1));
}

#[test]
fn a_full_twin_takes_a_short_write_and_then_none() {
    let twin = Twin::new();
    let file = twin.create("a").unwrap();
    twin.create("b").unwrap().write_at(b"bb", 0).unwrap();
    twin.limit_space(Some(5));
    assert_eq!(file.write_at(b"12345", 0).unwrap(), 3);
    let error = file.write_at(b"45", 3).unwrap_err();
    assert_eq!((raw_code(&error), error.kind()), (Some(libc::ENOSPC), ErrorKind::StorageFull));
    assert_eq!(file.allocate(0, 9).unwrap_err().kind(), ErrorKind::StorageFull);
    assert_eq!(file.write_at(b"xyz", 0).unwrap(), 3, "there is space for what is there");
    twin.remove("b").unwrap();
    assert_eq!(file.write_at(b"45", 3).unwrap(), 2);
    twin.limit_space(None);
    twin.shorten_writes(Some(2));
    assert_eq!(file.write_vectored_at(&[IoSlice::new(b"a"), IoSlice::new(b"bc")], 0).unwrap(), 2);
    assert_eq!(twin.image().file("a"), Some(&b"abz45"[..]));
}

#[test]
fn a_killed_process_loses_nothing_that_it_wrote() {
    let twin = Twin::new();
    twin.create("a").unwrap().write_at(b"never synced", 0).unwrap();
    assert_eq!(twin.image().file("a"), Some(&b"never synced"[..]));
    assert!(super::left(&twin, Rules::POSIX).len() > 1);
}

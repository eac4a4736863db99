//! The reader, given bytes that no log has written.

use super::{FIRST, FRAME, HEADER, all, append, image, one, open};
use perf_proved::io::group_commit::{Log, OpenError};
use perf_proved::proof::allocations::{Counting, count};
use perf_proved::proof::power_loss::{Image, Twin};
use proptest::prelude::*;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A segment with a few records.
fn segment() -> Vec<u8> {
    let twin = Twin::new();
    append(&open(&twin, &one()), &[b"one", b"", &[3; 300], b"four"]);
    twin.image().file(FIRST).unwrap().to_vec()
}

/// A change to the bytes of a file.
#[derive(Clone, Debug)]
enum Change {
    Cut(usize),
    Put(usize, Vec<u8>),
    Insert(usize, Vec<u8>),
    /// Copies bytes from one place to another.
    Copy(usize, usize, usize),
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let bytes = || prop::collection::vec(prop_oneof![Just(0), Just(255), any::<u8>()], 1..40);
    let at = || 0_usize..500;
    let change = prop_oneof![
        at().prop_map(Change::Cut),
        (at(), bytes()).prop_map(|(at, bytes)| Change::Put(at, bytes)),
        (at(), bytes()).prop_map(|(at, bytes)| Change::Insert(at, bytes)),
        (at(), at(), 1_usize..100).prop_map(|(from, to, length)| Change::Copy(from, to, length)),
    ];
    prop::collection::vec(change, 1..6)
}

fn changed(mut bytes: Vec<u8>, changes: &[Change]) -> Vec<u8> {
    for change in changes {
        let length = bytes.len();
        match change {
            Change::Cut(at) => bytes.truncate(*at),
            Change::Insert(at, new) => {
                let at = *at.min(&length);
                bytes.splice(at..at, new.iter().copied());
            }
            Change::Put(at, new) => put(&mut bytes, *at, new),
            Change::Copy(from, to, size) => {
                let from = *from.min(&length);
                let copy = bytes[from..length.min(from + size)].to_vec();
                put(&mut bytes, *to, &copy);
            }
        }
    }
    bytes
}

fn put(bytes: &mut Vec<u8>, at: usize, new: &[u8]) {
    bytes.resize(bytes.len().max(at + new.len()), 0);
    bytes[at..at + new.len()].copy_from_slice(new);
}

/// The bytes that a reader may hold at once: a part of the file.
const HELD: u64 = 100 << 10;

/// Reads an image, and checks that it returns a prefix of the records or an error, and holds no
/// more than it may.
fn is_read(image: &Image, records: &[&[u8]]) -> Result<u64, OpenError> {
    let twin = Twin::holding(image);
    let mut found = vec![];
    let (read, made) = count(|| {
        perf_proved::io::group_commit::read(&twin, |_, record| found.push(record.to_vec()))
    });
    assert!(made.peak < HELD + 1000, "{made:?}");
    assert!(records.starts_with(&found.iter().map(Vec::as_slice).collect::<Vec<_>>()));
    read.map(|recovery| recovery.records)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Whatever the bytes: no panic, no record that was not appended, and no more memory than the
    /// file is long.
    #[test]
    fn changed_bytes_are_never_records(changes in changes()) {
        let content = changed(segment(), &changes);
        let records: [&[u8]; 4] = [b"one", b"", &[3; 300], b"four"];
        _ = is_read(&image(FIRST, &content), &records);
        // What can be read can be opened, and what can be opened can be read.
        let twin = Twin::holding(&image(FIRST, &content));
        let read = all(&twin).map(|(records, _)| records).ok();
        let opened = Log::open(twin.clone(), &one()).ok();
        prop_assert_eq!(read.is_some(), opened.is_some());
        if let Some(read) = read {
            prop_assert_eq!(all(&twin).unwrap().0, read);
        }
    }
}

/// A length is compared with the bytes that there are before any memory is taken for it.
#[test]
fn a_length_that_lies_takes_no_memory() {
    for length in [1 << 20, 16 << 20, (16 << 20) + 1, u32::MAX - 7, u32::MAX] {
        let mut content = segment();
        content[HEADER..HEADER + 4].copy_from_slice(&length.to_le_bytes());
        let read = is_read(&image(FIRST, &content), &[]);
        assert!(matches!(read, Err(OpenError::Corrupt { offset: 32, .. })), "{read:?}");
        // At the end, where no record knows of it.
        let end = content.len() - FRAME - 4;
        let mut content = segment();
        content[end..end + 4].copy_from_slice(&length.to_le_bytes());
        let records: [&[u8]; 3] = [b"one", b"", &[3; 300]];
        assert_eq!(is_read(&image(FIRST, &content), &records).unwrap(), 3);
    }
}

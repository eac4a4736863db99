//! The reader, given bytes that this program has not written: a corpus whose files were made by
//! another implementation of the format, and random changes.

use super::{FIRST, FRAME, HEADER, all, append, image, one, open};
use perf_proved::io::group_commit::{Durability, Log, OpenError};
use perf_proved::proof::allocations::{Counting, count};
use perf_proved::proof::power_loss::{Call, Image, Twin};
use proptest::prelude::*;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// An outcome of reading a file of the corpus.
#[derive(Debug, PartialEq)]
enum Read {
    /// The number of records, and the bytes of a torn end.
    Records(u64, u64),
    Corrupt(u64),
    Version(u32),
}

/// Files of the format's first version. They stay readable, and their faults stay found.
const CORPUS: [(&str, &[u8], Read); 13] = [
    ("whole", include_bytes!("corpus/whole.segment"), Read::Records(3, 0)),
    ("zeros ahead", include_bytes!("corpus/ahead.segment"), Read::Records(3, 0)),
    ("a fourth record, torn", include_bytes!("corpus/torn.segment"), Read::Records(3, 40)),
    ("the second record, damaged", include_bytes!("corpus/damaged.segment"), Read::Corrupt(59)),
    // The third one was in the same group: it does not know of the second.
    ("a torn group", include_bytes!("corpus/group.segment"), Read::Records(1, 53)),
    ("another version", include_bytes!("corpus/version.segment"), Read::Version(2)),
    ("a length of 4 GiB", include_bytes!("corpus/huge.segment"), Read::Records(1, 17)),
    ("records in records", include_bytes!("corpus/nested.segment"), Read::Records(2, 0)),
    ("the same, torn", include_bytes!("corpus/nested-torn.segment"), Read::Records(1, 50)),
    ("zeros alone", include_bytes!("corpus/zeros.segment"), Read::Records(0, 0)),
    ("nothing", include_bytes!("corpus/empty.segment"), Read::Records(0, 0)),
    ("under another's name", include_bytes!("corpus/misnamed.segment"), Read::Corrupt(0)),
    ("the first record twice", include_bytes!("corpus/restarted.segment"), Read::Records(1, 27)),
];

#[test]
fn the_corpus_reads_as_it_always_did() {
    for (name, content, expected) in CORPUS {
        let twin = Twin::holding(&image(FIRST, content));
        let found = match all(&twin) {
            Ok((_, recovery)) => Read::Records(recovery.records, recovery.truncated),
            Err(OpenError::Corrupt { offset, .. }) => Read::Corrupt(offset),
            Err(OpenError::Version { version, .. }) => Read::Version(version),
            Err(error) => panic!("{name}: {error}"),
        };
        assert_eq!(found, expected, "{name}");
        // What cannot be read is not opened, either.
        let opened = Log::open(twin, &one()).is_ok();
        assert_eq!(opened, matches!(expected, Read::Records(..)), "{name}");
    }
}

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

/// A torn group can be long, and random bytes look like a frame in one place of two.
#[test]
fn a_long_torn_end_is_read_in_a_few_calls() {
    let mut content = segment();
    let mut random = 1_u64;
    content.extend((0..1 << 20).map(|_| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (random >> 56) as u8
    }));
    let twin = Twin::holding(&image(FIRST, &content));
    assert_eq!(all(&twin).unwrap().1.records, 4);
    let calls = twin.calls(Call::Read);
    assert!(calls < 100, "{calls} calls for 1 MiB");
}

/// A record longer than the part of the file that is read at once.
#[test]
fn a_long_record_is_held_once() {
    let twin = Twin::new();
    let (log, _) = Log::open(twin.clone(), &one()).unwrap();
    log.append(&[1; (64 << 10) + 1], Durability::Durable).unwrap();
    let twin = Twin::holding(&twin.image());
    let (read, made) = count(|| perf_proved::io::group_commit::read(&twin, |_, _| {}));
    assert_eq!(read.unwrap().records, 1);
    assert!(made.peak < HELD, "{made:?}");
}

/// No record has the last number: the next one would have none.
#[test]
fn a_segment_of_the_last_number_is_not_of_the_log() {
    let twin = Twin::holding(&image("ffffffffffffffff.log", &segment()));
    assert_eq!(all(&twin).unwrap().1.segments, 0);
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

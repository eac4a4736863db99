//! Faults of the storage: errors of each call, a full disk, short writes, signals.

use super::{all, append, open, records, small, watch};
use perf_proved::harness::scratch::Scratch;
use perf_proved::io::group_commit::{Ahead, AppendError, Durability, Log, OpenError, Settings};
use perf_proved::proof::power_loss::{Call, Outcome, Rules, Search, Twin, search};
use perf_proved::sys::raw_code;
use perf_proved::sys::rlimit;
use perf_proved::sys::storage::{Directory, Storage};
use perf_proved_tests::in_a_process;
use std::io;

/// Segments that end after a few records.
fn settings(ahead: Ahead) -> Settings {
    small(200, ahead)
}

/// The contents of the records of [`fill`].
fn contents() -> Vec<Vec<u8>> {
    (1..=8).map(|number| vec![number; 40 + number as usize]).collect()
}

/// The outcome of a workload whose storage fails at some call.
struct Filled {
    /// The number of records that were acknowledged: a prefix.
    acknowledged: usize,
    /// The number that may be there.
    attempted: usize,
    /// The first error.
    error: Option<io::Error>,
}

/// Opens a log and appends all of [`contents`]. After the first error, every append is refused,
/// and nothing is written.
fn fill(twin: &Twin, settings: &Settings) -> Filled {
    let mut filled = Filled { acknowledged: 0, attempted: 0, error: None };
    let log = match Log::open(twin.clone(), settings) {
        Ok((log, _)) => log,
        Err(OpenError::Io(error)) => return Filled { error: Some(error), ..filled },
        Err(error) => panic!("{error}"),
    };
    for content in contents() {
        let events = twin.history().events().len();
        match (log.append(&content, Durability::Durable), &filled.error) {
            (Ok(sequence), None) => {
                filled.acknowledged += 1;
                filled.attempted += 1;
                assert_eq!(sequence, filled.acknowledged as u64);
                twin.acknowledge(&[filled.acknowledged as u8]);
            }
            (Err(AppendError::Failed(error)), None) => {
                filled.attempted += 1;
                let copy = io::Error::from_raw_os_error(raw_code(&error).unwrap());
                filled.error = Some(copy);
            }
            (Err(AppendError::Poisoned(error)), Some(first)) => {
                assert_eq!(raw_code(&error), raw_code(first), "always the first one");
                assert_eq!(twin.history().events().len(), events, "nothing is written");
            }
            (other, _) => panic!("{other:?}"),
        }
    }
    assert_eq!(log.close().is_err(), filled.error.is_some());
    filled
}

/// Opens the log again, and checks that it has what was acknowledged, nothing but what was
/// attempted, and goes on; and that each power cut in all of this leaves what was acknowledged.
fn goes_on(twin: &Twin, settings: &Settings, filled: &Filled, context: &str) {
    let (log, recovery) = Log::open(twin.clone(), settings)
        .unwrap_or_else(|error| panic!("{context}: opened again: {error}"));
    let found = records(twin);
    assert!(contents().starts_with(&found), "{context}: whole, and in their order");
    assert!((filled.acknowledged..=filled.attempted).contains(&found.len()), "{context}");
    twin.acknowledge(&[found.len() as u8]); // recovered, and so durable
    let number = log.append(b"later", Durability::Durable).unwrap();
    assert_eq!(number, recovery.next);
    twin.acknowledge(&[number as u8]);

    let expected = [&found[..], &[b"later".to_vec()]].concat();
    let search = search(&twin.history(), Rules::POSIX, Search::default(), |crash| {
        let told = crash.acknowledged.iter().map(|ack| usize::from(ack.bytes[0])).max();
        let after = Twin::holding(crash.image);
        Log::open(after.clone(), settings).map_err(|error| error.to_string())?;
        let (left, _) = all(&after).map_err(|error| error.to_string())?;
        let left: Vec<Vec<u8>> = left.into_iter().map(|(_, record)| record).collect();
        if left.len() < told.unwrap_or_default() {
            return Err(format!("{} of {told:?}", left.len()));
        }
        // Before the second start, there may be more than it found.
        let known = expected.starts_with(&left) || contents().starts_with(&left);
        if known { Ok(()) } else { Err(format!("{left:?}")) }
    });
    assert_eq!(search.violations, 0, "{context}: {}", search.first[0]);
    assert_eq!(search.sampled, 0, "{context}");
}

/// Every call of this kind fails, one after the other, until there is none more. Returns the
/// number of those that failed.
fn each_fails(call: Call, ahead: Ahead, code: i32) -> usize {
    for nth in 1.. {
        let (twin, settings) = (Twin::new(), settings(ahead));
        twin.inject(call, nth, Outcome::Error(code));
        let filled = fill(&twin, &settings);
        let context = format!("{call:?} {nth} ({ahead:?})");
        let Some(error) = &filled.error else {
            assert_eq!(filled.acknowledged, contents().len());
            return nth as usize - 1;
        };
        assert_eq!(raw_code(error), Some(code), "{context}");
        goes_on(&twin, &settings, &filled, &context);
    }
    unreachable!()
}

#[test]
fn an_error_of_a_sync_poisons_the_log_and_loses_nothing() {
    let _watch = watch();
    // Eight records, and three segments.
    assert!(each_fails(Call::Sync, Ahead::Grow, libc::EIO) > 10);
    assert!(each_fails(Call::Sync, Ahead::Zeros, libc::EIO) > 10);
}

#[test]
fn an_error_of_a_write_poisons_the_log_and_loses_nothing() {
    let _watch = watch();
    assert!(each_fails(Call::Write, Ahead::Grow, libc::EIO) > 10);
    assert!(each_fails(Call::Write, Ahead::Zeros, libc::EIO) > 10);
}

#[test]
fn an_error_of_a_new_segment_poisons_the_log_and_loses_nothing() {
    let _watch = watch();
    assert_eq!(each_fails(Call::Create, Ahead::Grow, libc::ENOSPC), 4);
    assert_eq!(each_fails(Call::SyncDirectory, Ahead::Grow, libc::EIO), 4);
    assert_eq!(each_fails(Call::Allocate, Ahead::Reserve, libc::ENOSPC), 4);
}

#[test]
fn an_error_of_a_recovery_is_returned_and_the_next_one_succeeds() {
    let _watch = watch();
    let calls =
        [Call::Open, Call::Read, Call::SetLen, Call::Write, Call::Sync, Call::SyncDirectory];
    for call in calls {
        let twin = Twin::new();
        let filled = fill(&twin, &settings(Ahead::Zeros));
        twin.inject(call, twin.calls(call) + 1, Outcome::Error(libc::EIO));
        match Log::open(twin.clone(), &settings(Ahead::Zeros)) {
            Err(OpenError::Io(error)) => assert_eq!(raw_code(&error), Some(libc::EIO), "{call:?}"),
            other => panic!("{call:?}: {other:?}"),
        }
        goes_on(&twin, &settings(Ahead::Zeros), &filled, &format!("{call:?} of a recovery"));
    }
}

/// A torn end whose removal failed once is removed by the next start, and not forgotten: on the
/// disk, it may still be there.
#[test]
fn a_torn_end_that_could_not_be_removed_never_comes_back() {
    let _watch = watch();
    for ahead in [Ahead::Grow, Ahead::Zeros] {
        let settings = small(1 << 10, ahead);
        let twin = Twin::new();
        let log = open(&twin, &settings);
        append(&log, &[b"kept"]);
        for record in [b"torn", b"next"] {
            log.append(record, Durability::Written).unwrap();
        }
        let mut image = twin.image();
        let mut content = image.file(super::FIRST).unwrap().to_vec();
        content[super::HEADER + super::FRAME + 4] ^= 1; // in the frame of "torn"
        image.put(super::FIRST, Some(content.into()));

        let twin = Twin::holding(&image);
        twin.inject(Call::Sync, 1, Outcome::Error(libc::EIO));
        Log::open(twin.clone(), &settings).unwrap_err();
        let log = open(&twin, &settings);
        append(&log, &[b"TORN"]); // as long as the one before
        twin.acknowledge(b"TORN");
        let found = search(&twin.history(), Rules::POSIX, Search::default(), |crash| {
            let left = records(&Twin::holding(crash.image));
            let told = [&b"kept"[..], b"TORN"];
            let known = left == told || (left == told[..1] && crash.acknowledged.is_empty());
            if known { Ok(()) } else { Err(format!("{left:?}")) }
        });
        assert!(found.images > 3, "{ahead:?}: {}", found.images);
        assert_eq!(found.violations, 0, "{ahead:?}: {}", found.first[0]);
    }
}

#[test]
fn a_full_disk_poisons_the_log_and_loses_nothing() {
    let _watch = watch();
    for ahead in [Ahead::Grow, Ahead::Zeros, Ahead::Reserve] {
        let mut most = 0;
        for space in (0..).step_by(37) {
            let (twin, settings) = (Twin::new(), settings(ahead));
            twin.limit_space(Some(space));
            let filled = fill(&twin, &settings);
            let Some(error) = &filled.error else { break };
            assert_eq!(error.kind(), io::ErrorKind::StorageFull, "{space}");
            // What is there can be read on a full disk.
            assert!(all(&twin).unwrap().0.len() >= filled.acknowledged, "{space}");
            most = most.max(filled.acknowledged);
            twin.limit_space(None);
            goes_on(&twin, &settings, &filled, &format!("{space} bytes of space ({ahead:?})"));
        }
        assert!(most > 4, "{most} records fit");
    }
}

#[test]
fn short_writes_short_reads_and_signals_change_nothing() {
    let _watch = watch();
    let whole = Twin::new();
    fill(&whole, &settings(Ahead::Zeros));
    for bytes in [1, 7, 64] {
        let twin = Twin::new();
        twin.shorten_writes(Some(bytes));
        (2..200).step_by(5).for_each(|nth| {
            twin.inject(Call::Write, nth, Outcome::Error(libc::EINTR));
        });
        assert!(fill(&twin, &settings(Ahead::Zeros)).error.is_none());
        assert_eq!(records(&twin), contents());
        let lengths = |twin: &Twin| {
            let image = twin.image();
            image.iter().map(|(name, it)| (name.to_owned(), it.unwrap().len())).collect::<Vec<_>>()
        };
        assert_eq!(lengths(&twin), lengths(&whole));
        let read = twin.calls(Call::Read);
        (1..200).step_by(2).for_each(|nth| {
            twin.inject(Call::Read, read + nth, Outcome::Short(3));
            twin.inject(Call::Read, read + nth + 1, Outcome::Error(libc::EINTR));
        });
        assert_eq!(records(&twin), contents());
    }
}

#[test]
fn a_write_that_takes_nothing_is_an_error() {
    let twin = Twin::new();
    let log = open(&twin, &settings(Ahead::Grow));
    twin.inject(Call::Write, twin.calls(Call::Write) + 1, Outcome::Short(0));
    let error = log.append(b"a", Durability::Written).unwrap_err();
    assert!(matches!(&error, AppendError::Failed(it) if it.kind() == io::ErrorKind::WriteZero));
    assert!(matches!(log.close(), Err(AppendError::Poisoned(_))));
}

#[test]
fn closing_returns_the_error_of_its_sync() {
    let twin = Twin::new();
    let log = open(&twin, &settings(Ahead::Grow));
    log.append(b"a", Durability::Written).unwrap();
    twin.inject(Call::Sync, twin.calls(Call::Sync) + 1, Outcome::Error(libc::EIO));
    let error = log.close().unwrap_err();
    assert!(matches!(&error, AppendError::Failed(it) if raw_code(it) == Some(libc::EIO)));
}

/// The limit on the size of a file makes one write short, and the next one fail. In a process of
/// its own, whose limit it is.
#[test]
fn a_file_that_may_not_grow_ends_the_log_and_keeps_what_was_acknowledged() {
    const NAME: &str =
        "faults::a_file_that_may_not_grow_ends_the_log_and_keeps_what_was_acknowledged";
    if !in_a_process(NAME) {
        return;
    }
    let scratch = Scratch::new().unwrap();
    let storage = || Directory::open(scratch.path()).unwrap();
    let settings = small(1 << 20, Ahead::Grow);
    let (log, _) = Log::open(storage(), &settings).unwrap();
    let mut acknowledged = 0;
    let error = rlimit::file_size(10_000, || {
        loop {
            match log.append(&[7; 300], Durability::Durable) {
                Ok(_) => acknowledged += 1,
                Err(error) => return error,
            }
        }
    });
    let error = error.unwrap();
    assert!(matches!(&error, AppendError::Failed(it) if raw_code(it) == Some(libc::EFBIG)));
    assert!(matches!(log.append(b"a", Durability::Written), Err(AppendError::Poisoned(_))));
    drop(log);
    let (log, recovery) = Log::open(storage(), &settings).unwrap();
    assert_eq!((acknowledged, recovery.records), (30, 30));
    assert!(recovery.truncated > 0, "a part of the next one");
    append(&log, &[b"later"]);
    let found = records(&storage());
    assert_eq!((found.len(), found[30].as_slice()), (31, &b"later"[..]));
    assert_eq!(storage().names().unwrap().len(), 1);
}

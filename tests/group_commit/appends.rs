//! Appends: their order, their numbers, their promises, and the calls that they take.

use super::{all, append, one, open, records, small, watch};
use perf_proved::harness::scratch::Scratch;
use perf_proved::io::group_commit::experiment::while_syncing;
use perf_proved::io::group_commit::group::Groups;
use perf_proved::io::group_commit::{
    Ahead, AppendError, Durability, LARGEST, Log, OpenError, Recovery, Settings, read,
};
use perf_proved::proof::power_loss::{Call, Twin};
use perf_proved::sys::storage::{Directory, Storage, StoredFile};
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

const AHEADS: [Ahead; 3] = [Ahead::Grow, Ahead::Reserve, Ahead::Zeros];

#[test]
fn records_come_back_in_their_order() {
    for ahead in AHEADS {
        let (twin, settings) = (Twin::new(), small(256, ahead));
        let log = open(&twin, &settings);
        let appended: Vec<Vec<u8>> = (0..40).map(|number| vec![number; number.into()]).collect();
        append(&log, &appended.iter().map(Vec::as_slice).collect::<Vec<_>>());
        log.close().unwrap();
        assert_eq!(records(&twin), appended);
        let (_, Recovery { segments, truncated, .. }) = all(&twin).unwrap();
        assert!(segments > 5, "{segments} segments");
        assert_eq!(truncated, 0);

        // Opened again, it goes on.
        let (log, recovery) = Log::open(twin.clone(), &settings).unwrap();
        assert_eq!((recovery.records, recovery.next), (40, 41));
        assert_eq!(log.append(b"next", Durability::Durable).unwrap(), 41);
        assert_eq!(records(&twin).last().unwrap(), b"next");
    }
}

#[test]
fn an_empty_record_is_a_record_and_zeros_are_none() {
    let (twin, settings) = (Twin::new(), small(4096, Ahead::Zeros));
    let log = open(&twin, &settings);
    assert_eq!(records(&twin).len(), 0);
    append(&log, &[b"", b"", b"a", b""]);
    assert_eq!(records(&twin), [&b""[..], b"", b"a", b""]);
    assert_eq!(twin.open(super::FIRST).unwrap().len().unwrap(), 4096);
}

#[test]
fn other_files_are_left_alone() {
    let twin = Twin::new();
    let others =
        ["0000000000000000.log", "000000000000000A.log", "0000000000000001.LOG", "1.log", "notes"];
    for name in others {
        twin.create(name).unwrap().write_at(b"not a segment", 0).unwrap();
    }
    append(&open(&twin, &one()), &[b"a"]);
    assert_eq!(records(&twin), [b"a"]);
    assert!(others.iter().all(|name| twin.image().file(name) == Some(b"not a segment")));
}

#[test]
fn a_record_has_a_bound_and_the_log_goes_on() {
    let twin = Twin::new();
    let settings = Settings { record_bytes: 10, ..one() };
    let log = open(&twin, &settings);
    let error = log.append(&[1; 11], Durability::Durable).unwrap_err();
    assert!(matches!(error, AppendError::TooLong { bytes: 11, most: 10 }), "{error}");
    assert_eq!(error.to_string(), "a record of 11 bytes, where 10 are allowed");
    assert_eq!(log.append(&[2; 10], Durability::Durable).unwrap(), 1);

    let settings = Settings { record_bytes: LARGEST + 1, ..one() };
    let error = Log::open(Twin::new(), &settings).unwrap_err();
    assert!(matches!(&error, OpenError::Io(it) if it.kind() == io::ErrorKind::InvalidInput));
}

#[test]
fn a_group_larger_than_a_segment_has_its_own() {
    let twin = Twin::new();
    let log = open(&twin, &small(100, Ahead::Zeros));
    let large = [7; 5000];
    append(&log, &[b"a", &large, &large, b"b"]);
    assert_eq!(records(&twin), [b"a", &large[..], &large, b"b"]);
    let names = twin.names().unwrap();
    let segments = ["0000000000000001.log", "0000000000000002.log", "0000000000000003.log"];
    assert_eq!(names, [&segments[..], &["0000000000000004.log"]].concat());
}

#[test]
fn a_written_record_takes_no_sync_and_closing_makes_it_durable() {
    let twin = Twin::new();
    let log = open(&twin, &one());
    let before = twin.calls(Call::Sync);
    (0..5).for_each(|_| _ = log.append(b"a", Durability::Written).unwrap());
    assert_eq!(twin.calls(Call::Sync), before);
    log.close().unwrap();
    assert_eq!(twin.calls(Call::Sync), before + 1);
    // Nothing is left to sync after a durable one.
    let log = open(&twin, &one());
    append(&log, &[b"b"]);
    let before = twin.calls(Call::Sync);
    log.close().unwrap();
    assert_eq!(twin.calls(Call::Sync), before);
}

#[test]
fn a_durable_record_is_one_write_and_one_sync() {
    let twin = Twin::new();
    let log = open(&twin, &small(1 << 20, Ahead::Zeros));
    let made = || (twin.calls(Call::Write), twin.calls(Call::Sync));
    let (writes, syncs) = made();
    append(&log, &[b"a", b"b"]);
    assert_eq!(made(), (writes + 2, syncs + 2));
    assert_eq!(twin.calls(Call::SyncDirectory), 1, "when the segment was made");
}

/// Only the last segment of a log may have an end that is not durable.
#[test]
fn a_segment_is_durable_before_the_next_one_begins() {
    let twin = Twin::new();
    let log = open(&twin, &small(100, Ahead::Grow));
    let syncs = twin.calls(Call::Sync);
    log.append(&[1; 60], Durability::Written).unwrap();
    assert_eq!(twin.calls(Call::Sync), syncs);
    log.append(&[2; 60], Durability::Written).unwrap();
    assert_eq!(twin.calls(Call::Sync), syncs + 2, "the old one and the new one");
}

#[test]
fn records_that_come_during_a_sync_share_the_next() {
    let _watch = watch();
    let shared = while_syncing(16).unwrap();
    assert_eq!((shared.records, shared.syncs), (16, 2));
}

/// Threads append at once. Each record is there under the number that its thread was told, and
/// those of a thread are in its order.
#[test]
fn concurrent_records_are_all_there_under_their_numbers() {
    let _watch = watch();
    let scratch = Scratch::new().unwrap();
    let storage = || Directory::open(scratch.path()).unwrap();
    let (log, _) = Log::open(storage(), &small(16 << 10, Ahead::Zeros)).unwrap();
    let append = |thread: u32| {
        let one = |number: u32| {
            let content = [thread.to_le_bytes(), number.to_le_bytes()].concat();
            let durable = number.is_multiple_of(3);
            let durability = if durable { Durability::Durable } else { Durability::Written };
            (log.append(&content, durability).unwrap(), content)
        };
        (0..200).map(one).collect::<Vec<_>>()
    };
    let mut told: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
    thread::scope(|scope| {
        let append = &append;
        let threads: Vec<_> = (0..8).map(|thread| scope.spawn(move || append(thread))).collect();
        for thread in threads {
            let appended = thread.join().unwrap();
            assert!(appended.is_sorted(), "those of a thread are in its order");
            told.extend(appended);
        }
    });
    assert_eq!(told.len(), 1600, "each has its own number");
    log.close().unwrap();
    let (found, recovery) = all(&storage()).unwrap();
    assert!(found.into_iter().eq(told), "and is there under it");
    assert!(recovery.segments > 3, "{recovery:?}");
}

/// The threads of a group, and those of the group that gathers, all hear of its error.
#[test]
fn an_error_reaches_every_thread() {
    let _watch = watch();
    let groups = Arc::new(Groups::new(1, Duration::ZERO));
    let (begun, begins) = channel();
    let (end, ends) = channel::<()>();
    let leader = {
        let groups = groups.clone();
        thread::spawn(move || {
            groups.append(
                Durability::Durable,
                |_, _| {},
                |_| {
                    begun.send(()).unwrap();
                    ends.recv().unwrap();
                    Err(io::ErrorKind::StorageFull.into())
                },
            )
        })
    };
    begins.recv().unwrap();
    let pushed = Arc::new(AtomicU64::new(0));
    let waiting: Vec<_> = (0..4)
        .map(|_| {
            let (groups, pushed) = (groups.clone(), pushed.clone());
            thread::spawn(move || {
                let push = |_: &mut Vec<u8>, _| _ = pushed.fetch_add(1, Ordering::SeqCst);
                groups.append(Durability::Durable, push, |_| Ok(()))
            })
        })
        .collect();
    while pushed.load(Ordering::SeqCst) < 4 {
        thread::yield_now();
    }
    end.send(()).unwrap();
    let full = |error: &io::Error| error.kind() == io::ErrorKind::StorageFull;
    let failed = leader.join().unwrap().unwrap_err();
    assert!(matches!(&failed, AppendError::Failed(error) if full(error)), "{failed:?}");
    for thread in waiting {
        let refused = thread.join().unwrap().unwrap_err();
        assert!(matches!(&refused, AppendError::Poisoned(error) if full(error)), "{refused:?}");
    }
    let late = groups.append(Durability::Written, |_, _| unreachable!(), |_| Ok(()));
    assert!(matches!(late, Err(AppendError::Poisoned(error)) if full(&error)));
}

#[test]
fn after_the_last_sequence_number_the_log_is_full() {
    let _watch = watch();
    let groups = Groups::new(u64::MAX - 1, Duration::ZERO);
    let append = || groups.append(Durability::Durable, |bytes, _| bytes.push(1), |_| Ok(()));
    assert_eq!(append().unwrap(), u64::MAX - 1);
    for _ in 0..2 {
        assert!(matches!(append(), Err(AppendError::Full)));
    }
    assert!(groups.failure().is_none(), "nothing has failed");
}

#[test]
fn a_storage_that_panics_has_failed() {
    let _watch = watch();
    let groups = Groups::new(1, Duration::ZERO);
    let panics = |_: &mut _| panic!("a panic that this test wants");
    let failed = groups.append(Durability::Durable, |_, _| {}, panics).unwrap_err();
    assert_eq!(failed.to_string(), "the record may be lost: the storage panicked");
    let refused = groups.append(Durability::Durable, |_, _| {}, |_| Ok(())).unwrap_err();
    assert_eq!(refused.to_string(), "refused after a failure: the storage panicked");
}

#[test]
fn a_leader_that_waits_for_company_shares_its_sync() {
    let _watch = watch();
    let twin = Twin::new();
    let settings = Settings { delay: Duration::from_millis(300), ..one() };
    let log = open(&twin, &settings);
    let before = twin.calls(Call::Sync);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| append(&log, &[b"a"]));
        }
    });
    let syncs = twin.calls(Call::Sync) - before;
    assert!(syncs < 4, "{syncs} syncs of 4 records");
    assert_eq!(records(&twin).len(), 4);
}

#[test]
fn reading_changes_nothing() {
    let twin = Twin::new();
    append(&open(&twin, &small(100, Ahead::Zeros)), &[&[1; 50], &[2; 50]]);
    let events = twin.history().events().len();
    read(&twin, |_, _| {}).unwrap();
    assert_eq!(twin.history().events().len(), events);
}

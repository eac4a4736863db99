//! The log: every image that a power cut may leave of it, every byte of its end, faults of its
//! storage, and its threads; and the logs that break their word, which the same search finds.
#![cfg(target_os = "linux")]

#[path = "group_commit/appends.rs"]
mod appends;
#[path = "group_commit/damage.rs"]
mod damage;
#[path = "group_commit/faults.rs"]
mod faults;
#[path = "group_commit/images.rs"]
mod images;
#[path = "group_commit/killed.rs"]
mod killed;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
#[path = "group_commit/peer.rs"]
mod peer;
#[path = "group_commit/reader.rs"]
mod reader;

use perf_proved::io::group_commit::{Ahead, Durability, Log, OpenError, Recovery, Settings, read};
use perf_proved::proof::power_loss::{Image, Twin};
use perf_proved::sys::storage::Storage;
use perf_proved_tests::Watch;
use std::time::Duration;

/// Long enough for anything here that works, on a busy machine, and short enough for a test that
/// hangs.
const DEADLINE: Duration = Duration::from_secs(20);

/// Watches the test of this thread.
fn watch() -> Watch {
    Watch::new(DEADLINE, "")
}

/// Settings with small segments.
fn small(segment_bytes: u64, ahead: Ahead) -> Settings {
    Settings { segment_bytes, ahead, ..Settings::default() }
}

/// One segment that grows.
fn one() -> Settings {
    small(1 << 20, Ahead::Grow)
}

/// Opens the log in a twin.
fn open(twin: &Twin, settings: &Settings) -> Log<Twin> {
    Log::open(twin.clone(), settings).unwrap().0
}

/// Appends records that are durable.
fn append<S: Storage>(log: &Log<S>, records: &[&[u8]]) {
    for record in records {
        log.append(record, Durability::Durable).unwrap();
    }
}

/// Records, each with its number.
type Records = Vec<(u64, Vec<u8>)>;

/// Returns the records of a log.
fn all(storage: &impl Storage) -> Result<(Records, Recovery), OpenError> {
    let mut records = vec![];
    let recovery = read(storage, |sequence, record| records.push((sequence, record.to_vec())))?;
    Ok((records, recovery))
}

/// Returns the records of a log, whose numbers have to be those from 1 on.
fn records(storage: &impl Storage) -> Vec<Vec<u8>> {
    let (records, recovery) = all(storage).unwrap();
    assert_eq!(recovery.records, records.len() as u64);
    assert_eq!(recovery.next, recovery.records + 1);
    assert!(records.iter().map(|(sequence, _)| *sequence).eq(1..recovery.next));
    records.into_iter().map(|(_, record)| record).collect()
}

/// Returns an image of one file.
fn image(name: &str, content: &[u8]) -> Image {
    let mut image = Image::default();
    image.put(name, Some(content.into()));
    image
}

/// The name of the first segment.
const FIRST: &str = "0000000000000001.log";

/// The bytes of a segment's header, and those in front of each record.
const HEADER: usize = 32;
const FRAME: usize = 24;

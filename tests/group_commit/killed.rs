//! The process is killed, and the machine runs on.

use super::small;
use perf_proved::harness::scratch::Scratch;
use perf_proved::io::group_commit::{Ahead, Durability, Log, read};
use perf_proved::sys::storage::Directory;
use perf_proved_tests::only;
use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};
use std::{env, io, thread};

const DIRECTORY: &str = "PERF_PROVED_LOG";

/// The number of times that it is killed.
const KILLS: u64 = 500;

/// The number of kills after which a new log begins.
const FRESH: u64 = 50;

/// Opens the log, and appends records on four threads until the end. What is acknowledged, as
/// number and content, goes to standard output.
fn append_forever(path: &Path) {
    let storage = Directory::open(path).unwrap();
    let (log, _) = Log::open(storage, &small(4096, Ahead::Zeros)).unwrap();
    let one = |content: u64, durability| {
        let sequence = log.append(&content.to_le_bytes(), durability).unwrap();
        let told = [MARK, sequence, content].map(u64::to_le_bytes).concat();
        io::stdout().lock().write_all(&told).unwrap(); // one write
    };
    let process = u64::from(std::process::id()) << 32;
    thread::scope(|scope| {
        for number in 0..4_u64 {
            let durability = if number == 0 { Durability::Written } else { Durability::Durable };
            let one = &one;
            let contents = (process | number << 24)..;
            scope.spawn(move || contents.for_each(|content| one(content, durability)));
        }
    });
}

/// Begins each acknowledgment. Standard output has lines of the test's harness before them.
const MARK: u64 = u64::from_be_bytes(*b"\nappend:");

/// Whatever is killed and when: what was acknowledged is there, written records included; what is
/// there is whole, and under one number for good.
#[test]
fn five_hundred_kills_lose_nothing() {
    if let Some(path) = env::var_os(DIRECTORY) {
        append_forever(Path::new(&path));
    }
    let mut seed = 1_u64;
    let mut random = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        seed >> 33
    };
    let (mut scratch, mut known) = (Scratch::new().unwrap(), BTreeMap::new());
    let (mut told, mut torn) = (0, 0);
    for kill in 0..KILLS {
        if kill % FRESH == 0 {
            (scratch, known) = (Scratch::new().unwrap(), BTreeMap::new());
        }
        let mut child = only("killed::five_hundred_kills_lose_nothing")
            .env(DIRECTORY, scratch.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut output = child.stdout.take().unwrap();
        let heard = thread::spawn(move || {
            let mut bytes = vec![];
            output.read_to_end(&mut bytes).map(|_| bytes).unwrap()
        });
        // From before the log is opened until well after.
        let end = Instant::now() + Duration::from_micros(random() % 20_000);
        thread::sleep(end.saturating_duration_since(Instant::now()));
        child.kill().unwrap();
        child.wait().unwrap();
        let heard = heard.join().unwrap();
        let mark = MARK.to_le_bytes();
        let first = heard.windows(8).position(|window| window == mark).unwrap_or(heard.len());
        let acknowledged = heard[first..].chunks_exact(24).map(|told| {
            let number = |at: usize| u64::from_le_bytes(told[at..at + 8].try_into().unwrap());
            assert_eq!(number(0), MARK);
            (number(8), number(16))
        });
        for (sequence, content) in acknowledged {
            assert_eq!(known.insert(sequence, content), None, "each number is told once");
            told += 1;
        }
        let mut found = BTreeMap::new();
        let recovery = read(&Directory::open(scratch.path()).unwrap(), |sequence, content| {
            let content = u64::from_le_bytes(content.try_into().expect("a whole record"));
            assert_eq!(found.insert(sequence, content), None);
        });
        torn += u64::from(recovery.unwrap().truncated > 0);
        for (sequence, content) in &known {
            assert_eq!(found.get(sequence), Some(content), "record {sequence} after kill {kill}");
        }
        known = found; // those that were not told, too: the next start makes them durable
    }
    assert!(told > KILLS, "{told} records were acknowledged; {torn} ends were torn");
}

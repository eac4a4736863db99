//! Models of a log's groups: leaders, followers, and their promises.

use crate::explore;
use loom::cell::UnsafeCell;
use loom::thread;
use perf_proved::io::group_commit::group::{Group, Groups};
use perf_proved::io::group_commit::{AppendError, Durability};
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A log in memory.
struct Log {
    groups: Groups,
    /// The file. Loom ends the model if two threads commit at once, or one after the other without
    /// an order between them.
    file: UnsafeCell<Vec<u64>>,
    /// The outside view, which is not part of the model.
    seen: Mutex<Seen>,
    /// The commit that fails, counted from 1.
    fails: usize,
}

#[derive(Default)]
struct Seen {
    commits: usize,
    written: u64,
    durable: u64,
}

// SAFETY: the leader alone accesses the file; loom checks it.
unsafe impl Send for Log {}
// SAFETY: as above.
unsafe impl Sync for Log {}

impl Log {
    fn new(fails: usize) -> Arc<Self> {
        let groups = Groups::new(1, Duration::ZERO);
        Arc::new(Self { groups, file: UnsafeCell::new(vec![]), seen: Mutex::default(), fails })
    }

    fn commit(&self, group: &mut Group) -> io::Result<()> {
        let numbers = group.first..group.first + group.records;
        assert!(numbers.clone().map(|number| number as u8).eq(group.bytes.iter().copied()));
        // SAFETY: loom ends the model if another access is concurrent.
        self.file.with_mut(|file| unsafe { (*file).extend(numbers) });
        let mut seen = self.seen.lock().unwrap();
        seen.commits += 1;
        if seen.commits == self.fails {
            return Err(io::ErrorKind::StorageFull.into());
        }
        seen.written = group.first + group.records - 1;
        if group.durability == Durability::Durable {
            seen.durable = seen.written;
        }
        Ok(())
    }

    /// Appends a record, and checks that the promise holds when this returns.
    fn append(&self, durability: Durability) -> Result<u64, AppendError> {
        let push = |bytes: &mut Vec<u8>, number: u64| bytes.push(number as u8);
        let number = self.groups.append(durability, push, |group| self.commit(group))?;
        let seen = self.seen.lock().unwrap();
        assert!(number <= seen.written, "record {number} is not written");
        assert!(durability < Durability::Durable || number <= seen.durable, "nor durable");
        Ok(number)
    }

    /// Returns the records in the file, when all threads are done.
    fn records(&self) -> Vec<u64> {
        // SAFETY: the threads have ended.
        self.file.with(|file| unsafe { (*file).clone() })
    }
}

/// Runs `works`, each on a thread of its own and the first on this one.
fn run<const N: usize>(
    log: &Arc<Log>,
    works: [fn(&Log) -> Vec<Result<u64, AppendError>>; N],
) -> Vec<Result<u64, AppendError>> {
    let (first, others) = works.split_first().unwrap();
    let threads: Vec<_> = others
        .iter()
        .map(|&work| {
            let log = log.clone();
            thread::spawn(move || work(&log))
        })
        .collect();
    let mut ends = first(log);
    threads.into_iter().for_each(|thread| ends.extend(thread.join().unwrap()));
    ends
}

fn once(log: &Log) -> Vec<Result<u64, AppendError>> {
    vec![log.append(Durability::Durable)]
}

fn twice(log: &Log) -> Vec<Result<u64, AppendError>> {
    vec![log.append(Durability::Durable), log.append(Durability::Durable)]
}

fn written_only(log: &Log) -> Vec<Result<u64, AppendError>> {
    vec![log.append(Durability::Written)]
}

/// Each append returns, and each record is durable by then.
#[test]
fn keeps_its_promise() {
    explore(3, || {
        let log = Log::new(0);
        let mut numbers: Vec<u64> =
            run(&log, [twice, twice]).into_iter().map(Result::unwrap).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, [1, 2, 3, 4]);
        assert_eq!(log.records(), [1, 2, 3, 4], "in their order");
    });
}

/// One thread leads, two follow: one of them leads the next group, and wakes the other.
#[test]
fn hands_over() {
    explore(2, || {
        let log = Log::new(0);
        assert!(run(&log, [once, once, once]).iter().all(Result::is_ok));
        assert_eq!(log.records(), [1, 2, 3]);
    });
}

/// In a group, the strictest promise is kept, whichever thread leads.
#[test]
fn keeps_the_strictest_promise() {
    explore(2, || {
        let log = Log::new(0);
        assert!(run(&log, [once, written_only, written_only]).iter().all(Result::is_ok));
    });
    explore(2, || {
        let log = Log::new(0);
        assert!(run(&log, [written_only, once, once]).iter().all(Result::is_ok));
    });
}

/// The first commit fails: each thread of its group and of the next one gets the error, and there
/// is no second commit.
#[test]
fn tells_all_of_an_error() {
    explore(2, || {
        let log = Log::new(1);
        let ends = run(&log, [twice, once, once]);
        assert!(ends.iter().all(Result::is_err), "{ends:?}");
        assert_eq!(log.seen.lock().unwrap().commits, 1);
    });
}

/// The third commit fails, if there is one. The records of those before are acknowledged, even if
/// a thread learns of that after the error; and no others are.
#[test]
fn keeps_what_came_before_an_error() {
    explore(2, || {
        let log = Log::new(3);
        let ends = run(&log, [twice, once, once]);
        let acknowledged = ends.iter().filter(|end| end.is_ok()).count() as u64;
        assert_eq!(acknowledged, log.seen.lock().unwrap().durable);
        let failed = ends.iter().filter(|end| matches!(end, Err(AppendError::Failed(_))));
        let attempted = log.records().len() as u64;
        assert_eq!(failed.count() as u64, attempted - acknowledged, "the rest was not attempted");
    });
}

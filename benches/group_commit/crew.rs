//! Threads that append to a log, batch after batch.

use perf_proved::io::group_commit::Durability;
use perf_proved::io::group_commit::experiment::record;
use perf_proved::io::group_commit::variants::Appender;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier};
use std::thread::{self, JoinHandle};

/// Appenders that wait for a batch. They have started before the first one, so that a batch
/// measures no start of a thread. They end when this is dropped.
pub struct Crew {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    log: Box<dyn Appender>,
    /// The records of this batch, and those that have been taken.
    batch: AtomicU64,
    taken: AtomicU64,
    begin: Barrier,
    end: Barrier,
}

/// A batch after which the threads end.
const LAST: u64 = u64::MAX;

impl Crew {
    /// Starts as many threads as `appenders`.
    pub fn new(log: Box<dyn Appender>, appenders: usize) -> Self {
        let [begin, end] = [(); 2].map(|()| Barrier::new(appenders + 1));
        let [batch, taken] = [(); 2].map(|()| AtomicU64::new(0));
        let shared = Arc::new(Shared { log, batch, taken, begin, end });
        let work = || {
            let shared = Arc::clone(&shared);
            thread::spawn(move || shared.work())
        };
        let threads = (0..appenders).map(|_| work()).collect();
        Self { shared, threads }
    }

    /// Appends `records` records, and returns when all are durable.
    pub fn append(&self, records: u64) {
        // Relaxed: the barriers order these stores before the loads and after those of the batch
        // before.
        self.shared.batch.store(records, Ordering::Relaxed);
        self.shared.taken.store(0, Ordering::Relaxed);
        self.shared.begin.wait();
        self.shared.end.wait();
    }
}

impl Shared {
    fn work(&self) {
        loop {
            self.begin.wait();
            // Relaxed: see `append`. The numbers only have to differ.
            let batch = self.batch.load(Ordering::Relaxed);
            if batch == LAST {
                return;
            }
            loop {
                let number = self.taken.fetch_add(1, Ordering::Relaxed);
                if number >= batch {
                    break;
                }
                let appended = self.log.append(&record(number), Durability::Durable);
                appended.expect("the disk takes the record");
            }
            self.end.wait();
        }
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        self.shared.batch.store(LAST, Ordering::Relaxed); // as in `append`
        self.shared.begin.wait();
        self.threads.drain(..).for_each(|thread| thread.join().expect("no appender panics"));
    }
}

//! The log at work, with a count of its syncs beside that of its records.

use super::load::{Load, refused, seconds, spawn};
use crate::harness::scratch::Scratch;
use crate::io::group_commit::{Durability, Log, Settings};
use crate::measuring::monitor::{Counter, Registry};
use crate::sys::storage::{Directory, Storage, StoredFile};
use std::io::{self, IoSlice};
use std::thread;
use std::time::{Duration, Instant};

/// The threads that append.
const APPENDERS: usize = 8;

/// The records of a thread before all begin a new log, so that the files stay small.
const RECORDS: u64 = 20_000;

/// Eight threads append records of 100 bytes, each up to 1,000 in a second, and wait until they are
/// durable.
pub fn group_commit(registry: &Registry, load: Load) -> io::Result<()> {
    let help = "Records that are durable.";
    let records = registry.counter("group_commit_records", help, &[]).map_err(refused)?.with(&[]);
    let help = "Syncs that made them so.";
    let syncs = registry.counter("group_commit_syncs", help, &[]).map_err(refused)?.with(&[]);
    let help = "Time from appending a record until it is durable.";
    let waited = registry.histogram("group_commit_append_seconds", help, &[], seconds()?);
    let waited = waited.map_err(refused)?.with(&[]);
    let mut log = open(&syncs)?;
    spawn(move || {
        let append = |log: &Log<Counted<Directory>>| {
            for _ in 0..RECORDS {
                let Some(share) = load.share() else { return false };
                let start = Instant::now();
                if log.append(&[7; 100], Durability::Durable).is_err() {
                    return false;
                }
                records.increment();
                waited.observe(start.elapsed().as_secs_f64());
                thread::sleep(Duration::from_micros((1000.0 / share) as u64));
            }
            true
        };
        loop {
            let go_on = thread::scope(|scope| {
                let threads = [(); APPENDERS].map(|()| scope.spawn(|| append(&log.1)));
                threads.into_iter().all(|thread| thread.join().is_ok_and(|go_on| go_on))
            });
            match open(&syncs) {
                Ok(next) if go_on => log = next,
                _ => return,
            }
        }
    })
}

/// Opens a log in a new directory, which ends with it.
fn open(syncs: &Counter) -> io::Result<(Scratch, Log<Counted<Directory>>)> {
    let scratch = Scratch::new()?;
    let storage = Counted { inner: Directory::open(scratch.path())?, syncs: syncs.clone() };
    let settings = Settings { segment_bytes: 1 << 20, ..Settings::default() };
    let (log, _) = Log::open(storage, &settings).map_err(io::Error::other)?;
    Ok((scratch, log))
}

/// A storage, or a file of one, that counts the syncs of data.
struct Counted<S> {
    inner: S,
    syncs: Counter,
}

impl<S> Counted<S> {
    fn around<T>(&self, inner: T) -> Counted<T> {
        Counted { inner, syncs: self.syncs.clone() }
    }
}

impl<S: Storage> Storage for Counted<S> {
    type File = Counted<S::File>;

    fn create(&self, name: &str) -> io::Result<Self::File> {
        self.inner.create(name).map(|file| self.around(file))
    }

    fn open(&self, name: &str) -> io::Result<Self::File> {
        self.inner.open(name).map(|file| self.around(file))
    }

    fn names(&self) -> io::Result<Vec<String>> {
        self.inner.names()
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.inner.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.inner.remove(name)
    }

    fn sync(&self) -> io::Result<()> {
        self.inner.sync()
    }
}

impl<F: StoredFile> StoredFile for Counted<F> {
    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        self.inner.set_len(bytes)
    }

    fn allocate(&self, offset: u64, bytes: u64) -> io::Result<()> {
        self.inner.allocate(offset, bytes)
    }

    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
        self.inner.read_at(into, offset)
    }

    fn write_at(&self, from: &[u8], offset: u64) -> io::Result<usize> {
        self.inner.write_at(from, offset)
    }

    fn write_vectored_at(&self, from: &[IoSlice<'_>], offset: u64) -> io::Result<usize> {
        self.inner.write_vectored_at(from, offset)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.syncs.increment();
        self.inner.sync_data()
    }

    fn sync_all(&self) -> io::Result<()> {
        self.inner.sync_all()
    }
}

//! Logs by others, with the same promise: a record is durable before its append returns.

use okaywal::{Configuration, Entry, EntryId, LogManager, SegmentReader, WriteAheadLog};
use perf_proved::io::group_commit::Durability;
use perf_proved::io::group_commit::variants::Appender;
use rusqlite::Connection;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// The names of the peers.
pub const NAMES: [&str; 2] = ["okaywal", "sqlite"];

/// Makes the peer `name` in the empty directory `folder`.
pub fn open(name: &str, folder: &Path) -> io::Result<Box<dyn Appender>> {
    match name {
        "okaywal" => Ok(Box::new(Okaywal(okaywal(folder)?.0))),
        _ => Ok(Box::new(Sqlite::open(folder)?)),
    }
}

/// Returns the number of records that the peer `name` finds in `folder`.
pub fn records(name: &str, folder: &Path) -> io::Result<u64> {
    match name {
        "okaywal" => Ok(okaywal(folder)?.1),
        _ => {
            let connection = connect(folder)?;
            let count = connection.query_row("SELECT count(*) FROM log", (), |row| row.get(0));
            count.map(|count: i64| count as u64).map_err(io::Error::other)
        }
    }
}

/// Its appenders write one after the other, and share syncs. It has segments of 1 MiB, which it
/// uses again.
struct Okaywal(WriteAheadLog);

/// Opens a log, and counts its records.
fn okaywal(folder: &Path) -> io::Result<(WriteAheadLog, u64)> {
    let found = Arc::new(AtomicU64::new(0));
    let log = Configuration::default_for(folder).open(Count(found.clone()))?;
    Ok((log, found.load(Ordering::Relaxed))) // on this thread
}

impl Appender for Okaywal {
    fn append(&self, record: &[u8], _: Durability) -> io::Result<u64> {
        let mut entry = self.0.begin_entry()?;
        entry.write_chunk(record)?;
        entry.commit().map(|id| id.0)
    }
}

#[derive(Debug)]
struct Count(Arc<AtomicU64>);

impl LogManager for Count {
    fn recover(&mut self, entry: &mut Entry<'_>) -> io::Result<()> {
        // Relaxed: on the thread that opens the log.
        let is_whole = entry.read_all_chunks()?.is_some();
        self.0.fetch_add(is_whole.into(), Ordering::Relaxed);
        Ok(())
    }

    /// Nothing is kept elsewhere.
    fn checkpoint_to(
        &mut self,
        _: EntryId,
        _: &mut SegmentReader,
        _: &WriteAheadLog,
    ) -> io::Result<()> {
        Ok(())
    }
}

/// Each record is a transaction, on one connection under a lock: SQLite has one writer at a time.
struct Sqlite(Mutex<Connection>);

fn connect(folder: &Path) -> io::Result<Connection> {
    Connection::open(folder.join("log.sqlite")).map_err(io::Error::other)
}

impl Sqlite {
    fn open(folder: &Path) -> io::Result<Self> {
        let connection = connect(folder)?;
        let mode = connection.query_row("PRAGMA journal_mode = WAL", (), |row| row.get(0));
        let mode: String = mode.map_err(io::Error::other)?;
        assert_eq!(mode, "wal");
        let schema = "PRAGMA synchronous = FULL;
            CREATE TABLE log (id INTEGER PRIMARY KEY, record BLOB NOT NULL);";
        connection.execute_batch(schema).map_err(io::Error::other)?;
        Ok(Self(Mutex::new(connection)))
    }
}

impl Appender for Sqlite {
    fn append(&self, record: &[u8], _: Durability) -> io::Result<u64> {
        let connection = self.0.lock().expect("no append panics");
        let insert = connection.prepare_cached("INSERT INTO log (record) VALUES (?1)");
        let id = insert.and_then(|mut insert| insert.insert((record,)));
        id.map(|id| id as u64).map_err(io::Error::other)
    }
}

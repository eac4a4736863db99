//! The log that everyone writes first: each record has an fsync of its own.

use crate::sys::storage::{Storage, StoredFile};
use std::io::{self, ErrorKind};
use std::sync::{Mutex, PoisonError};

/// Appends records to one file, and syncs it for each of them, under a lock.
///
/// An acknowledged record is durable. A reader cannot tell a record that a power cut has torn from
/// a whole one, since it has no checksum.
pub struct SyncEach<F> {
    file: F,
    /// The end of the file, in bytes.
    end: Mutex<u64>,
    /// One append at a time writes and syncs. Otherwise one writes, and many may sync.
    sync_under_lock: bool,
}

impl<F: StoredFile> SyncEach<F> {
    /// Makes the file `name`, and its name durable. Without `sync_under_lock`, appends may sync at
    /// the same time, which the file system may share among them.
    ///
    /// # Errors
    ///
    /// Those of the storage, `AlreadyExists` if there is such a file.
    pub fn create<S: Storage<File = F>>(
        storage: &S,
        name: &str,
        sync_under_lock: bool,
    ) -> io::Result<Self> {
        let file = storage.create(name)?;
        storage.sync()?;
        Ok(Self { file, end: Mutex::new(0), sync_under_lock })
    }

    /// Appends `record` with its length before it, and returns the offset behind it once it is
    /// durable.
    ///
    /// # Errors
    ///
    /// Those of the file. The log ends in a part of the record then.
    // ANCHOR: append
    pub fn append(&self, record: &[u8]) -> io::Result<u64> {
        let framed = [&(record.len() as u32).to_le_bytes(), record].concat();
        let mut end = self.end.lock().unwrap_or_else(PoisonError::into_inner);
        write_all(&self.file, &framed, *end)?;
        *end += framed.len() as u64;
        let behind = *end;
        let _lock = self.sync_under_lock.then_some(end);
        self.file.sync_data().map(|()| behind)
    }
    // ANCHOR_END: append
}

fn write_all(file: &impl StoredFile, bytes: &[u8], offset: u64) -> io::Result<()> {
    let mut written = 0;
    while written < bytes.len() {
        match file.write_at(&bytes[written..], offset + written as u64) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(taken) => written += taken,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

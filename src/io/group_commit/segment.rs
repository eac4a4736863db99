//! The segment that records are written to.

use super::format::{self, HEADER, Header};
use super::group::Group;
use super::settings::{Ahead, Durability, Settings};
use crate::sys::storage::{Storage, StoredFile};
use std::io;

/// Returns the name of the segment whose first record has the sequence number `first`.
pub(super) fn name(first: u64) -> String {
    format!("{first:016x}.log")
}

/// Returns the sequence number of the first record by the segment's name; `None` for other files.
pub(super) fn first(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".log")?;
    let first = u64::from_str_radix(digits, 16).ok()?;
    // The last number is for no record, because none could follow.
    (0 < first && first < u64::MAX && self::name(first) == name).then_some(first)
}

/// The last segment of a log, and its end. It belongs to the thread that leads.
pub(super) struct Segment<S: Storage> {
    pub storage: S,
    pub settings: Settings,
    /// The id of the log.
    pub log: u64,
    pub file: S::File,
    /// The offset behind the last record.
    pub end: u64,
    /// The last sequence number that was written.
    pub written: u64,
    /// The last one that is durable.
    pub durable: u64,
}

impl<S: Storage> Segment<S> {
    // ANCHOR: commit
    /// Writes a group, and makes it durable if one of its records has to be.
    pub(super) fn commit(&mut self, group: &mut Group) -> io::Result<()> {
        let length = group.bytes.len() as u64;
        if self.end > HEADER as u64 && self.end + length > self.settings.segment_bytes {
            self.rotate(group.first)?;
        }
        format::seal(&mut group.bytes, self.log, self.durable);
        write_all_at(&self.file, &group.bytes, self.end)?;
        self.end += length;
        self.written = group.first + group.records - 1;
        if group.durability == Durability::Durable {
            self.sync()?;
        }
        Ok(())
    }
    // ANCHOR_END: commit

    /// Makes durable what is written.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        if self.durable < self.written {
            self.file.sync_data()?;
            self.durable = self.written;
        }
        Ok(())
    }

    // ANCHOR: rotate
    /// Begins the next segment, once all of this one is durable: only the last segment of a log
    /// may have an end that a power cut has torn.
    fn rotate(&mut self, first: u64) -> io::Result<()> {
        self.sync()?;
        self.file = create(&self.storage, Header { log: self.log, first }, &self.settings)?;
        self.end = HEADER as u64;
        Ok(())
    }
    // ANCHOR_END: rotate
}

// ANCHOR: create
/// Makes a segment without records. Its name, its header and its size are durable.
pub(super) fn create<S: Storage>(
    storage: &S,
    header: Header,
    settings: &Settings,
) -> io::Result<S::File> {
    let file = storage.create(&name(header.first))?;
    write_all_at(&file, &header.encode(), 0)?;
    extend(&file, HEADER as u64, settings)?;
    file.sync_all()?;
    storage.sync()?; // otherwise a power cut may take the file and all that is in it
    Ok(file)
}
// ANCHOR_END: create

/// Takes the space behind `end` that the settings want ahead.
pub(super) fn extend(file: &impl StoredFile, end: u64, settings: &Settings) -> io::Result<()> {
    static ZEROS: [u8; 64 << 10] = [0; 64 << 10];
    let missing = settings.segment_bytes.saturating_sub(end);
    match settings.ahead {
        Ahead::Reserve if missing > 0 => file.allocate(end, missing),
        Ahead::Grow | Ahead::Reserve => Ok(()),
        Ahead::Zeros => {
            let mut at = end;
            while at < settings.segment_bytes {
                // Whole blocks of the page cache.
                let boundary = (at / ZEROS.len() as u64 + 1) * ZEROS.len() as u64;
                let until = boundary.min(settings.segment_bytes);
                write_all_at(file, &ZEROS[..(until - at) as usize], at)?;
                at = until;
            }
            Ok(())
        }
    }
}

/// Writes all of `bytes` at `offset`: goes on after a short write, and again after a signal.
pub(super) fn write_all_at(
    file: &impl StoredFile,
    mut bytes: &[u8],
    mut offset: u64,
) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.write_at(bytes, offset) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(taken) => {
                bytes = &bytes[taken..];
                offset += taken as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

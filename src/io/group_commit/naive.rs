//! Logs that break their word, one way each. `tests/group_commit.rs` pins what the same search
//! finds of them that finds nothing of a [`Log`].
//!
//! - [`BrokenLog`] is the good log but for one [`Flaw`].
//! - [`PlainLog`] frames its records with a length and the checksum of the content, as everyone
//!   does first.

use super::Log;
use super::error::{AppendError, OpenError};
use super::format;
use super::group::Group;
use super::reader::{self, read};
use super::segment::{self, Segment, write_all_at};
use super::settings::{Durability, Settings};
use crate::concurrency::sync::{Mutex, MutexGuard};
use crate::sys::storage::{Storage, StoredFile};
use std::io;
use std::sync::PoisonError;

/// The one thing that a [`BrokenLog`] does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// Never syncs a record.
    NoFsync,
    /// Acknowledges a record when it is written, and syncs it before the next one.
    AckFirst,
    /// Never syncs the directory, neither for the first segment nor for a later one.
    NoDirectorySync,
    /// Takes damage in the middle for a torn end, and cuts the log off there.
    CorruptionAsTail,
    /// Leaves the bytes of a torn end where they are.
    TailKept,
    /// Numbers its records from 1 again after a recovery.
    SequenceRestarted,
    /// Tells the leader of a group of its error, and its followers that all is well.
    LeadersErrorOnly,
    /// Syncs again after a sync has failed, and believes the second answer.
    RetriesFsync,
    /// Syncs a group if its leader wants that, whatever the others want.
    LeadersDurability,
    /// Writes a record while the one before is synced, and does not hear of that sync's failure.
    WrittenDuringSync,
}

/// A log with one [`Flaw`].
pub struct BrokenLog<S: Storage> {
    flaw: Flaw,
    log: Log<Names<S>>,
    /// The segment, for a sync without its lock, and the lock of that.
    apart: Option<Mutex<S::File>>,
}

impl<S: Storage> BrokenLog<S> {
    /// Opens the log, as [`Log::open`] does but for the flaw.
    ///
    /// # Errors
    ///
    /// As for [`Log::open`].
    pub fn open(storage: S, settings: &Settings, flaw: Flaw) -> Result<Self, OpenError> {
        let storage = Names { storage, are_synced: flaw != Flaw::NoDirectorySync };
        if flaw == Flaw::CorruptionAsTail {
            cut_off(&storage)?;
        }
        let log = match flaw {
            Flaw::TailKept => keep_tail(storage, settings)?,
            _ => Log::open(storage, settings)?.0,
        };
        let log = if flaw == Flaw::SequenceRestarted { restart(log) } else { log };
        let is_apart = flaw == Flaw::WrittenDuringSync;
        let apart = is_apart.then(|| open_again(&log)).transpose()?.map(Mutex::new);
        Ok(Self { flaw, log, apart })
    }

    /// Appends a record, as [`Log::append`] does but for the flaw.
    ///
    /// # Errors
    ///
    /// As for [`Log::append`].
    pub fn append(&self, record: &[u8], durability: Durability) -> Result<u64, AppendError> {
        let log = &self.log;
        match self.flaw {
            Flaw::NoFsync => log.append(record, Durability::Written),
            Flaw::AckFirst => {
                log.locked().sync().map_err(failed)?; // the record before
                log.append(record, Durability::Written)
            }
            Flaw::LeadersErrorOnly => {
                let mut error = None;
                let sequence = self.group(record, durability, |group| {
                    error = log.locked().commit(group).err();
                    Ok(())
                });
                error.map_or(sequence, |error| Err(failed(error)))
            }
            Flaw::RetriesFsync => self.group(record, durability, |group| {
                let mut segment = log.locked();
                segment.commit(group).or_else(|_| segment.sync())
            }),
            Flaw::LeadersDurability => self.group(record, durability, |group| {
                group.durability = durability;
                log.locked().commit(group)
            }),
            Flaw::WrittenDuringSync => {
                let sequence = log.append(record, Durability::Written)?;
                let Some(file) = &self.apart else { return Ok(sequence) };
                let file = file.lock().unwrap_or_else(PoisonError::into_inner);
                file.sync_data().map(|()| sequence).map_err(failed)
            }
            _ => log.append(record, durability),
        }
    }

    /// Appends as [`Log::append`] does, with another commit.
    fn group(
        &self,
        record: &[u8],
        durability: Durability,
        commit: impl FnOnce(&mut Group) -> io::Result<()>,
    ) -> Result<u64, AppendError> {
        let checksum = crc32c::crc32c(record);
        let push = |group: &mut Vec<u8>, sequence| format::push(group, sequence, record, checksum);
        self.log.groups.append(durability, push, commit)
    }
}

impl<S: Storage> Log<S> {
    fn locked(&self) -> MutexGuard<'_, Segment<S>> {
        self.segment.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn failed(error: io::Error) -> AppendError {
    AppendError::Failed(error.into())
}

/// Cuts the log off where it is damaged, as if that were its end.
fn cut_off(storage: &impl Storage) -> Result<(), OpenError> {
    let Err(OpenError::Corrupt { segment: damaged, offset, .. }) = read(storage, |_, _| {}) else {
        return Ok(());
    };
    for name in storage.names()?.into_iter().filter(|name| *name > damaged) {
        storage.remove(&name)?;
    }
    storage.open(&damaged)?.set_len(offset)?;
    Ok(())
}

/// Opens a log whose last segment has records, without a change to its files.
fn keep_tail<S: Storage>(storage: S, settings: &Settings) -> Result<Log<S>, OpenError> {
    let found = reader::scan(&storage, |_, _| {})?;
    let (Some(log), Some(last)) = (found.log, found.last) else {
        return Ok(Log::open(storage, settings)?.0);
    };
    let file = storage.open(&segment::name(last.first))?;
    file.sync_all()?;
    storage.sync()?;
    let (settings, written) = (settings.clone(), found.next - 1);
    let segment =
        Segment { storage, settings, log, file, end: last.end, written, durable: written };
    Ok(Log::with(segment))
}

/// Opens the last segment of a log once more.
fn open_again<S: Storage>(log: &Log<S>) -> io::Result<S::File> {
    let storage = &log.locked().storage;
    let last = storage.names()?.pop().ok_or(io::ErrorKind::NotFound)?;
    storage.open(&last)
}

/// Numbers records from 1.
fn restart<S: Storage>(log: Log<S>) -> Log<S> {
    let mut segment = log.segment.into_inner().unwrap_or_else(PoisonError::into_inner);
    (segment.written, segment.durable) = (0, 0);
    Log::with(segment)
}

/// A storage that may not sync its names.
struct Names<S> {
    storage: S,
    are_synced: bool,
}

impl<S: Storage> Storage for Names<S> {
    type File = S::File;

    fn create(&self, name: &str) -> io::Result<S::File> {
        self.storage.create(name)
    }

    fn open(&self, name: &str) -> io::Result<S::File> {
        self.storage.open(name)
    }

    fn names(&self) -> io::Result<Vec<String>> {
        self.storage.names()
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.storage.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.storage.remove(name)
    }

    fn sync(&self) -> io::Result<()> {
        if self.are_synced { self.storage.sync() } else { Ok(()) }
    }
}

/// A log in one file. Each record has its length and the CRC32C of its content before it, and
/// nothing of its number or of its log.
pub struct PlainLog<F> {
    file: F,
    end: Mutex<End>,
}

/// The end of a [`PlainLog`].
struct End {
    offset: u64,
    next: u64,
}

/// The bytes behind the end of a [`PlainLog`] that is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behind {
    /// Zeros. The CRC32C of nothing is zero, and so each eight of them are an empty record.
    Zeros,
    /// Valid records of an earlier use of the file. The first frame has been cleared, and eight
    /// zeros are no record.
    Stale,
}

/// The bytes of a [`PlainLog`] that is new.
const PREPARED: usize = 2040;

impl<F: StoredFile> PlainLog<F> {
    const NAME: &'static str = "plain.log";

    /// Opens the log, or makes it, and passes each record and its number to `each`.
    ///
    /// # Errors
    ///
    /// Those of the storage.
    pub fn open<S: Storage<File = F>>(
        storage: &S,
        behind: Behind,
        mut each: impl FnMut(u64, &[u8]),
    ) -> io::Result<Self> {
        let file = match storage.open(Self::NAME) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => storage.create(Self::NAME)?,
            opened => opened?,
        };
        if file.len()? < PREPARED as u64 {
            let mut bytes = match behind {
                Behind::Zeros => vec![0; PREPARED],
                Behind::Stale => framed(b"used").repeat(PREPARED / 12),
            };
            bytes[..8].fill(0);
            write_all_at(&file, &bytes, 0)?;
        }
        file.sync_all()?;
        storage.sync()?;
        let mut bytes = vec![0; file.len()? as usize];
        reader::read_at(&file, &mut bytes, 0)?;
        let (mut rest, mut next) = (&bytes[..], 1);
        while let Some((record, after)) = first(rest, behind) {
            each(next, record);
            (rest, next) = (after, next + 1);
        }
        let offset = (bytes.len() - rest.len()) as u64;
        Ok(Self { file, end: Mutex::new(End { offset, next }) })
    }

    /// Appends `record`, and returns its number when it is durable.
    ///
    /// # Errors
    ///
    /// Those of the file.
    pub fn append(&self, record: &[u8]) -> io::Result<u64> {
        let mut end = self.end.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = framed(record);
        write_all_at(&self.file, &bytes, end.offset)?;
        self.file.sync_data()?;
        end.offset += bytes.len() as u64;
        end.next += 1;
        Ok(end.next - 1)
    }
}

fn framed(record: &[u8]) -> Vec<u8> {
    let (length, checksum) = (record.len() as u32, crc32c::crc32c(record));
    [&length.to_le_bytes()[..], &checksum.to_le_bytes(), record].concat()
}

/// Splits the first record off `bytes`, if there is a valid one.
fn first(bytes: &[u8], behind: Behind) -> Option<(&[u8], &[u8])> {
    let (frame, rest) = bytes.split_first_chunk::<8>()?;
    if behind == Behind::Stale && *frame == [0; 8] {
        return None;
    }
    let length = u32::from_le_bytes([frame[0], frame[1], frame[2], frame[3]]);
    let (record, after) = rest.split_at_checked(length as usize)?;
    let fits = crc32c::crc32c(record).to_le_bytes() == frame[4..];
    fits.then_some((record, after))
}

//! Opening a log: what was found becomes durable, and its torn end goes.

use super::error::OpenError;
use super::format::{HEADER, Header};
use super::reader::{self, Last, Recovery};
use super::segment::{Segment, create, extend, write_all_at};
use super::settings::Settings;
use crate::sys::storage::{Storage, StoredFile};
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::io;

/// Reads the log, or begins one where there is none, and returns its last segment, ready for more.
pub(super) fn recover<S: Storage>(
    storage: S,
    settings: &Settings,
) -> Result<(Segment<S>, Recovery), OpenError> {
    settings.check()?;
    let found = reader::scan(&storage, |_, _| {})?;
    let recovery = found.recovery();
    let log = found.log.unwrap_or_else(|| RandomState::new().build_hasher().finish());
    let written = found.next - 1;
    let (file, end) = match (found.segments.last(), found.last) {
        (Some(name), Some(last)) => (reopen(&storage, name, last, settings)?, last.end),
        (empty, _) => {
            // Its creation may have failed, and no record of it was acknowledged.
            if let Some(name) = empty {
                storage.remove(name)?;
            }
            let header = Header { log, first: found.next };
            (create(&storage, header, settings)?, HEADER as u64)
        }
    };
    let settings = settings.clone();
    let segment = Segment { storage, settings, log, file, end, written, durable: written };
    Ok((segment, recovery))
}

// ANCHOR: reopen
/// Opens the last segment, drops everything behind its last record, and makes the rest
/// durable.
///
/// After a sync that failed, the page cache may hold records and a size that the disk has
/// not, and calls them clean: a sync alone would pass them by. So the doubtful ones are
/// written again.
fn reopen<S: Storage>(
    storage: &S,
    name: &str,
    last: Last,
    settings: &Settings,
) -> io::Result<S::File> {
    let file = storage.open(name)?;
    let mut doubtful = vec![0; (last.end - last.doubtful) as usize];
    reader::read_at(&file, &mut doubtful, last.doubtful)?;
    file.set_len(last.end + 1)?;
    file.set_len(last.end)?; // stale records would follow the next one
    write_all_at(&file, &doubtful, last.doubtful)?;
    extend(&file, last.end, settings)?;
    file.sync_all()?;
    storage.sync()?;
    Ok(file)
}
// ANCHOR_END: reopen

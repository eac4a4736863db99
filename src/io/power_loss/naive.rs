//! The versions that everyone writes first. `tests/power_loss.rs` pins what a power cut leaves of
//! them.
//!
//! - [`overwrite`] destroys the old content before the new one is anywhere.
//! - [`rename`] gives the name to bytes that may not be there.
//! - [`rename_fsync`] says "stored" while the name is in memory only.

use super::write_all;
use crate::sys::storage::{Storage, StoredFile};
use std::io;

// ANCHOR: overwrite
/// Empties the file and writes it again, as `std::fs::write` does.
///
/// # Errors
///
/// Those of the storage.
pub fn overwrite(storage: &impl Storage, name: &str, content: &[u8]) -> io::Result<()> {
    write_all(&emptied(storage, name)?, content)
}
// ANCHOR_END: overwrite

// ANCHOR: rename
/// Writes another file and renames it. No other process ever sees half of it.
///
/// # Errors
///
/// Those of the storage.
pub fn rename(storage: &impl Storage, name: &str, content: &[u8]) -> io::Result<()> {
    let new = format!("{name}.new");
    write_all(&emptied(storage, &new)?, content)?;
    storage.rename(&new, name)
}
// ANCHOR_END: rename

/// Syncs the other file before it renames it, and not the directory after.
///
/// # Errors
///
/// Those of the storage.
pub fn rename_fsync(storage: &impl Storage, name: &str, content: &[u8]) -> io::Result<()> {
    let new = format!("{name}.new");
    let file = emptied(storage, &new)?;
    write_all(&file, content)?;
    file.sync_all()?;
    storage.rename(&new, name)
}

/// Opens a file and empties it, or makes it, as `std::fs::File::create` does.
fn emptied<S: Storage>(storage: &S, name: &str) -> io::Result<S::File> {
    match storage.open(name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => storage.create(name),
        Err(error) => Err(error),
        Ok(file) => file.set_len(0).map(|()| file),
    }
}

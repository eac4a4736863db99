//! A directory for an experiment's files, removed with its contents when the experiment ends.

use crate::sys::trying;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fs, io, process};

/// A new directory, by default in the system's temporary directory. Dropping it removes it.
pub struct Scratch(PathBuf);

impl Scratch {
    /// Makes the directory.
    ///
    /// # Errors
    ///
    /// If it cannot be made, as in a full or read-only temporary directory; the error names it.
    pub fn new() -> io::Result<Self> {
        Self::within(&env::temp_dir())
    }

    /// Makes the directory in `folder`, which may be on a file system of its own.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn within(folder: &Path) -> io::Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        loop {
            // Relaxed: the numbers only have to differ. A directory may be left over from an
            // earlier process with this id; then take the next number.
            let name =
                format!("perf-proved-{}-{}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
            let path = folder.join(name);
            match fs::create_dir(&path) {
                Ok(()) => return Ok(Self(path)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => {
                    return trying(format_args!("making {}", path.display()), Err(error));
                }
            }
        }
    }

    /// Returns its path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file of `length` bytes, whose content repeats at no power of two, and returns its
    /// path.
    ///
    /// # Errors
    ///
    /// If the file cannot be written; the error names it and its length.
    pub fn file(&self, name: &str, length: usize) -> io::Result<PathBuf> {
        let path = self.0.join(name);
        trying(writing(&path, length), fs::write(&path, pattern(length)))?;
        Ok(path)
    }

    /// Writes the same file as [`file`](Self::file), but `piece` bytes at a time. A file system
    /// with large folios caches each write in folios of up to its size.
    ///
    /// # Errors
    ///
    /// If the file cannot be written; the error names it and its length.
    pub fn file_in_pieces(&self, name: &str, length: usize, piece: usize) -> io::Result<PathBuf> {
        let path = self.0.join(name);
        let written = fs::File::create(&path).and_then(|mut file| {
            pattern(length).chunks(piece).try_for_each(|piece| file.write_all(piece))
        });
        trying(writing(&path, length), written)?;
        Ok(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A failure has no one to report to; the system clears its temporary directory.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Describes the attempt to write a file, for an error.
fn writing(path: &Path, length: usize) -> String {
    format!("writing {length} bytes to {}", path.display())
}

/// Returns the first `length` bytes of a sequence with a period of 251, in which a lost, doubled or
/// moved piece shows unless its length is a multiple of the period.
pub fn pattern(length: usize) -> Vec<u8> {
    (0..=250).cycle().take(length).collect()
}

//! A directory for an experiment's files, removed with everything in it when the experiment ends.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fs, io, process};

/// A new directory, in the system's temporary directory unless told otherwise. Dropping it removes
/// it.
pub struct Scratch(PathBuf);

impl Scratch {
    /// Makes the directory.
    ///
    /// # Errors
    ///
    /// If it cannot be made, as in a full or read-only temporary directory.
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
            // Relaxed: only the numbers must differ. Left over from a process of the same id: take
            // the next number.
            let name =
                format!("perf-proved-{}-{}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
            let path = folder.join(name);
            match fs::create_dir(&path) {
                Ok(()) => return Ok(Self(path)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => {
                    return Err(io::Error::new(
                        error.kind(),
                        format!("making {}: {error}", path.display()),
                    ));
                }
            }
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file of `length` bytes, whose content repeats at no power of two, and returns where
    /// it is.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn file(&self, name: &str, length: usize) -> io::Result<PathBuf> {
        let path = self.0.join(name);
        fs::write(&path, pattern(length))?;
        Ok(path)
    }

    /// As [`file`](Self::file), but writes `piece` bytes at a time. A file system with large folios
    /// keeps in the page cache as one what was written as one.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn file_in_pieces(&self, name: &str, length: usize, piece: usize) -> io::Result<PathBuf> {
        let path = self.0.join(name);
        let mut file = fs::File::create(&path)?;
        pattern(length)
            .chunks(piece)
            .try_for_each(|piece| io::Write::write_all(&mut file, piece))?;
        Ok(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Nobody is left to tell; the system clears its temporary directory.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The first bytes of a sequence with a period of 251: a piece that is lost, doubled or moved
/// shows, unless it is a multiple of that long.
pub fn pattern(length: usize) -> Vec<u8> {
    (0..=250).cycle().take(length).collect()
}

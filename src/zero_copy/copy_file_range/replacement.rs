//! A file that is written under another name, and takes its place when it is whole.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

/// What a copy has survived when it is reported as made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// The end of this process. After a crash of the machine, the name may lead to the old file, to
    /// the new one, or on some file systems to a new one without its bytes.
    Cached,
    /// A crash of the machine: `fsync(2)` of the file, then of the directory that holds its name.
    /// The disk is waited for twice.
    OnDisk,
}

/// A new file beside the one that it will replace. Dropped before that, it is removed.
pub struct Replacement {
    file: File,
    path: PathBuf,
    target: PathBuf,
    /// Nothing is left to remove.
    placed: bool,
}

impl Replacement {
    /// Makes the file, readable by its owner only, in the directory of `target`: only inside one
    /// file system can it be renamed.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a path without a file name; what `open(2)` reports.
    // ANCHOR: beside
    pub fn beside(target: &Path) -> io::Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        target.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        loop {
            // Relaxed: only the numbers must differ.
            let name = format!(".copy-{}-{}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
            let path = target.with_file_name(name);
            // `create_new` neither opens what is there nor follows a link: nobody can have prepared
            // the name.
            match OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)
            {
                Ok(file) => {
                    return Ok(Self { file, path, target: target.to_owned(), placed: false });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }
    // ANCHOR_END: beside

    /// The file, open for reading and writing.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Gives it the name of the target. Whoever opens that name gets the old file or the whole new
    /// one.
    ///
    /// # Errors
    ///
    /// What `rename(2)` and `fsync(2)` report. The target is then as it was, except if it is the
    /// `fsync` of its directory that fails: that comes last.
    // ANCHOR: commit
    pub fn commit(mut self, durability: Durability) -> io::Result<()> {
        if durability == Durability::OnDisk {
            self.file.sync_all()?; // before the rename: the name must never lead to bytes that a crash would lose
        }
        fs::rename(&self.path, &self.target)?;
        self.placed = true;
        if durability == Durability::OnDisk {
            let folder = self.target.parent().filter(|folder| !folder.as_os_str().is_empty());
            File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
        }
        Ok(())
    }
    // ANCHOR_END: commit
}

impl Drop for Replacement {
    fn drop(&mut self) {
        if !self.placed {
            let _ = fs::remove_file(&self.path); // whatever went wrong before is what the caller is told
        }
    }
}

//! Atomic replacement: a file is written under another name and renamed when it is whole.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

/// The event that a copy survives once it is reported as made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// The end of this process. After a crash of the machine, the name may lead to the old file, to
    /// the new one, or on some file systems to a new one without its bytes.
    Cached,
    /// A crash of the machine: calls `fsync(2)` on the file, then on the directory that holds its
    /// name, and so waits for the disk twice.
    OnDisk,
}

/// A new file beside the one that it will replace. Unless committed, it is removed when dropped.
#[derive(Debug)]
pub struct Replacement {
    file: File,
    path: PathBuf,
    target: PathBuf,
    /// Nothing is left to remove.
    committed: bool,
}

impl Replacement {
    /// Makes the file, readable by its owner only, in the directory of `target`: a rename stays
    /// inside one file system.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a path without a file name; the errors of `open(2)`.
    pub fn beside(target: &Path) -> io::Result<Self> {
        Self::with_mode(target, 0o600)
    }

    /// Makes the file as [`beside`](Self::beside) does, with the permission bits `mode` that the
    /// umask leaves.
    ///
    /// # Errors
    ///
    /// As [`beside`](Self::beside).
    // ANCHOR: beside
    pub fn with_mode(target: &Path, mode: u32) -> io::Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        target.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        // `create_new` neither opens what exists nor follows a link, so no other user can
        // prepare the name.
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true).mode(mode);
        loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed); // they only have to differ
            let path = target.with_file_name(format!(".copy-{}-{number}", process::id()));
            match options.open(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                file => {
                    let target = target.to_owned();
                    return Ok(Self { file: file?, path, target, committed: false });
                }
            }
        }
    }
    // ANCHOR_END: beside

    /// Returns the file, open for reading and writing.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Renames the file to the target's name. A program that opens that name gets the old file or
    /// the whole new one.
    ///
    /// # Errors
    ///
    /// The errors of `rename(2)` and `fsync(2)`. The target is then as it was, unless the `fsync`
    /// of its directory has failed: that comes last.
    // ANCHOR: commit
    pub fn commit(mut self, durability: Durability) -> io::Result<()> {
        if durability == Durability::OnDisk {
            // Before the rename: the name must never lead to bytes that a crash loses.
            self.file.sync_all()?;
        }
        self.rename()?;
        if durability == Durability::OnDisk {
            self.folder()?.sync_all()?;
        }
        Ok(())
    }

    pub(crate) fn rename(&mut self) -> io::Result<()> {
        fs::rename(&self.path, &self.target)?;
        self.committed = true;
        Ok(())
    }

    pub(crate) fn folder(&self) -> io::Result<File> {
        let folder = self.target.parent().filter(|path| !path.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))
    }
    // ANCHOR_END: commit
}

impl Drop for Replacement {
    fn drop(&mut self) {
        if !self.committed {
            let _ = fs::remove_file(&self.path); // the caller gets the error that led here
        }
    }
}

//! Atomic replacement of a file by another content, in steps.

use super::buffer::Buffer;
use super::step::{Step, SyncKind, cut, wrote};
use crate::sys::trying;
use crate::zero_copy::copy_file_range::Durability;
use crate::zero_copy::copy_file_range::replacement::Replacement;
use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind};
use std::mem;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;

/// The state of a replacement.
#[derive(Debug)]
pub(super) struct Replace {
    target: PathBuf,
    buffer: Buffer,
    durability: Durability,
    written: usize,
    stage: Stage,
}

/// The next step. A file that has not been renamed is removed with its `Replacement`.
#[derive(Debug)]
enum Stage {
    Create,
    Write(Replacement),
    Sync(Replacement),
    Rename(Replacement),
    SyncFolder(File),
    Done,
}

impl Replace {
    pub(super) fn new(target: PathBuf, buffer: Buffer, durability: Durability) -> Self {
        Self { target, buffer, durability, written: 0, stage: Stage::Create }
    }

    pub(super) fn bytes(&self) -> u64 {
        self.written as u64
    }

    pub(super) fn buffer(&self) -> &Buffer {
        &self.buffer
    }

    pub(super) fn into_buffer(self) -> Buffer {
        self.buffer
    }

    /// Returns `false` once the target has been replaced.
    pub(super) fn may_stop(&self) -> bool {
        !matches!(self.stage, Stage::SyncFolder(_) | Stage::Done)
    }

    pub(super) fn what(&self) -> String {
        let target = self.target.display();
        match self.stage {
            Stage::Create => format!("creating a file beside {target}"),
            Stage::Write(_) => format!("writing the new {target}, after {} bytes", self.written),
            Stage::Sync(_) => format!("syncing the new {target}"),
            Stage::Rename(_) => format!("renaming the new file to {target}"),
            Stage::SyncFolder(_) | Stage::Done => {
                format!("syncing the directory of {target}, which has been replaced")
            }
        }
    }

    pub(super) fn next(&mut self) -> Option<Step<'_>> {
        match &self.stage {
            Stage::Create | Stage::Rename(_) => Some(Step::Call),
            Stage::Write(new) => {
                let rest = &self.buffer[self.written..];
                let from = &rest[..cut(rest.len())];
                Some(Step::Write { file: new.file(), from, at: self.written as u64 })
            }
            Stage::Sync(new) => Some(Step::Sync { file: new.file(), kind: SyncKind::All }),
            Stage::SyncFolder(folder) => Some(Step::Sync { file: folder, kind: SyncKind::All }),
            Stage::Done => None,
        }
    }

    // ANCHOR: call
    /// Creates the new file, or renames it.
    pub(super) fn call(&mut self) -> io::Result<()> {
        match &mut self.stage {
            Stage::Create => {
                let new = create(&mut self.target)?;
                self.stage = Stage::Write(new);
                self.go_on();
            }
            Stage::Rename(new) => {
                let folder = match self.durability {
                    Durability::Cached => None,
                    Durability::OnDisk => Some(new.folder()?), // while there is a way back
                };
                new.rename()?;
                self.stage = folder.map_or(Stage::Done, Stage::SyncFolder);
            }
            _ => unreachable!("no call was asked for"),
        }
        Ok(())
    }
    // ANCHOR_END: call

    /// Takes the answer to a write or a sync.
    pub(super) fn moved(&mut self, count: usize) -> io::Result<()> {
        if let Stage::Write(_) = self.stage {
            self.written += count;
            wrote(count)?;
        }
        self.go_on();
        Ok(())
    }

    /// Goes on to the next stage, unless there is something left to write.
    fn go_on(&mut self) {
        self.stage = match mem::replace(&mut self.stage, Stage::Done) {
            Stage::Write(new) if self.written < self.buffer.len() => Stage::Write(new),
            Stage::Write(new) if self.durability == Durability::OnDisk => Stage::Sync(new),
            Stage::Write(new) | Stage::Sync(new) => Stage::Rename(new),
            Stage::SyncFolder(_) => Stage::Done,
            stage => stage,
        };
    }
}

/// Creates the file that will replace `target`, with its permission bits. Follows symbolic links:
/// afterward, `target` is the path of the file that they lead to.
fn create(target: &mut PathBuf) -> io::Result<Replacement> {
    match fs::symlink_metadata(&*target) {
        // The umask decides, as for any new file.
        Err(error) if error.kind() == ErrorKind::NotFound => Replacement::with_mode(target, 0o666),
        Err(error) => trying("examining the target", Err(error)),
        Ok(_) => {
            *target = trying("following the target", fs::canonicalize(&*target))?;
            let old = trying("examining the target", fs::metadata(&*target))?;
            if !old.is_file() {
                let what = "the target is not a regular file";
                return Err(io::Error::new(ErrorKind::InvalidInput, what));
            }
            // For its owner only, until it has the right bits.
            let new = Replacement::with_mode(target, 0o600)?;
            let mode = Permissions::from_mode(old.mode() & 0o777);
            trying("setting the permissions", new.file().set_permissions(mode))?;
            Ok(new)
        }
    }
}

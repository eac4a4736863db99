//! Ways to replace the content of a file.

use super::{naive, replace};
use crate::sys::storage::Storage;
use std::io;

/// A way to replace the content of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// [`naive::overwrite`].
    Overwrite,
    /// [`naive::rename`].
    Rename,
    /// [`naive::rename`], to a name that is new.
    RenameNew,
    /// [`naive::rename_fsync`].
    RenameFsync,
    /// [`replace`].
    Replace,
}

impl Variant {
    /// The names of the variants.
    pub const NAMES: [&str; 5] = ["overwrite", "rename", "rename_new", "rename_fsync", "replace"];

    /// Returns the variant `name`.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn new(name: &str) -> io::Result<Self> {
        match name {
            "overwrite" => Ok(Self::Overwrite),
            "rename" => Ok(Self::Rename),
            "rename_new" => Ok(Self::RenameNew),
            "rename_fsync" => Ok(Self::RenameFsync),
            "replace" => Ok(Self::Replace),
            _ => Err(crate::harness::unknown(name, &Self::NAMES)),
        }
    }

    /// Returns `true` if there is a file to replace.
    pub fn has_old(self) -> bool {
        self != Self::RenameNew
    }

    /// Gives the file `name` a new content.
    ///
    /// # Errors
    ///
    /// Those of the storage.
    pub fn store(self, storage: &impl Storage, name: &str, content: &[u8]) -> io::Result<()> {
        match self {
            Self::Overwrite => naive::overwrite(storage, name, content),
            Self::Rename | Self::RenameNew => naive::rename(storage, name, content),
            Self::RenameFsync => naive::rename_fsync(storage, name, content),
            Self::Replace => replace(storage, name, content),
        }
    }
}

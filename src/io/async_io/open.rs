//! Opening a file.

use super::file::SharedFile;
use super::step::Step;
use std::fs::OpenOptions;
use std::io;
use std::path::PathBuf;

/// The state of an open. It owns the file from the moment the file exists, so dropping the
/// operation or its completion closes it.
#[derive(Debug)]
pub(super) struct Open {
    path: PathBuf,
    options: OpenOptions,
    file: Option<SharedFile>,
}

impl Open {
    pub(super) fn new(path: PathBuf, options: OpenOptions) -> Self {
        Self { path, options, file: None }
    }

    pub(super) fn is_done(&self) -> bool {
        self.file.is_some()
    }

    pub(super) fn next(&self) -> Option<Step<'_>> {
        (!self.is_done()).then_some(Step::Call)
    }

    pub(super) fn call(&mut self) -> io::Result<()> {
        self.file = Some(self.options.open(&self.path)?.into());
        Ok(())
    }

    pub(super) fn what(&self) -> String {
        format!("opening {}", self.path.display())
    }

    pub(super) fn into_file(self) -> Option<SharedFile> {
        self.file
    }
}

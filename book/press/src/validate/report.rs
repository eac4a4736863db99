//! Findings about the files of a recording.

use std::fmt;
use std::path::PathBuf;

/// One fault of a recording, or one notice about it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The file or folder, from the project's root.
    pub path: PathBuf,
    /// `true` if the recording must not become part of the book.
    pub refused: bool,
    /// A sentence that says what is wrong and what to do about it.
    pub says: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.refused { "refused" } else { "notice" };
        write!(f, "{kind}: {}: {}", self.path.display(), self.says)
    }
}

/// Collects what is found about one file.
pub(super) struct Report<'a> {
    pub path: PathBuf,
    pub findings: &'a mut Vec<Finding>,
}

impl Report<'_> {
    /// Refuses the file.
    pub fn refuse(&mut self, says: impl Into<String>) {
        self.add(true, says.into());
    }

    /// Notes what does no harm.
    pub fn note(&mut self, says: impl Into<String>) {
        self.add(false, says.into());
    }

    fn add(&mut self, refused: bool, says: String) {
        self.findings.push(Finding { path: self.path.clone(), refused, says });
    }
}

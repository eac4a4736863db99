//! Places of blocks and references in the pages.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;

/// The place of a block or a reference: its page and line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Path from the project's root: `book/src/…`.
    pub page: PathBuf,
    /// Line in the Markdown source, counted from 1.
    pub line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.page.display(), self.line)
    }
}

/// A part of a page with the bytes of the source that it takes up.
#[derive(Clone, Debug)]
pub struct Spanned<T> {
    /// Bytes of the Markdown source that the printed form replaces.
    pub range: Range<usize>,
    /// The part itself.
    pub item: T,
}

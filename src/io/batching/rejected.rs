//! Items that were not accepted, or not written.

use std::error::Error;
use std::sync::Arc;
use std::{fmt, io};

/// An item that was not accepted, and is returned.
#[derive(Debug)]
pub struct Rejected {
    /// The item.
    pub item: Vec<u8>,
    /// The reason.
    pub reason: Reason,
}

/// The reason why an item was not accepted.
#[derive(Clone, Debug)]
pub enum Reason {
    /// There was no room.
    Full,
    /// The writer has failed with this error, and nothing is written any more.
    Failed(Arc<io::Error>),
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = self.item.len();
        match &self.reason {
            Reason::Full => write!(f, "no room for an item of {length} bytes"),
            Reason::Failed(error) => {
                write!(f, "an item of {length} bytes after a failed write: {error}")
            }
        }
    }
}

impl Error for Rejected {}

/// The items that were not written when a batch writer was closed, and the reason.
pub struct Unwritten<W> {
    /// The first error of the writer. Nothing was written after it.
    pub error: Arc<io::Error>,
    /// The items, in the order in which they were accepted.
    pub items: Vec<Vec<u8>>,
    /// The bytes of the first of these items that are written all the same.
    pub bytes: usize,
    /// The writer.
    pub writer: W,
}

impl<W> fmt::Display for Unwritten<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} items were not written: {}", self.items.len(), self.error)
    }
}

impl<W> fmt::Debug for Unwritten<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut it = f.debug_struct("Unwritten");
        it.field("error", &self.error).field("bytes", &self.bytes);
        it.field("items", &self.items.len()).finish_non_exhaustive()
    }
}

impl<W> Error for Unwritten<W> {}

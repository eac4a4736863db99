//! The state that every connection of a server shares, whatever drives it.

use super::limits::Limits;
use crate::zero_copy::sendfile::root::Root;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// A root, the limits under which it is served, and the number of responses. Threads and event
/// loops serve one alike, each connection by a [`Conversation`](super::conversation::Conversation).
pub struct Service {
    root: Root,
    pub(super) limits: Limits,
    /// The number of responses sent in full.
    responses: AtomicU64,
}

static_assertions::assert_impl_all!(Service: Send, Sync);

impl Service {
    /// Opens the root.
    ///
    /// # Errors
    ///
    /// The errors of [`Root::open`].
    pub fn new(root: &Path, limits: Limits) -> io::Result<Self> {
        Ok(Self { root: Root::open(root)?, limits, responses: AtomicU64::new(0) })
    }

    /// Opens a file beneath the root, as [`Root::file`] does. If the disk is slow, this waits for
    /// it.
    ///
    /// # Errors
    ///
    /// The errors of [`Root::file`].
    pub fn open(&self, path: &[u8]) -> io::Result<File> {
        self.root.file(path)
    }

    /// Returns the root, for an engine that opens files in another way than [`open`](Self::open).
    pub(crate) fn root(&self) -> &Root {
        &self.root
    }

    /// Returns the number of responses sent in full, of any status.
    pub fn responses(&self) -> u64 {
        self.responses.load(Ordering::Relaxed) // a count only
    }

    /// Counts a response that has been sent in full.
    pub(super) fn responded(&self) {
        self.responses.fetch_add(1, Ordering::Relaxed); // a count, which publishes nothing
    }
}

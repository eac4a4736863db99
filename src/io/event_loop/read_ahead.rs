//! A pool that brings parts of files into the page cache, so that no loop waits for the disk.

use super::shared::Shared;
use crate::concurrency::worker_pool::{self, WorkerPool};
use crate::sys::page_cache::{cached_pages, without_readahead};
use crate::sys::region::page_size;
use crate::sys::trying;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::thread;

/// The bytes of one read, which is one request to the disk if the kernel can.
const READ: usize = 1 << 20;

/// A part of a file that a connection is about to send.
pub(super) struct Part {
    pub(super) file: File,
    pub(super) range: Range<u64>,
    /// The loop of the connection, and its token there.
    pub(super) index: usize,
    pub(super) token: u64,
}

/// Starts the pool. By the directory `root`, it finds out if the kernel tells about its cache.
pub(super) fn start(
    shared: &Arc<Shared>,
    threads: usize,
    root: &Path,
) -> io::Result<WorkerPool<Part>> {
    let root = trying("opening the root", File::open(root))?;
    trying("asking for cached pages (cachestat)", cached_pages(&root, 0..1))?;
    // A batch of several parts would wait for one thread while others have nothing to do.
    let settings =
        worker_pool::Settings { workers: threads, batch: 1, ..worker_pool::Settings::default() };
    let shared = Arc::clone(shared);
    let read = |part: Part| {
        // `sendfile` meets the same error, and reports it.
        let _ = part.read();
        (part.index, part.token)
    };
    let tell = move |done: thread::Result<(usize, u64)>| {
        let told = match done {
            Ok((index, token)) => shared.loops[index].tell_read(token),
            Err(_) => Err(io::Error::other("reading ahead panicked")),
        };
        told.unwrap_or_else(|error| shared.log.error(None, &error));
    };
    WorkerPool::start(&settings, read, tell)
}

impl Part {
    /// Reads it, and keeps nothing: it stays in the page cache.
    fn read(&self) -> io::Result<()> {
        // The kernel would read further ahead by itself, and have the loop go on with that when it
        // sends the last of these pages.
        without_readahead(&self.file)?;
        let mut range = self.range.clone();
        let mut buffer = vec![0; READ.min((range.end - range.start) as usize)];
        while !range.is_empty() {
            let room = buffer.len().min((range.end - range.start) as usize);
            match self.file.read_at(&mut buffer[..room], range.start) {
                Ok(0) => return Ok(()), // the file has become shorter
                Ok(count) => range.start += count as u64,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// The reads of a pool for one connection.
#[derive(Default)]
pub(super) struct Ahead {
    /// The offset in the current file up to which the pool has read, or was to read. If the page
    /// cache has lost that part again, the loop reads it: otherwise, the two could go on like that
    /// without end.
    until: u64,
    /// The part to read next.
    pub(super) next: Option<(File, Range<u64>)>,
    pub(super) is_reading: bool,
}

impl Ahead {
    /// Begins with another file.
    pub(super) fn begin(&mut self) {
        self.until = 0;
    }

    // ANCHOR: has_read
    /// Returns `true` if the first `count` bytes of `piece` can be sent. Otherwise, the
    /// page cache lacks some of them, and all of `piece` becomes the part to read next.
    pub(super) fn has_read(&mut self, file: &File, piece: &Range<u64>, count: u64) -> bool {
        if piece.start < self.until || is_cached(file, piece.start..piece.start + count) {
            return true;
        }
        // Without a further descriptor, the loop has to read itself.
        let Ok(file) = file.try_clone() else { return true };
        self.until = piece.end;
        self.next = Some((file, piece.clone()));
        false
    }
    // ANCHOR_END: has_read
}

/// Returns `true` if the page cache has all of `part`; `false` if it has not, or if the kernel does
/// not tell.
fn is_cached(file: &File, part: Range<u64>) -> bool {
    let page = page_size() as u64;
    let pages = part.end.div_ceil(page) - part.start / page;
    cached_pages(file, part).is_ok_and(|cached| cached >= pages)
}

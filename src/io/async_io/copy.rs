//! A copy between two open files, one piece at a time.

use super::file::SharedFile;
use super::step::{Step, position, wrote};
use std::io;
use std::ops::Range;
use std::os::unix::fs::MetadataExt;

/// The length of one piece. The operation owns that much memory while it runs.
const PIECE: usize = 256 << 10;

/// The state of a copy. It reads a piece, writes it, and goes on with the next.
#[derive(Debug)]
pub(super) struct Copy {
    from: SharedFile,
    to: SharedFile,
    /// The bytes of `from` that have not been read.
    left: Range<u64>,
    /// The position in `to` of the next byte to be written.
    to_at: u64,
    /// Empty until the first step has examined the files.
    piece: Vec<u8>,
    /// The bytes of `piece` that have been read and not written.
    held: Range<usize>,
    written: u64,
}

impl Copy {
    pub(super) fn new(from: SharedFile, range: Range<u64>, to: SharedFile, to_at: u64) -> Self {
        Self { from, to, left: range, to_at, piece: vec![], held: 0..0, written: 0 }
    }

    pub(super) fn bytes(&self) -> u64 {
        self.written
    }

    pub(super) fn target(&self) -> &SharedFile {
        &self.to
    }

    pub(super) fn is_done(&self) -> bool {
        self.held.is_empty() && self.left.is_empty()
    }

    pub(super) fn next(&mut self) -> io::Result<Option<Step<'_>>> {
        if self.piece.is_empty() {
            self.check()?;
            let length = (self.left.end.saturating_sub(self.left.start)).min(PIECE as u64);
            self.piece = vec![0; (length as usize).max(1)];
        }
        if !self.held.is_empty() {
            let from = &self.piece[self.held.clone()];
            let at = position(self.to_at, from.len() as u64)?;
            return Ok(Some(Step::Write { file: self.to.positioned()?, from, at }));
        }
        if self.left.is_empty() {
            return Ok(None);
        }
        let length = (self.left.end - self.left.start).min(self.piece.len() as u64);
        let at = position(self.left.start, length)?;
        let into = &mut self.piece[..length as usize];
        Ok(Some(Step::Read { file: self.from.positioned()?, into, at }))
    }

    pub(super) fn moved(&mut self, count: usize) -> io::Result<()> {
        if self.held.is_empty() {
            self.held = 0..count;
            self.left.start += count as u64;
            if count == 0 {
                self.left.end = self.left.start; // the source ends here
            }
            return Ok(());
        }
        self.held.start += count;
        self.to_at += count as u64;
        self.written += count as u64;
        wrote(count)
    }

    /// Refuses a copy of a file onto itself.
    fn check(&self) -> io::Result<()> {
        let identity = |file: &SharedFile| {
            let found = file.file().metadata()?;
            io::Result::Ok((found.dev(), found.ino()))
        };
        if identity(&self.from)? == identity(&self.to)? {
            let what = "source and target of a copy are the same file";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        }
        Ok(())
    }
}

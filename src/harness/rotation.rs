//! A file whose bytes come from memory: larger than the processor's last cache, and used in turns.
//!
//! A benchmark that sends the same bytes again and again finds them in the processor's caches. A
//! server that has more files than the caches hold does not.

use super::scratch::Scratch;
use crate::sys::{caches, trying, unsupported};
use std::fs::File;
use std::io::{self, Write as _};
use std::ops::Range;

/// The unit of the file's length, in bytes: pieces of a power of two up to this one fit without a
/// rest.
const UNIT: usize = 64 << 20;

/// A file in the page cache, of at least twice the size of the last cache, and the place of the
/// piece that is used next. By the time that a piece is used again, the caches have had to make
/// room for all others.
pub struct Rotation {
    file: File,
    length: u64,
    next: u64,
}

impl Rotation {
    /// Writes the file into `scratch`, with the content of [`pattern`](super::scratch::pattern),
    /// and waits until the disk has it, so that no writing goes on beside a measurement.
    ///
    /// # Errors
    ///
    /// `Unsupported` if the size of the last cache is unknown, or the file would take more than
    /// half of the available memory; the errors of the file.
    pub fn new(scratch: &Scratch) -> io::Result<Self> {
        let last = caches::last()?;
        let (length, available) = (length(last), caches::available_memory()?);
        if length > available / 2 {
            let mib = |bytes: usize| bytes >> 20;
            return Err(unsupported(&format!(
                "a file beyond the last cache of {} MiB takes {} MiB; {} MiB of memory are free",
                mib(last),
                mib(length),
                mib(available)
            )));
        }
        let path = scratch.path().join("rotation");
        let written = File::create(&path).and_then(|file| fill(file, length));
        trying(format_args!("writing {length} bytes to {}", path.display()), written)?;
        Ok(Self { file: File::open(path)?, length: length as u64, next: 0 })
    }

    /// Returns the file.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Returns the place of the next piece of `length` bytes. After the last piece of the file, the
    /// first one follows.
    ///
    /// # Panics
    ///
    /// If the file has no room for such a piece.
    pub fn next(&mut self, length: u64) -> Range<u64> {
        assert!(length <= self.length, "{length} bytes of a file of {}", self.length);
        let start = if self.next + length > self.length { 0 } else { self.next };
        self.next = start + length;
        start..self.next
    }
}

/// Returns the length of a file that the caches do not hold if the last one has `cache` bytes.
fn length(cache: usize) -> usize {
    (2 * cache).max(UNIT).next_multiple_of(UNIT)
}

/// Writes `length` bytes of the pattern, a [`UNIT`] at a time.
fn fill(mut file: File, length: usize) -> io::Result<()> {
    // The pattern goes on across pieces that are a multiple of its period long.
    let piece = super::scratch::pattern(UNIT - UNIT % 251);
    let mut left = length;
    while left > 0 {
        let part = left.min(piece.len());
        file.write_all(&piece[..part])?;
        left -= part;
    }
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_exceeds_every_last_cache_by_a_factor_of_two() {
        for mib in [1, 32, 33, 300, 504] {
            let length = length(mib << 20);
            assert!(
                length >= 2 * (mib << 20) && length.is_multiple_of(UNIT),
                "{mib} MiB: {length}"
            );
        }
    }

    #[test]
    fn pieces_follow_each_other_and_start_again() {
        let scratch = Scratch::new().unwrap();
        let file = File::open(scratch.file("file", 10).unwrap()).unwrap();
        let mut rotation = Rotation { file, length: 10, next: 0 };
        let starts = [4, 4, 4, 2, 4].map(|length| rotation.next(length).start);
        assert_eq!(starts, [0, 4, 0, 4, 6]);
        assert_eq!(rotation.next(10), 0..10);
    }

    #[test]
    fn a_long_file_has_the_pattern_of_a_short_one() {
        let scratch = Scratch::new().unwrap();
        let (path, length) = (scratch.path().join("file"), UNIT + 1000);
        fill(File::create(&path).unwrap(), length).unwrap();
        assert!(std::fs::read(path).unwrap() == super::super::scratch::pattern(length));
    }
}

//! The ways of reading a file that the chapter compares. Example, bench and tests run these.

use super::{Advice, Map, sum};
use crate::harness::unknown;
use crate::sys::trying;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// The size of the reading loop's buffer, in bytes: it stays in the core's own cache.
pub const BUFFER: usize = 64 << 10;

/// One way of reading a file from beginning to end and adding up its words.
pub enum Variant {
    /// `pread` into the buffer, which is kept from file to file.
    Read(Box<[u8]>),
    /// Through a map that is created for this one pass, with this advice.
    Map(Option<Advice>),
    /// Through a map whose pages are mapped in advance (`MAP_POPULATE`).
    Populated,
}

impl Variant {
    /// The names of the variants, in the order in which the chapter meets them.
    pub const NAMES: [&str; 8] = [
        "read_64KiB",
        "map",
        "map_populate",
        "map_populate_read",
        "map_sequential",
        "map_random",
        "map_willneed",
        "map_huge",
    ];

    /// Prepares the variant `name`.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an unknown name.
    pub fn new(name: &str) -> io::Result<Self> {
        Ok(match name {
            "read_64KiB" => Self::Read(vec![0; BUFFER].into()),
            "map" => Self::Map(None),
            "map_populate" => Self::Populated,
            "map_populate_read" => Self::Map(Some(Advice::PopulateRead)),
            "map_sequential" => Self::Map(Some(Advice::Sequential)),
            "map_random" => Self::Map(Some(Advice::Random)),
            "map_willneed" => Self::Map(Some(Advice::WillNeed)),
            "map_huge" => Self::Map(Some(Advice::HugePage)),
            _ => return Err(unknown(name, &Self::NAMES)),
        })
    }

    /// Returns the sum of the first `length` bytes of `file`, as [`sum`] defines it.
    ///
    /// # Errors
    ///
    /// The errors of `pread(2)`, `mmap(2)` and `madvise(2)`, with what was tried. If the file is
    /// shorter, `UnexpectedEof` from the loop; a map kills the process instead.
    pub fn sum(&mut self, file: &File, length: usize) -> io::Result<u64> {
        self.sum_of_part(file, 0, length)
    }

    /// Returns the sum of `length` bytes of `file` from `start` on, a multiple of the page size.
    ///
    /// # Errors
    ///
    /// As [`sum`](Self::sum).
    pub fn sum_of_part(&mut self, file: &File, start: u64, length: usize) -> io::Result<u64> {
        let Self::Read(buffer) = self else {
            return Ok(self.map(file, start, length)?.map_or(0, |map| sum::of_map(&map)));
        };
        let mut total = 0_u64;
        for at in (0..length).step_by(buffer.len()) {
            let part = &mut buffer[..BUFFER.min(length - at)];
            file.read_exact_at(part, start + at as u64)?;
            total = total.wrapping_add(sum::of_bytes(part));
        }
        Ok(total)
    }

    /// Creates the map that this variant reads `length` bytes from `start` on through, or returns
    /// `None` for the loop, which has none.
    ///
    /// # Errors
    ///
    /// The errors of `mmap(2)` and `madvise(2)`, with what was tried; `Unsupported` for advice that
    /// this kernel does not know.
    pub fn map(&self, file: &File, start: u64, length: usize) -> io::Result<Option<Map>> {
        let map = match self {
            Self::Read(_) => return Ok(None),
            Self::Map(_) => Map::part(file, start, length),
            Self::Populated => Map::populated(file, start, length),
        };
        let map = trying(format_args!("mapping {length} bytes"), map)?;
        if let Self::Map(Some(advice)) = self {
            let advised = trying(format_args!("advising {advice:?}"), map.advise(*advice));
            advised.map_err(|error| match error.kind() {
                io::ErrorKind::InvalidInput => io::Error::new(io::ErrorKind::Unsupported, error),
                _ => error,
            })?;
        }
        Ok(Some(map))
    }
}

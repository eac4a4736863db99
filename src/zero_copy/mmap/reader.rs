//! The ways of reading that the chapter compares. Example, bench and tests run these.

use super::{Advice, Map, sum};
use crate::harness::unknown;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// The buffer of the loop that reads, in bytes: one that stays in the core's own cache.
pub const BUFFER: usize = 64 << 10;

/// One way to read a file from beginning to end, and to add up its words.
pub enum Reader {
    /// `pread` into the buffer, which is kept from file to file.
    Read(Box<[u8]>),
    /// Through a map that is made for this once, with this advice.
    Map(Option<Advice>),
    /// Through a map whose pages are mapped in advance (`MAP_POPULATE`).
    Populated,
}

impl Reader {
    /// Their names, in the order in which the chapter meets them.
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

    /// The one of that name.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for another name.
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

    /// The sum of the first `length` bytes of `file`, in the sense of [`sum`].
    ///
    /// # Errors
    ///
    /// What the kernel reports, and which call it was; `UnexpectedEof` for a file that is shorter,
    /// where a map kills instead.
    // ANCHOR: sum
    pub fn sum(&mut self, file: &File, length: usize) -> io::Result<u64> {
        if let Self::Read(buffer) = self {
            let mut total = 0_u64;
            for at in (0..length).step_by(buffer.len()) {
                let part = &mut buffer[..BUFFER.min(length - at)];
                file.read_exact_at(part, at as u64)?;
                total = total.wrapping_add(sum::of_bytes(part));
            }
            return Ok(total);
        }
        self.map(file, length).map(|map| sum::of_map(&map))
    }
    // ANCHOR_END: sum

    /// The map that this way reads through.
    ///
    /// # Errors
    ///
    /// What the kernel reports, and which call it was; `InvalidInput` for a way without a map.
    pub fn map(&self, file: &File, length: usize) -> io::Result<Map> {
        let map = match self {
            Self::Read(_) => {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    "a loop that reads has no map",
                ));
            }
            Self::Map(_) => Map::new(file, length),
            Self::Populated => Map::populated(file, length),
        };
        let tried =
            |what: &str, error: io::Error| io::Error::new(error.kind(), format!("{what}: {error}"));
        let map = map.map_err(|error| tried(&format!("mapping {length} bytes"), error))?;
        if let Self::Map(Some(advice)) = self {
            map.advise(*advice).map_err(|error| tried(&format!("advising {advice:?}"), error))?;
        }
        Ok(map)
    }
}

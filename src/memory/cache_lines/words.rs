//! Memory to walk through.

use crate::sys::region::{Pages, Region};
use std::ops::{Deref, DerefMut};
use std::{io, slice};

/// How many words make a line of 64 bytes.
pub(super) const LINE: usize = 8;

/// Words of eight bytes in small pages, the first at a multiple of the page. In the beginning each
/// holds its own index.
pub struct Words(Region);

impl Words {
    /// So many of them, at least one.
    ///
    /// # Errors
    ///
    /// As [`Region::new`].
    pub fn new(count: usize) -> io::Result<Self> {
        let mut words = Self(Region::new(count * size_of::<u64>(), Pages::Small)?);
        (0..).zip(words.iter_mut()).for_each(|(index, word)| *word = index);
        Ok(words)
    }
}

impl Deref for Words {
    type Target = [u64];

    fn deref(&self) -> &[u64] {
        // SAFETY: the region is this value's alone, touched, aligned for words, and any bytes are
        // valid ones.
        unsafe { slice::from_raw_parts(self.0.start().cast(), self.0.bytes() / size_of::<u64>()) }
    }
}

impl DerefMut for Words {
    fn deref_mut(&mut self) -> &mut [u64] {
        // SAFETY: as in `deref`, and borrowed mutably.
        unsafe {
            slice::from_raw_parts_mut(self.0.start().cast(), self.0.bytes() / size_of::<u64>())
        }
    }
}

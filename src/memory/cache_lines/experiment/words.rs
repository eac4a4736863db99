//! Memory for the walks.

use crate::sys::region::{Pages, Region};
use std::ops::{Deref, DerefMut};
use std::{io, slice};

/// The number of words in a line of 64 bytes.
pub(super) const LINE: usize = 8;

/// Words of eight bytes in small pages, aligned to a page. Each holds its own index at first.
pub struct Words(Region);

impl Words {
    /// Maps and numbers `count` words, at least one.
    ///
    /// # Errors
    ///
    /// See [`Region::new`].
    pub fn new(count: usize) -> io::Result<Self> {
        let mut words = Self(Region::new(count * size_of::<u64>(), Pages::Small)?);
        (0..).zip(words.iter_mut()).for_each(|(index, word)| *word = index);
        Ok(words)
    }
}

impl Deref for Words {
    type Target = [u64];

    fn deref(&self) -> &[u64] {
        // SAFETY: this value owns the region, which is mapped and aligned for words, and any bytes
        // are valid words.
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

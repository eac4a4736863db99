//! The input of the benches, the same in every run.

use crate::harness::shuffle::{Random, shuffle};

/// Returns `count` different values in random order.
pub fn values(count: u32) -> Vec<u64> {
    let mut values: Vec<u32> = (0..count).collect();
    shuffle(&mut values);
    values.into_iter().map(u64::from).collect()
}

/// Returns a text of `lines` short lines.
pub fn text(lines: usize) -> Vec<u8> {
    b"a line\n".repeat(lines)
}

/// The keys of a look-up: always equally many, which makes the look-up the same instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keys {
    /// 512 random keys, again and again.
    Same,
    /// Neighbors.
    InOrder,
    /// Random ones, each once.
    New,
}

impl Keys {
    /// All kinds, with their names in the figure.
    pub const ALL: [(&str, Self); 3] =
        [("same_keys", Self::Same), ("in_order", Self::InOrder), ("new_keys", Self::New)];

    /// Returns `count` keys of a table with `entries` entries.
    pub fn take(self, count: usize, entries: usize) -> Vec<u32> {
        let mut random = Random(1);
        let mut any = |_| random.below(entries) as u32;
        match self {
            Self::Same => {
                let few: Vec<u32> = (0..512).map(&mut any).collect();
                few.into_iter().cycle().take(count).collect()
            }
            Self::InOrder => (0..entries as u32).cycle().take(count).collect(),
            Self::New => (0..count).map(any).collect(),
        }
    }
}

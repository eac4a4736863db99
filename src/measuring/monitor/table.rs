//! The series of one metric, by the values of their labels.

use crate::concurrency::sync::Arc;
use crate::memory::cache_lines::CachePadded;
use std::hash::{BuildHasher, RandomState};

/// Marks a slot without an entry.
const EMPTY: u32 = u32::MAX;

/// The series of a metric in the order in which they were created, and an index of them: slots that
/// hold the number of an entry, found by the hash of its label values.
///
/// The keys are compared, too. Two series whose hashes are equal stay two series.
pub(super) struct Table<C> {
    entries: Vec<Entry<C>>,
    /// A power of two of slots, at most half of which are in use.
    slots: Vec<u32>,
}

/// One series.
pub(super) struct Entry<C> {
    hash: u64,
    /// For each label value its length and its bytes.
    key: Box<[u8]>,
    /// The text of the labels, or all that stands before the value, as the metric prefers.
    pub(super) text: Box<str>,
    pub(super) cell: Arc<CachePadded<C>>,
}

impl<C> Table<C> {
    pub(super) fn new() -> Self {
        Self { entries: vec![], slots: vec![EMPTY; 8] }
    }

    pub(super) fn entries(&self) -> &[Entry<C>] {
        &self.entries
    }

    pub(super) fn find(&self, hash: u64, values: &[&str]) -> Option<&Arc<CachePadded<C>>> {
        self.position(hash, values).map(|index| &self.entries[index].cell)
    }

    fn position(&self, hash: u64, values: &[&str]) -> Option<usize> {
        let mask = self.slots.len() - 1;
        let mut slot = hash as usize & mask;
        loop {
            let index = self.slots[slot];
            let entry = self.entries.get(index as usize)?; // an empty slot has no entry
            if entry.hash == hash && is_key(&entry.key, values) {
                return Some(index as usize);
            }
            slot = (slot + 1) & mask;
        }
    }

    /// Adds a series that [`find`](Self::find) did not find.
    pub(super) fn insert(&mut self, hash: u64, values: &[&str], text: String, cell: C) {
        let mut key = vec![];
        for value in values {
            key.extend_from_slice(&value.len().to_ne_bytes());
            key.extend_from_slice(value.as_bytes());
        }
        let cell = Arc::new(CachePadded(cell));
        self.entries.push(Entry { hash, key: key.into(), text: text.into(), cell });
        if self.entries.len() * 2 > self.slots.len() {
            self.index(self.slots.len() * 2);
        } else {
            self.place(self.entries.len() - 1);
        }
    }

    /// Removes a series and returns `true`, or `false` if there is none. Takes time in proportion
    /// to the number of series.
    pub(super) fn remove(&mut self, hash: u64, values: &[&str]) -> bool {
        let Some(position) = self.position(hash, values) else { return false };
        self.entries.remove(position);
        self.index(self.slots.len());
        true
    }

    fn index(&mut self, slots: usize) {
        self.slots.clear();
        self.slots.resize(slots, EMPTY);
        (0..self.entries.len()).for_each(|entry| self.place(entry));
    }

    fn place(&mut self, entry: usize) {
        let mask = self.slots.len() - 1;
        let mut slot = self.entries[entry].hash as usize & mask;
        while self.slots[slot] != EMPTY {
            slot = (slot + 1) & mask;
        }
        self.slots[slot] = entry as u32;
    }
}

impl<C> Entry<C> {
    /// Returns the values of the labels.
    pub(super) fn values(&self) -> Vec<String> {
        let mut values = vec![];
        let mut rest = &self.key[..];
        while let Some((length, tail)) = rest.split_first_chunk() {
            let (value, tail) = tail.split_at(usize::from_ne_bytes(*length));
            values.push(String::from_utf8_lossy(value).into_owned());
            rest = tail;
        }
        values
    }
}

/// Returns `true` if `key` was made of `values`.
fn is_key(key: &[u8], values: &[&str]) -> bool {
    let mut rest = key;
    for value in values {
        let Some((length, tail)) = rest.split_first_chunk() else { return false };
        if usize::from_ne_bytes(*length) != value.len() || !tail.starts_with(value.as_bytes()) {
            return false;
        }
        rest = &tail[value.len()..];
    }
    rest.is_empty()
}

/// A hash of label values that differs from process to process, so that no client can choose values
/// whose hashes collide.
pub(super) struct Seed([u64; 2]);

impl Seed {
    pub(super) fn new() -> Self {
        let random = RandomState::new();
        Self([random.hash_one(0), random.hash_one(1)])
    }

    // ANCHOR: hash
    /// Hashes eight bytes at a time: a product of 128 bits, folded to 64.
    pub(super) fn hash(&self, values: &[&str]) -> u64 {
        let Self([mut state, key]) = *self;
        let mut mix = |word: u64| {
            let product = u128::from(state ^ word) * u128::from(key | 1);
            state = (product as u64) ^ (product >> 64) as u64;
        };
        for value in values {
            let (words, rest) = value.as_bytes().as_chunks::<8>();
            words.iter().for_each(|word| mix(u64::from_le_bytes(*word)));
            let mut last = [0; 8];
            last[..rest.len()].copy_from_slice(rest);
            mix(u64::from_le_bytes(last));
            mix(value.len() as u64);
        }
        state
    }
    // ANCHOR_END: hash
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// As if the hash of all values were the same.
    #[test]
    fn series_whose_hashes_are_equal_stay_apart() {
        let mut table = Table::new();
        let names: Vec<String> = (0..20).map(|number: u32| number.to_string()).collect();
        for (number, name) in names.iter().enumerate() {
            table.insert(7, &[name], String::new(), number);
        }
        assert!(table.remove(7, &["3"]) && !table.remove(7, &["3"]));
        for (number, name) in names.iter().enumerate() {
            let found = table.find(7, &[name]).map(|cell| cell.0);
            assert_eq!(found, (number != 3).then_some(number));
        }
        assert!(table.find(7, &["1", "2"]).is_none() && table.find(7, &[]).is_none());
    }

    #[test]
    fn hashes_differ_by_value_by_length_and_by_place() {
        let seed = Seed::new();
        let all: [&[&str]; 8] = [
            &["", "a"],
            &["a", ""],
            &["a", "\0"],
            &["abcdefgh", "i"],
            &["abcdefg", "hi"],
            &["a"],
            &["a\0"],
            &[],
        ];
        let mut hashes: Vec<u64> = all.iter().map(|values| seed.hash(values)).collect();
        assert_ne!(hashes[0], Seed::new().hash(all[0]), "each seed has its own");
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), all.len());
    }
}

//! A checksum that is cheaper than a copy: the sum of the file's 64-bit words.

use super::Map;
use std::sync::atomic::{AtomicU64, Ordering};

// ANCHOR: sum
/// Adds up little-endian words, the last one padded with zeros. The sums of a file's pieces add up
/// to the sum of the file, if each piece but the last is a multiple of 8 bytes.
///
/// It detects a changed byte but not exchanged words; it is here because it is cheap.
pub fn of_bytes(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let last = rest.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte));
    words.iter().fold(last, |sum, &word| sum.wrapping_add(u64::from_le_bytes(word)))
}

/// Adds up the words of a map, in place.
pub fn of_map(map: &Map) -> u64 {
    let words = map.words();
    let rest = map.bytes()[size_of_val(words)..].iter().map(|byte| byte.load(Ordering::Relaxed));
    let last = rest.rev().fold(0, |word, byte| word << 8 | u64::from(byte));
    last.wrapping_add(of_words(words))
}

/// Adds up some words of a map.
pub fn of_words(words: &[AtomicU64]) -> u64 {
    words.iter().fold(0, |sum, word| sum.wrapping_add(u64::from_le(word.load(Ordering::Relaxed))))
}
// ANCHOR_END: sum

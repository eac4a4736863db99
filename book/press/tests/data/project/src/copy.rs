//! Copies a slice and counts the calls.

/// The length and the bytes that are used of it.
pub struct Chunk {
    /// Bytes in use.
    pub used: u32,
    /// The bytes.
    pub bytes: [u8; 60],
}

// ANCHOR: size
#[rustfmt::skip]
const _: () =
    assert!(size_of::<Chunk>() == 64);
// ANCHOR_END: size

// ANCHOR: unproved
/// How many bytes are copied at once.
pub const AT_ONCE: usize = 1 << 20;
// ANCHOR_END: unproved

/// Copies `from`, `at_once` bytes a call, and returns the copy and the calls.
pub fn copy(from: &[u8], at_once: usize) -> (Vec<u8>, usize) {
    let mut copy = Vec::with_capacity(from.len());
    let mut calls = 0;
    for chunk in from.chunks(at_once) {
        copy.extend_from_slice(chunk);
        calls += 1;
    }
    (copy, calls)
}

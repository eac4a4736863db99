//! For a test of the book's printing.

// ANCHOR: padded
const _: () = assert!(size_of::<Padded>() == 64);
// ANCHOR_END: padded

#[repr(align(64))]
struct Padded(u8);

//! A file that no module names.

// ANCHOR: false
const _: () = assert!(1 + 1 == 3);
// ANCHOR_END: false

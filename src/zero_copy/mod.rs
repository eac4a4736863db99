//! Part "Zero-copy": moving bytes between files and sockets without carrying them through user
//! space.
//!
//! The book's part: [zero_copy](../../../zero-copy/index.html).

pub mod copies;
pub mod copy_file_range;
pub mod mmap;
pub mod msg_zerocopy;
pub mod sendfile;
pub mod splice;

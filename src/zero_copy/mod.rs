//! Part "Zero-copy": moving bytes from file to socket without carrying them through user space.

pub mod sendfile;

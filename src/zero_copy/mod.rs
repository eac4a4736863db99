//! Part "Zero-copy": moving bytes between files and sockets without carrying them through user space.

pub mod copies;
pub mod sendfile;
#[cfg(target_os = "linux")]
mod wait;

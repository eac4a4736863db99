//! Thin wrappers around system calls that more than one technique needs.
//!
//! Each wrapper turns one call's result into an [`io::Result`](std::io::Result). Nothing here
//! counts or measures; that is [`proof`](crate::proof)'s work.

pub mod caches;
pub mod cores;
#[cfg(target_os = "linux")]
pub mod denial;
#[cfg(target_os = "linux")]
pub mod epoll;
mod error;
#[cfg(target_os = "linux")]
pub mod eventfd;
#[cfg(unix)]
pub mod interrupt;
pub mod log;
#[cfg(target_os = "linux")]
pub mod page_cache;
#[cfg(target_os = "linux")]
pub(crate) mod poll;
pub mod process;
pub mod region;
pub mod resident;
#[cfg(target_os = "linux")]
pub mod rlimit;
#[cfg(unix)]
pub mod socket;
pub mod storage;
#[cfg(target_os = "linux")]
pub mod uring;

#[cfg(unix)]
pub(crate) use error::cvt;
#[cfg(target_os = "linux")]
pub(crate) use error::moved;
pub(crate) use error::unsupported;
pub use error::{raw_code, trying};

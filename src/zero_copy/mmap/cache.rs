//! What of a file is in the page cache, and how to get it out.

use super::Map;
use crate::sys::region::page_size;
use crate::sys::{cvt, unsupported};
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

/// How many pages of a file are in the page cache, by `mincore(2)`. The file must be the caller's
/// own or writable to it.
///
/// # Errors
///
/// What `mmap(2)` or `mincore(2)` reports.
pub fn resident(file: &File) -> io::Result<u64> {
    let map = Map::whole(file)?;
    if map.length == 0 {
        return Ok(0);
    }
    let mut pages = vec![0_u8; map.length.div_ceil(page_size())];
    // SAFETY: exactly this mapping, and a byte for each of its pages.
    cvt(unsafe {
        libc::mincore(map.start.as_ptr().cast(), map.length, pages.as_mut_ptr().cast())
    })?;
    Ok(pages.iter().map(|page| u64::from(page & 1)).sum())
}

// ANCHOR: evict
/// Takes a file out of the page cache: writes back what is dirty, and then advises the kernel,
/// which keeps pages that are dirty, mapped or in use.
///
/// The disk may answer the next read from a cache of its own, a virtual one from its host's memory.
/// Cold means here: not in this kernel's memory.
///
/// # Errors
///
/// `Unsupported` where pages stay all the same, as on a file system in memory.
pub fn evict(file: &File) -> io::Result<()> {
    file.sync_all()?;
    // SAFETY: an open descriptor; a length of 0 means all of it.
    let failed = unsafe { libc::posix_fadvise(file.as_raw_fd(), 0, 0, libc::POSIX_FADV_DONTNEED) };
    if failed != 0 {
        return Err(io::Error::from_raw_os_error(failed));
    }
    match resident(file)? {
        0 => Ok(()),
        pages => Err(unsupported(&format!(
            "{pages} pages of the file stay in memory, so it cannot be read cold"
        ))),
    }
}
// ANCHOR_END: evict

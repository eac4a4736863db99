//! Looking into the page cache, and taking a file out of it.

use super::Map;
use crate::sys::region::page_size;
use crate::sys::{cvt, unsupported};
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

/// Returns the number of pages of `file` that are in the page cache, by `mincore(2)`. The caller
/// must own the file or be allowed to write to it.
///
/// # Errors
///
/// The errors of `mmap(2)` and `mincore(2)`.
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
/// Takes `file` out of the page cache: writes back its dirty pages, then advises the kernel to drop
/// it. The kernel keeps pages that are dirty, mapped or in use.
///
/// The disk may answer the next read from its own cache, and a virtual disk from its host's memory.
/// Cold only means that the file is not in this kernel's memory.
///
/// # Errors
///
/// `Unsupported` if pages stay nevertheless, as on a file system in memory; otherwise the errors of
/// `fsync(2)` and `posix_fadvise(2)`.
pub fn evict(file: &File) -> io::Result<()> {
    file.sync_all()?;
    // SAFETY: an open descriptor; a length of 0 means the whole file.
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

//! Asking the page cache, by `cachestat(2)` (Linux 6.5), and advising it, by `posix_fadvise(2)`.

use super::error::moved;
use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, AsRawFd};

/// The number of the call, which is the same on all architectures but Alpha. libc does not name it
/// everywhere.
const CACHESTAT: libc::c_long = 451;

#[repr(C)]
struct CachestatRange {
    offset: u64,
    length: u64,
}

#[repr(C)]
#[derive(Default)]
struct Cachestat {
    cached: u64,
    dirty: u64,
    writeback: u64,
    evicted: u64,
    recently_evicted: u64,
}

/// Returns the number of pages of `part` of a file that are in the page cache. Pages that are being
/// read count.
///
/// # Errors
///
/// The errors of `cachestat(2)`: recent kernels answer `PermissionDenied` to a process
/// that may not write to the file.
pub fn cached_pages(file: impl AsFd, part: Range<u64>) -> io::Result<u64> {
    let length = part.end.saturating_sub(part.start);
    if length == 0 {
        return Ok(0); // to the kernel, it would be the rest of the file
    }
    let range = CachestatRange { offset: part.start, length };
    let mut found = Cachestat::default();
    let file = file.as_fd().as_raw_fd();
    // SAFETY: the descriptor is open, and both structs are live and have the kernel's layout.
    let asked = unsafe { libc::syscall(CACHESTAT, file, &raw const range, &raw mut found, 0) };
    moved(asked as isize).map(|_| found.cached)
}

/// Has reads of `file`, and of its duplicates, bring in what they ask for and nothing beyond it.
///
/// # Errors
///
/// The errors of `posix_fadvise(2)`.
pub fn without_readahead(file: impl AsFd) -> io::Result<()> {
    let file = file.as_fd().as_raw_fd();
    // SAFETY: the descriptor is open; a length of 0 means the whole file.
    match unsafe { libc::posix_fadvise(file, 0, 0, libc::POSIX_FADV_RANDOM) } {
        0 => Ok(()),
        error => Err(io::Error::from_raw_os_error(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::scratch::Scratch;
    use crate::sys::raw_code;
    use crate::sys::region::page_size;
    use crate::zero_copy::mmap::page_cache::evict;
    use std::fs::File;
    use std::os::unix::fs::FileExt;

    #[test]
    fn a_read_without_readahead_brings_in_what_it_asks_for() {
        let page = page_size() as u64;
        let scratch = Scratch::new().unwrap();
        let file = File::open(scratch.file("file", 64 * page_size()).unwrap()).unwrap();
        match cached_pages(&file, 0..64 * page) {
            Err(error) if raw_code(&error) == Some(libc::ENOSYS) => return println!("{error}"),
            cached => assert_eq!(cached.unwrap(), 64, "it has just been written"),
        }
        assert_eq!(cached_pages(&file, 0..0).unwrap(), 0);
        if let Err(error) = evict(&file) {
            return println!("not possible here: {error}");
        }
        assert_eq!(cached_pages(&file, 0..64 * page).unwrap(), 0);
        without_readahead(&file).unwrap();
        file.read_exact_at(&mut vec![0; 2 * page_size()], 8 * page).unwrap();
        assert_eq!(cached_pages(&file, 0..64 * page).unwrap(), 2);
        assert_eq!(cached_pages(&file, 8 * page..9 * page).unwrap(), 1);
        assert_eq!(cached_pages(&file, 10 * page..64 * page).unwrap(), 0);
    }
}

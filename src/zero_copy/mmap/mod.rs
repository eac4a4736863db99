//! Reading a file through the page cache's own pages instead of copies of them: `mmap(2)`.
//!
//! | item | provides |
//! | --- | --- |
//! | [`naive`] | the version that everyone writes first |
//! | [`Map`] | a mapping of a file that others may change; hands out its bytes as atomics |
//! | [`sealed::SealedMap`] | a mapping of a file that can no longer change; hands out `&[u8]` |
//! | [`variants`] | the ways of reading that the chapter compares |
//! | [`sum`] | a checksum, the work that they do with the bytes |
//! | [`page_cache`] | looks into the page cache, and takes files out of it |
//! | [`experiment`] | what the example measures with |
//!
//! The book's chapter: [mmap](../../../../zero-copy/mmap.html).
#![cfg(target_os = "linux")]

pub mod experiment;
pub mod naive;
pub mod page_cache;
pub mod sealed;
pub mod sum;
pub mod variants;

use crate::sys::{cvt, moved, unsupported};
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::atomic::{AtomicU8, AtomicU64};

// On 32-bit systems an atomic load of 8 bytes may be compiled to a write, which a read-only mapping
// does not allow.
static_assertions::assert_cfg!(target_pointer_width = "64", "`Map::words` is for 64-bit systems");

// ANCHOR: map
/// A read-only, shared mapping of the beginning of a file, unmapped on drop.
///
/// Other processes can still change the file, and with it the bytes under this map. So the bytes
/// are atomics, read by `Relaxed` loads, which are [allowed on read-only memory].
///
/// Truncating the file takes pages away, and **a load from a page beyond the new end kills the
/// process** with `SIGBUS`. That is safe in Rust's sense, like a stack overflow: no other memory is
/// touched. If you cannot accept it, map only files that no other program may write to, or use
/// [`SealedMap`](sealed::SealedMap).
///
/// [allowed on read-only memory]:
///     https://doc.rust-lang.org/std/sync/atomic/index.html#atomic-accesses-to-read-only-memory
#[derive(Debug)]
pub struct Map {
    /// Page-aligned and mapped for reading until `self` is dropped; aligned and dangling if
    /// `length` is 0.
    start: NonNull<u8>,
    length: usize,
}

// SAFETY: a mapping belongs to the process, not to a thread.
unsafe impl Send for Map {}
// SAFETY: the safe methods of `&self` only load from atomics and give advice, which any thread may
// do.
unsafe impl Sync for Map {}
// ANCHOR_END: map

impl Map {
    // ANCHOR: new
    /// Maps the first `length` bytes of `file`, in one system call that maps no page yet.
    ///
    /// The kernel does not check that the file is that long. Loads beyond its end kill the process.
    ///
    /// # Errors
    ///
    /// The errors of `mmap(2)`: `InvalidInput` for a length of 0, `ENODEV` for a directory or a
    /// pipe.
    pub fn new(file: impl AsFd, length: usize) -> io::Result<Self> {
        Self::part(file, 0, length)
    }

    /// Maps `length` bytes of `file` as [`new`](Self::new) does, from the byte `at` on.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new); `InvalidInput` also if `at` is no multiple of the page size.
    pub fn part(file: impl AsFd, at: u64, length: usize) -> io::Result<Self> {
        Self::with_flags(file, at, length, 0)
    }

    fn with_flags(file: impl AsFd, at: u64, length: usize, flags: libc::c_int) -> io::Result<Self> {
        let (fd, flags) = (file.as_fd().as_raw_fd(), libc::MAP_SHARED | flags);
        let at = libc::off_t::try_from(at).map_err(|_| io::ErrorKind::FileTooLarge)?;
        // SAFETY: a new mapping of an open descriptor, at an address that the kernel chooses.
        let start = unsafe { libc::mmap(ptr::null_mut(), length, libc::PROT_READ, flags, fd, at) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast())
            .expect("without MAP_FIXED the kernel never chooses address 0");
        Ok(Self { start, length })
    }
    // ANCHOR_END: new

    /// Maps as [`part`](Self::part) does, and has the kernel map every page before the call returns
    /// (`MAP_POPULATE`). The kernel does not report pages that it could not map.
    ///
    /// # Errors
    ///
    /// As [`part`](Self::part).
    pub fn populated(file: impl AsFd, at: u64, length: usize) -> io::Result<Self> {
        Self::with_flags(file, at, length, libc::MAP_POPULATE)
    }

    // ANCHOR: whole
    /// Maps the whole file at its current length. An empty file gives an empty map, without a
    /// system call.
    ///
    /// ```
    /// use perf_proved::zero_copy::mmap::Map;
    /// use std::sync::atomic::Ordering;
    ///
    /// let map = Map::whole(&std::fs::File::open("Cargo.toml")?)?;
    /// assert_eq!(map.bytes()[0].load(Ordering::Relaxed), b'[');
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `InvalidInput` unless `file` is a regular file; otherwise the errors of `statx(2)` and
    /// `mmap(2)`.
    pub fn whole(file: &File) -> io::Result<Self> {
        let about = file.metadata()?;
        if !about.is_file() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "only a regular file has a length to map",
            ));
        }
        match usize::try_from(about.len()) {
            Ok(0) => Ok(Self { start: NonNull::<AtomicU64>::dangling().cast(), length: 0 }),
            Ok(length) => Self::new(file, length),
            Err(_) => Err(io::ErrorKind::FileTooLarge.into()),
        }
    }
    // ANCHOR_END: whole

    // ANCHOR: bytes
    /// Returns the bytes. Each load sees the file as it is then.
    pub fn bytes(&self) -> &[AtomicU8] {
        // SAFETY: mapped until `self` is dropped. An `AtomicU8` may change at any time, and
        // its Relaxed loads may read from read-only memory.
        unsafe { slice::from_raw_parts(self.start.as_ptr().cast(), self.length) }
    }

    /// Returns the whole words of the same memory.
    pub fn words(&self) -> &[AtomicU64] {
        let count = self.length / size_of::<AtomicU64>();
        // SAFETY: as above; a mapping begins at a page, so its words are aligned. On 64-bit
        // systems, loads of 8 bytes may read from read-only memory too.
        unsafe { slice::from_raw_parts(self.start.as_ptr().cast(), count) }
    }

    /// Returns the bytes as a slice.
    ///
    /// # Safety
    ///
    /// While the slice lives, no process may change these bytes or truncate the file.
    pub unsafe fn as_slice(&self) -> &[u8] {
        // SAFETY: mapped until `self` is dropped; the caller promises that nothing changes.
        unsafe { slice::from_raw_parts(self.start.as_ptr(), self.length) }
    }
    // ANCHOR_END: bytes

    // ANCHOR: write_to
    /// Has the kernel write the bytes from `at` on to `to`, in one call, and returns the
    /// number of bytes written. Only the kernel reads them: if the file changes meanwhile,
    /// old and new bytes arrive mixed; if it was truncated, the call fails with `EFAULT`.
    ///
    /// # Errors
    ///
    /// The errors of `write(2)`, except `EINTR`.
    ///
    /// # Panics
    ///
    /// If `at` is beyond the end of the map.
    pub fn write_to(&self, to: impl AsFd, at: usize) -> io::Result<usize> {
        let rest = &self.bytes()[at..];
        loop {
            // SAFETY: an open descriptor, and addresses that are mapped. The kernel checks
            // that there is still a file behind them.
            match moved(unsafe {
                libc::write(to.as_fd().as_raw_fd(), rest.as_ptr().cast(), rest.len())
            }) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                written => return written,
            }
        }
    }
    // ANCHOR_END: write_to

    /// Advises the kernel, by `madvise(2)`: one system call, even for an empty map.
    ///
    /// # Errors
    ///
    /// The errors of `madvise(2)`: `InvalidInput` for advice that this kernel does not know.
    pub fn advise(&self, advice: Advice) -> io::Result<()> {
        let start = if self.length == 0 { ptr::null_mut() } else { self.start.as_ptr().cast() };
        // SAFETY: exactly this mapping, and no `Advice` changes what is read from it.
        cvt(unsafe { libc::madvise(start, self.length, advice as libc::c_int) }).map(drop)
    }

    // ANCHOR: huge
    /// Returns the number of bytes of this map that huge pages map at the moment, by
    /// `/proc/self/smaps`. (`MADV_HUGEPAGE` is advice, and succeeds even if there are none.)
    ///
    /// # Errors
    ///
    /// `Unsupported` if the kernel does not count them.
    pub fn huge_bytes(&self) -> io::Result<usize> {
        let head = format!("{:08x}-", self.start.addr());
        let smaps = fs::read_to_string("/proc/self/smaps")?;
        let kib = |key: &str| {
            let lines = smaps.lines().skip_while(|line| !line.starts_with(&head));
            let value = lines.filter_map(|line| line.strip_prefix(key)).next()?;
            value.trim().strip_suffix(" kB")?.parse::<usize>().ok()
        };
        match (kib("FilePmdMapped:"), kib("ShmemPmdMapped:")) {
            (Some(file), Some(memory)) => Ok((file + memory) << 10),
            _ => Err(unsupported("/proc/self/smaps does not count the huge pages of files here")),
        }
    }
    // ANCHOR_END: huge
}

impl Drop for Map {
    fn drop(&mut self) {
        if self.length > 0 {
            // SAFETY: exactly what was mapped, and nothing borrows it any longer.
            unsafe { libc::munmap(self.start.as_ptr().cast(), self.length) };
        }
    }
}

/// Advice for [`Map::advise`]. None of it changes what is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Advice {
    /// The program reads in order: read further ahead.
    Sequential = libc::MADV_SEQUENTIAL,
    /// The program reads in no order: read nothing ahead.
    Random = libc::MADV_RANDOM,
    /// The program reads soon: start reading now.
    WillNeed = libc::MADV_WILLNEED,
    /// Read and map every page before the call returns, or report why not (Linux 5.14).
    PopulateRead = libc::MADV_POPULATE_READ,
    /// Use huge pages, if the file system and the kernel have them.
    HugePage = libc::MADV_HUGEPAGE,
}

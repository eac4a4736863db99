//! Reading a file through the page cache's own pages instead of copies of them: `mmap(2)`.
//!
//! [`Map`] is a mapping of a file that others may change, and hands out its bytes as atomics.
//! [`sealed::SealedMap`] is one that nobody can change any more, and hands out `&[u8]`. [`reader`]
//! has the ways of reading that the chapter compares, [`sum`] what they do with the bytes,
//! [`cache`] looks into the page cache and empties it, and [`naive`] is the version that everybody
//! writes first.
#![cfg(target_os = "linux")]

pub mod cache;
pub mod naive;
pub mod reader;
pub mod sealed;
pub mod sum;

use crate::sys::{cvt, unsupported};
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::atomic::{AtomicU8, AtomicU64};

// On 32-bit systems an atomic load of 8 bytes may be done by a write, which a read-only map does
// not bear.
static_assertions::assert_cfg!(target_pointer_width = "64", "`Map::words` is for 64-bit systems");

// ANCHOR: map
/// A read-only, shared mapping of the beginning of a file, unmapped on drop.
///
/// The file stays everybody's. Who writes to it changes the bytes under this map, which is why they
/// come as atomics: loads with `Relaxed`, which are [allowed on memory that may only be
/// read](https://doc.rust-lang.org/std/sync/atomic/index.html#atomic-accesses-to-read-only-memory).
/// Who makes it shorter takes pages away, and **a load from a page beyond the new end kills the
/// process** by `SIGBUS`. That is safe in Rust's sense, as a stack overflow is: no memory is
/// touched that was not meant. Whether you can live with it is another question. Map files that
/// nobody else may write to, or use [`SealedMap`](sealed::SealedMap).
#[derive(Debug)]
pub struct Map {
    /// Page-aligned and mapped for reading until `self` is dropped; aligned and dangling if
    /// `length` is 0.
    start: NonNull<u8>,
    length: usize,
}

// SAFETY: the mapping belongs to the process, not to a thread.
unsafe impl Send for Map {}
// SAFETY: all that `&self` gives safely is loads from atomics and advice, which any thread may
// give.
unsafe impl Sync for Map {}
// ANCHOR_END: map

impl Map {
    // ANCHOR: new
    /// Maps the first `length` bytes of `file`. One system call; no page is there yet.
    ///
    /// The kernel does not ask whether the file is that long. Loads beyond its end kill, as above.
    ///
    /// # Errors
    ///
    /// What `mmap(2)` reports: `InvalidInput` for a length of 0, `ENODEV` for a directory or a
    /// pipe.
    pub fn new(file: impl AsFd, length: usize) -> io::Result<Self> {
        Self::with_flags(file, length, 0)
    }

    fn with_flags(file: impl AsFd, length: usize, flags: libc::c_int) -> io::Result<Self> {
        let (fd, flags) = (file.as_fd().as_raw_fd(), libc::MAP_SHARED | flags);
        // SAFETY: a new mapping at an address that the kernel chooses, of a descriptor that is
        // open.
        let start = unsafe { libc::mmap(ptr::null_mut(), length, libc::PROT_READ, flags, fd, 0) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast())
            .expect("without MAP_FIXED the kernel never chooses address 0");
        Ok(Self { start, length })
    }
    // ANCHOR_END: new

    /// As [`new`](Self::new), and has the kernel map every page before the call returns
    /// (`MAP_POPULATE`). It does not say if it could not.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn populated(file: impl AsFd, length: usize) -> io::Result<Self> {
        Self::with_flags(file, length, libc::MAP_POPULATE)
    }

    // ANCHOR: whole
    /// Maps a whole file, as long as it is now. An empty one gives an empty map, without a call.
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
    /// `InvalidInput` for what is no regular file; otherwise what `statx(2)` and `mmap(2)` report.
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
    /// The bytes, as they are at each load.
    pub fn bytes(&self) -> &[AtomicU8] {
        // SAFETY: mapped until `self` is dropped. An `AtomicU8` may change at any time, and its
        // Relaxed loads may read from memory that cannot be written.
        unsafe { slice::from_raw_parts(self.start.as_ptr().cast(), self.length) }
    }

    /// The same memory in words; the last bytes of a length that is no multiple of 8 are missing.
    pub fn words(&self) -> &[AtomicU64] {
        // SAFETY: as above; a mapping begins at a page, so its words are aligned. On the 64-bit
        // systems that this is built for, loads of 8 bytes too may read from memory that cannot be
        // written.
        unsafe {
            slice::from_raw_parts(self.start.as_ptr().cast(), self.length / size_of::<AtomicU64>())
        }
    }

    /// The bytes as a slice.
    ///
    /// # Safety
    ///
    /// While the slice lives, nobody changes these bytes of the file and nobody makes it shorter,
    /// in this process or another. Or the slice goes into a system call and nowhere else: the
    /// program then has no load of its own that could go wrong.
    pub unsafe fn as_slice(&self) -> &[u8] {
        // SAFETY: mapped for reading until `self` is dropped; that nothing changes is the caller's
        // promise.
        unsafe { slice::from_raw_parts(self.start.as_ptr(), self.length) }
    }
    // ANCHOR_END: bytes

    /// Tells the kernel what is coming, by `madvise(2)`. One system call, also for an empty map.
    ///
    /// # Errors
    ///
    /// What `madvise(2)` reports: `InvalidInput` for advice that this kernel does not know.
    pub fn advise(&self, advice: Advice) -> io::Result<()> {
        let start = if self.length == 0 { ptr::null_mut() } else { self.start.as_ptr().cast() };
        // SAFETY: exactly this mapping, and no advice of [`Advice`] changes what is read from it.
        cvt(unsafe { libc::madvise(start, self.length, advice as libc::c_int) }).map(drop)
    }

    // ANCHOR: huge
    /// How many bytes of this map are mapped by huge pages at this moment, by `/proc/self/smaps`:
    /// `MADV_HUGEPAGE` is advice, and succeeds also where there are none.
    ///
    /// # Errors
    ///
    /// `Unsupported` where the kernel does not count them.
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
            // SAFETY: exactly what was mapped, and nothing borrows it any more.
            unsafe { libc::munmap(self.start.as_ptr().cast(), self.length) };
        }
    }
}

/// What [`Map::advise`] can say. None of it changes what is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Advice {
    /// In order: read further ahead.
    Sequential = libc::MADV_SEQUENTIAL,
    /// In no order: read nothing ahead.
    Random = libc::MADV_RANDOM,
    /// Soon: begin to read now.
    WillNeed = libc::MADV_WILLNEED,
    /// Now: read and map every page before the call returns, or say why not (Linux 5.14).
    PopulateRead = libc::MADV_POPULATE_READ,
    /// In huge pages, where the file system and the kernel have them.
    HugePage = libc::MADV_HUGEPAGE,
}

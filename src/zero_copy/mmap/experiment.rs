//! The experiments of the example, and what the tests share with them.

use super::variants::{BUFFER, Variant};
use super::{Advice, Map, naive, page_cache, sum};
use crate::harness::child::{End, end_of};
use crate::harness::scratch::{Scratch, pattern};
use crate::proof::usage::{self, Usage, tlb_shootdowns};
use crate::sys::region::HUGE_PAGE;
use crate::sys::{cores, raw_code, trying, unsupported};
use std::fs::{self, File, OpenOptions};
use std::hint::black_box;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::Ordering;

/// The size of the blocks that are read here and there.
const BLOCK: usize = 4096;

/// A file of its own, removed on drop.
pub struct Temporary {
    file: File,
    length: usize,
    _scratch: Scratch,
}

impl Temporary {
    /// Writes `length` bytes, a buffer at a time, which decides how the page cache holds them.
    ///
    /// # Errors
    ///
    /// As [`Scratch::file_in_pieces`].
    pub fn in_pieces(length: usize) -> io::Result<Self> {
        let scratch = Scratch::new()?;
        let file = File::open(scratch.file_in_pieces("file", length, BUFFER)?)?;
        Ok(Self { file, length, _scratch: scratch })
    }

    /// Writes `length` bytes by a single call.
    ///
    /// # Errors
    ///
    /// As [`Scratch::file`].
    pub fn at_once(length: usize) -> io::Result<Self> {
        let scratch = Scratch::new()?;
        let file = File::open(scratch.file("file", length)?)?;
        Ok(Self { file, length, _scratch: scratch })
    }

    /// Returns the sum that `variant` finds.
    ///
    /// # Errors
    ///
    /// As [`Variant::sum`].
    pub fn sum(&self, variant: &mut Variant) -> io::Result<u64> {
        variant.sum(&self.file, self.length)
    }

    /// Counts the page faults of reading the whole file by `variant`.
    ///
    /// # Errors
    ///
    /// The errors of [`Variant::sum`] and of `getrusage(2)`.
    pub fn faults(&self, variant: &mut Variant) -> io::Result<Usage> {
        usage::count(|| self.sum(variant)).map(|(_, used)| used)
    }

    /// Counts the minor page faults of reading alone, after the variant has created its map.
    ///
    /// # Errors
    ///
    /// The errors of [`Variant::map`] and of `getrusage(2)`.
    pub fn faults_of_reading(&self, variant: &mut Variant) -> io::Result<u64> {
        let used = match variant.map(&self.file, 0, self.length)? {
            Some(map) => usage::count(|| Ok(black_box(sum::of_map(&map))))?.1,
            None => self.faults(variant)?,
        };
        Ok(used.minor_faults)
    }

    /// Takes the file out of the page cache and counts the page faults of reading it, and the huge
    /// pages that map it when it is read again.
    ///
    /// # Errors
    ///
    /// `Unsupported` if the file stays in memory, or if it gets no huge pages although `variant`
    /// asks for them.
    pub fn cold_faults(&self, variant: &mut Variant) -> io::Result<(Usage, usize)> {
        page_cache::evict(&self.file)?;
        let used = self.faults(variant)?;
        let Some(map) = variant.map(&self.file, 0, self.length)? else { return Ok((used, 0)) };
        black_box(sum::of_map(&map));
        match map.huge_bytes()? / HUGE_PAGE {
            0 if matches!(variant, Variant::Map(Some(Advice::HugePage))) => {
                Err(unsupported("the kernel gives this file no huge pages"))
            }
            pages => Ok((used, pages)),
        }
    }

    /// Maps the whole file.
    ///
    /// # Errors
    ///
    /// The errors of `mmap(2)`.
    pub fn map(&self) -> io::Result<Map> {
        trying(format_args!("mapping {} bytes", self.length), Map::new(&self.file, self.length))
    }

    /// Reads 1,024 blocks here and there in the file into `block`, one after another.
    ///
    /// # Errors
    ///
    /// The errors of `pread(2)`.
    pub fn read_blocks(&self, block: &mut [u8; BLOCK]) -> io::Result<()> {
        let block = &mut block[..BLOCK.min(self.length)];
        trying("pread", self.offsets().try_for_each(|at| self.file.read_exact_at(block, at as u64)))
    }

    /// Loads the first byte of each of the same blocks from `map`, and returns their sum.
    pub fn touch_blocks(&self, map: &Map) -> u64 {
        // Relaxed: bytes of a file, which order nothing.
        let loaded = self.offsets().map(|at| map.bytes()[at].load(Ordering::Relaxed));
        black_box(loaded.map(u64::from).sum())
    }

    fn offsets(&self) -> impl Iterator<Item = usize> {
        let blocks = (self.length / BLOCK).max(1);
        (0..1024).map(move |number| number * 7919 % blocks * BLOCK)
    }
}

/// Two cores and a file to map and unmap on one of them, or the reason why there are none.
pub struct Unmapping(io::Result<(usize, usize, Temporary)>);

impl Unmapping {
    /// Writes a file of `length` bytes, and picks the cores.
    pub fn new(length: usize) -> Self {
        let one = || unsupported("this process may use one core only");
        Self((|| {
            let (here, there) = cores::pair()?.ok_or_else(one)?;
            Ok((here, there, Temporary::at_once(length)?))
        })())
    }

    /// Maps the file, touches it and unmaps it 1,000 times, pinned to the first core, and counts
    /// the TLB shootdowns of the whole machine meanwhile. If `beside`, another thread of this
    /// process keeps the second core busy. The calling thread stays pinned.
    ///
    /// # Errors
    ///
    /// `Unsupported` if this process may use one core only, or if the kernel does not count
    /// shootdowns; otherwise the errors of the file, of pinning and of `mmap(2)`.
    pub fn shootdowns(&self, beside: bool) -> io::Result<u64> {
        let same = |error: &io::Error| io::Error::new(error.kind(), error.to_string());
        let (here, there, file) = self.0.as_ref().map_err(same)?;
        cores::pin(*here)?;
        let count = || {
            let before = tlb_shootdowns()?;
            for _ in 0..1000 {
                file.map()?.bytes()[0].load(Ordering::Relaxed); // for its page fault alone
            }
            Ok(tlb_shootdowns()? - before)
        };
        if beside { cores::beside(*there, count)? } else { count() }
    }
}

/// A file that was truncated under its map.
pub struct Truncated {
    file: File,
    map: Map,
    _scratch: Scratch,
}

impl Truncated {
    /// Writes a file, maps it, and truncates it.
    ///
    /// # Errors
    ///
    /// The errors of writing and mapping it.
    pub fn new() -> io::Result<Self> {
        let scratch = Scratch::new()?;
        let path = scratch.file("truncated", BUFFER)?;
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        let map = Map::whole(&file)?;
        file.set_len(0)?;
        Ok(Self { file, map, _scratch: scratch })
    }

    /// Loads the first byte in a child process, and returns the signal that killed it, or 0.
    ///
    /// # Errors
    ///
    /// The errors of `fork(2)` and `waitpid(2)`.
    pub fn signal_of_load(&self) -> io::Result<u64> {
        signal_of_load(&self.map, 0).map(|signal| signal as u64)
    }

    /// Passes the map to `write`, and returns the error number of that call, or 0.
    ///
    /// # Errors
    ///
    /// If there is no pipe to write to.
    pub fn errno_of_write(&self) -> io::Result<u64> {
        let (_reader, pipe) = trying("pipe", io::pipe())?;
        Ok(errno(self.map.write_to(pipe, 0)))
    }

    /// Reads the first byte by `pread`, and returns the number of bytes read.
    ///
    /// # Errors
    ///
    /// The errors of `pread(2)`.
    pub fn read(&self) -> io::Result<usize> {
        trying("pread", self.file.read_at(&mut [0; 1], 0))
    }
}

/// Loads the byte at `at` in a child process, and returns the signal that killed it, or 0.
///
/// # Errors
///
/// The errors of `fork(2)` and `waitpid(2)`.
pub fn signal_of_load(map: &Map, at: usize) -> io::Result<i32> {
    // SAFETY: one load, and no call.
    let end = unsafe { end_of(|| i32::from(map.bytes()[at].load(Ordering::Relaxed))) };
    Ok(if let End::Signal(signal) = trying("fork", end)? { signal } else { 0 })
}

/// Counts the mappings of the file at `path` in this process.
///
/// # Errors
///
/// If `/proc/self/maps` cannot be read.
pub fn maps_of(path: &Path) -> io::Result<usize> {
    let maps = trying("/proc/self/maps", fs::read_to_string("/proc/self/maps"))?;
    Ok(maps.lines().filter(|line| line.ends_with(&*path.to_string_lossy())).count())
}

/// Returns the error number of the naive version for an empty file.
///
/// # Errors
///
/// If the file cannot be written.
pub fn naive_errno_of_empty() -> io::Result<u64> {
    let scratch = Scratch::new()?;
    Ok(errno(naive::count_lines(&scratch.file("empty", 0)?)))
}

/// Returns the error number of the naive version for a directory.
///
/// # Errors
///
/// If the directory cannot be created.
pub fn naive_errno_of_directory() -> io::Result<u64> {
    Ok(errno(naive::count_lines(Scratch::new()?.path())))
}

/// Gives the naive version a file that is not text, `times` times, and returns how often it refused
/// the file, and how often the file is still mapped.
///
/// # Errors
///
/// If the file cannot be written, or `/proc/self/maps` cannot be read.
pub fn naive_maps_left(times: usize) -> io::Result<(usize, usize)> {
    let scratch = Scratch::new()?;
    let binary = scratch.file("binary", BUFFER)?;
    let refused = (0..times).filter(|_| naive::count_lines(&binary).is_err()).count();
    Ok((refused, maps_of(&binary)?))
}

/// Returns the sum that every variant must find in a file of `length` bytes.
pub fn expected(length: usize) -> u64 {
    sum::of_bytes(&pattern(length))
}

/// Returns the error number of `result`, or 0 if it has none.
pub fn errno<T>(result: io::Result<T>) -> u64 {
    result.err().and_then(|error| raw_code(&error)).unwrap_or(0) as u64
}

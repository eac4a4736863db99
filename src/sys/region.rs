//! Memory with a known page size: ordinary pages, or huge pages that the kernel really gave.

use super::error::unsupported;
use std::io;
use std::time::{Duration, Instant};

/// The kind of pages in a [`Region`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pages {
    /// The system's ordinary pages: 4 KiB on x86-64, up to 64 KiB elsewhere.
    Small,
    /// Transparent huge pages of 2 MiB (Linux, `Documentation/admin-guide/mm/transhuge.rst`).
    Huge,
}

/// The size of a huge page.
pub const HUGE_PAGE: usize = 2 << 20;

/// Zeroed memory in a mapping of its own, aligned to a huge page and unmapped on drop.
pub struct Region {
    start: *mut u8,
    bytes: usize,
    pages: Pages,
    mapping: Mapping,
}

impl Region {
    /// Maps memory and touches every page; verifies huge pages.
    ///
    /// # Errors
    ///
    /// See [`untouched`](Self::untouched) and [`verify`](Self::verify).
    pub fn new(bytes: usize, pages: Pages) -> io::Result<Self> {
        let mut region = Self::untouched(bytes, pages)?;
        region.touch();
        region.verify()?;
        Ok(region)
    }

    /// Reserves addresses only: on Linux, the kernel provides a page when it is first touched.
    ///
    /// # Errors
    ///
    /// `Unsupported` for huge pages outside Linux and if the kernel has none; otherwise the errors
    /// of `mmap(2)`.
    pub fn untouched(bytes: usize, pages: Pages) -> io::Result<Self> {
        let mapping = Mapping::new(bytes.next_multiple_of(HUGE_PAGE), pages)?;
        Ok(Self { start: mapping.start(), bytes, pages, mapping })
    }

    /// Overwrites one byte of each page and returns the time that took.
    pub fn touch(&mut self) -> Duration {
        let (end, page) = (self.touched_bytes(), page_size());
        let start = Instant::now();
        for offset in (0..end).step_by(page) {
            // SAFETY: `offset` lies inside the mapping, which is ours to write.
            unsafe { self.start.add(offset).write_volatile(0) };
        }
        start.elapsed()
    }

    /// Returns the number of ordinary pages that [`touch`](Self::touch) touches, even if the pages
    /// are huge.
    pub fn touched_pages(&self) -> u64 {
        self.touched_bytes().div_ceil(page_size()) as u64
    }

    /// Returns the number of bytes to touch. Huge pages are used whole, so that all of them can be
    /// verified.
    fn touched_bytes(&self) -> usize {
        match self.pages {
            Pages::Small => self.bytes,
            Pages::Huge => self.bytes.next_multiple_of(HUGE_PAGE),
        }
    }

    /// Checks in `/proc/self/smaps` that the kernel gave the pages that were asked for:
    /// `madvise(2)` is only advice and succeeds even if no huge page is free.
    ///
    /// # Errors
    ///
    /// `Unsupported`, with the pages that the kernel gave instead.
    pub fn verify(&self) -> io::Result<()> {
        let (given, wanted) = match self.pages {
            Pages::Small => (self.mapping.huge_bytes()?, 0),
            Pages::Huge => (self.mapping.huge_bytes()?, self.touched_bytes()),
        };
        if given == wanted {
            return Ok(());
        }
        Err(unsupported(&format!(
            "the kernel gave {} of {} KiB in huge pages",
            given >> 10,
            wanted >> 10
        )))
    }

    /// Returns the address of the first byte. The next [`bytes`](Self::bytes) bytes may be read and
    /// written while `self` lives.
    pub fn start(&self) -> *mut u8 {
        self.start
    }

    /// Returns the size that was asked for, in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

/// Returns the size of an ordinary page.
pub fn page_size() -> usize {
    #[cfg(unix)]
    // SAFETY: asks for a constant of the system.
    return usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096);
    #[cfg(not(unix))]
    4096
}

#[cfg(target_os = "linux")]
use linux::Mapping;

#[cfg(target_os = "linux")]
mod linux {
    use super::super::error::cvt;
    use super::super::error::{trying, unsupported};
    use super::{HUGE_PAGE, Pages};
    use std::{fs, io, ptr};

    /// A range of reserved addresses, of which the middle is usable.
    pub(super) struct Mapping {
        reserved: *mut u8,
        start: *mut u8,
        bytes: usize,
    }

    impl Mapping {
        // ANCHOR: map
        /// Maps `bytes` bytes, a multiple of a huge page.
        pub(super) fn new(bytes: usize, pages: Pages) -> io::Result<Self> {
            let advice = match pages {
                Pages::Small => libc::MADV_NOHUGEPAGE,
                Pages::Huge => libc::MADV_HUGEPAGE,
            };
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
            // Two huge pages more than needed, without access: one to align, and a rest on both
            // sides, so that the kernel cannot merge the mapping with a neighbor and count the
            // neighbor's huge pages as ours.
            // SAFETY: a fresh mapping at an address that the kernel chooses.
            let reserved = unsafe {
                libc::mmap(ptr::null_mut(), bytes + 2 * HUGE_PAGE, libc::PROT_NONE, flags, -1, 0)
            };
            if reserved == libc::MAP_FAILED {
                return trying(
                    format_args!("mapping {bytes} bytes"),
                    Err(io::Error::last_os_error()),
                );
            }
            let gap = HUGE_PAGE - reserved.addr() % HUGE_PAGE;
            let mapping = Self {
                reserved: reserved.cast(),
                start: reserved.cast::<u8>().wrapping_add(gap),
                bytes,
            };
            // SAFETY: inside what was reserved above: `gap` is at most one huge page.
            cvt(unsafe {
                libc::mprotect(mapping.start.cast(), bytes, libc::PROT_READ | libc::PROT_WRITE)
            })?;
            // SAFETY: the same range; advice about page sizes changes no content.
            let advised = cvt(unsafe { libc::madvise(mapping.start.cast(), bytes, advice) });
            // ANCHOR_END: map
            match (advised, pages) {
                (Err(error), Pages::Huge) => Err(unsupported(&format!(
                    "this kernel has no transparent huge pages (madvise: {error})"
                ))),
                // A kernel without huge pages refuses the advice not to use them, and does not need
                // it.
                _ => Ok(mapping),
            }
        }

        pub(super) fn start(&self) -> *mut u8 {
            self.start
        }

        // ANCHOR: verify
        /// Returns the bytes of this mapping that are in huge pages, from `/proc/self/smaps`.
        pub(super) fn huge_bytes(&self) -> io::Result<usize> {
            let smaps = trying("reading /proc/self/smaps", fs::read_to_string("/proc/self/smaps"))?;
            let head = format!("{:08x}-", self.start.addr());
            let kib = smaps
                .lines()
                .skip_while(|line| !line.starts_with(&head))
                .find_map(|line| line.strip_prefix("AnonHugePages:"))
                .and_then(|rest| rest.trim().strip_suffix(" kB")?.parse::<usize>().ok());
            kib.map(|kib| kib << 10)
                .ok_or_else(|| unsupported("/proc/self/smaps does not count huge pages here"))
        }
        // ANCHOR_END: verify
    }

    impl Drop for Mapping {
        fn drop(&mut self) {
            // SAFETY: exactly what `new` reserved, and every use of it borrowed the region.
            unsafe { libc::munmap(self.reserved.cast(), self.bytes + 2 * HUGE_PAGE) };
        }
    }
}

#[cfg(not(target_os = "linux"))]
use portable::Mapping;

#[cfg(not(target_os = "linux"))]
mod portable {
    use super::super::error::{trying, unsupported};
    use super::{HUGE_PAGE, Pages};
    use std::alloc::{Layout, alloc_zeroed, dealloc};
    use std::io;

    /// Memory from the allocator, in whatever pages.
    pub(super) struct Mapping {
        start: *mut u8,
        layout: Layout,
    }

    impl Mapping {
        pub(super) fn new(bytes: usize, pages: Pages) -> io::Result<Self> {
            if pages == Pages::Huge {
                return Err(unsupported("this book asks for huge pages on Linux only"));
            }
            let layout = Layout::from_size_align(bytes.max(HUGE_PAGE), HUGE_PAGE)
                .map_err(io::Error::other)?;
            // SAFETY: the size is not zero.
            let start = unsafe { alloc_zeroed(layout) };
            if start.is_null() {
                return trying(
                    &format!("allocating {bytes} bytes"),
                    Err(io::ErrorKind::OutOfMemory.into()),
                );
            }
            Ok(Self { start, layout })
        }

        pub(super) fn start(&self) -> *mut u8 {
            self.start
        }

        pub(super) fn huge_bytes(&self) -> io::Result<usize> {
            Ok(0)
        }
    }

    impl Drop for Mapping {
        fn drop(&mut self) {
            // SAFETY: allocated by `new` with this layout.
            unsafe { dealloc(self.start, self.layout) };
        }
    }
}

//! Memory whose page size is known: 4 KiB pages, or huge pages that were really given.

use super::error::unsupported;
use std::io;
use std::time::{Duration, Instant};

/// Which pages a [`Region`] is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pages {
    /// The system's ordinary pages: 4 KiB on x86-64, up to 64 KiB elsewhere.
    Small,
    /// Transparent huge pages of 2 MiB (Linux, `Documentation/admin-guide/mm/transhuge.rst`).
    Huge,
}

/// How large a huge page is.
pub const HUGE_PAGE: usize = 2 << 20;

/// Zeroed memory of its own, aligned to a huge page and given back on drop.
pub struct Region {
    start: *mut u8,
    bytes: usize,
    pages: Pages,
    mapping: Mapping,
}

impl Region {
    /// Memory that is there: every page touched, huge pages verified.
    ///
    /// # Errors
    ///
    /// As [`untouched`](Self::untouched) and [`verify`](Self::verify).
    pub fn new(bytes: usize, pages: Pages) -> io::Result<Self> {
        let mut region = Self::untouched(bytes, pages)?;
        region.touch();
        region.verify()?;
        Ok(region)
    }

    /// Addresses only: on Linux, the kernel finds a page when it is first touched.
    ///
    /// # Errors
    ///
    /// `Unsupported` for huge pages outside Linux and where the kernel has none; otherwise what
    /// `mmap(2)` reports.
    pub fn untouched(bytes: usize, pages: Pages) -> io::Result<Self> {
        let mapping = Mapping::new(bytes.next_multiple_of(HUGE_PAGE), pages)?;
        Ok(Self { start: mapping.start(), bytes, pages, mapping })
    }

    /// Writes one byte to each page and returns how long that took. What stood in those bytes is
    /// lost.
    pub fn touch(&mut self) -> Duration {
        let (end, page) = (self.touched_bytes(), page_size());
        let start = Instant::now();
        for offset in (0..end).step_by(page) {
            // SAFETY: `offset` lies inside the mapping, which is ours to write.
            unsafe { self.start.add(offset).write_volatile(0) };
        }
        start.elapsed()
    }

    /// How many pages [`touch`](Self::touch) touches, counted in ordinary pages also where they are
    /// huge.
    pub fn touched_pages(&self) -> u64 {
        self.touched_bytes().div_ceil(page_size()) as u64
    }

    /// Huge pages are used whole, so that all of them can be verified.
    fn touched_bytes(&self) -> usize {
        match self.pages {
            Pages::Small => self.bytes,
            Pages::Huge => self.bytes.next_multiple_of(HUGE_PAGE),
        }
    }

    /// Whether the kernel gave the pages that were asked for. `madvise` is advice: it succeeds also
    /// where no huge page is free, so `/proc/self/smaps` has to say it.
    ///
    /// # Errors
    ///
    /// `Unsupported`, with what was given instead.
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

    /// The first byte; everything up to [`bytes`](Self::bytes) behind it may be read and written
    /// while `self` lives.
    pub fn start(&self) -> *mut u8 {
        self.start
    }

    /// How many bytes were asked for.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

/// The size of an ordinary page.
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

    /// Reserved addresses, with the usable part in the middle.
    pub(super) struct Mapping {
        reserved: *mut u8,
        start: *mut u8,
        bytes: usize,
    }

    impl Mapping {
        // ANCHOR: map
        /// `bytes` is a multiple of a huge page.
        pub(super) fn new(bytes: usize, pages: Pages) -> io::Result<Self> {
            let advice = match pages {
                Pages::Small => libc::MADV_NOHUGEPAGE,
                Pages::Huge => libc::MADV_HUGEPAGE,
            };
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
            // Two huge pages more than needed, without access: one to align, and a rest on both
            // sides, so that the kernel cannot merge the mapping with a neighbor and count the
            // neighbor's huge pages as ours. SAFETY: a fresh mapping at an address that the kernel
            // chooses.
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
                // Without huge pages in the kernel, the advice not to use them is refused and not
                // needed.
                _ => Ok(mapping),
            }
        }

        pub(super) fn start(&self) -> *mut u8 {
            self.start
        }

        // ANCHOR: verify
        /// Bytes of this mapping that lie in huge pages, by `/proc/self/smaps`.
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
            // SAFETY: exactly what `new` reserved; whoever used it borrowed the region.
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

    /// Memory of the allocator, whatever pages it is in.
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

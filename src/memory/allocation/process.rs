//! What a process may have, and what its allocator gives back: thin wrappers.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Limits the address space of this process to so many bytes (`RLIMIT_AS` of
/// [`setrlimit(2)`](https://man7.org/linux/man-pages/man2/setrlimit.2.html)): whatever is mapped,
/// be it resident or not. What is mapped already stays.
///
/// # Errors
///
/// `Unsupported` outside Linux; otherwise what `setrlimit(2)` reports.
pub fn limit_address_space(bytes: u64) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        let limit = libc::rlimit { rlim_cur: bytes, rlim_max: bytes };
        // SAFETY: `limit` is a live `rlimit`, which the call reads.
        crate::sys::cvt(unsafe { libc::setrlimit(libc::RLIMIT_AS, &raw const limit) }).map(drop)
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = bytes;
        Err(crate::sys::unsupported("this book limits a process on Linux only"))
    }
}

/// Gives the whole pages that are free inside the heap back to the kernel, and says whether there
/// were any ([`malloc_trim(3)`](https://man7.org/linux/man-pages/man3/malloc_trim.3.html)).
///
/// # Errors
///
/// `Unsupported` with another C library than GNU's.
pub fn trim() -> io::Result<bool> {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: takes an integer, and locks the heap by itself.
    return Ok(unsafe { libc::malloc_trim(0) } == 1);
    #[cfg(not(all(target_os = "linux", target_env = "gnu")))]
    Err(crate::sys::unsupported("only the GNU C library has malloc_trim"))
}

/// From how many bytes on a block is mapped by itself, for the whole process and for good
/// (`M_MMAP_THRESHOLD` of [`mallopt(3)`](https://man7.org/linux/man-pages/man3/mallopt.3.html)).
/// This also ends its adapting by itself.
///
/// # Errors
///
/// `Unsupported` with another C library than GNU's; `InvalidInput` for a size that it refuses.
pub fn map_from(bytes: i32) -> io::Result<()> {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: takes integers, and locks the heap by itself.
    return match unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, bytes) } {
        1 => Ok(()),
        _ => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("mapping from {bytes} bytes on"),
        )),
    };
    #[cfg(not(all(target_os = "linux", target_env = "gnu")))]
    {
        let _ = bytes;
        Err(crate::sys::unsupported("only the GNU C library has mallopt"))
    }
}

/// A [control group](https://docs.kernel.org/admin-guide/cgroup-v2.html) with a limit of memory,
/// for processes that [`join`](Self::join) it. It is removed when this is dropped, which only works
/// once they have ended.
#[derive(Debug)]
pub struct Group {
    folder: PathBuf,
    members: File,
}

impl Group {
    /// A group below the root of the hierarchy, of version 2 or 1, that may have so many bytes and
    /// no swap.
    ///
    /// # Errors
    ///
    /// What making the group or writing to it reports, with the path: as a rule, only root may, and
    /// many containers may not.
    pub fn new(bytes: u64) -> io::Result<Self> {
        let root = Path::new("/sys/fs/cgroup");
        let (root, limit, swap, swapped) = if root.join("cgroup.controllers").exists() {
            (root.to_owned(), "memory.max", "memory.swap.max", 0)
        } else {
            // Memory and swap together.
            (root.join("memory"), "memory.limit_in_bytes", "memory.memsw.limit_in_bytes", bytes)
        };
        let folder = root.join(format!("perf-proved-{}", std::process::id()));
        let named = |path: &Path| {
            let path = path.display().to_string();
            move |error: io::Error| io::Error::new(error.kind(), format!("{path}: {error}"))
        };
        fs::create_dir(&folder).map_err(named(&folder))?;
        let procs = folder.join("cgroup.procs");
        let members = match OpenOptions::new().write(true).open(&procs).map_err(named(&procs)) {
            Ok(members) => members,
            Err(error) => {
                fs::remove_dir(&folder).map_err(named(&folder))?;
                return Err(error);
            }
        };
        let group = Self { folder, members };
        let write = |file: &str, bytes: u64| {
            let path = group.folder.join(file);
            fs::write(&path, bytes.to_string()).map_err(named(&path))
        };
        write(limit, bytes)?;
        // A kernel that does not count swap has no such file.
        if group.folder.join(swap).exists() {
            write(swap, swapped)?;
        }
        Ok(group)
    }

    /// Moves the calling process into the group. Makes one system call and allocates nothing, so a
    /// process that was just forked may call it.
    ///
    /// # Errors
    ///
    /// What writing to `cgroup.procs` reports.
    pub fn join(&self) -> io::Result<()> {
        (&self.members).write_all(b"0") // whoever writes
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // A group with somebody in it stays, empty of everything else, under a name that says whose
        // it is.
        let _ = fs::remove_dir(&self.folder);
    }
}

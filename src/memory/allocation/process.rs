//! Limits of a process and knobs of its allocator: thin wrappers.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Limits the address space of this process to `bytes` bytes (`RLIMIT_AS` of
/// [`setrlimit(2)`](https://man7.org/linux/man-pages/man2/setrlimit.2.html)). Everything that is
/// mapped counts, resident or not. Existing mappings stay.
///
/// # Errors
///
/// `Unsupported` outside Linux; otherwise the errors of `setrlimit(2)`.
pub fn limit_address_space(bytes: u64) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        let limit = libc::rlimit { rlim_cur: bytes, rlim_max: bytes };
        // SAFETY: `limit` is a live `rlimit`, which the call reads.
        let set = crate::sys::cvt(unsafe { libc::setrlimit(libc::RLIMIT_AS, &raw const limit) });
        crate::sys::trying("setrlimit(RLIMIT_AS)", set).map(drop)
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = bytes;
        Err(crate::sys::unsupported("this book limits a process on Linux only"))
    }
}

/// Returns whole free pages inside the heap to the kernel
/// ([`malloc_trim(3)`](https://man7.org/linux/man-pages/man3/malloc_trim.3.html)). Returns `true`
/// if there were any.
///
/// # Errors
///
/// `Unsupported` with any C library but GNU's.
pub fn trim() -> io::Result<bool> {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: takes an integer and locks the heap itself.
    return Ok(unsafe { libc::malloc_trim(0) } == 1);
    #[cfg(not(all(target_os = "linux", target_env = "gnu")))]
    Err(crate::sys::unsupported("only the GNU C library has malloc_trim"))
}

/// Sets the size from which a block gets a mapping of its own, for the whole process and for good
/// (`M_MMAP_THRESHOLD` of [`mallopt(3)`](https://man7.org/linux/man-pages/man3/mallopt.3.html)).
/// The threshold then no longer adapts.
///
/// # Errors
///
/// `Unsupported` with any C library but GNU's; `InvalidInput` for a size that it refuses.
pub fn map_from(bytes: i32) -> io::Result<()> {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    return option("M_MMAP_THRESHOLD", libc::M_MMAP_THRESHOLD, bytes);
    #[cfg(not(all(target_os = "linux", target_env = "gnu")))]
    {
        let _ = bytes;
        Err(crate::sys::unsupported("only the GNU C library has mallopt"))
    }
}

/// Limits the number of arenas, of which a thread otherwise gets one of its own, for the whole
/// process (`M_ARENA_MAX`).
///
/// # Errors
///
/// As [`map_from`].
pub fn limit_arenas(arenas: i32) -> io::Result<()> {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    return option("M_ARENA_MAX", libc::M_ARENA_MAX, arenas);
    #[cfg(not(all(target_os = "linux", target_env = "gnu")))]
    {
        let _ = arenas;
        Err(crate::sys::unsupported("only the GNU C library has mallopt"))
    }
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn option(name: &str, option: libc::c_int, value: i32) -> io::Result<()> {
    // SAFETY: takes integers and locks the heap itself.
    match unsafe { libc::mallopt(option, value) } {
        1 => Ok(()),
        _ => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("mallopt({name}, {value}) is refused"),
        )),
    }
}

/// A [control group](https://docs.kernel.org/admin-guide/cgroup-v2.html) with a memory limit, for
/// processes that [`join`](Self::join) it. Dropping this removes the group, which fails while a
/// process is in it.
#[derive(Debug)]
pub struct Group {
    folder: PathBuf,
    members: File,
}

impl Group {
    /// Creates a group below the root of the hierarchy, of version 2 or 1, with a limit of `bytes`
    /// bytes and no swap.
    ///
    /// # Errors
    ///
    /// The errors of creating and writing its files, with the path. Usually only root may, and not
    /// in many containers.
    pub fn new(bytes: u64) -> io::Result<Self> {
        let root = Path::new("/sys/fs/cgroup");
        let (root, limit, swap, swapped) = if root.join("cgroup.controllers").exists() {
            (root.to_owned(), "memory.max", "memory.swap.max", 0)
        } else {
            // In version 1 this limit is on memory and swap together.
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
        // A kernel that does not account for swap has no such file.
        if group.folder.join(swap).exists() {
            write(swap, swapped)?;
        }
        Ok(group)
    }

    /// Moves the calling process into the group. Makes one system call and does not allocate, so a
    /// forked child may call it.
    ///
    /// # Errors
    ///
    /// The errors of writing to `cgroup.procs`.
    pub fn join(&self) -> io::Result<()> {
        (&self.members).write_all(b"0") // 0 is the writing process
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // A group with a process in it stays, under a name that tells which program created it.
        let _ = fs::remove_dir(&self.folder);
    }
}

//! From the target of a request to an open file beneath the root, with the kernel as the one who
//! resolves.

use std::ffi::CString;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// A directory, held open, and the only way into it.
pub struct Root(File);

impl Root {
    /// Opens the directory, and asks the kernel once whether it can resolve beneath it
    /// (`openat2(2)`, Linux 5.6).
    ///
    /// # Errors
    ///
    /// What the kernel reports about the directory. `Unsupported` where `openat2` does not exist or
    /// a sandbox forbids it: there is no other way to resolve a path safely here, so there is no
    /// fallback.
    pub fn open(directory: &Path) -> io::Result<Self> {
        let said = |error: io::Error| {
            io::Error::new(
                error.kind(),
                format!("opening the root {}: {error}", directory.display()),
            )
        };
        let flags = libc::O_PATH | libc::O_DIRECTORY;
        let root =
            Self(OpenOptions::new().read(true).custom_flags(flags).open(directory).map_err(said)?);
        match root.file(b".") {
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EPERM)) => {
                Err(io::Error::new(
                    io::ErrorKind::Unsupported,
                    format!("openat2, which keeps paths beneath the root: {error}"),
                ))
            }
            other => other.map(|_| root).map_err(said),
        }
    }

    /// Opens a file or directory for reading. Symbolic links are followed while they stay beneath
    /// the root; a path or link that leads out, an absolute one included, fails with `EXDEV`. So do
    /// the links in `/proc` that jump anywhere, with `ELOOP`.
    ///
    /// # Errors
    ///
    /// What `openat2(2)` reports.
    // ANCHOR: beneath
    pub fn file(&self, path: &[u8]) -> io::Result<File> {
        let path = CString::new(path)?;
        // SAFETY: all-zero bytes are a valid `open_how`, a struct of integers.
        let mut how: libc::open_how = unsafe { std::mem::zeroed() };
        // NONBLOCK: a FIFO must not hold us until somebody writes. NOCTTY: a terminal must not
        // become ours.
        how.flags = (libc::O_RDONLY | libc::O_CLOEXEC | libc::O_NONBLOCK | libc::O_NOCTTY) as u64;
        // BENEATH refuses magic links too, for now: openat2(2) says that this may change.
        how.resolve = libc::RESOLVE_BENEATH | libc::RESOLVE_NO_MAGICLINKS;
        let (mut tries, size) = (8, size_of_val(&how));
        loop {
            // SAFETY: the directory is open, the path ends in NUL, `how` is live and its size true.
            let opened = unsafe {
                libc::syscall(
                    libc::SYS_openat2,
                    self.0.as_raw_fd(),
                    path.as_ptr(),
                    &raw const how,
                    size,
                )
            };
            if opened >= 0 {
                // SAFETY: a new descriptor that nobody else knows.
                return Ok(unsafe { OwnedFd::from_raw_fd(opened as i32) }.into());
            }
            let error = io::Error::last_os_error();
            // EAGAIN: something was renamed meanwhile, so the kernel cannot tell whether `..` led
            // out. Ask again.
            if tries == 0 || !matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EINTR)) {
                return Err(error);
            }
            tries -= 1;
        }
    }
    // ANCHOR_END: beneath
}

//! Resolving the target of a request beneath a directory, with the kernel doing the resolving.

use crate::sys::trying;
use std::ffi::CString;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// An open directory that confines every path resolved through it.
pub struct Root(File);

impl Root {
    /// Opens `directory`, and checks once that the kernel can resolve paths beneath it
    /// (`openat2(2)`, Linux 5.6).
    ///
    /// # Errors
    ///
    /// The error of opening the directory; `Unsupported` where `openat2` does not exist or a
    /// sandbox forbids it. There is no fallback, because no other call resolves a path safely here.
    pub fn open(directory: &Path) -> io::Result<Self> {
        let what = format!("opening the root {}", directory.display());
        let flags = libc::O_PATH | libc::O_DIRECTORY;
        let opened = OpenOptions::new().read(true).custom_flags(flags).open(directory);
        let root = Self(trying(&what, opened)?);
        match root.file(b".") {
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EPERM)) => {
                let refused = io::Error::new(io::ErrorKind::Unsupported, error);
                trying(what, trying("openat2, which keeps paths beneath the root", Err(refused)))
            }
            other => trying(what, other).map(|_| root),
        }
    }

    // ANCHOR: how
    /// Returns how [`file`](Self::file) opens.
    pub(crate) fn how() -> libc::open_how {
        // SAFETY: all-zero bytes are a valid `open_how`, a struct of integers.
        let mut how: libc::open_how = unsafe { std::mem::zeroed() };
        // NONBLOCK: opening a FIFO must not wait for a writer. NOCTTY: a terminal must
        // not become the server's controlling terminal.
        let flags = libc::O_RDONLY | libc::O_CLOEXEC | libc::O_NONBLOCK | libc::O_NOCTTY;
        how.flags = flags as u64;
        // BENEATH rejects magic links too, but openat2(2) says that this may change.
        how.resolve = libc::RESOLVE_BENEATH | libc::RESOLVE_NO_MAGICLINKS;
        how
    }
    // ANCHOR_END: how

    /// Opens a file or directory for reading. Symbolic links are followed while they stay beneath
    /// the root. A path or link that leads out fails with `EXDEV`, an absolute one included; the
    /// links in `/proc` that can point anywhere fail with `ELOOP`.
    ///
    /// # Errors
    ///
    /// The errors of `openat2(2)`; `InvalidInput` if `path` contains NUL.
    // ANCHOR: beneath
    pub fn file(&self, path: &[u8]) -> io::Result<File> {
        let (path, how) = (CString::new(path)?, Self::how());
        let mut retries = 8;
        loop {
            let opened = openat2(&self.0, &path, &how);
            let errno = opened.as_ref().err().and_then(io::Error::raw_os_error);
            // EAGAIN: a rename meanwhile, so that the kernel cannot tell if `..` led out.
            if retries == 0 || !matches!(errno, Some(libc::EAGAIN | libc::EINTR)) {
                return opened.map(File::from);
            }
            retries -= 1;
        }
    }
    // ANCHOR_END: beneath
}

impl AsFd for Root {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Calls `openat2(2)`, for which libc has no function.
fn openat2(directory: &File, path: &CString, how: &libc::open_how) -> io::Result<OwnedFd> {
    let (fd, how, size) = (directory.as_raw_fd(), &raw const *how, size_of_val(how));
    // SAFETY: the directory is open, `path` ends in NUL, `how` is live and `size` is its size.
    let opened = unsafe { libc::syscall(libc::SYS_openat2, fd, path.as_ptr(), how, size) };
    if opened < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a new descriptor that nothing else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(opened as i32) })
}

//! A file that can no longer change: a memfd with seals (`memfd_create(2)`, `fcntl(2)`).

use super::Map;
use crate::sys::{cvt, trying};
use std::fs::File;
use std::io::{self, Write};
use std::ops::Deref;
use std::os::fd::{AsRawFd, FromRawFd};

/// The seals without which a map of a file may change or lose its pages. No one can remove a seal.
const NEEDED: libc::c_int = libc::F_SEAL_SHRINK | libc::F_SEAL_WRITE;

/// A map of a file whose bytes neither change nor go away while the map exists.
///
/// ```
/// use perf_proved::zero_copy::mmap::sealed::SealedMap;
///
/// let map = SealedMap::new(SealedMap::seal(b"stays")?)?;
/// assert_eq!(&*map, b"stays");
/// assert!(map.file().set_len(0).is_err());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct SealedMap {
    map: Map,
    file: File,
}

impl SealedMap {
    // ANCHOR: seal
    /// Creates a file in memory with this content, and seals it.
    ///
    /// # Errors
    ///
    /// The errors of `memfd_create(2)`, `write(2)` and `fcntl(2)`, with the name of the call.
    pub fn seal(content: &[u8]) -> io::Result<File> {
        let (name, flags) = (c"sealed", libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING);
        // SAFETY: a C string and flags.
        let created = cvt(unsafe { libc::memfd_create(name.as_ptr(), flags) });
        // SAFETY: new, open, and without another owner.
        let mut file = unsafe { File::from_raw_fd(trying("memfd_create", created)?) };
        trying("writing to a memfd", file.write_all(content))?;
        let seals = NEEDED | libc::F_SEAL_GROW;
        // SAFETY: an open descriptor and a command that takes an integer.
        let sealed = cvt(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, seals) });
        trying("sealing a memfd", sealed).map(|_| file)
    }
    // ANCHOR_END: seal

    // ANCHOR: new
    /// Maps a sealed file, whichever process created it.
    ///
    /// # Errors
    ///
    /// `PermissionDenied` if a seal is missing; otherwise the errors of `fcntl(2)` and
    /// [`Map::whole`]: `InvalidInput` for a file that cannot have seals.
    pub fn new(file: File) -> io::Result<Self> {
        // SAFETY: an open descriptor and a command without an argument.
        let seals = cvt(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_GET_SEALS) })?;
        if seals & NEEDED != NEEDED {
            let reason = "the file is not sealed against writing and shrinking";
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, reason));
        }
        Ok(Self { map: Map::whole(&file)?, file }) // its length can no longer change
    }
    // ANCHOR_END: new

    /// Returns the file, to be shared with other processes.
    pub fn file(&self) -> &File {
        &self.file
    }
}

impl Deref for SealedMap {
    type Target = [u8];

    // ANCHOR: deref
    fn deref(&self) -> &[u8] {
        // SAFETY: `new` has seen both seals. No system call writes to such a file or truncates it,
        // and seals cannot be removed.
        unsafe { self.map.as_slice() }
    }
    // ANCHOR_END: deref
}

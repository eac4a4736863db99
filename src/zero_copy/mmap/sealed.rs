//! A file that nobody can change any more: a memfd with seals (`memfd_create(2)`, `fcntl(2)`).

use super::Map;
use crate::sys::cvt;
use std::fs::File;
use std::io::{self, Write};
use std::ops::Deref;
use std::os::fd::{AsRawFd, FromRawFd};

/// The seals without which a map of a file may change or lose its pages. Who has one cannot take it
/// off.
const NEEDED: libc::c_int = libc::F_SEAL_SHRINK | libc::F_SEAL_WRITE;

/// A map of a file whose bytes stay what they are and where they are, for as long as anybody has
/// it.
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
    /// A new file in memory with this content, sealed.
    ///
    /// # Errors
    ///
    /// What `memfd_create(2)`, the writing or `fcntl(2)` reports.
    pub fn seal(content: &[u8]) -> io::Result<File> {
        // SAFETY: a C string and flags.
        let fd = cvt(unsafe {
            libc::memfd_create(c"sealed".as_ptr(), libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING)
        })?;
        // SAFETY: new, open, and nobody else's.
        let mut file = unsafe { File::from_raw_fd(fd) };
        file.write_all(content)?;
        // SAFETY: an open descriptor and a command that takes an integer.
        cvt(unsafe {
            libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, NEEDED | libc::F_SEAL_GROW)
        })?;
        Ok(file)
    }
    // ANCHOR_END: seal

    // ANCHOR: new
    /// Maps such a file, whoever has made it.
    ///
    /// # Errors
    ///
    /// `PermissionDenied` if a seal is missing; otherwise what `fcntl(2)` or [`Map::whole`]
    /// reports: `InvalidInput` for a file that has no seals.
    pub fn new(file: File) -> io::Result<Self> {
        // SAFETY: an open descriptor and a command without an argument.
        let seals = cvt(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_GET_SEALS) })?;
        if seals & NEEDED != NEEDED {
            let reason = "the file is not sealed against writing and shrinking";
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, reason));
        }
        Ok(Self { map: Map::whole(&file)?, file }) // its length was asked for after its seals, and is final
    }
    // ANCHOR_END: new

    /// The file, to be given to others.
    pub fn file(&self) -> &File {
        &self.file
    }
}

impl Deref for SealedMap {
    type Target = [u8];

    // ANCHOR: deref
    fn deref(&self) -> &[u8] {
        // SAFETY: `new` has seen both seals. No kernel call writes to or shortens such a file, and
        // no seal comes off.
        unsafe { self.map.as_slice() }
    }
    // ANCHOR_END: deref
}

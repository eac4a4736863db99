//! Copying a file from inside the kernel: `copy_file_range(2)`.
//!
//! One call of [`copy_file_range()`] moves a part of a file into another one, if both are on the
//! same file system and it likes to. [`copy()`] is what a program needs around it: it shares blocks
//! where the file system can ([`How::Reflink`]), keeps holes ([`data`]), falls back to `read` and
//! `write` where the kernel refuses ([`contents`]), notices a source that changes, and shows the
//! copy under its name only when it is whole ([`replacement`]). [`ways`] are the ways of copying
//! that the chapter compares, and [`naive`] is the version that everybody writes first.
#![cfg(target_os = "linux")]

pub mod contents;
pub mod data;
pub mod naive;
pub mod replacement;
pub mod ways;

pub use contents::How;
pub use replacement::Durability;

use super::sendfile::MAX_PER_CALL;
use crate::sys::moved;
use replacement::Replacement;
use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::{error, fmt, io};

// ANCHOR: copy_file_range
/// Copies up to `count` bytes of `from`, beginning at `from_at`, to `to`, beginning at `to_at`. One
/// system call of at most [`MAX_PER_CALL`] bytes, and one more for each signal that interrupts it.
///
/// Returns how many bytes were copied, which may be fewer than asked for. 0: `from` ends there, or
/// it is a file that does not know its size, as in `/proc` on kernels from 5.3 to 5.18. The
/// positions of both descriptors stay where they were.
///
/// # Errors
///
/// What `copy_file_range(2)` reports, except `EINTR`. `CrossesDevices`: two file systems.
pub fn copy_file_range(
    from: impl AsFd,
    from_at: u64,
    to: impl AsFd,
    to_at: u64,
    count: u64,
) -> io::Result<usize> {
    let offset =
        |at| libc::off64_t::try_from(at).map_err(|_| io::Error::from_raw_os_error(libc::EOVERFLOW));
    let (mut from_at, mut to_at) = (offset(from_at)?, offset(to_at)?);
    let (from, to) = (from.as_fd().as_raw_fd(), to.as_fd().as_raw_fd());
    let count = count.min(MAX_PER_CALL as u64) as usize;
    loop {
        // SAFETY: both descriptors are open while they are borrowed, and both offsets live and
        // writable.
        match moved(unsafe {
            libc::copy_file_range(from, &raw mut from_at, to, &raw mut to_at, count, 0)
        }) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {} // nothing was copied: ask again
            result => return result,
        }
    }
}
// ANCHOR_END: copy_file_range

/// What [`copy()`] has made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copied {
    /// The length of the copy in bytes, holes included.
    pub length: u64,
    /// Who copied them.
    pub how: How,
}

/// Why there is no copy. What stood under the target's name before still stands there, except after
/// an error of the last step of [`Durability::OnDisk`].
#[derive(Debug)]
pub enum CopyError {
    /// The source is a directory, a FIFO, a socket or a device.
    NotAFile,
    /// The target is the source, under the same name or another.
    SameFile,
    /// Somebody wrote to the source, or cut it, while it was copied.
    Changed,
    /// What the kernel refused, and why.
    Failed(&'static str, io::Error),
}

impl fmt::Display for CopyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAFile => f.write_str("the source is not a regular file"),
            Self::SameFile => f.write_str("source and target are the same file"),
            Self::Changed => f.write_str("the source changed while it was copied"),
            Self::Failed(tried, cause) => write!(f, "{tried}: {cause}"),
        }
    }
}

impl error::Error for CopyError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        if let Self::Failed(_, cause) = self { Some(cause) } else { None }
    }
}

impl From<CopyError> for io::Error {
    fn from(error: CopyError) -> Self {
        let kind = match &error {
            CopyError::NotAFile | CopyError::SameFile => io::ErrorKind::InvalidInput,
            CopyError::Changed => io::ErrorKind::ResourceBusy,
            CopyError::Failed(_, cause) => cause.kind(),
        };
        Self::new(kind, error)
    }
}

/// Puts what was tried into the kernel's error.
fn failed(tried: &'static str) -> impl Fn(io::Error) -> CopyError {
    move |cause| CopyError::Failed(tried, cause)
}

/// Copies a regular file, or leaves everything as it was.
///
/// The copy gets the source's permission bits, without those that change a user (`setuid`,
/// `setgid`) and whatever the umask says; it belongs to the caller. Owner, times, extended
/// attributes and access lists are not copied. If the target exists, its name leads to the copy
/// afterwards: other hard links to it keep what they had, and a symbolic link is replaced, not
/// followed.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use perf_proved::harness::scratch::Scratch;
/// use perf_proved::zero_copy::copy_file_range::{Durability, copy};
///
/// let scratch = Scratch::new()?;
/// let (from, to) = (scratch.file("from", 5000)?, scratch.path().join("to"));
/// let copied = copy(&from, &to, Durability::Cached)?;
/// assert_eq!(copied.length, 5000);
/// assert_eq!(std::fs::read(from)?, std::fs::read(to)?);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// [`CopyError`]. A program that is killed meanwhile leaves a file called `.copy-…` beside the
/// target.
// ANCHOR: copy
pub fn copy(from: &Path, to: &Path, durability: Durability) -> Result<Copied, CopyError> {
    // NONBLOCK: a FIFO must not hold us until somebody writes. NOCTTY: a terminal must not become
    // ours.
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
    let source = OpenOptions::new()
        .read(true)
        .custom_flags(flags)
        .open(from)
        .map_err(failed("opening the source"))?;
    let before = source.metadata().map_err(failed("asking for the source's size"))?;
    if !before.is_file() {
        return Err(CopyError::NotAFile);
    }
    if fs::metadata(to)
        .is_ok_and(|target| (target.dev(), target.ino()) == (before.dev(), before.ino()))
    {
        return Err(CopyError::SameFile);
    }
    let target = Replacement::beside(to).map_err(failed("making a file beside the target"))?;
    let copied = contents::copy(&source, target.file(), before.len()).map_err(failed("copying"))?;
    if version(&before)
        != version(&source.metadata().map_err(failed("asking for the source's size again"))?)
    {
        return Err(CopyError::Changed); // as for any error, dropping `target` removes it
    }
    let mode = Permissions::from_mode(before.mode() & 0o777);
    target.file().set_permissions(mode).map_err(failed("setting the copy's permissions"))?;
    target.commit(durability).map_err(failed("putting the copy in its place"))?;
    Ok(copied)
}
// ANCHOR_END: copy

/// What changes when a file is written to or cut. The kernel stamps a write that follows a `stat`
/// with a new time; before Linux 6.13, two within one tick of its clock may get the same.
fn version(of: &Metadata) -> impl PartialEq + use<> {
    (of.len(), of.mtime(), of.mtime_nsec())
}

/// Whether `to` has become a clone of `from`: both then refer to the same blocks until one of them
/// is written to.
///
/// `false`: this file system cannot, or not for these two.
///
/// # Errors
///
/// What `ioctl_ficlone(2)` reports besides.
// ANCHOR: reflink
fn reflink(from: &File, to: &File) -> io::Result<bool> {
    // SAFETY: both descriptors are open while they are borrowed, and the request takes a
    // descriptor.
    match crate::sys::cvt(unsafe { libc::ioctl(to.as_raw_fd(), libc::FICLONE, from.as_raw_fd()) }) {
        Ok(_) => Ok(true),
        // ENOTTY: the kernel has never heard of it.
        Err(error) if contents::refused(&error) || error.raw_os_error() == Some(libc::ENOTTY) => {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}
// ANCHOR_END: reflink

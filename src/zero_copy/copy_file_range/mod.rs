//! Copying a file inside the kernel: `copy_file_range(2)`.
//!
//! One call of [`copy_file_range()`] copies a part of a file to another one on the same file
//! system. [`copy()`] is what a program needs around it: it shares blocks where the file system can
//! ([`reflink`]), keeps holes ([`extents`]), falls back to `read` and `write` where the kernel
//! refuses ([`sparse_copy()`]), notices a source that changes, and gives the copy its name only
//! when it is whole ([`replacement`]). [`naive`] is the version that everyone writes first.
//! [`variants`] lists what the chapter compares, and [`experiment`] has the experiments of its
//! example.
//!
//! The book's chapter: [copy_file_range](../../../../zero-copy/copy-file-range.html).
#![cfg(target_os = "linux")]

pub mod error;
pub mod experiment;
pub mod extents;
pub mod naive;
pub mod range;
pub mod reflink;
mod refusal;
pub mod replacement;
pub mod sparse_copy;
pub mod variants;

pub use error::CopyError;
pub use range::copy_file_range;
pub use replacement::Durability;
pub use sparse_copy::{Copied, Method};

use error::failed;
use replacement::Replacement;
use sparse_copy::sparse_copy;
use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// Copies a regular file to `to`, or leaves everything as it was.
///
/// The copy gets the source's permission bits, without those that change a user (`setuid`,
/// `setgid`) and whatever the umask says; it belongs to the caller. Owner, times, extended
/// attributes and access lists are not copied.
///
/// If the target exists, its name leads to the copy afterward: other hard links to the old file
/// keep its content, and a symbolic link to a regular file is replaced, not followed. A target that
/// is anything else (a device, a FIFO, a socket, a directory, or a symbolic link to one) is
/// refused: renaming a regular file over `/dev/null` would take it away from every program.
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
    let source = open(from).map_err(failed("opening the source"))?;
    let before = source.metadata().map_err(failed("examining the source"))?;
    if !before.is_file() {
        return Err(CopyError::SourceNotAFile(kind(&before)));
    }
    check(to, &before)?;
    let target = Replacement::beside(to).map_err(failed("making the copy"))?;
    let file = target.file();
    let copied = sparse_copy(&source, file, before.len()).map_err(failed("copying"))?;
    let after = source.metadata().map_err(failed("examining the source again"))?;
    if version(&before) != version(&after) {
        return Err(CopyError::Changed); // as for any error, dropping `target` removes it
    }
    let mode = Permissions::from_mode(before.mode() & 0o777);
    file.set_permissions(mode).map_err(failed("setting the copy's permissions"))?;
    target.commit(durability).map_err(failed("putting the copy in its place"))?;
    Ok(copied)
}
// ANCHOR_END: copy

/// Opens the source without waiting: opening a FIFO must not block until a writer comes
/// (`O_NONBLOCK`), and a terminal must not become this process's own (`O_NOCTTY`).
fn open(source: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(source)
}

/// Refuses a target that a copy must not replace: the source, and what is not a regular file.
// ANCHOR: check
fn check(target: &Path, source: &Metadata) -> Result<(), CopyError> {
    match fs::metadata(target) {
        Ok(found) if identity(&found) == identity(source) => Err(CopyError::SameFile),
        Ok(found) if !found.is_file() => Err(CopyError::TargetNotAFile(kind(&found))),
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(failed("examining the target")(error))
        }
        _ => Ok(()),
    }
}
// ANCHOR_END: check

/// Names the kind of a file, for errors.
fn kind(of: &Metadata) -> &'static str {
    match of.file_type() {
        kind if kind.is_dir() => "a directory",
        kind if kind.is_fifo() => "a FIFO",
        kind if kind.is_socket() => "a socket",
        kind if kind.is_char_device() => "a character device",
        kind if kind.is_block_device() => "a block device",
        _ => "something else",
    }
}

/// Returns what two names of one file have in common.
fn identity(of: &Metadata) -> (u64, u64) {
    (of.dev(), of.ino())
}

/// Returns what changes when a file is written to or truncated. The kernel stamps a write that
/// follows a `stat` with a new time; before Linux 6.13, two within one tick of its clock may get
/// the same.
fn version(of: &Metadata) -> impl PartialEq + use<> {
    (of.len(), of.mtime(), of.mtime_nsec())
}

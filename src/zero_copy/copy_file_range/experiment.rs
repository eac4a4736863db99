//! The experiments of the example: the files that are copied, and the circumstances in which a copy
//! goes wrong.

use super::copy;
use super::extents::allocated;
use super::replacement::Durability;
use super::sparse_copy::Method;
use super::variants::{PathCopy, Variant, path_copy};
use crate::harness::cost;
use crate::harness::report::Report;
use crate::harness::scratch::{Scratch, pattern};
use crate::sys::{rlimit, trying};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Calls that the JSON names for each copy, even if there are none.
pub const CALLS_BY_NAME: [&str; 3] = ["copy_file_range", "sendfile", "fsync"];

/// A source of `size` bytes and the path of its copy, in a directory of their own.
pub struct Files {
    scratch: Scratch,
    /// The source.
    pub from: PathBuf,
    /// The target, which does not exist yet.
    pub to: PathBuf,
    size: usize,
}

impl Files {
    /// Makes the directory in `folder`, and the source.
    ///
    /// # Errors
    ///
    /// As [`Scratch::within`] and [`Scratch::file`].
    pub fn new(folder: &Path, size: usize) -> io::Result<Self> {
        let scratch = Scratch::within(folder)?;
        let (from, to) = (scratch.file("from", size)?, scratch.path().join("to"));
        Ok(Self { scratch, from, to, size })
    }

    /// Returns `true` if the target has the bytes of the source.
    ///
    /// # Errors
    ///
    /// If a file cannot be read, or if no copy can be complete, as on a full disk.
    pub fn are_equal(&self) -> io::Result<bool> {
        are_equal(&self.from, &self.to)
    }

    /// Copies with the open files of both.
    fn copy_open(&self, copy: impl FnOnce(&File, &File) -> io::Result<()>) -> io::Result<()> {
        let from = trying(self.from.display(), File::open(&self.from))?;
        let to = trying(self.to.display(), File::create_new(&self.to))?;
        trying(self.to.display(), copy(&from, &to))
    }
}

fn are_equal(from: &Path, to: &Path) -> io::Result<bool> {
    let read = |path: &Path| trying(format_args!("reading {}", path.display()), fs::read(path));
    let equal = read(from)? == read(to)?;
    if !equal {
        // A full disk cuts a copy short, and the naive copy does not report that.
        trying(format_args!("copying to {}", to.display()), fs::copy(from, to))?;
    }
    Ok(equal)
}

/// Counts the calls of the [`Variant`] called `name`. Returns `true` if the copy is right.
///
/// # Errors
///
/// The errors of the files and of the variant.
pub fn count_open(report: &mut Report, name: &str, files: &Files) -> io::Result<bool> {
    let mut variant = Variant::new(name)?;
    files.copy_open(|from, to| {
        cost::calls(report, name, &CALLS_BY_NAME, || variant.copy(from, to, files.size as u64))
    })?;
    files.are_equal()
}

/// Counts the calls of the path copy called `name`. Returns `true` if the copy is right.
///
/// # Errors
///
/// The errors of the files and of the copy.
pub fn count_path(report: &mut Report, name: &str, files: &Files) -> io::Result<bool> {
    let copy = path_copy(name)?;
    cost::calls(report, name, &CALLS_BY_NAME, || copy(&files.from, &files.to))?;
    files.are_equal()
}

/// Runs the variant or path copy called `name` once, uncounted. Returns `true` if the copy is
/// right.
///
/// # Errors
///
/// As [`count_open`] and [`count_path`].
pub fn run_once(name: &str, files: &Files) -> io::Result<bool> {
    match path_copy(name) {
        Ok(copy) => copy(&files.from, &files.to)?,
        Err(_) => {
            let mut variant = Variant::new(name)?;
            files.copy_open(|from, to| variant.copy(from, to, files.size as u64))?;
        }
    }
    files.are_equal()
}

/// Returns `true` if the file system of `folder` shares blocks between files.
///
/// # Errors
///
/// The errors of a copy of one page.
pub fn shares_blocks(folder: &Path) -> io::Result<bool> {
    let files = Files::new(folder, 4096)?;
    let copied = copy(&files.from, &files.to, Durability::Cached).map_err(io::Error::from);
    Ok(trying(files.to.display(), copied)?.method == Method::Reflink)
}

/// Makes a file of 16 MiB with 4 KiB of data in the middle, copies it if there is a `copy`, and
/// returns the blocks of the file or of its copy, in bytes.
///
/// # Errors
///
/// The errors of the files and of `copy`.
pub fn blocks_of_16_mib(folder: &Path, copy: Option<PathCopy>) -> io::Result<u64> {
    let scratch = Scratch::within(folder)?;
    let path = scratch.path().join("holes");
    let make = || {
        let file = File::create(&path)?;
        file.set_len(16 << 20)?;
        file.write_all_at(&pattern(4096), 8 << 20)?;
        file.sync_all()?; // a file system may allocate blocks only when it has to write
        allocated(&file)
    };
    let original = trying(format_args!("making {} with holes", path.display()), make())?;
    let Some(copy) = copy else { return Ok(original) };
    let to = scratch.path().join("copy");
    copy(&path, &to)?;
    if !are_equal(&path, &to)? {
        return Err(io::Error::other("the copy of the file with holes differs from it"));
    }
    let file = trying(to.display(), File::open(&to))?;
    trying(to.display(), file.sync_all())?;
    allocated(&file)
}

/// Copies to a directory on another file system, `/dev/shm`, and counts the calls as those of
/// `row`.
///
/// # Errors
///
/// `Unsupported` if `/dev/shm` is no other file system; the errors of the files and of the copy.
pub fn count_across(report: &mut Report, name: &str, row: &str, files: &Files) -> io::Result<()> {
    let other = Scratch::within(Path::new("/dev/shm"))?;
    if other.path().metadata()?.dev() == files.scratch.path().metadata()?.dev() {
        return Err(crate::sys::unsupported("/dev/shm is no other file system here"));
    }
    let (copy, to) = (path_copy(name)?, other.path().join(name));
    cost::calls(report, row, &CALLS_BY_NAME[..2], || copy(&files.from, &to))
}

/// Copies while no file of this process may grow beyond half the size of the source: a disk that
/// fills up cuts a call short in the same way. Returns `true` if the copy reports an error, and the
/// length of what it leaves under the target's name.
///
/// # Errors
///
/// If the limit cannot be set, or the copy fails without it.
pub fn at_limit(copy: PathCopy, files: &Files) -> io::Result<(bool, u64)> {
    copy(&files.from, &files.to)?; // what fails without the limit says nothing about it
    files.are_equal()?;
    trying(files.to.display(), fs::remove_file(&files.to))?;
    let half = files.size as u64 / 2;
    let outcome = trying("setrlimit", rlimit::file_size(half, || copy(&files.from, &files.to)))?;
    Ok((outcome.is_err(), fs::metadata(&files.to).map_or(0, |left| left.len())))
}

/// Copies a file onto itself and returns the length of what is left of it.
///
/// # Errors
///
/// If the file is gone.
pub fn left_of_itself(copy: PathCopy, files: &Files) -> io::Result<u64> {
    let _ = copy(&files.from, &files.from); // the naive copy returns `Ok`, the other one refuses
    Ok(trying(files.from.display(), fs::metadata(&files.from))?.len())
}

//! Copying the content of one open file to another, with its holes: by a reflink if possible, else
//! extent by extent, inside the kernel as far as it agrees to.

use super::extents::{DataExtents, extend};
use super::range::copy_file_range;
use super::reflink::reflink;
use super::refusal::refused;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

/// The outcome of a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copied {
    /// The length of the copy in bytes, holes included.
    pub length: u64,
    /// The method that copied them.
    pub method: Method,
}

/// The method of a copy; if it took several, the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Both files share their blocks until one of them is written to. No byte was copied.
    Reflink,
    /// The kernel copied. Where the file system shares single blocks, it may have shared these.
    CopyFileRange,
    /// This process copied, through a buffer.
    ReadWrite,
}

/// The buffer of the fallback, in bytes.
pub const BUFFER: usize = 64 << 10;

/// Copies a file of `length` bytes into an empty one, with its holes. A file of 0 bytes is read to
/// its end: the files in `/proc` have a length of 0 whatever they hold.
///
/// The result has the length of the copy: a file may end before its length says so. A file that is
/// truncated meanwhile gives a copy that ends there, or in a hole; look at it again if that
/// matters.
///
/// # Errors
///
/// The kernel's, such as `ENOSPC` for a full disk. `to` then holds a part.
// ANCHOR: sparse_copy
pub fn sparse_copy(from: &File, to: &File, length: u64) -> io::Result<Copied> {
    if length > 0 && reflink(from, to)? {
        return Ok(Copied { length, method: Method::Reflink });
    }
    let mut method = Method::CopyFileRange;
    if length == 0 {
        method = Method::ReadWrite;
        let length = copy_extent(from, to, 0..i64::MAX as u64, &mut method)?;
        return Ok(Copied { length, method });
    }
    let mut end = 0;
    for extent in DataExtents::of(from, length) {
        let extent = extent?;
        end = copy_extent(from, to, extent.clone(), &mut method)?;
        if end < extent.end {
            return Ok(Copied { length: end, method }); // shorter than its length says
        }
    }
    if end < length {
        extend(to, length)?; // it ends in a hole
    }
    Ok(Copied { length, method })
}
// ANCHOR_END: sparse_copy

/// Copies `extent` to the same place in `target`. Returns where the copy ends: before the end of
/// `extent` if the file ends there.
// ANCHOR: copy_extent
fn copy_extent(
    source: &File,
    target: &File,
    extent: Range<u64>,
    method: &mut Method,
) -> io::Result<u64> {
    let (mut at, mut buffer) = (extent.start, vec![]);
    while at < extent.end {
        let left = extent.end - at;
        if *method == Method::CopyFileRange {
            match copy_file_range(source, at, target, at, left) {
                Ok(0) => *method = Method::ReadWrite, // the end, or an unknown size
                Ok(copied) => at += copied as u64,
                Err(error) if refused(&error) => *method = Method::ReadWrite,
                Err(error) => return Err(error),
            }
        } else {
            match read_write(source, target, at, left, &mut buffer)? {
                0 => break,
                copied => at += copied as u64,
            }
        }
    }
    Ok(at)
}
// ANCHOR_END: copy_extent

/// Copies up to `left` bytes at `at` through `buffer`: one `pread(2)`, and another for each signal
/// that interrupts it, and as many `pwrite(2)` as that takes.
fn read_write(
    source: &File,
    target: &File,
    at: u64,
    left: u64,
    buffer: &mut Vec<u8>,
) -> io::Result<usize> {
    buffer.resize(BUFFER.min(left as usize), 0);
    let read = loop {
        match source.read_at(buffer, at) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => break result?,
        }
    };
    target.write_all_at(&buffer[..read], at).map(|()| read)
}

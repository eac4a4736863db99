//! The bytes of one open file into another: shared if they can be, else copied, the kernel first.

use super::data::{Data, extend};
use super::{Copied, copy_file_range, reflink};
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

/// Who made a copy. The last part tells, if it was made in several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// Nobody: both files share their blocks until one is written to. Nothing was copied, whatever
    /// the clock says.
    Reflink,
    /// The kernel. Where the file system shares single blocks, it may have shared these.
    CopyFileRange,
    /// This process, through a buffer.
    ReadWrite,
}

/// The buffer of the fallback, in bytes.
pub const BUFFER: usize = 64 << 10;

/// Copies a file of `length` bytes into one that is empty, with its holes. A file of 0 bytes is
/// read to its end: those of `/proc` are said to have none.
///
/// The result says how long the copy is: a file may end before it says. One that is cut meanwhile
/// gives a copy that ends there, or in a hole; whoever needs to know looks at it again.
///
/// # Errors
///
/// What the kernel reports, `ENOSPC` for a full disk among it. `to` then holds a part.
// ANCHOR: contents
pub fn copy(from: &File, to: &File, length: u64) -> io::Result<Copied> {
    if length > 0 && reflink(from, to)? {
        return Ok(Copied { length, how: How::Reflink });
    }
    let mut how = How::CopyFileRange;
    if length == 0 {
        how = How::ReadWrite;
        let length = copy_part(from, to, 0..i64::MAX as u64, &mut how)?;
        return Ok(Copied { length, how });
    }
    let mut end = 0;
    for part in Data::of(from, length) {
        let part = part?;
        end = copy_part(from, to, part.clone(), &mut how)?;
        if end < part.end {
            return Ok(Copied { length: end, how }); // the file is shorter than it says
        }
    }
    if end < length {
        extend(to, length)?; // it ends in a hole
    }
    Ok(Copied { length, how })
}
// ANCHOR_END: contents

/// Copies `part` to the same place in `to`, and returns where that ended: before the part's end, if
/// the file ends there.
// ANCHOR: part
fn copy_part(from: &File, to: &File, part: Range<u64>, how: &mut How) -> io::Result<u64> {
    let (mut at, mut buffer) = (part.start, vec![]);
    while at < part.end {
        if *how == How::CopyFileRange {
            match copy_file_range(from, at, to, at, part.end - at) {
                Ok(0) => *how = How::ReadWrite, // the end, or a file that does not know its size: `read` can tell
                Ok(copied) => at += copied as u64,
                Err(error) if refused(&error) => *how = How::ReadWrite,
                Err(error) => return Err(error),
            }
        } else {
            buffer.resize(BUFFER, 0);
            let wanted = BUFFER.min((part.end - at) as usize);
            let read = read_at(from, &mut buffer[..wanted], at)?;
            if read == 0 {
                break;
            }
            to.write_all_at(&buffer[..read], at)?;
            at += read as u64;
        }
    }
    Ok(at)
}
// ANCHOR_END: part

/// One `pread(2)`, and one more for each signal that interrupts it.
fn read_at(from: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    loop {
        match from.read_at(buffer, at) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// Whether the kernel says "not these two files" or "not here", so that another way may work.
// ANCHOR: refused
pub(super) fn refused(error: &io::Error) -> bool {
    // EXDEV: two file systems. EINVAL, EOPNOTSUPP: not these files. ENOSYS: an old kernel. EPERM: a
    // sandbox.
    let codes = [libc::EXDEV, libc::EINVAL, libc::EOPNOTSUPP, libc::ENOSYS, libc::EPERM];
    error.raw_os_error().is_some_and(|code| codes.contains(&code))
}
// ANCHOR_END: refused

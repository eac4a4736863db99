//! Gathered writes: many buffers in one call.

use std::io::{self, ErrorKind, IoSlice, Write};

/// The largest number of buffers that Linux takes in one `writev(2)` (`IOV_MAX`, which is
/// `UIO_MAXIOV`). It refuses more with `EINVAL`; the standard library passes on the first of them.
pub const MOST_BUFFERS: usize = 1024;

/// Writes all `buffers` in their order, as many in one call as the system takes, and adds
/// the bytes that were written to `written`, even if the last call fails.
///
/// For a [`File`](std::fs::File) or a socket this is `writev(2)`. A short write is
/// continued where it stopped, which may be in the middle of a buffer, and an interrupted
/// one is repeated.
///
/// ```
/// use perf_proved::io::batching::gather::write_all;
///
/// let (mut bytes, mut written) = (vec![], 0);
/// write_all(&mut bytes, &["one, ", "two"], &mut written)?;
/// assert_eq!((&bytes[..], written), (&b"one, two"[..], 8));
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
///
/// The errors of the writer; `WriteZero` if it takes no more bytes.
// ANCHOR: write_all
pub fn write_all(
    writer: &mut (impl Write + ?Sized),
    buffers: &[impl AsRef<[u8]>],
    written: &mut usize,
) -> io::Result<()> {
    for buffers in buffers.chunks(MOST_BUFFERS) {
        let slices = buffers.iter().map(|buffer| IoSlice::new(buffer.as_ref()));
        let mut slices: Vec<IoSlice<'_>> = slices.collect();
        let mut rest = &mut slices[..];
        IoSlice::advance_slices(&mut rest, 0); // empty buffers at the front are done
        while !rest.is_empty() {
            match writer.write_vectored(rest) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => {
                    IoSlice::advance_slices(&mut rest, count);
                    *written += count;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}
// ANCHOR_END: write_all

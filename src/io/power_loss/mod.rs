//! Replacing a file so that a power cut leaves the old content or the new one, and so that the new
//! one stays once the program has said that it is stored.
//!
//! `write(2)` copies bytes into the page cache and returns. They are safe from the end of the
//! process then, and from nothing else. `fsync(2)` of the file makes the bytes durable, and
//! `fsync(2)` of the directory makes the name durable that leads to them.
//!
//! | module | provides |
//! | --- | --- |
//! | [`naive`] | the versions that everyone writes first |
//! | [`device`] | the answers of this machine's disk to "what do you keep?" |
//! | [`writer`] | ways to write a block so that it is durable |
//! | [`variants`], [`experiment`] | what the chapter compares, and how |
//!
//! [`proof::power_loss`](crate::proof::power_loss) cuts the power.
//!
//! The book's chapter: [power_loss](../../../../io/power-loss.html).

#[cfg(target_os = "linux")]
pub mod device;
#[cfg(unix)]
pub mod experiment;
pub mod naive;
pub mod variants;
#[cfg(target_os = "linux")]
pub mod writer;

use crate::sys::storage::{Storage, StoredFile};
use std::io;

/// Replaces the file `name`, or makes it. Once this returns, the new content is durable. Whenever
/// the power fails, `name` has the old content or the new one, whole.
///
/// It uses the name `name` with `.new` behind it, and removes what an earlier attempt has left
/// there, so one thread may replace a file at a time.
///
/// ```
/// # let folder = perf_proved::harness::scratch::Scratch::new()?;
/// use perf_proved::io::power_loss::replace;
/// # #[cfg(unix)]
/// use perf_proved::sys::storage::{Directory, Storage};
///
/// # #[cfg(unix)]
/// # {
/// let settings = Directory::open(folder.path())?;
/// replace(&settings, "colors", b"dark")?;
/// replace(&settings, "colors", b"light")?;
/// assert_eq!(settings.names()?, ["colors"]);
/// # }
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
///
/// Those of the storage. `name` may have the old content then, or the new one if what failed was
/// the last step, the sync of the directory.
// ANCHOR: replace
pub fn replace(storage: &impl Storage, name: &str, content: &[u8]) -> io::Result<()> {
    let new = format!("{name}.new");
    match storage.remove(&new) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        removed => removed?, // an earlier attempt has left it
    }
    let file = storage.create(&new)?;
    write_all(&file, content)?;
    file.sync_all()?; // the bytes, before any name leads to them
    storage.rename(&new, name)?;
    storage.sync() // the name, before anyone is told
}
// ANCHOR_END: replace

/// Writes all of `content` at the start of `file`: goes on after a short write, and again after a
/// signal.
///
/// # Errors
///
/// Those of the storage; `WriteZero` if it takes nothing.
// ANCHOR: write_all
pub fn write_all(file: &impl StoredFile, content: &[u8]) -> io::Result<()> {
    let mut written = 0;
    while written < content.len() {
        match file.write_at(&content[written..], written as u64) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(taken) => written += taken,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
// ANCHOR_END: write_all

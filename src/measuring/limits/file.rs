//! Files: reads from the page cache, writes to the disk.

use crate::sys::{trying, unsupported};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, Write};
use std::path::Path;
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Creates a file without a name, which disappears with its last descriptor.
fn unnamed(folder: &Path) -> io::Result<File> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    // Relaxed: the number only has to be new.
    let path =
        folder.join(format!(".limits-{}-{}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed)));
    let create = OpenOptions::new().read(true).write(true).create_new(true).open(&path);
    let file = trying(format_args!("creating {}", path.display()), create)?;
    trying(format_args!("unlinking {}", path.display()), fs::remove_file(&path))?;
    Ok(file)
}

/// A file of 64 MiB that was just written, so all of it is in the page cache.
pub struct Cached(File);

impl Cached {
    const BYTES: usize = 64 << 20;

    /// Writes the file in `folder`, without a name.
    ///
    /// # Errors
    ///
    /// The errors of the calls, such as a full disk or a directory that is not writable.
    pub fn new(folder: &Path) -> io::Result<Self> {
        let mut file = unnamed(folder)?;
        let mut piece = vec![0; 1 << 20];
        for number in 0..Self::BYTES / piece.len() {
            piece.fill(number as u8 + 1);
            trying(
                format_args!("writing to a file in {}", folder.display()),
                file.write_all(&piece),
            )?;
        }
        Ok(Self(file))
    }

    /// Reads `piece` bytes (at most 1 MiB, a divisor of 64 MiB) at consecutive offsets, `reads`
    /// times. Unit: one `pread(2)` into a buffer that is reused.
    ///
    /// Measures the call and the kernel's copy, but neither the disk nor the cost of a new buffer
    /// per read.
    ///
    /// # Errors
    ///
    /// `Unsupported` outside Unix; the errors of `pread(2)`.
    ///
    /// # Panics
    ///
    /// If the last read returned wrong bytes.
    // ANCHOR: pread
    pub fn read(&self, piece: usize, reads: u64) -> io::Result<Duration> {
        let mut buffer = vec![0; piece];
        let offset = |read: u64| read * piece as u64 % Self::BYTES as u64;
        let start = Instant::now();
        for read in 0..reads {
            read_exact_at(&self.0, &mut buffer, offset(read))?;
        }
        let elapsed = start.elapsed();
        let expected = reads.checked_sub(1).map_or(0, |last| (offset(last) >> 20) as u8 + 1);
        assert!(
            buffer.iter().all(|&byte| byte == expected),
            "the read did not return the bytes of the file"
        );
        Ok(elapsed)
    }
    // ANCHOR_END: pread
}

fn read_exact_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    #[cfg(unix)]
    return std::os::unix::fs::FileExt::read_exact_at(file, buffer, offset);
    #[cfg(not(unix))]
    {
        let _ = (file, buffer, offset);
        Err(unsupported("pread exists on Unix systems only"))
    }
}

/// Writes 4 KiB to the start of a file in `folder` and waits until the disk reports them written,
/// `times` times. Unit: one write with its `fsync(2)`.
///
/// Measures one writer that overwrites the same bytes and waits each time. The disk decides what it
/// calls written: a virtual one may answer from the memory of its host.
///
/// # Errors
///
/// `Unsupported` on a file system in memory, where `fsync` does nothing; the errors of the calls.
pub fn write_fsync(folder: &Path, times: u64) -> io::Result<Duration> {
    let kind = filesystem(folder)?;
    if matches!(kind.as_str(), "tmpfs" | "ramfs") {
        return Err(unsupported(&format!(
            "{} is a {kind}, in memory, where fsync does nothing",
            folder.display()
        )));
    }
    let mut file = unnamed(folder)?;
    let mut block = [0_u8; 4096];
    let mut once = |number: u64| {
        block.fill(number as u8);
        file.rewind()?;
        file.write_all(&block)?;
        file.sync_all()
    };
    once(u64::MAX)?; // allocates the block
    let start = Instant::now();
    trying(
        format_args!("writing and syncing in {}", folder.display()),
        (0..times).try_for_each(&mut once),
    )?;
    Ok(start.elapsed())
}

/// Returns the name of the file system that holds `folder`, from `statfs(2)`; its number if this
/// book has no name for it; `unknown` outside Linux.
///
/// # Errors
///
/// The errors of `statfs(2)`.
pub fn filesystem(folder: &Path) -> io::Result<String> {
    #[cfg(target_os = "linux")]
    {
        use std::os::unix::ffi::OsStrExt;
        let path = std::ffi::CString::new(folder.as_os_str().as_bytes())?;
        // SAFETY: all-zero bytes are a valid `statfs`, a struct of integers.
        let mut stat: libc::statfs = unsafe { std::mem::zeroed() };
        // SAFETY: a C string and a writable `statfs`, both live.
        let result = crate::sys::cvt(unsafe { libc::statfs(path.as_ptr(), &raw mut stat) });
        trying(format_args!("asking for the file system of {}", folder.display()), result)?;
        Ok(match stat.f_type as u32 {
            0xef53 => "ext4".to_owned(), // or ext2, ext3: they share the number
            0x5846_5342 => "xfs".to_owned(),
            0x9123_683e => "btrfs".to_owned(),
            0xf2f5_2010 => "f2fs".to_owned(),
            0x2fc1_2fc1 => "zfs".to_owned(),
            0x794c_7630 => "overlayfs".to_owned(),
            0x0102_1994 => "tmpfs".to_owned(),
            0x8584_58f6 => "ramfs".to_owned(),
            0x6969 => "nfs".to_owned(),
            0x0102_1997 => "9p".to_owned(),
            0x6573_5546 => "fuse".to_owned(),
            other => format!("0x{other:x}"),
        })
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = folder;
        Ok("unknown".to_owned())
    }
}

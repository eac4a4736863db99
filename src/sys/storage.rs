//! One directory and its files, behind a trait: what a log needs of a file system, and no more.
//!
//! A program that keeps data writes it through a [`Storage`]. [`Directory`] is the real one. A test
//! puts another in its place: one that loses power, fails a write, or is short of space.
//!
//! Each method is one system call, with that call's promise and no larger one: a write may be
//! short, may be interrupted, and is not durable; a new name is not durable before
//! [`Storage::sync`]. Loops and their order are the caller's.

use super::trying;
use std::io::{self, IoSlice};

/// A directory of files. It has no subdirectories, and names have no `/`.
///
/// The methods take `&self`, so that threads may share it.
pub trait Storage: Send + Sync {
    /// An open file. It stays readable and writable after its name has been renamed or removed.
    type File: StoredFile;

    /// Makes the empty file `name` and opens it for reading and writing. The name is durable after
    /// [`sync`](Self::sync) only, whatever has been synced of the file itself.
    ///
    /// # Errors
    ///
    /// `AlreadyExists` if there is one; the errors of `open(2)`.
    fn create(&self, name: &str) -> io::Result<Self::File>;

    /// Opens the file `name` for reading and writing.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is none; the errors of `open(2)`.
    fn open(&self, name: &str) -> io::Result<Self::File>;

    /// Lists the names, sorted.
    ///
    /// # Errors
    ///
    /// The errors of `getdents(2)`; `InvalidData` for a name that is not UTF-8.
    fn names(&self) -> io::Result<Vec<String>>;

    /// Gives the file `from` the name `to`, which replaces a file of that name. No one ever sees
    /// neither of the two files; after a power cut before [`sync`](Self::sync), the old state may
    /// be back.
    ///
    /// # Errors
    ///
    /// The errors of `rename(2)`.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes the name `name`, durably after [`sync`](Self::sync).
    ///
    /// # Errors
    ///
    /// The errors of `unlink(2)`.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Makes the directory durable: which names there are, and which file each one means. It says
    /// nothing of the files' contents.
    ///
    /// # Errors
    ///
    /// The errors of `fsync(2)`. After one, it is unknown which names are durable.
    fn sync(&self) -> io::Result<()>;
}

/// An open file of a [`Storage`].
///
/// Offsets and sizes are in bytes. Every call that can be interrupted by a signal may fail with
/// `Interrupted`, before it has done anything.
pub trait StoredFile: Send + Sync {
    /// Returns the size.
    ///
    /// # Errors
    ///
    /// The errors of `fstat(2)`.
    fn len(&self) -> io::Result<u64>;

    /// Returns whether the size is zero.
    ///
    /// # Errors
    ///
    /// As [`len`](Self::len).
    fn is_empty(&self) -> io::Result<bool> {
        self.len().map(|bytes| bytes == 0)
    }

    /// Cuts the file off at `bytes`, or extends it with zeros.
    ///
    /// # Errors
    ///
    /// The errors of `ftruncate(2)`.
    fn set_len(&self, bytes: u64) -> io::Result<()>;

    /// Reserves blocks for `bytes` bytes at `offset`, as `fallocate(2)` does with mode 0: a file
    /// that ended before grows to their end, what was not written reads as zeros, and what was
    /// stays.
    ///
    /// # Errors
    ///
    /// `StorageFull` if there is not enough space; `Unsupported` where the file system or the
    /// platform cannot.
    fn allocate(&self, offset: u64, bytes: u64) -> io::Result<()>;

    /// Reads at `offset` and returns the number of bytes read, which may be less than asked for;
    /// it is zero at the end of the file and beyond.
    ///
    /// # Errors
    ///
    /// The errors of `pread(2)`.
    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes at `offset` and returns the number of bytes taken, which may be less than given.
    ///
    /// # Errors
    ///
    /// The errors of `pwrite(2)`.
    fn write_at(&self, from: &[u8], offset: u64) -> io::Result<usize>;

    /// Writes the buffers one after the other at `offset`, and returns the number of bytes taken,
    /// which may end in the middle of a buffer. It takes no more than [`MOST_BUFFERS`] buffers at a
    /// time.
    ///
    /// # Errors
    ///
    /// The errors of `pwritev(2)`.
    fn write_vectored_at(&self, from: &[IoSlice<'_>], offset: u64) -> io::Result<usize>;

    /// Makes what was written durable, with the size that is needed to read it back, as
    /// `fdatasync(2)` does. It does not make the file's name durable.
    ///
    /// # Errors
    ///
    /// The errors of `fdatasync(2)`. After one, it is unknown what is durable, and a second call
    /// that succeeds proves nothing: the kernel may have dropped the pages that it could not write.
    fn sync_data(&self) -> io::Result<()>;

    /// Makes the file durable with all that is said of it (times, permissions), as `fsync(2)` does.
    /// It does not make the file's name durable.
    ///
    /// # Errors
    ///
    /// As [`sync_data`](Self::sync_data).
    fn sync_all(&self) -> io::Result<()>;
}

/// The most buffers that one vectored write takes: `IOV_MAX` of Linux.
pub const MOST_BUFFERS: usize = 1024;

/// Refuses a name that would lead out of the directory.
pub(crate) fn check_name(name: &str) -> io::Result<()> {
    if name.is_empty() || name == "." || name == ".." || name.contains(['/', '\0']) {
        let error = io::Error::new(io::ErrorKind::InvalidInput, "not a name of a file");
        return trying(format_args!("{name:?}"), Err(error));
    }
    Ok(())
}

#[cfg(unix)]
pub use real::{Directory, DirectoryFile};

#[cfg(unix)]
mod real {
    use super::{Storage, StoredFile, check_name, trying};
    use std::fmt;
    use std::fs::{self, File};
    use std::io::{self, IoSlice};
    use std::os::unix::fs::FileExt as _;
    use std::path::{Path, PathBuf};

    /// A directory of the file system.
    ///
    /// ```
    /// # let folder = perf_proved::harness::scratch::Scratch::new()?;
    /// # let path = folder.path().join("journal");
    /// use perf_proved::sys::storage::{Directory, Storage, StoredFile};
    ///
    /// let journal = Directory::create(&path)?;
    /// let file = journal.create("1")?;
    /// assert_eq!(file.write_at(b"entry", 0)?, 5);
    /// file.sync_data()?; // now the five bytes are durable …
    /// journal.sync()?; // … and now they can be found
    /// assert_eq!(journal.names()?, ["1"]);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[derive(Debug)]
    pub struct Directory {
        path: PathBuf,
        /// Open for [`Storage::sync`].
        handle: File,
    }

    /// An open file of a [`Directory`].
    #[derive(Debug)]
    pub struct DirectoryFile {
        /// The path under which it was opened, for errors.
        path: PathBuf,
        file: File,
    }

    impl Directory {
        /// Opens the directory at `path`.
        ///
        /// # Errors
        ///
        /// If there is none or it may not be read.
        pub fn open(path: &Path) -> io::Result<Self> {
            let handle = trying(on("opening", path), File::open(path))?;
            if !trying(on("opening", path), handle.metadata())?.is_dir() {
                let error = io::Error::from(io::ErrorKind::NotADirectory);
                return trying(on("opening", path), Err(error));
            }
            Ok(Self { path: path.to_owned(), handle })
        }

        /// Makes the directory at `path` where there is none, makes its name durable in the
        /// directory above, and opens it.
        ///
        /// # Errors
        ///
        /// If it cannot be made; the directory above has to exist.
        pub fn create(path: &Path) -> io::Result<Self> {
            match fs::create_dir(path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                made => trying(on("making", path), made)?,
            }
            let above = match path.parent() {
                Some(above) if above != Path::new("") => above,
                _ => Path::new("."),
            };
            trying(on("syncing", above), File::open(above).and_then(|above| above.sync_all()))?;
            Self::open(path)
        }

        /// Returns its path.
        pub fn path(&self) -> &Path {
            &self.path
        }

        fn join(&self, name: &str) -> io::Result<PathBuf> {
            check_name(name).map(|()| self.path.join(name))
        }
    }

    impl Storage for Directory {
        type File = DirectoryFile;

        fn create(&self, name: &str) -> io::Result<DirectoryFile> {
            let path = self.join(name)?;
            let made = File::options().read(true).write(true).create_new(true).open(&path);
            trying(on("creating", &path), made).map(|file| DirectoryFile { path, file })
        }

        fn open(&self, name: &str) -> io::Result<DirectoryFile> {
            let path = self.join(name)?;
            let opened = File::options().read(true).write(true).open(&path);
            trying(on("opening", &path), opened).map(|file| DirectoryFile { path, file })
        }

        fn names(&self) -> io::Result<Vec<String>> {
            let name = |entry: io::Result<fs::DirEntry>| {
                entry?.file_name().into_string().map_err(|name| {
                    io::Error::new(io::ErrorKind::InvalidData, format!("{name:?} is not UTF-8"))
                })
            };
            let listed = fs::read_dir(&self.path)
                .and_then(|entries| entries.map(name).collect::<io::Result<Vec<_>>>());
            let mut names = trying(on("listing", &self.path), listed)?;
            names.sort_unstable();
            Ok(names)
        }

        fn rename(&self, from: &str, to: &str) -> io::Result<()> {
            let (from, to) = (self.join(from)?, self.join(to)?);
            let renamed = fs::rename(&from, &to);
            trying(format_args!("renaming {} to {}", from.display(), to.display()), renamed)
        }

        fn remove(&self, name: &str) -> io::Result<()> {
            let path = self.join(name)?;
            trying(on("removing", &path), fs::remove_file(&path))
        }

        fn sync(&self) -> io::Result<()> {
            trying(on("syncing", &self.path), self.handle.sync_all())
        }
    }

    impl StoredFile for DirectoryFile {
        fn len(&self) -> io::Result<u64> {
            trying(on("sizing", &self.path), self.file.metadata()).map(|found| found.len())
        }

        fn set_len(&self, bytes: u64) -> io::Result<()> {
            trying(on("resizing", &self.path), self.file.set_len(bytes))
        }

        fn allocate(&self, offset: u64, bytes: u64) -> io::Result<()> {
            trying(on("allocating blocks for", &self.path), allocate(&self.file, offset, bytes))
        }

        fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
            trying(on("reading", &self.path), self.file.read_at(into, offset))
        }

        fn write_at(&self, from: &[u8], offset: u64) -> io::Result<usize> {
            trying(on("writing", &self.path), self.file.write_at(from, offset))
        }

        fn write_vectored_at(&self, from: &[IoSlice<'_>], offset: u64) -> io::Result<usize> {
            trying(on("writing", &self.path), write_vectored(&self.file, from, offset))
        }

        fn sync_data(&self) -> io::Result<()> {
            trying(on("syncing", &self.path), self.file.sync_data())
        }

        fn sync_all(&self) -> io::Result<()> {
            trying(on("syncing", &self.path), self.file.sync_all())
        }
    }

    /// An attempt, for an error.
    struct On<'a>(&'a str, &'a Path);

    impl fmt::Display for On<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "{} {}", self.0, self.1.display())
        }
    }

    fn on<'a>(verb: &'a str, path: &'a Path) -> On<'a> {
        On(verb, path)
    }

    #[cfg(target_os = "linux")]
    fn allocate(file: &File, offset: u64, bytes: u64) -> io::Result<()> {
        use std::os::fd::AsRawFd as _;
        let too_large = |_| io::Error::from(io::ErrorKind::InvalidInput);
        let offset = offset.try_into().map_err(too_large)?;
        let bytes = bytes.try_into().map_err(too_large)?;
        // SAFETY: the descriptor is open as long as `file` lives; the others are integers.
        crate::sys::cvt(unsafe { libc::fallocate(file.as_raw_fd(), 0, offset, bytes) }).map(drop)
    }

    #[cfg(not(target_os = "linux"))]
    fn allocate(_file: &File, _offset: u64, _bytes: u64) -> io::Result<()> {
        Err(crate::sys::unsupported("fallocate exists on Linux only"))
    }

    #[cfg(target_os = "linux")]
    fn write_vectored(file: &File, from: &[IoSlice<'_>], offset: u64) -> io::Result<usize> {
        use std::os::fd::AsRawFd as _;
        let offset = offset.try_into().map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
        let buffers = from.len().min(super::MOST_BUFFERS) as libc::c_int;
        // SAFETY: an `IoSlice` has the layout of an `iovec` (std guarantees it on Unix), the
        // buffers are live and only read, and the descriptor is open as long as `file` lives.
        crate::sys::moved(unsafe {
            libc::pwritev(file.as_raw_fd(), from.as_ptr().cast(), buffers, offset)
        })
    }

    /// Writes the first buffer that is not empty: a short write, which the caller continues.
    #[cfg(not(target_os = "linux"))]
    fn write_vectored(file: &File, from: &[IoSlice<'_>], offset: u64) -> io::Result<usize> {
        let first = from.iter().find(|buffer| !buffer.is_empty());
        first.map_or(Ok(0), |buffer| file.write_at(buffer, offset))
    }
}

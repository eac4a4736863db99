//! The history of a program that runs.
//!
//! A [`Recorder`] starts a command under `ptrace(2)`, follows its threads and children, and notes
//! each call that changes the directory that it watches, with the bytes. Open files are known by
//! device and inode, so it does not matter by which descriptor or name a program reaches them.
//!
//! | call | noted as |
//! | --- | --- |
//! | `open` and its kin | a new name, if there was none; with `O_TRUNC`, a new size |
//! | `write`, `pwrite`, `writev`, `pwritev`, `pwritev2` | a write |
//! | the same with `O_SYNC`, `O_DSYNC` or their `RWF_` | a write that is durable |
//! | `truncate`, `ftruncate`, `fallocate` | a size, or zeros |
//! | `rename`, `link`, `unlink`, `mkdir`, `rmdir` and their kin | names |
//! | `fsync`, `fdatasync` | a sync, or a failed one |
//! | `sync`, `syncfs` | a sync of everything, as on Linux |
//! | `sync_file_range` | nothing: it promises nothing |
//! | writes to standard output, pipes and sockets | an acknowledgment |
//!
//! A sync covers what had returned when it was called.
//!
//! Everything else that may change the directory is an error that names the call: shared writable
//! maps, io_uring, `sendfile`, `copy_file_range` and `splice` into a file, symbolic links,
//! exchanges, and moves in or out. At the end, the history has to explain the directory as it is.
//!
//! It needs no privilege. It fails where `ptrace` is forbidden, and it slows the program down:
//! record what a program does, never how fast.

use super::history::History;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

/// A directory whose changes are recorded.
///
/// ```no_run
/// use perf_proved::proof::power_loss::{Recorder, Rules, Search, search};
/// use std::path::Path;
/// use std::process::Command;
///
/// let mut program = Command::new("sh");
/// program.args(["-c", "echo new > data/t; mv data/t data/a; echo stored"]);
/// let recording = Recorder::new(Path::new("data")).record(&mut program)?;
/// let found = search(&recording.history, Rules::POSIX, Search::default(), |crash| {
///     let whole = crash.image.file("a") == Some(b"new\n");
///     if whole || crash.told(1).is_empty() { Ok(()) } else { Err("lost".to_owned()) }
/// });
/// println!("{} of {} images are bad", found.violations, found.images);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Recorder {
    directory: PathBuf,
    ignored: Vec<String>,
}

/// A program's history and its end.
#[derive(Clone, Debug)]
pub struct Recording {
    /// The directory as it was at first, and what was done to it.
    pub history: History,
    /// The exit status of the program.
    pub status: ExitStatus,
}

impl Recorder {
    /// Watches what is in `directory`, at any depth.
    pub fn new(directory: &Path) -> Self {
        Self { directory: directory.to_owned(), ignored: vec![] }
    }

    /// Leaves out the files whose names end with `suffix`, whatever is done to them: they are in no
    /// image. It is for files that a program rebuilds after a crash, such as the shared memory of
    /// SQLite (`-shm`).
    pub fn ignore(mut self, suffix: &str) -> Self {
        self.ignored.push(suffix.to_owned());
        self
    }

    /// Runs `command` to its end, and the ends of all processes that it started. A pipe to this
    /// program would not be read: give its output a file, or nothing.
    ///
    /// # Errors
    ///
    /// If the command cannot be started or traced; `Unsupported`, with the name of the call, if it
    /// does something to the directory that is not modeled here, and it is killed then; and
    /// `Unsupported` elsewhere than on Linux on x86-64 and arm64.
    pub fn record(&self, command: &mut Command) -> io::Result<Recording> {
        #[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
        return super::tracer::record(&self.directory, &self.ignored, command)
            .map(|(history, status)| Recording { history, status });
        #[cfg(not(all(
            target_os = "linux",
            any(target_arch = "x86_64", target_arch = "aarch64")
        )))]
        {
            let _ = (command, &self.directory, &self.ignored);
            Err(crate::sys::unsupported("programs are recorded on Linux only (x86-64 and arm64)"))
        }
    }
}

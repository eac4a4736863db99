//! Helpers that the tests share, the rules of the house, and the breaks that the checks must
//! notice.

// The models need none of it.
#![cfg(not(loom))]

#[cfg(feature = "book")]
pub mod breaks;
pub mod house;

use perf_proved::harness::loopback::hear;
use perf_proved::sys::log;
use std::fmt::Debug;
use std::io::Read;
use std::net::TcpStream;
#[cfg(target_os = "linux")]
use std::os::fd::{AsFd, AsRawFd};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use std::{env, fs, process};

/// Returns the project's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ stands in the project").to_owned()
}

/// Compiles a program that uses the library and returns the code (`E0499`) and message of each
/// error, in the compiler's order; nothing if it compiles. Call it with
/// `env!("CARGO_TARGET_TMPDIR")`, the folder that cargo lends to a test.
///
/// # Panics
///
/// If the compiler cannot be run, or refuses without an error.
pub fn refusals(folder: &str, name: &str, program: &str) -> Vec<(String, String)> {
    let errors = errors(folder, name, program).into_iter();
    let texts = |message: serde_json::Value| {
        [&message["code"]["code"], &message["message"]]
            .map(|text| text.as_str().unwrap_or("").to_owned())
    };
    errors.map(texts).map(|[code, message]| (code, message)).collect()
}

/// Compiles a program as [`refusals`] does, and returns what the compiler prints about its errors.
///
/// # Panics
///
/// As [`refusals`].
pub fn complaint(folder: &str, name: &str, program: &str) -> String {
    let errors = errors(folder, name, program);
    errors.iter().filter_map(|message| message["rendered"].as_str()).collect()
}

fn errors(folder: &str, name: &str, program: &str) -> Vec<serde_json::Value> {
    let folder = Path::new(folder).join("refusals").join(name);
    let manifest = format!(
        "[package]\nname = \"{name}\"\nedition = \"2024\"\n[dependencies]\nperf-proved = {{ path = {:?} }}\nstatic_assertions = \"1.1\"\n[workspace]\n",
        root()
    );
    fs::create_dir_all(folder.join("src")).expect("creating a crate to compile");
    fs::write(folder.join("Cargo.toml"), manifest).expect("writing its manifest");
    fs::write(folder.join("src/main.rs"), program).expect("writing its program");
    fs::copy(root().join("Cargo.lock"), folder.join("Cargo.lock"))
        .expect("the versions of the workspace");
    let output = Command::new(env!("CARGO"))
        .args(["check", "--quiet", "--message-format=json", "--target-dir"])
        .arg(folder.with_file_name("target"))
        .current_dir(&folder)
        .output()
        .expect("running cargo");
    let errors: Vec<_> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .map(|line| line["message"].clone())
        .filter(|message| {
            message["level"] == "error"
                && message["spans"].as_array().is_some_and(|spans| !spans.is_empty())
        })
        .collect();
    let refused = !output.status.success();
    assert_eq!(refused, !errors.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    errors
}

/// Returns the lock that tests of one file hold if they must not run side by side: because they
/// look at the memory of the whole process; because they need both cores, which a test that spins
/// would take; or because they trace or count page faults, since the tracer is forked from the
/// whole process, and a forked process faults again on every page that it writes.
pub fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns this program with this test and no other, to be started in a process of its own.
pub fn only(test: &str) -> Command {
    let mut command = Command::new(env::current_exe().expect("a test knows its own path"));
    command.args(["--exact", test, "--nocapture"]);
    command
}

/// Checks that the test that [`only`] started ran, and passed.
///
/// # Panics
///
/// If it did not run, or failed.
pub fn passed(output: &Output) {
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success() && said.contains("1 passed"), "{}\n{said}", output.status);
}

/// Returns `true` in the process that runs only this test. Otherwise starts that process and checks
/// that the test passes there.
///
/// # Panics
///
/// If it does not.
pub fn in_a_process(test: &str) -> bool {
    const ALONE: &str = "PERF_PROVED_ALONE";
    if env::var_os(ALONE).is_some() {
        return true;
    }
    passed(&only(test).env(ALONE, "1").output().expect("a test can start itself"));
    false
}

/// Returns the sorted names in a directory.
///
/// # Panics
///
/// If it cannot be read, or a name is not text.
pub fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Sets a buffer of a socket, `SO_SNDBUF` or `SO_RCVBUF`. The kernel doubles `bytes`.
///
/// # Panics
///
/// If it refuses.
#[cfg(target_os = "linux")]
pub fn set_buffer(socket: impl AsFd, option: libc::c_int, bytes: libc::c_int) {
    let (fd, size) = (socket.as_fd().as_raw_fd(), size_of_val(&bytes) as libc::socklen_t);
    // SAFETY: the socket is open, `bytes` is live and `size` is its size.
    let result =
        unsafe { libc::setsockopt(fd, libc::SOL_SOCKET, option, (&raw const bytes).cast(), size) };
    assert_eq!(result, 0);
}

/// Long enough for anything that works; what takes longer hangs.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Returns the time at which [`PATIENCE`] is at its end.
pub fn soon() -> Instant {
    Instant::now() + PATIENCE
}

/// Ends the process, with the name of the test, unless it is dropped before its deadline. Whatever
/// a test waits for may never come, and a hang tells nothing.
pub struct Watch {
    _dropped: Sender<()>,
}

impl Watch {
    /// Watches the test of this thread, for which `deadline` is long enough if it works. `more` is
    /// said after its name.
    pub fn new(deadline: Duration, more: &str) -> Self {
        let (dropped, watched) = channel::<()>();
        let test = thread::current().name().unwrap_or("a test").to_owned() + more;
        thread::spawn(move || {
            if let Err(RecvTimeoutError::Timeout) = watched.recv_timeout(deadline) {
                // Not by a macro, whose output a test that ends like this would take with it.
                log::line(format_args!("HANGS: {test}: no end after {deadline:?}"));
                process::abort();
            }
        });
        Self { _dropped: dropped }
    }
}

/// Returns the fastest of some runs, because other programs only ever slow one down.
///
/// # Panics
///
/// If there are none.
pub fn fastest(runs: usize, mut run: impl FnMut() -> Duration) -> Duration {
    (0..runs).map(|_| run()).min().expect("at least one run")
}

/// Measures until the times are as expected, at most ten times, half a second apart: other programs
/// slow down one side of a comparison now and then, for a while. Not more often, because sooner or
/// later they slow down the side that makes a broken program pass.
///
/// # Panics
///
/// With the last times, if they are never as expected.
pub fn eventually<T: Debug>(mut measure: impl FnMut() -> T, expected: impl Fn(&T) -> bool) {
    for left in (0..10).rev() {
        let times = measure();
        if expected(&times) {
            return;
        }
        assert!(left > 0, "ten times: {times:?}");
        thread::sleep(Duration::from_millis(500));
    }
}

/// Returns everything that arrives until the other end closes.
///
/// # Panics
///
/// If reading fails.
pub fn hears(end: impl Read) -> Vec<u8> {
    hear(end).expect("the other end closes, and does not reset")
}

/// Calls [`hears`] on a thread of its own.
pub fn reads_all(end: TcpStream) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || hears(end))
}

/// Signals that interrupt system calls: their handler lets no call go on (no `SA_RESTART`).
#[cfg(unix)]
pub mod signals {
    use std::os::unix::thread::JoinHandleExt;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::thread::JoinHandle;

    static CAUGHT: AtomicU64 = AtomicU64::new(0);

    /// Catches them from now on.
    ///
    /// # Panics
    ///
    /// If there can be no handler.
    pub fn catch() {
        extern "C" fn handler(_: libc::c_int) {
            CAUGHT.fetch_add(1, Ordering::Relaxed);
        }
        // SAFETY: all-zero bytes are a valid `sigaction`, and the handler only touches an atomic.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = handler as *const () as usize;
            assert_eq!(libc::sigaction(libc::SIGUSR1, &raw const action, std::ptr::null_mut()), 0);
        }
    }

    /// Sends a signal to `thread`. Call [`catch`] first.
    pub fn interrupt<T>(thread: &JoinHandle<T>) {
        // SAFETY: the thread has not been joined, so its id is valid.
        unsafe { libc::pthread_kill(thread.as_pthread_t(), libc::SIGUSR1) };
    }

    /// Returns the number of signals that have come.
    pub fn caught() -> u64 {
        CAUGHT.load(Ordering::Relaxed)
    }
}

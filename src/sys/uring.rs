//! Facts about io_uring here: the reason why there is none, and the threads that it adds.

use super::{raw_code, trying, unsupported};
use std::path::PathBuf;
use std::time::Duration;
use std::{fs, io};

/// Explains why there is no ring, in front of the call and its error. `limits` describes the limits
/// on memory that apply.
pub(crate) fn explained(error: io::Error, limits: impl FnOnce() -> String) -> io::Error {
    let switched_off = || {
        let mode = fs::read_to_string("/proc/sys/kernel/io_uring_disabled");
        mode.is_ok_and(|mode| mode.trim() != "0")
    };
    let reason = match raw_code(&error) {
        Some(libc::ENOSYS) => "this kernel has none",
        Some(libc::EPERM) if switched_off() => "kernel.io_uring_disabled is set",
        Some(libc::EPERM) => {
            "it is forbidden here, as by the default seccomp profiles of many container runtimes"
        }
        Some(libc::ENOMEM) => &format!("out of memory, or {}", limits()),
        _ => "it does not work here",
    };
    trying::<()>(format_args!("io_uring: {reason}"), Err(error)).expect_err("an error stays one")
}

/// Returns the number of threads that the kernel has added to this process for io_uring. They stay
/// for a few seconds after their last work.
///
/// # Errors
///
/// If `/proc` does not list this process's threads.
pub fn workers() -> io::Result<u64> {
    Ok(threads(|name| name.starts_with("iou-wrk"))?.count() as u64)
}

/// Returns the CPU time of the threads that look for the requests of this process's rings
/// (`IORING_SETUP_SQPOLL`).
///
/// # Errors
///
/// `Unsupported` if the kernel does not count it; if `/proc` does not list this process's threads.
pub fn pollers_time() -> io::Result<Duration> {
    let mut sum = Duration::ZERO;
    for thread in threads(|name| name.starts_with("iou-sqp"))? {
        // proc(5): nanoseconds on a core, nanoseconds in line for one, and the number of turns.
        let Ok(text) = fs::read_to_string(thread.join("schedstat")) else { continue }; // has ended
        let time = text.split(' ').next().and_then(|time| time.parse().ok());
        let time = time.filter(|time| *time > 0);
        sum += Duration::from_nanos(time.ok_or_else(|| unsupported("schedstat counts nothing"))?);
    }
    Ok(sum)
}

/// Returns the folders in `/proc` of the threads of this process whose names fit.
fn threads(fits: impl Fn(&str) -> bool) -> io::Result<impl Iterator<Item = PathBuf>> {
    let tasks = trying("/proc/self/task", fs::read_dir("/proc/self/task"))?;
    let fits = move |thread: &PathBuf| {
        fs::read_to_string(thread.join("comm")).is_ok_and(|name| fits(name.trim_end()))
    };
    Ok(tasks.flatten().map(|task| task.path()).filter(fits))
}

//! Facts about io_uring here: the reason why there is none, and the threads that it adds.

use super::{raw_code, trying};
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
        Some(libc::EPERM) => "it is forbidden here, as in most containers by a seccomp filter",
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
    let tasks = trying("/proc/self/task", fs::read_dir("/proc/self/task"))?;
    let names = tasks.flatten().map(|task| fs::read_to_string(task.path().join("comm")));
    Ok(names.flatten().filter(|name| name.starts_with("iou-wrk")).count() as u64)
}

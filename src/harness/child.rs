//! Experiments in a process of their own, because they may kill it.

use super::report::{Report, Value};
use crate::sys::cvt;
use std::env;
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::Command;

/// The end of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It exited with this status.
    Exit(i32),
    /// This signal killed it.
    Signal(i32),
}

/// Forks, has the child run `work` and exit with its result, and returns how the child ended. A
/// fatal signal leaves no core file behind.
///
/// # Errors
///
/// The errors of `fork(2)` and `waitpid(2)`.
///
/// # Safety
///
/// `work` must call async-signal-safe functions only (`signal-safety(7)`), because other threads
/// may have held any lock at the fork. It must neither allocate nor panic.
pub unsafe fn end_of(work: impl FnOnce() -> i32) -> io::Result<End> {
    // SAFETY: the child runs `work`, for which the caller vouches, makes one more bare system call,
    // and exits without running destructors or handlers of the parent.
    let child = cvt(unsafe {
        match libc::fork() {
            0 => {
                // On failure the child leaves a core file and ends all the same.
                let _ = no_core_file();
                libc::_exit(work())
            }
            pid => pid,
        }
    })?;
    let mut status = 0;
    loop {
        // SAFETY: waits for our own child; `status` is writable.
        match cvt(unsafe { libc::waitpid(child, &raw mut status, 0) }) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
            Ok(_) if libc::WIFSIGNALED(status) => return Ok(End::Signal(libc::WTERMSIG(status))),
            Ok(_) => return Ok(End::Exit(libc::WEXITSTATUS(status))),
        }
    }
}

/// Runs this program again with `--only variant`, in a process whose allocator has no history, and
/// reports the numbers that [`print()`] printed there: those of `columns` as bytes in the row
/// `variant`, the others in the JSON and in a note. A fatal signal is reported as `signal`; a
/// process that printed nothing is reported with its complaint. Returns how the process ended.
///
/// # Errors
///
/// If the process cannot be started or prints something else.
pub fn row(report: &mut Report, variant: &str, columns: &[&str]) -> io::Result<End> {
    let (end, [out, complaint]) = itself(variant)?;
    let mut notes: Vec<String> = complaint.lines().take(1).map(str::to_owned).collect();
    for (quantity, number) in out.lines().filter_map(|line| line.split_once(' ')) {
        let number = number.parse().map_err(io::Error::other)?;
        if columns.contains(&quantity) {
            report.set(variant, quantity, Value::Bytes(number));
        } else {
            report.detail(variant, quantity, number);
            notes.push(format!("{number} {}", quantity.replace('_', " ")));
        }
    }
    if out.is_empty() && end == End::Exit(0) {
        report.detail(variant, "signal", Value::NotPossible(complaint.trim().to_owned()));
    }
    if let End::Signal(signal) = end {
        report.detail(variant, "signal", signal as u64);
        notes.push(format!("ended by signal {signal}"));
    }
    if !notes.is_empty() {
        report.note(&format!("{variant}: {}", notes.join(", ")));
    }
    Ok(end)
}

/// Prints the findings of an experiment in the form that [`row`] reads: a name and a number per
/// line.
pub fn print(found: &[(&str, u64)]) {
    found.iter().for_each(|(quantity, number)| println!("{quantity} {number}"));
}

/// Runs this program and returns how it ended and what it wrote to standard output and standard
/// error. A fatal signal leaves no core file behind.
fn itself(variant: &str) -> io::Result<(End, [String; 2])> {
    let mut command = Command::new(env::current_exe()?);
    command.args(["--only", variant]);
    // SAFETY: between fork and exec the child makes one system call, on a local value.
    unsafe { command.pre_exec(no_core_file) };
    let output = command.output()?;
    let end = match output.status.signal() {
        Some(signal) => End::Signal(signal),
        None => End::Exit(output.status.code().unwrap_or_default()),
    };
    Ok((
        end,
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()),
    ))
}

/// Disables core files. Makes one bare system call, so a forked child may call it.
fn no_core_file() -> io::Result<()> {
    let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `none` is a live `rlimit`, which the call reads.
    cvt(unsafe { libc::setrlimit(libc::RLIMIT_CORE, &raw const none) }).map(drop)
}

//! Trying in a process of its own what may kill the process.

use super::report::{Report, Value};
use crate::sys::cvt;
use std::env;
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::Command;

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// By itself, with this status.
    Exit(i32),
    /// By this signal.
    Signal(i32),
}

/// Forks, has the child run `work` and exit with what it returns, and says how the child ended. A
/// signal that kills leaves no core file behind.
///
/// # Errors
///
/// What `fork(2)` or `waitpid(2)` reports.
///
/// # Safety
///
/// `work` calls async-signal-safe functions only (`signal-safety(7)`): other threads of this
/// process may have held any lock when it was forked. It does not allocate and does not panic.
pub unsafe fn end_of(work: impl FnOnce() -> i32) -> io::Result<End> {
    // SAFETY: the child does what the caller vouches for, makes one more bare system call, and
    // exits without running anything that belongs to the parent.
    let child = cvt(unsafe {
        match libc::fork() {
            0 => {
                let _ = no_core_file(); // where it cannot be, a file is left, and the end is the same
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

/// Runs this program once more with `--only variant`, in a process whose allocator has no past, and
/// reports the numbers that [`print()`] has printed there: those of `columns` as bytes in the row
/// `variant`, the others in JSON and under the table. A signal that ended it is one of them,
/// `signal`; one that found nothing says why. Returns how it ended.
///
/// # Errors
///
/// Where no process can be started, or it prints something else.
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

/// Prints what an experiment has found as [`row`] reads it: a line a number, behind its name.
pub fn print(found: &[(&str, u64)]) {
    found.iter().for_each(|(quantity, number)| println!("{quantity} {number}"));
}

/// Returns how it ended and what it wrote to standard output and to standard error. A signal that
/// kills leaves no core file behind.
fn itself(variant: &str) -> io::Result<(End, [String; 2])> {
    let mut command = Command::new(env::current_exe()?);
    command.args(["--only", variant]);
    // SAFETY: between fork and exec the child makes one system call, on a value of its own.
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

/// Makes one bare system call, so a process that was just forked may call it.
fn no_core_file() -> io::Result<()> {
    let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `none` is a live `rlimit`, which the call reads.
    cvt(unsafe { libc::setrlimit(libc::RLIMIT_CORE, &raw const none) }).map(drop)
}

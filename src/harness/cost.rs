//! Costs of a piece of work as a row of a [`Report`]: allocations, page faults, system calls.
//!
//! Count memory and calls in two runs. The helper that traces a thread is forked from its process,
//! and a forked process faults again on every page that it writes.

use super::report::{Report, Value};
use crate::proof::allocations::count;
use crate::proof::syscalls::trace;
use crate::proof::usage::Usage;
use std::io;

/// The quantities that [`memory`] sets.
pub const MEMORY: [&str; 2] = ["heap", "page_faults"];

/// The quantities that [`calls`] sets, beside each call by name.
pub const CALLS: [&str; 3] = ["syscalls", "copied_in", "copied_out"];

/// Runs `work` and sets `heap` (bytes allocated by this thread) and `page_faults` in the row
/// `variant`. Where page faults cannot be counted, that cell says why.
///
/// # Errors
///
/// The errors of `work`; nothing is set then.
///
/// # Panics
///
/// See [`count`].
pub fn memory<T>(
    report: &mut Report,
    variant: &str,
    work: impl FnOnce() -> io::Result<T>,
) -> io::Result<T> {
    let before = Usage::of_thread();
    let (result, made) = count(work);
    let used = before.and_then(|before| Ok(Usage::of_thread()? - before));
    let value = result?;
    report.set(variant, "heap", Value::Bytes(made.bytes));
    match used {
        Ok(used) => report.set(variant, "page_faults", used.minor_faults + used.major_faults),
        Err(reason) => report.set(variant, "page_faults", Value::from(reason)),
    }
    Ok(value)
}

/// Runs `work` and sets `syscalls`, `copied_in` and `copied_out` in the row `variant`. The latter
/// are the bytes that went through user space by `read` and by `write` and their variants, as
/// [`Calls`](crate::proof::syscalls::Calls) adds them up. The JSON also gets each call by name,
/// including those in `always` that were never made. Where calls cannot be counted, `work` runs
/// nevertheless, and the row says why.
///
/// # Errors
///
/// The errors of `work`; nothing is set then.
pub fn calls<T>(
    report: &mut Report,
    variant: &str,
    always: &[&str],
    work: impl FnOnce() -> io::Result<T>,
) -> io::Result<T> {
    for (quantity, heading) in [("copied_in", "in by read"), ("copied_out", "out by write")] {
        report.heading(quantity, heading);
    }
    if let Err(reason) = trace(|| ()) {
        no_calls(report, variant, always, &reason.to_string());
        return work();
    }
    let (result, calls) = trace(work)?;
    let value = result?;
    report.set(variant, "syscalls", calls.total());
    report.set(variant, "copied_in", Value::Bytes(calls.bytes_read()));
    report.set(variant, "copied_out", Value::Bytes(calls.bytes_written()));
    always.iter().for_each(|name| report.detail(variant, name, calls.of(name).made));
    calls.iter().for_each(|(name, call)| report.detail(variant, name, call.made));
    let names: Vec<String> =
        calls.iter().map(|(name, call)| format!("{} {name}", call.made)).collect();
    report.note(&format!("{variant}: {}", names.join(", ")));
    Ok(value)
}

/// Sets the cells that [`calls`] sets in the row `variant` to the reason why nothing was counted.
pub fn no_calls(report: &mut Report, variant: &str, always: &[&str], reason: &str) {
    report.not_possible(variant, &CALLS, reason);
    always
        .iter()
        .for_each(|name| report.detail(variant, name, Value::NotPossible(reason.to_owned())));
}

//! The laboratory: what the examples, benches and tests count and clock with.
//!
//! | question | answer | witness |
//! | --- | --- | --- |
//! | which system calls did this make, and how many bytes did they return? | [`syscalls::trace`] | the kernel, through `ptrace` |
//! | how often did this allocate, and how much? | [`allocations::count`] | the global allocator |
//! | do these bytes still lie in memory? | [`remains::of`] | `/proc/self/mem` |
//! | how much memory is it in fact? | [`resident`] | `/proc/self` |
//! | how many page faults and context switches? | [`usage::Usage`] | `getrusage` |
//! | how many TLB shootdowns? | [`usage::tlb_shootdowns`] | `/proc/interrupts` |
//! | how much CPU time, and whose? | [`cpu`] | the kernel's clocks and `/proc` |
//! | does it kill the process? | [`child::end_of`](child), [`child::row`](child) | `waitpid` |
//! | on which core? | [`cores`] | `sched_setaffinity` |
//! | how long, in rounds? | [`rounds::Rounds`] | the clock |
//!
//! [`cost`] puts calls, allocations and page faults into a row of a report. None of them asks the
//! code under test to count itself. [`report::Report`] prints what they found, as a table for
//! people or as JSON for programs, and [`flags`] reads what the examples are asked for.
//! [`loopback`] and [`scratch`] give an experiment its connection and its files, [`limit`] how
//! large those may grow.

pub mod allocations;
#[cfg(unix)]
pub mod child;
pub mod cores;
#[cfg(target_os = "linux")]
pub mod cost;
pub mod cpu;
pub mod flags;
#[cfg(unix)]
pub mod interrupt;
#[cfg(target_os = "linux")]
pub mod limit;
pub mod loopback;
#[cfg(target_os = "linux")]
pub mod remains;
pub mod report;
pub mod resident;
pub mod rounds;
pub mod scratch;
pub mod size;
pub mod syscalls;
pub mod usage;

use std::io;

/// Turns the `-1` of a system call into the error in `errno`.
#[cfg(unix)]
pub(crate) fn cvt(result: libc::c_int) -> io::Result<libc::c_int> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// As [`cvt`], for a call that returns how many bytes it has moved.
#[cfg(target_os = "linux")]
pub(crate) fn moved(result: libc::ssize_t) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

/// The error of a variant that is none of the `known` ones.
#[cfg(target_os = "linux")]
pub(crate) fn unknown(name: &str, known: &[&str]) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("{name}: not one of {}", known.join(", ")))
}

/// The error of a facility that this platform lacks, `what` being a whole sentence without its full
/// stop.
#[allow(dead_code, reason = "Linux, which has everything, never calls it")]
pub(crate) fn unsupported(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, what)
}

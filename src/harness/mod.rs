//! Code that the examples, benches and tests share: flags, reports, rounds, files and connections.
//!
//! | module | provides |
//! | --- | --- |
//! | [`flags`] | the flags of an example, and its `--help` |
//! | [`report::Report`] | an example's numbers, as a table or as JSON, and the promises it keeps |
//! | [`cost`] | rows of a report: calls, allocations, page faults |
//! | [`rounds::Rounds`] | times, with the probes interleaved in rounds |
//! | [`scratch`] | a directory for an experiment's files |
//! | [`rotation`] | a file whose bytes come from memory and not from a cache |
//! | [`shuffle`] | random orders that are the same in every run |
//! | [`loopback`] | a TCP connection to a reader on a core of its own |
//! | [`clients`] | the clients of an HTTP server, on one thread |
//! | [`child`] | experiments in a process of their own |
//! | [`size`] | sizes such as `64KiB` |

#[cfg(unix)]
pub mod child;
#[cfg(target_os = "linux")]
pub mod clients;
#[cfg(target_os = "linux")]
pub mod cost;
pub mod flags;
mod kept;
pub mod loopback;
pub mod report;
#[cfg(target_os = "linux")]
pub mod rotation;
pub mod rounds;
pub mod scratch;
pub mod shuffle;
pub mod size;

use std::io;

/// Returns the error for a variant's name that is none of the `known` ones.
pub(crate) fn unknown(name: &str, known: &[&str]) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("{name}: not one of {}", known.join(", ")))
}

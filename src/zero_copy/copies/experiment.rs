//! The experiments of the chapter: what the example counts.

use super::naive;
use super::variants::Variant;
use crate::harness::cost;
use crate::harness::loopback::{FNV_START, Loopback, fnv1a, once, pair};
use crate::harness::report::Report;
use crate::harness::scratch::{Scratch, pattern};
use crate::proof::usage::Usage;
use crate::sys::{cores, trying};
use std::fs::File;
use std::io::{self, Write};
use std::thread;

/// The quantities of the second transfer that [`count`] sets.
pub const AGAIN: [&str; 2] = ["faults_again", "switches"];

/// The size of the file that the naive version sends twice, in bytes.
const LARGE: usize = 64 << 20;

/// Counts what the variant called `name` asks of the kernel for a file of `size` bytes. Returns
/// `true` if the bytes that arrived are those of the file, as far as the variant promises that.
///
/// # Errors
///
/// The errors of the connection, of a thread, and of the variant.
pub fn count(report: &mut Report, name: &str, file: &File, size: usize) -> io::Result<bool> {
    // A new thread, whose allocator has no memory yet.
    let checksum = thread::scope(|scope| {
        let thread = thread::Builder::new();
        let counting = thread.spawn_scoped(scope, || run_four(report, name, file, size as u64));
        cores::joined(trying("starting a thread", counting)?)
    })?;
    Ok(!Variant::new(name)?.is_whole() || checksum == fnv1a(FNV_START, &pattern(size)))
}

// ANCHOR: count
/// Runs one variant four times: twice for its memory, since the allocator keeps what it
/// has, then for its calls, and for the checksum of what arrived. The buffer that a loop
/// reuses counts as memory of the first run.
fn run_four(report: &mut Report, name: &str, file: &File, size: u64) -> io::Result<u64> {
    let arrives = Variant::new(name)?.arrives(size);
    let mut line = Loopback::new(None)?;
    let mut variant = line.transfer(arrives, |socket| {
        cost::memory(report, name, || {
            let mut variant = Variant::new(name)?;
            variant.run(socket, file, 0..size).map(|()| variant)
        })
    })?;
    let mut run = |socket: &_| trying(name, variant.run(socket, file, 0..size));
    let before = Usage::of_thread();
    line.transfer(arrives, &mut run)?;
    set_again(report, name, before.and_then(|before| Ok(Usage::of_thread()? - before)));
    line.transfer(arrives, |socket| cost::calls(report, name, &[], || run(socket)))?;
    let ((), checksum) = line.transfer_checked(arrives, run)?;
    line.close()?;
    Ok(checksum)
}
// ANCHOR_END: count

/// Sets the quantities of the second transfer, or the reason why they could not be counted.
fn set_again(report: &mut Report, name: &str, used: io::Result<Usage>) {
    match used {
        Ok(used) => {
            report.set(name, "faults_again", used.minor_faults);
            report.set(name, "switches", used.voluntary_switches + used.involuntary_switches);
        }
        Err(reason) => report.not_possible(name, &AGAIN, &reason.to_string()),
    }
}

/// Sends a large file twice with the naive version, and returns the page faults of each transfer:
/// the second one faults again on memory that the allocator has returned to the kernel.
///
/// # Errors
///
/// The errors of the file, of the connection, and of `getrusage(2)`.
pub fn naive_faults() -> io::Result<[u64; 2]> {
    let scratch = Scratch::new()?;
    let large = File::open(scratch.file("large", LARGE)?)?;
    let mut line = Loopback::new(None)?;
    let mut faults = [0; 2];
    for faults in &mut faults {
        let before = Usage::of_thread()?;
        line.transfer(LARGE as u64, |socket| naive::send_whole(socket, &large))?;
        *faults = (Usage::of_thread()? - before).minor_faults;
    }
    line.close()?;
    Ok(faults)
}

/// Writes 16 KiB in 64 calls to a socket that has room for them all, and returns the number of
/// times that the thread gave its core away.
///
/// # Errors
///
/// The errors of the socket and of `getrusage(2)`.
pub fn small_writes_switch() -> io::Result<u64> {
    let (_client, mut socket) = pair()?;
    let before = Usage::of_thread()?;
    for _ in 0..64 {
        socket.write_all(&[0; 256])?;
    }
    Ok((Usage::of_thread()? - before).voluntary_switches)
}

/// Runs the variant called `name` once for a file of `size` bytes, and counts nothing.
///
/// # Errors
///
/// The errors of the file, of the connection, and of the variant.
pub fn run_once(name: &str, size: usize) -> io::Result<()> {
    let mut variant = Variant::new(name)?;
    let scratch = Scratch::new()?;
    let file = File::open(scratch.file("body", size)?)?;
    let arrives = variant.arrives(size as u64);
    once(arrives, |socket| trying(name, variant.run(socket, &file, 0..size as u64)))
}

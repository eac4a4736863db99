//! What this machine can do: the yardstick that every later figure is held against.
//!
//! A probe does one thing `n` times and returns how long all of them took, set-up and checks
//! excluded; divide by `n`. So the example, the bench and the tests run the same code. Each says
//! what its unit is and what it leaves out.
//!
//! | question | probe |
//! | --- | --- |
//! | how long until a load's value is there, and how many loads can be under way? | [`load::Chain`] |
//! | how many bytes a second can be read, written, copied? | [`bandwidth::Block`] |
//! | what does an addition take, as a check of the method? | [`addition::additions`] |
//! | what does the kernel take to enter, to give a page, to tell the time? | [`kernel`] |
//! | what does another thread take to start, to wake, to be switched to? | [`threads`] |
//! | what does it take when two cores write? | [`lines`] |
//! | what does a socket on this machine take? | [`loopback`] |
//! | what does a file take, from the page cache and to the disk? | [`mod@file`] |
//!
//! The methods are those of lmbench (McVoy and Staelin, "lmbench: Portable Tools for Performance
//! Analysis", USENIX 1996), except where a probe says otherwise. [`naive`] keeps two probes that
//! look right and measure something else.

pub mod addition;
pub mod bandwidth;
pub mod file;
pub mod kernel;
pub mod lines;
pub mod load;
pub mod loopback;
pub mod naive;
pub mod threads;

use crate::sys::{cores, unsupported};
use std::io;

/// The cores for an experiment that needs two at once.
///
/// # Errors
///
/// `Unsupported` where this process may use one core only, and outside Linux, where this book does
/// not pin threads.
pub fn two_cores() -> io::Result<[usize; 2]> {
    match cores::pair()? {
        Some((first, second)) => Ok([first, second]),
        None => Err(unsupported("needs two cores, and this process may use one only")),
    }
}

//! What it costs that memory moves in lines: for what another core writes beside a value, and for what a core fetches along
//! with it.
//!
//! | question | answer |
//! | --- | --- |
//! | how does a value get its lines to itself? | [`CachePadded`] |
//! | how do several threads count without waiting for each other? | [`ShardedCounter`] |
//! | what do the ways to count take? | [`designs`] |
//! | what does a walk take, by its stride and its order? | [`walks`] |
//! | what does it save to ask for a line early? | [`gather`] |
//!
//! What two cores do to each other's lines is measured by [`lines`](crate::measuring::limits::lines). [`naive`] keeps the
//! versions that everybody writes first.

pub mod counter;
#[cfg(not(loom))] // loom has atomics of its own
pub mod designs;
pub mod gather;
pub mod naive;
pub mod padded;
pub mod walks;
pub mod words;

pub use counter::ShardedCounter;
pub use padded::CachePadded;

use crate::proof::{cores, unsupported};
use std::io;

/// Two cores on which an experiment with shared lines means something.
#[derive(Clone, Debug)]
pub struct TwoCores {
    /// By the kernel's numbers.
    pub cores: [usize; 2],
    /// Why it is not known that they are two: a sentence, where the kernel does not say which threads are one core's.
    pub doubt: Option<String>,
}

/// Two physical cores. Two threads of one core share its first cache, so that no line would travel between them.
///
/// # Errors
///
/// `Unsupported`, where this process may use one core only, or nothing but the threads of one, and outside Linux.
// ANCHOR: two_cores
pub fn two_cores() -> io::Result<TwoCores> {
    let allowed = cores::allowed()?;
    let Some((&first, others)) = allowed.split_first().filter(|(_, others)| !others.is_empty()) else {
        return Err(unsupported("needs two cores, and this process may use one only"));
    };
    for &other in others.iter().rev() {
        match cores::siblings(first, other) {
            Ok(true) => {}
            Ok(false) => return Ok(TwoCores { cores: [first, other], doubt: None }),
            Err(error) => {
                let doubt = format!("whether {first} and {other} are threads of one core is not known: {error}");
                return Ok(TwoCores { cores: [first, other], doubt: Some(doubt) });
            }
        }
    }
    Err(unsupported("needs two physical cores, and this process may use the threads of one only"))
}
// ANCHOR_END: two_cores

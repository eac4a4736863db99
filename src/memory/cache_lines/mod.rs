//! Cache lines: the price of a neighbor that another core writes, and of bytes that are fetched
//! along with a value.
//!
//! | module | provides |
//! | --- | --- |
//! | [`padded`] | [`CachePadded`], a value with cache lines of its own |
//! | [`counter`] | [`ShardedCounter`], to which threads add without waiting for each other |
//! | [`mod@prefetch`] | the prefetch instruction |
//! | [`naive`] | the versions that everyone writes first |
//! | [`variants`] | the counters that the chapter compares |
//! | [`experiment`] | walks through memory, reads with prefetching, and a count of shared lines |
//!
//! [`lines`](crate::measuring::limits::lines) measures the cost of a line that two cores write.
//!
//! The book's chapter: [cache_lines](../../../../memory/cache-lines.html).

pub mod counter;
pub mod experiment;
pub mod naive;
pub mod padded;
pub mod prefetch;
#[cfg(not(loom))] // loom has atomics of its own
pub mod variants;

pub use counter::ShardedCounter;
pub use padded::CachePadded;

use crate::sys::{cores, unsupported};
use std::io;

/// Two cores between which a cache line travels.
#[derive(Clone, Debug)]
pub struct TwoCores {
    /// Their numbers in the kernel.
    pub cores: [usize; 2],
    /// A sentence that says why they may be threads of one core, if the kernel does not tell.
    pub doubt: Option<String>,
}

/// Chooses two physical cores. Two threads of one core share its L1 cache, so no line would travel
/// between them.
///
/// # Errors
///
/// `Unsupported` if this process may use only one core, or only the threads of one, and outside
/// Linux.
pub fn two_cores() -> io::Result<TwoCores> {
    choose(&cores::allowed()?, cores::siblings)
}

// ANCHOR: choose
fn choose(
    allowed: &[usize],
    siblings: impl Fn(usize, usize) -> io::Result<bool>,
) -> io::Result<TwoCores> {
    let [first, others @ ..] = allowed else {
        return Err(unsupported("this process may use no core"));
    };
    for other in others.iter().rev() {
        let cores = [*first, *other];
        match siblings(*first, *other) {
            Ok(true) => {}
            Ok(false) => return Ok(TwoCores { cores, doubt: None }),
            Err(error) => {
                let doubt = format!("{first} and {other} may be one core: {error}");
                return Ok(TwoCores { cores, doubt: Some(doubt) });
            }
        }
    }
    let threads = if others.is_empty() { "one only" } else { "the threads of one only" };
    Err(unsupported(&format!("needs two cores, and this process may use {threads}")))
}
// ANCHOR_END: choose

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_of_one_core_are_refused_and_doubts_are_reported() {
        // 0 and 1 are one core, 2 and 3 the next
        let pairs = |a: usize, b: usize| Ok(a / 2 == b / 2);
        let halves = |a: usize, b: usize| Ok(a % 2 == b % 2); // 0 and 2, 1 and 3
        assert_eq!(choose(&[0, 1, 2, 3], pairs).unwrap().cores, [0, 3]);
        assert_eq!(choose(&[0, 1, 2], halves).unwrap().cores, [0, 1]);
        for (allowed, says) in [
            (&[0, 1][..], "may use the threads of one only"),
            (&[5], "may use one only"),
            (&[], "no core"),
        ] {
            let error = choose(allowed, pairs).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::Unsupported);
            assert!(error.to_string().ends_with(says), "{allowed:?}: {error}");
        }
        let two = choose(&[0, 1], |_, _| Err(io::Error::other("not told"))).unwrap();
        assert_eq!(two.cores, [0, 1]);
        assert_eq!(two.doubt.unwrap(), "0 and 1 may be one core: not told");
    }
}

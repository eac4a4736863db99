//! What it costs that memory moves in lines: for what another core writes beside a value, and for
//! what a core fetches along with it.
//!
//! | question | answer |
//! | --- | --- |
//! | how does a value get its lines to itself? | [`CachePadded`] |
//! | how do several threads count without waiting for each other? | [`ShardedCounter`] |
//! | what do the ways to count take? | [`designs`] |
//! | what does a walk take, by its stride and its order? | [`walks`] |
//! | what does it save to ask for a line early? | [`gather`] |
//!
//! What two cores do to each other's lines is measured by
//! [`lines`](crate::measuring::limits::lines). [`naive`] keeps the versions that everybody writes
//! first.

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

use crate::sys::{cores, unsupported};
use std::io;

/// Two cores on which an experiment with shared lines means something.
#[derive(Clone, Debug)]
pub struct TwoCores {
    /// By the kernel's numbers.
    pub cores: [usize; 2],
    /// Why it is not known that they are two: a sentence, where the kernel does not say which
    /// threads are one core's.
    pub doubt: Option<String>,
}

/// Two physical cores. Two threads of one core share its first cache, so that no line would travel
/// between them.
///
/// # Errors
///
/// `Unsupported`, where this process may use one core only, or nothing but the threads of one, and
/// outside Linux.
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
                let doubt = format!(
                    "whether {first} and {other} are threads of one core is not known: {error}"
                );
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
    fn threads_of_one_core_are_refused_and_doubts_are_told() {
        let pairs = |a: usize, b: usize| Ok(a / 2 == b / 2); // 0 and 1 are one core, 2 and 3 the next
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
        let two = choose(&[0, 1], |_, _| Err(io::Error::other("nobody knows"))).unwrap();
        assert_eq!(two.cores, [0, 1]);
        assert_eq!(
            two.doubt.unwrap(),
            "whether 0 and 1 are threads of one core is not known: nobody knows"
        );
    }
}

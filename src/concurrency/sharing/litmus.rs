//! Litmus tests: a few instructions on each of two cores, run again and again, and a count of the
//! runs that end with the surprising result.
//!
//! A count of zero proves nothing: the result may be rare, or need other code around it. A count of
//! one proves that it happens.

use crate::memory::cache_lines::CachePadded;
use crate::sys::cores;
use std::hint::spin_loop;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Lets two threads `enter` a new state at the same time, `runs` times, and counts the runs in
/// which both did.
///
/// # Errors
///
/// As [`cores::together`].
pub fn both_entered<S: Sync>(
    cores: [usize; 2],
    runs: usize,
    new: impl Fn() -> S,
    enter: impl Fn(&S, usize) -> bool + Sync,
) -> io::Result<u64> {
    count(cores, runs, new, |state| enter(state, 0), |state| enter(state, 1))
}

/// Sends `runs` messages, each while another thread receives, and counts those whose flag was seen
/// without their value.
///
/// # Errors
///
/// As [`cores::together`].
pub fn value_missed<M: Sync>(
    cores: [usize; 2],
    runs: usize,
    new: impl Fn() -> M,
    send: impl Fn(&M, usize) + Sync,
    receive: impl Fn(&M) -> Option<usize> + Sync,
) -> io::Result<u64> {
    let send = |message: &M| {
        send(message, 1);
        true
    };
    count(cores, runs, new, send, |message| receive(message) == Some(0))
}

/// Runs `left` and `right` at the same time on a new state, `runs` times, and counts the runs in
/// which both return `true`.
///
/// # Errors
///
/// As [`cores::together`].
pub fn count<S: Sync>(
    cores: [usize; 2],
    runs: usize,
    new: impl Fn() -> S,
    left: impl Fn(&S) -> bool + Sync,
    right: impl Fn(&S) -> bool + Sync,
) -> io::Result<u64> {
    /// The number of states that are prepared at a time.
    const BATCH: usize = 4096;
    /// The number of times per run, on average, that a thread looks for the other one.
    const PATIENCE: usize = 32;
    let mut states = Vec::new();
    let mut found = 0;
    let mut done = 0;
    while done < runs {
        states.clear();
        states.extend((0..BATCH.min(runs - done)).map(|_| new()));
        let arrived = [(); 2].map(|()| CachePadded(AtomicUsize::new(0)));
        let answers = [Mutex::new(vec![]), Mutex::new(vec![])];
        let side = |me: usize| {
            let mut mine = Vec::with_capacity(states.len());
            // A thread whose patience is used up goes on alone: the other one has lost its core,
            // and may get this one.
            let mut patience = PATIENCE * states.len();
            for (run, state) in states.iter().enumerate() {
                arrived[me].0.store(run + 1, Ordering::Relaxed); // a rendezvous: orders nothing
                while patience > 0 && arrived[1 - me].0.load(Ordering::Relaxed) <= run {
                    patience -= 1;
                    spin_loop();
                }
                mine.push(if me == 0 { left(state) } else { right(state) });
            }
            *answers[me].lock().unwrap_or_else(PoisonError::into_inner) = mine;
        };
        cores::together(&cores, side)?;
        let [left, right] =
            answers.map(|side| side.into_inner().unwrap_or_else(PoisonError::into_inner));
        found += left.iter().zip(&right).filter(|&(&left, &right)| left && right).count() as u64;
        done += states.len();
    }
    Ok(found)
}

//! Questions to the processor: a few lines on each of two cores, again and again, and how often
//! they end in the odd way.
//!
//! A count of zero proves nothing: the answer may be rare, or need other lines around it. A count
//! of one proves that it happens.

use super::{Orderings, doors::Doors, letter::Letter};
use crate::memory::cache_lines::CachePadded;
use crate::sys::cores;
use std::hint::spin_loop;
use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How often both visitors went in, of so many times that they came at once, as far as the machine
/// let them.
///
/// # Errors
///
/// As [`cores::together`].
pub fn both_entered<O: Orderings>(cores: [usize; 2], runs: usize) -> io::Result<u64> {
    count(cores, runs, Doors::<O>::new, |doors| doors.enter(0), |doors| doors.enter(1))
}

/// How often the flag was seen and the text was not, of so many letters that were sent while
/// somebody looked.
///
/// # Errors
///
/// As [`cores::together`].
pub fn old_text<O: Orderings>(cores: [usize; 2], runs: usize) -> io::Result<u64> {
    let send = |letter: &Letter<O>| {
        letter.send(1);
        true
    };
    count(cores, runs, Letter::<O>::new, send, |letter| letter.read() == Some(0))
}

/// How often both sides say `true`, of so many runs, each with a state of its own.
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
    const AT_ONCE: usize = 4096;
    /// How many looks at where the other one is a run may take on average.
    const PATIENCE: usize = 32;
    let mut states = Vec::new();
    let mut found = 0;
    let mut done = 0;
    while done < runs {
        states.clear();
        states.extend((0..AT_ONCE.min(runs - done)).map(|_| new()));
        let arrived = [(); 2].map(|()| CachePadded(AtomicUsize::new(0)));
        let answers = [Mutex::new(vec![]), Mutex::new(vec![])];
        let side = |place: usize| {
            let mut mine = Vec::with_capacity(states.len());
            // Whoever has waited for long goes on alone: the other one has lost its core, and may
            // find its own without this one.
            let mut patience = PATIENCE * states.len();
            for (run, state) in states.iter().enumerate() {
                arrived[place].0.store(run + 1, Ordering::Relaxed); // a meeting: it passes nothing on
                while patience > 0 && arrived[1 - place].0.load(Ordering::Relaxed) <= run {
                    patience -= 1;
                    spin_loop();
                }
                mine.push(if place == 0 { left(state) } else { right(state) });
            }
            *answers[place].lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = mine;
        };
        cores::together(&cores, side)?;
        let [left, right] =
            answers.map(|side| side.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner()));
        found += left.iter().zip(&right).filter(|&(&left, &right)| left && right).count() as u64;
        done += states.len();
    }
    Ok(found)
}

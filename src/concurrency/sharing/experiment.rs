//! The experiments of the example: additions that get lost, and the cost of a lock that another
//! thread holds.

use super::variants::lock;
use crate::harness::report::Report;
use crate::proof::cpu;
use crate::sys::{cores, trying, unsupported};
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use std::{io, thread};

/// Calls `add` `additions` times on each of `cores`, and returns how many of them `sum` lacks. Does
/// so again while none is lost, ten times at most: on a busy machine, one thread may be done before
/// the other gets its core.
///
/// # Errors
///
/// As [`cores::together`].
pub fn lost_additions(
    cores: [usize; 2],
    additions: usize,
    add: impl Fn() + Sync,
    sum: impl Fn() -> usize,
) -> io::Result<u64> {
    let mut made = 0;
    for _ in 0..TURNS {
        cores::together(&cores, |_| (0..additions).for_each(|_| add()))?;
        made += 2 * additions;
        if sum() < made {
            break;
        }
    }
    Ok((made - sum()) as u64)
}

/// The number of times that additions are made in the hope that one is lost.
const TURNS: usize = 10;

/// Waits for a mutex that the calling thread holds and releases, in another thread. Returns that
/// thread, so that its end is not counted.
///
/// # Errors
///
/// If no thread can be started.
pub fn wait_for_a_mutex() -> io::Result<thread::JoinHandle<()>> {
    let shared = Arc::new((Mutex::new(()), AtomicBool::new(false), AtomicBool::new(false)));
    let until = |flag: &AtomicBool| {
        // Pairs with the Release stores below.
        while !flag.load(Acquire) {
            thread::sleep(Duration::from_millis(1));
        }
    };
    let (held, theirs) = (lock(&shared.0), shared.clone());
    let waiter = thread::Builder::new().spawn(move || {
        theirs.1.store(true, Release);
        drop(lock(&theirs.0));
        theirs.2.store(true, Release);
    });
    let waiter = trying("starting a thread", waiter)?;
    until(&shared.1);
    thread::sleep(Duration::from_millis(50)); // until the waiter sleeps
    drop(held);
    until(&shared.2);
    Ok(waiter)
}

/// Returns the CPU time, in milliseconds, of four threads on one core, each with `sections`
/// sections under a lock, in which it sleeps for a millisecond. `exclusively` runs one under the
/// lock.
///
/// # Errors
///
/// As [`cores::allowed`], [`cores::pin`] and [`cpu::process`]; if a thread cannot be started.
pub fn crowd(sections: usize, exclusively: impl Fn(&dyn Fn()) + Sync) -> io::Result<u64> {
    let core = cores::allowed()?[0];
    let before = cpu::process()?;
    let pinned = || {
        cores::pin(core)?;
        (0..sections).for_each(|_| exclusively(&|| thread::sleep(Duration::from_millis(1))));
        Ok(())
    };
    let ended: io::Result<Vec<()>> = thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| cores::spawn(scope, pinned)).collect();
        threads.into_iter().map(|thread| cores::joined(thread?)).collect()
    });
    ended?;
    Ok((cpu::process()? - before).as_millis() as u64)
}

/// Sets one number of `report`, or the reason why it is not possible here, as [`Report::attempt`]
/// does. Returns the number.
pub fn set(
    report: &mut Report,
    variant: &str,
    quantity: &str,
    number: impl FnOnce() -> io::Result<u64>,
) -> Option<u64> {
    report.attempt(variant, &[quantity], |report| {
        let number = number()?;
        report.set(variant, quantity, number);
        Ok(number)
    })
}

/// Returns an error on processors other than x86-64, which give weak orderings another meaning.
///
/// # Errors
///
/// `Unsupported` on those.
pub fn on_x86_64() -> io::Result<()> {
    let elsewhere = "what a weaker ordering lets happen here is not what it lets happen on x86-64";
    if cfg!(target_arch = "x86_64") { Ok(()) } else { Err(unsupported(elsewhere)) }
}

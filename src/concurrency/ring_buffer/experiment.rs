//! The experiments of the example, the bench and the tests: items that get lost between two
//! threads, and the time of an item there and back.

use super::capacity::expect;
use super::variants::{Pop, Push};
use super::{mpmc, spsc};
use crate::sys::cores;
use std::collections::{BTreeMap, VecDeque};
use std::hint::spin_loop;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Creates an SPSC ring whose counters begin at `start`, for tests that cannot wait until they wrap
/// around.
///
/// # Panics
///
/// As [`spsc::ring`].
pub fn spsc_from<T>(capacity: usize, start: usize) -> (spsc::Producer<T>, spsc::Consumer<T>) {
    expect(spsc::ring_from(capacity, start))
}

/// Creates an MPMC ring whose counters begin at the lap `lap`, for the same tests.
///
/// # Panics
///
/// As [`mpmc::ring`].
pub fn mpmc_from<T>(capacity: usize, lap: usize) -> (mpmc::Producer<T>, mpmc::Consumer<T>) {
    mpmc::ends(expect(mpmc::Ring::new(capacity, lap)))
}

/// A state of the ring for one producer and one consumer, apart from where its items lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct State {
    /// The items in the ring.
    pub items: usize,
    /// The room that the producer knows of without reading `head`.
    pub room: usize,
    /// The items that the consumer knows of without reading `tail`.
    pub known: usize,
}

/// A push or a pop, as one side of the ring made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The ring was neither full nor empty.
    pub succeeded: bool,
    /// The side read the other side's index.
    pub looked: bool,
    /// The state after it.
    pub to: State,
}

/// Drives a ring of `capacity` items, whose counters begin at `start`, through all states that
/// pushes and pops lead to. Returns, for each, what a push and what a pop do there.
///
/// # Panics
///
/// As [`spsc::ring`].
pub fn steps(capacity: usize, start: usize) -> BTreeMap<State, [Step; 2]> {
    let mut all = BTreeMap::new();
    let mut paths = VecDeque::from([vec![]]);
    while let Some(path) = paths.pop_front() {
        let from = walk(capacity, start, &path).0;
        if all.contains_key(&from) {
            continue;
        }
        let steps = [true, false].map(|is_push| {
            let next: Vec<bool> = path.iter().copied().chain([is_push]).collect();
            let (to, succeeded) = walk(capacity, start, &next);
            paths.push_back(next);
            let moved = usize::from(succeeded);
            // A side that fails has looked. One that succeeds knows of one less, unless it looked.
            let looked = match is_push {
                _ if !succeeded => true,
                true => to.room + moved != from.room,
                false => to.known + moved != from.known,
            };
            Step { succeeded, looked, to }
        });
        all.insert(from, steps);
    }
    all
}

/// Pushes (`true`) and pops along `path` through a new ring. Returns the state that it leads to,
/// and whether the last step succeeded.
fn walk(capacity: usize, start: usize, path: &[bool]) -> (State, bool) {
    let (mut producer, mut consumer) = spsc_from(capacity, start);
    let mut succeeded = true;
    for &is_push in path {
        succeeded = if is_push { producer.push(()).is_ok() } else { consumer.pop().is_ok() };
    }
    let ((tail, room), (head, known)) = (producer.known(), consumer.known());
    (State { items: tail.wrapping_sub(head), room, known }, succeeded)
}

/// The items that did not arrive exactly once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Losses {
    /// Items that never arrived.
    pub lost: u64,
    /// Items that arrived more than once.
    pub delivered_twice: u64,
}

/// Lets two threads push half of the items `0..items` each. A thread pops while the queue is full,
/// and pops what is left at the end.
///
/// # Errors
///
/// As [`cores::together`].
pub fn losses(
    cores: [usize; 2],
    items: u64,
    push: impl Fn(u64) -> bool + Sync,
    pop: impl Fn() -> Option<u64> + Sync,
) -> io::Result<Losses> {
    let arrived = Mutex::new(vec![0_u8; items as usize]);
    cores::together(&cores, |thread| {
        let mut popped = vec![];
        for item in (thread as u64..items).step_by(2) {
            while !push(item) {
                popped.extend(pop());
            }
        }
        popped.extend(std::iter::from_fn(&pop));
        let mut arrived = lock(&arrived);
        for item in popped {
            arrived[item as usize] = arrived[item as usize].saturating_add(1);
        }
    })?;
    let arrived = lock(&arrived);
    let count =
        |which: fn(&u8) -> bool| arrived.iter().filter(|&times| which(times)).count() as u64;
    Ok(Losses { lost: count(|&times| times == 0), delivered_twice: count(|&times| times > 1) })
}

/// Times each of `n` round trips: `ping` on the first core sends and waits for the answer, `pong`
/// on the second waits and answers. Each time includes one reading of the clock.
///
/// # Errors
///
/// As [`cores::together`].
pub fn trips<A, B>(
    cores: [usize; 2],
    n: usize,
    ping: impl FnMut() -> A + Send,
    pong: impl FnMut() -> B + Send,
) -> io::Result<Vec<Duration>> {
    let sides = (Mutex::new((ping, Vec::with_capacity(n))), Mutex::new(pong));
    cores::together(&cores, |thread| {
        if thread == 1 {
            let mut pong = lock(&sides.1);
            return (0..n).for_each(|_| drop(pong()));
        }
        let (ping, times) = &mut *lock(&sides.0);
        times.extend((0..n).map(|_| {
            let start = Instant::now();
            let _ = ping();
            start.elapsed()
        }));
    })?;
    Ok(sides.0.into_inner().unwrap_or_else(PoisonError::into_inner).1)
}

/// Streams `items` numbers from one thread to another. A thread that finds the queue full or empty
/// yields.
///
/// # Errors
///
/// If no thread can be started.
pub fn stream(
    items: u64,
    mut push: impl FnMut(u64) -> bool + Send,
    mut pop: impl FnMut() -> Option<u64> + Send,
) -> io::Result<()> {
    fn yield_until(mut done: impl FnMut() -> bool) {
        while !done() {
            thread::yield_now();
        }
    }
    thread::scope(|scope| {
        let pushing = move || (0..items).for_each(|item| yield_until(|| push(item)));
        cores::spawn(scope, pushing)?;
        (0..items).for_each(|_| yield_until(|| pop().is_some()));
        Ok(())
    })
}

/// Times `n` round trips of a bare word that the two threads write alternately.
///
/// # Errors
///
/// As [`cores::together`].
pub fn word_trips(cores: [usize; 2], n: usize) -> io::Result<Vec<Duration>> {
    let word = AtomicU64::new(0);
    let write = || word.fetch_add(1, Ordering::Release); // pairs with the Acquire load in `wait`
    let wait = |odd| spin_until(|| word.load(Ordering::Acquire) % 2 == odd);
    trips(cores, n, || (write(), wait(0)), || (wait(1), write()))
}

/// Times `n` round trips of an item without size, there through one ring of capacity 1 and back
/// through another.
///
/// # Errors
///
/// As [`cores::together`].
pub fn ring_trips<P: Push<()>, Q: Pop<()>>(
    cores: [usize; 2],
    n: usize,
    ring: impl Fn(usize) -> (P, Q),
) -> io::Result<Vec<Duration>> {
    let ((mut there, mut arriving), (mut back, mut returning)) = (ring(1), ring(1));
    let ping = || (there(()), spin_until(|| returning().is_some()));
    trips(cores, n, ping, || (spin_until(|| arriving().is_some()), back(())))
}

/// Spins until `done` returns `true`.
fn spin_until(mut done: impl FnMut() -> bool) {
    while !done() {
        spin_loop();
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

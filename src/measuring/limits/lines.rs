//! Two cores that write: the cache line travels between them.

use super::threads::ping_pong;
use crate::sys::cores::{self, joined};
use crate::sys::trying;
use std::hint::{black_box, spin_loop};
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// A few lines of counters, aligned to more than any line, so that the distance in bytes decides
/// which of them share one.
#[repr(align(256))]
struct Counters([AtomicU64; 64]);

impl Counters {
    fn new() -> Self {
        Self([const { AtomicU64::new(0) }; 64])
    }
}

/// A value in lines of its own.
#[repr(align(256))]
struct Apart<T>(T);

/// Adds to an atomic counter that no other core accesses, `additions` times. Unit: one `fetch_add`.
///
/// # Panics
///
/// If the counter does not hold `additions` in the end.
pub fn add_alone(additions: u64) -> Duration {
    let counters = Counters::new();
    let elapsed = add(&counters.0[0], additions);
    assert_eq!(counters.0[0].load(Ordering::Relaxed), additions);
    elapsed
}

fn add(counter: &AtomicU64, additions: u64) -> Duration {
    let counter = black_box(counter);
    let start = Instant::now();
    for _ in 0..additions {
        counter.fetch_add(1, Ordering::Relaxed); // Relaxed: the count publishes no other data
    }
    start.elapsed()
}

/// Adds to one atomic counter while another core adds to a second one, `distance` bytes away: 8 is
/// the same cache line, 128 a different one. Unit: one `fetch_add` of the first core.
///
/// The two cores never access the same variable, so `distance` only decides whether they share a
/// line. The result includes how fairly the machine shares a line between them. It excludes moments
/// in which one of the threads was descheduled: a slice of a thousand additions counts only if the
/// other thread made at least a tenth and at most ten times as many meanwhile. Other slices are
/// repeated.
///
/// # Errors
///
/// `Unsupported` outside Linux; the errors of `sched_setaffinity(2)`.
///
/// # Panics
///
/// If `distance` is not a multiple of 8 from 8 to 504, or an addition was lost.
pub fn add_beside(cores: [usize; 2], distance: usize, additions: u64) -> io::Result<Duration> {
    let done = beside(cores, distance, additions, add)?;
    assert_eq!(done.counter, done.times);
    Ok(done.elapsed)
}

/// The findings of [`beside`].
struct Done {
    elapsed: Duration,
    /// The number of units of work, including those of slices that do not count.
    times: u64,
    /// The final value of its counter.
    counter: u64,
}

/// Runs `work` on one counter for `additions` units, while another core adds to a counter
/// `distance` bytes away.
fn beside(
    [here, there]: [usize; 2],
    distance: usize,
    additions: u64,
    work: impl Fn(&AtomicU64, u64) -> Duration + Sync,
) -> io::Result<Done> {
    const SLICE: u64 = 1000;
    assert!(
        distance.is_multiple_of(8) && (8..512).contains(&distance),
        "a distance of {distance} bytes"
    );
    let counters = Counters::new();
    let (ours, theirs) = (&counters.0[0], &counters.0[distance / 8]);
    // Relaxed, here and below: the flag only stops the threads, and their counts are read after
    // they were joined.
    let stop = Apart(AtomicBool::new(false));
    let add_there = || {
        let pinned = cores::pin(there);
        stop.0.fetch_or(pinned.is_err(), Ordering::Relaxed);
        let mut added = 0;
        while !stop.0.load(Ordering::Relaxed) {
            added += 64;
            (0..64).for_each(|_| _ = theirs.fetch_add(1, Ordering::Relaxed));
        }
        pinned.map(|()| added)
    };
    // ANCHOR: add_beside
    let add_here = || {
        let pinned = cores::pin(here);
        let (mut elapsed, mut counted, mut added) = (Duration::ZERO, 0, 0);
        while counted < additions && !stop.0.load(Ordering::Relaxed) {
            let slice = SLICE.min(additions - counted);
            let before = theirs.load(Ordering::Relaxed);
            let time = work(ours, slice);
            let beside = theirs.load(Ordering::Relaxed) - before;
            added += slice;
            // Too few: the other thread was descheduled. Too many: this one was.
            if slice < SLICE || (SLICE / 10..=SLICE * 10).contains(&beside) {
                elapsed += time;
                counted += slice;
            }
        }
        stop.0.store(true, Ordering::Relaxed);
        pinned.map(|()| (elapsed, added))
    };
    // ANCHOR_END: add_beside
    let (ours_added, theirs_added) = thread::scope(|scope| {
        let (here, there) = (scope.spawn(add_here), scope.spawn(add_there));
        (joined(here), joined(there))
    });
    let what = format!("pinning to cores {here} and {there}");
    let (theirs_added, (elapsed, ours_added)) =
        (trying(&what, theirs_added)?, trying(&what, ours_added)?);
    assert_eq!(theirs.load(Ordering::Relaxed), theirs_added);
    Ok(Done { elapsed, times: ours_added, counter: ours.load(Ordering::Relaxed) })
}

/// Reads a number `loads` times while no thread writes to its line. Unit: one load.
pub fn read_alone(loads: u64) -> Duration {
    read(&Counters::new().0[0], loads)
}

/// Reads a number that no thread writes while another core adds to a counter `distance` bytes away.
/// Unit: [`LOADS`] loads, so that the slices of both cores take similar times. A slice counts under
/// the conditions of [`add_beside`].
///
/// # Errors
///
/// See [`add_beside`].
///
/// # Panics
///
/// See [`add_beside`].
pub fn read_beside(cores: [usize; 2], distance: usize, times: u64) -> io::Result<Duration> {
    Ok(beside(cores, distance, times, |number, times| read(number, times * LOADS))?.elapsed)
}

/// The number of loads in one unit of [`read_beside`].
pub const LOADS: u64 = 16;

fn read(number: &AtomicU64, loads: u64) -> Duration {
    let number = black_box(number);
    let start = Instant::now();
    let sum = (0..loads).fold(0, |sum, _| sum | number.load(Ordering::Relaxed));
    let elapsed = start.elapsed();
    assert_eq!(sum, 0, "no thread writes it");
    elapsed
}

/// Has two cores answer each other through one atomic, `trips` times. Unit: one round trip of its
/// cache line.
///
/// Both threads spin, so no wake-up is involved. On one core they would wait for the scheduler
/// instead of the line, as they sometimes do on a busy machine: the fastest round is nearest to the
/// trip of the line itself.
///
/// # Errors
///
/// `Unsupported` outside Linux, where threads are not pinned.
// ANCHOR: line_trips
pub fn line_trips(cores: [usize; 2], trips: u64) -> io::Result<Duration> {
    let turn = &Apart(AtomicU64::new(0)).0;
    // Each Release addition pairs with the Acquire load of the other side, which in a
    // real program would make earlier writes visible.
    let wait = move |odd: u64| {
        while turn.load(Ordering::Acquire) % 2 != odd {
            spin_loop();
        }
    };
    let ping = move || {
        turn.fetch_add(1, Ordering::Release);
        wait(0);
        Ok(())
    };
    let pong = move || {
        wait(1);
        turn.fetch_add(1, Ordering::Release);
        Ok(())
    };
    Ok(ping_pong(cores, trips, ping, pong)?.time)
}
// ANCHOR_END: line_trips

//! What it takes when two cores write: the cache line has to travel.

use super::threads::ping_pong;
use crate::sys::cores::{self, joined};
use crate::sys::trying;
use std::hint::{black_box, spin_loop};
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// A few lines of counters. Aligned to more than any line, so that distances in bytes decide who
/// shares one.
#[repr(align(256))]
struct Counters([AtomicU64; 64]);

impl Counters {
    fn new() -> Self {
        Self([const { AtomicU64::new(0) }; 64])
    }
}

/// Something apart from the counters' lines.
#[repr(align(256))]
struct Apart<T>(T);

/// Adds to an atomic counter that no other core touches, `additions` times. Unit: one `fetch_add`.
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
        counter.fetch_add(1, Ordering::Relaxed); // a count only: nothing is published with it
    }
    start.elapsed()
}

/// Adds to one atomic counter while another core adds to a second one, `distance` bytes away: 8 is
/// the same cache line, 128 a different one. Unit: one `fetch_add` of the first core.
///
/// The two never touch the same variable, so all that `distance` changes is which line. How fairly
/// the machine shares a line between the two is part of the result. What is not: moments in which
/// one of them was off its core. The time is that of slices of a thousand additions in which the
/// other thread made at least a tenth as many, and at most ten times as many; other slices are done
/// again.
///
/// # Errors
///
/// `Unsupported` outside Linux; what `sched_setaffinity(2)` reports.
///
/// # Panics
///
/// If `distance` is not a multiple of 8 from 8 to 504, or an addition was lost.
pub fn add_beside(cores: [usize; 2], distance: usize, additions: u64) -> io::Result<Duration> {
    let done = beside(cores, distance, additions, add)?;
    assert_eq!(done.counter, done.times);
    Ok(done.elapsed)
}

/// What [`beside`] has seen.
struct Done {
    elapsed: Duration,
    /// How often the work was done, slices that do not count included.
    times: u64,
    /// What its counter held in the end.
    counter: u64,
}

/// Does `work` with one counter, so often, while another core adds to the one that is `distance`
/// bytes away.
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
    // Relaxed, here and below: it only stops; what the threads counted is read after they were
    // joined.
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
            // Too few: the other thread was not on its core. Too many: this one was not.
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

/// Reads a number that nobody writes, `loads` times, while nobody writes beside it either. Unit:
/// one load.
pub fn read_alone(loads: u64) -> Duration {
    read(&Counters::new().0[0], loads)
}

/// Reads a number that nobody writes while another core adds to a counter `distance` bytes away.
/// Unit: [`LOADS`] loads, so that slices of both cores are of a size, and those count that
/// [`add_beside`] counts.
///
/// # Errors
///
/// As [`add_beside`].
///
/// # Panics
///
/// As [`add_beside`].
pub fn read_beside(cores: [usize; 2], distance: usize, times: u64) -> io::Result<Duration> {
    Ok(beside(cores, distance, times, |number, times| read(number, times * LOADS))?.elapsed)
}

/// How many loads are one unit of [`read_beside`].
pub const LOADS: u64 = 16;

fn read(number: &AtomicU64, loads: u64) -> Duration {
    let number = black_box(number);
    let start = Instant::now();
    let sum = (0..loads).fold(0, |sum, _| sum | number.load(Ordering::Relaxed));
    let elapsed = start.elapsed();
    assert_eq!(sum, 0, "nobody writes it");
    elapsed
}

/// Two cores that answer each other through one atomic, `trips` times. Unit: one round trip of its
/// cache line.
///
/// Both spin, so nobody has to be woken. On one core they would wait for the scheduler instead of
/// the line, and on a busy machine they do now and then: the lowest round is nearest to the line's
/// own trip.
///
/// # Errors
///
/// `Unsupported` outside Linux, where threads are not pinned.
// ANCHOR: line_trips
pub fn line_trips(cores: [usize; 2], trips: u64) -> io::Result<Duration> {
    let turn = &Apart(AtomicU64::new(0)).0;
    // Release pairs with the other side's Acquire: in a program, what was written before the turn
    // passes with it.
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

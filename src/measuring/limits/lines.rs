//! What it takes when two cores write: the cache line has to travel.

use super::threads::{joined, ping_pong};
use super::trying;
use crate::proof::cores;
use std::hint::{black_box, spin_loop};
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// A few lines of counters. Aligned to more than any line, so that distances in bytes decide who shares one.
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

/// Adds to one atomic counter while another core adds to a second one, `distance` bytes away: 8 is the same cache line, 128
/// a different one. Unit: one `fetch_add` of the first core.
///
/// The two never touch the same variable, so all that `distance` changes is which line. The other core adds from before
/// the first addition until after the last, and how the machine shares a line between the two is part of the result.
///
/// # Errors
///
/// `Unsupported` outside Linux; what `sched_setaffinity(2)` reports.
///
/// # Panics
///
/// If `distance` is not a multiple of 8 from 8 to 504, or an addition was lost.
pub fn add_beside([here, there]: [usize; 2], distance: usize, additions: u64) -> io::Result<Duration> {
    assert!(distance.is_multiple_of(8) && (8..512).contains(&distance), "a distance of {distance} bytes");
    let counters = Counters::new();
    // ANCHOR: add_beside
    let (ours, theirs) = (&counters.0[0], &counters.0[distance / 8]);
    let (running, stop) = (Apart(AtomicBool::new(false)), Apart(AtomicBool::new(false)));
    let add_beside = || {
        let pinned = cores::pin(there);
        let mut added = 0;
        // Relaxed: both flags only start and stop; what the threads counted is read after they were joined.
        while pinned.is_ok() && !stop.0.load(Ordering::Relaxed) {
            for _ in 0..64 {
                theirs.fetch_add(1, Ordering::Relaxed);
            }
            added += 64;
            running.0.store(true, Ordering::Relaxed);
        }
        running.0.store(true, Ordering::Relaxed);
        pinned.map(|()| added)
    };
    let add_here = || {
        let pinned = cores::pin(here);
        while !running.0.load(Ordering::Relaxed) {
            spin_loop();
        }
        let elapsed = add(ours, additions);
        stop.0.store(true, Ordering::Relaxed);
        pinned.map(|()| elapsed)
    };
    // ANCHOR_END: add_beside
    let (elapsed, added) = thread::scope(|scope| {
        let (here, there) = (scope.spawn(add_here), scope.spawn(add_beside));
        (joined(here), joined(there))
    });
    assert_eq!(ours.load(Ordering::Relaxed), additions);
    assert_eq!(theirs.load(Ordering::Relaxed), *added.as_ref().unwrap_or(&0));
    trying(&format!("pinning to cores {here} and {there}"), added.and(elapsed))
}

/// Two cores that answer each other through one atomic, `trips` times. Unit: one round trip of its cache line.
///
/// Both spin, so nobody has to be woken. On one core they would wait for the scheduler instead of the line.
///
/// # Errors
///
/// `Unsupported` outside Linux, where threads are not pinned.
// ANCHOR: line_trips
pub fn line_trips(cores: [usize; 2], trips: u64) -> io::Result<Duration> {
    let turn = &Apart(AtomicU64::new(0)).0;
    // Release pairs with the other side's Acquire: in a program, what was written before the turn passes with it.
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

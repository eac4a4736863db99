//! What the example, the tests and the bench ask of a ring: whether items are lost between two
//! threads, and how long an item takes there and back.

use crate::sys::cores;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What became of the items that two threads pushed and popped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Losses {
    /// How many never arrived.
    pub lost: u64,
    /// How many arrived more than once.
    pub delivered_twice: u64,
}

/// Two threads push half of the items `0..items` each, and pop whenever there is no room, and at
/// the end what is left.
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
    cores::together(&cores, |place| {
        let mut mine = vec![];
        for item in (place as u64..items).step_by(2) {
            while !push(item) {
                mine.extend(pop());
            }
        }
        mine.extend(std::iter::from_fn(&pop));
        let mut arrived = lock(&arrived);
        for item in mine {
            arrived[item as usize] = arrived[item as usize].saturating_add(1);
        }
    })?;
    let arrived = lock(&arrived);
    let number =
        |which: fn(&u8) -> bool| arrived.iter().filter(|&times| which(times)).count() as u64;
    Ok(Losses { lost: number(|&times| times == 0), delivered_twice: number(|&times| times > 1) })
}

/// How long each of so many trips takes: `ping` on the first core sends something and waits for the
/// answer, `pong` on the second one waits for it and answers. Each time holds one reading of the
/// clock too.
///
/// # Errors
///
/// As [`cores::together`].
pub fn trips(
    cores: [usize; 2],
    trips: usize,
    ping: impl FnMut() + Send,
    pong: impl FnMut() + Send,
) -> io::Result<Vec<Duration>> {
    let sides = (Mutex::new((ping, Vec::with_capacity(trips))), Mutex::new(pong));
    cores::together(&cores, |place| {
        if place == 1 {
            let mut pong = lock(&sides.1);
            return (0..trips).for_each(|_| pong());
        }
        let (ping, times) = &mut *lock(&sides.0);
        times.extend((0..trips).map(|_| {
            let start = Instant::now();
            ping();
            start.elapsed()
        }));
    })?;
    Ok(sides.0.into_inner().unwrap_or_else(PoisonError::into_inner).1)
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

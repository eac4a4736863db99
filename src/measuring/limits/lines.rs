//! Two cores that write: the cache line travels between them.

use super::threads::ping_pong;
use crate::proof::usage::Usage;
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
/// line. The result includes how fairly the machine shares a line between them, however unfair that
/// is. It excludes slices of a thousand additions during which the kernel preempted one of the two
/// threads (`getrusage(2)`), and only these: to leave out slices because they were fast or slow
/// would leave out the effect itself. A hypervisor that takes a core away remains unnoticed.
///
/// # Errors
///
/// `Unsupported` outside Linux; the errors of `sched_setaffinity(2)`, or of starting a thread.
///
/// # Panics
///
/// If `distance` is not a multiple of 8 from 8 to 504, or an addition was lost.
pub fn add_beside(cores: [usize; 2], distance: usize, additions: u64) -> io::Result<Duration> {
    beside(cores, distance, additions, |counter, slice| {
        let before = counter.load(Ordering::Relaxed);
        let time = add(counter, slice);
        assert_eq!(counter.load(Ordering::Relaxed), before + slice, "no addition is lost");
        time
    })
}

/// A stretch of time.
type Span = (Instant, Instant);

/// Notes when the kernel preempts the calling thread.
struct Watch {
    /// The last time at which it looked, and the number of preemptions until then.
    last: (Instant, u64),
    preempted: Vec<Span>,
}

impl Watch {
    fn new() -> io::Result<Self> {
        let before = Usage::of_thread()?.involuntary_switches;
        Ok(Self { last: (Instant::now(), before), preempted: Vec::new() })
    }

    /// Notes the time since the last look if the thread was preempted meanwhile.
    fn look(&mut self) {
        let usage = Usage::of_thread().expect("it was read before");
        let (now, switches) = (Instant::now(), usage.involuntary_switches);
        if switches > self.last.1 {
            self.preempted.push((self.last.0, now));
        }
        self.last = (now, switches);
    }
}

/// A slice of the work: its start, its units and their time.
type Slice = (Instant, u64, Duration);

/// Returns the units and the time of the slices during which no thread was preempted.
fn undisturbed(slices: &[Slice], preempted: &[Span]) -> (u64, Duration) {
    let disturbed = |(start, _, time): &&Slice| {
        preempted.iter().any(|(from, to)| *start < *to && *from < *start + *time)
    };
    let kept = slices.iter().filter(|slice| !disturbed(slice));
    kept.fold((0, Duration::ZERO), |(units, sum), (_, slice, time)| (units + slice, sum + *time))
}

/// Runs `work` on one counter for `times` units, while another core adds to a counter `distance`
/// bytes away, and returns their time. Slices during which a thread was preempted are taken to be
/// as long as the others on average; if there are no others, all of it is repeated.
fn beside(
    cores: [usize; 2],
    distance: usize,
    times: u64,
    work: impl Fn(&AtomicU64, u64) -> Duration + Sync,
) -> io::Result<Duration> {
    loop {
        let (slices, preempted) = sliced(cores, distance, times, &work)?;
        let (units, time) = undisturbed(&slices, &preempted);
        if units > 0 || times == 0 {
            return Ok(time.mul_f64(times as f64 / units.max(1) as f64));
        }
    }
}

/// Runs `work` in slices, and returns them with the spans in which one of the two threads was
/// preempted.
fn sliced(
    [here, there]: [usize; 2],
    distance: usize,
    times: u64,
    work: impl Fn(&AtomicU64, u64) -> Duration + Sync,
) -> io::Result<(Vec<Slice>, Vec<Span>)> {
    const SLICE: u64 = 1000;
    assert!(
        distance.is_multiple_of(8) && (8..512).contains(&distance),
        "a distance of {distance} bytes"
    );
    let counters = Counters::new();
    let (ours, theirs) = (&counters.0[0], &counters.0[distance / 8]);
    // Relaxed, here and below: the flags only start and stop the threads, and what these noted is
    // read after they were joined.
    let (adding, stop) = (Apart(AtomicBool::new(false)), Apart(AtomicBool::new(false)));
    // ANCHOR: add_beside
    let add_there = || {
        let (mut watch, mut added) = (cores::pin(there).and_then(|()| Watch::new()), 0);
        adding.0.store(true, Ordering::Relaxed);
        while !stop.0.load(Ordering::Relaxed) {
            added += SLICE;
            (0..SLICE).for_each(|_| _ = theirs.fetch_add(1, Ordering::Relaxed));
            watch.iter_mut().for_each(Watch::look);
        }
        watch.map(|watch| (added, watch.preempted))
    };
    let add_here = || {
        let (mut watch, mut slices) = (cores::pin(here).and_then(|()| Watch::new()), vec![]);
        while !adding.0.load(Ordering::Relaxed) {
            spin_loop();
        }
        for done in (0..times).step_by(SLICE as usize) {
            let (start, slice) = (Instant::now(), SLICE.min(times - done));
            slices.push((start, slice, work(ours, slice)));
            watch.iter_mut().for_each(Watch::look);
        }
        stop.0.store(true, Ordering::Relaxed);
        watch.map(|watch| (slices, watch.preempted))
    };
    // ANCHOR_END: add_beside
    let (here_done, there_done) = thread::scope(|scope| {
        let there = cores::spawn(scope, add_there)?;
        let here = cores::spawn(scope, add_here);
        if here.is_err() {
            stop.0.store(true, Ordering::Relaxed);
        }
        Ok::<_, io::Error>((joined(here?), joined(there)))
    })?;
    let what = format!("watching cores {here} and {there}");
    let ((slices, mut preempted), (added, preempted_there)) =
        (trying(&what, here_done)?, trying(&what, there_done)?);
    assert_eq!(theirs.load(Ordering::Relaxed), added, "no addition is lost");
    preempted.extend(preempted_there);
    Ok((slices, preempted))
}

/// Reads a number `loads` times while no thread writes to its line. Unit: one load.
pub fn read_alone(loads: u64) -> Duration {
    read(&Counters::new().0[0], loads)
}

/// Reads a number that no thread writes while another core adds to a counter `distance` bytes away.
/// Unit: [`LOADS`] loads, so that the slices of both cores take similar times. A slice counts as in
/// [`add_beside`].
///
/// # Errors
///
/// See [`add_beside`].
///
/// # Panics
///
/// See [`add_beside`].
pub fn read_beside(cores: [usize; 2], distance: usize, times: u64) -> io::Result<Duration> {
    beside(cores, distance, times, |number, slice| read(number, slice * LOADS))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_is_judged_by_preemptions_and_not_by_its_time() {
        let (zero, ms) = (Instant::now(), Duration::from_millis);
        // Slow, fast, slow, normal: the line stayed with one core for a while.
        let slices: Vec<Slice> = [(0, 50), (50, 1), (51, 40), (91, 10)]
            .map(|(start, time)| (zero + ms(start), 1000, ms(time)))
            .to_vec();
        let span = |from, to| (zero + ms(from), zero + ms(to));
        assert_eq!(undisturbed(&slices, &[]), (4000, ms(101)));
        assert_eq!(undisturbed(&slices, &[span(52, 60)]), (3000, ms(61)));
        assert_eq!(undisturbed(&slices, &[span(49, 52), span(95, 96)]), (0, ms(0)));
        assert_eq!(undisturbed(&slices, &[span(200, 300)]), (4000, ms(101)));
    }
}

//! What another thread takes: to start, to wake, to be switched to.

use crate::proof::usage::Usage;
use crate::sys::cores::{self, joined};
use crate::sys::trying;
use std::hint::black_box;
use std::io::{self, Read, Write, pipe};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{OnceLock, mpsc};
use std::thread;
use std::time::{Duration, Instant};

/// What some round trips between two threads took.
#[derive(Clone, Copy, Debug)]
pub struct Trips {
    /// The time of all of them.
    pub time: Duration,
    /// How often the two threads left their cores, of their own accord or not (`getrusage(2)`).
    pub switches: u64,
}

/// Runs `ping`, which sends to the other thread and waits for the answer, `trips` times against
/// `pong`, which waits and answers, each on its own core or both on one.
pub(super) fn ping_pong(
    [here, there]: [usize; 2],
    trips: u64,
    mut ping: impl FnMut() -> io::Result<()> + Send,
    mut pong: impl FnMut() -> io::Result<()> + Send,
) -> io::Result<Trips> {
    // ANCHOR: ping_pong
    thread::scope(|scope| {
        let first = scope.spawn(move || {
            cores::pin(here)?;
            let (ready, partner_ready) = mpsc::channel();
            let partner = scope.spawn(move || {
                let pinned = cores::pin(there);
                let go = pinned.is_ok();
                let _ = ready.send(pinned); // fails only if nobody waits for it any more
                if go { counted(|| (0..=trips).try_for_each(|_| pong())) } else { Ok(((), 0)) }
            });
            // Neither waits for the other before both are known to be where they should be: one
            // that waits for a partner that has given up waits forever.
            partner_ready.recv().map_err(io::Error::other)??;
            ping()?; // one trip untimed, and both are up
            let (time, ours) = counted(|| {
                let start = Instant::now();
                (0..trips).try_for_each(|_| ping())?;
                Ok(start.elapsed())
            })?;
            Ok(Trips { time, switches: ours + joined(partner)?.1 })
        });
        joined(first)
    })
    // ANCHOR_END: ping_pong
}

/// Runs `work` and counts how often this thread left its core meanwhile.
///
/// `work` runs even if the kernel refuses the count: the other side of a round trip waits for it.
fn counted<T>(work: impl FnOnce() -> io::Result<T>) -> io::Result<(T, u64)> {
    let before = Usage::of_thread();
    let result = work()?;
    let used = Usage::of_thread()? - before?;
    Ok((result, used.voluntary_switches + used.involuntary_switches))
}

/// A byte to another thread and back through two pipes, `trips` times. Unit: one round trip, which
/// is two hand-overs.
///
/// On one core (`cores` names it twice) each hand-over is a `write`, a context switch and a `read`;
/// take [`pipe_alone`] from half a trip and the switch remains (lmbench's `lat_ctx`, with processes
/// that touch no memory). On two cores nobody has to be switched away, but a core has to be woken.
///
/// # Errors
///
/// `Unsupported` outside Linux; otherwise what the calls report.
// ANCHOR: pipe_trips
pub fn pipe_trips(cores: [usize; 2], trips: u64) -> io::Result<Trips> {
    let (mut from_there, mut to_here) = pipe()?;
    let (mut from_here, mut to_there) = pipe()?;
    // `move`: each side owns its ends, so when one fails, the other reads the end of its pipe
    // instead of waiting forever.
    let ping = move || {
        to_there.write_all(&[1])?;
        from_there.read_exact(&mut [0])
    };
    let pong = move || {
        from_here.read_exact(&mut [0])?;
        to_here.write_all(&[1])
    };
    trying("passing a byte through a pipe", ping_pong(cores, trips, ping, pong))
}
// ANCHOR_END: pipe_trips

/// Hands a byte over `times` times as [`pipe_trips`] does. Unit: one hand-over, half a round trip.
///
/// # Errors
///
/// As [`pipe_trips`].
pub fn hand_over(cores: [usize; 2], times: u64) -> io::Result<Duration> {
    halves(times, |trips| pipe_trips(cores, trips))
}

/// The time of `n` halves of round trips, from as many whole ones as that takes.
fn halves(n: u64, trips: impl FnOnce(u64) -> io::Result<Trips>) -> io::Result<Duration> {
    let whole = n.div_ceil(2).max(1);
    Ok(trips(whole)?.time.mul_f64(n as f64 / (2 * whole) as f64))
}

/// Writes a byte to a pipe and reads it back, `times` times. Unit: one `write` and one `read`,
/// nobody else involved.
///
/// # Errors
///
/// What `pipe(2)`, `write(2)` and `read(2)` report.
pub fn pipe_alone(times: u64) -> io::Result<Duration> {
    let (mut reader, mut writer) = pipe()?;
    let start = Instant::now();
    for _ in 0..times {
        writer.write_all(&[1])?;
        reader.read_exact(&mut [0])?;
    }
    Ok(start.elapsed())
}

/// Two threads that unpark each other in turn, `trips` times. Unit: one round trip, which is two
/// wake-ups.
///
/// A wake-up is the call to `unpark`, the other core's way out of its idle state, and the scheduler
/// there. It depends on how long that core has been idle; here that is as long as one wake-up
/// takes.
///
/// # Errors
///
/// `Unsupported` outside Linux, where threads are not pinned.
pub fn park_trips(cores: [usize; 2], trips: u64) -> io::Result<Trips> {
    // ANCHOR: park_trips
    let turn = &AtomicU64::new(0); // even: `ping` may run; odd: `pong` may
    let threads = &[OnceLock::new(), OnceLock::new()];
    // Parking may end by itself, and it orders nothing: the turn decides. Its Acquire loads pair
    // with the Release additions of the other thread.
    let pass_to = move |other: usize| {
        turn.fetch_add(1, Ordering::Release);
        thread::Thread::unpark(threads[other].wait());
    };
    let wait_for = move |odd: u64, me: usize| {
        threads[me].get_or_init(thread::current);
        while turn.load(Ordering::Acquire) % 2 != odd {
            thread::park();
        }
    };
    let ping = move || {
        wait_for(0, 0);
        pass_to(1);
        wait_for(0, 0);
        Ok(())
    };
    let pong = move || {
        wait_for(1, 1);
        pass_to(0);
        Ok(())
    };
    // ANCHOR_END: park_trips
    ping_pong(cores, trips, ping, pong)
}

/// Wakes a parked thread `times` times as [`park_trips`] does. Unit: one wake-up, half a round
/// trip.
///
/// # Errors
///
/// As [`park_trips`].
pub fn wake_parked(cores: [usize; 2], times: u64) -> io::Result<Duration> {
    halves(times, |trips| park_trips(cores, trips))
}

/// Starts a thread and waits for its end, `threads` times. Unit: one thread, which does nothing; on
/// any core, as the scheduler likes.
///
/// # Errors
///
/// Where no thread can be started.
pub fn spawn_join(threads: u64) -> io::Result<Duration> {
    let start = Instant::now();
    for number in 0..threads {
        let thread =
            trying("starting a thread", thread::Builder::new().spawn(move || black_box(number)))?;
        match thread.join() {
            Ok(answer) => assert_eq!(answer, number, "the thread's own answer"),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
    Ok(start.elapsed())
}

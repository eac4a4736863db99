//! Threads: starting one, waking one, switching to one.

use crate::proof::usage::Usage;
use crate::sys::cores::{self, joined};
use crate::sys::trying;
use std::hint::black_box;
use std::io::{self, Read, Write, pipe};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{OnceLock, mpsc};
use std::thread;
use std::time::{Duration, Instant};

/// The cost of round trips between two threads.
#[derive(Clone, Copy, Debug)]
pub struct Trips {
    /// The time of all of them.
    pub time: Duration,
    /// The number of context switches of both threads, voluntary or not (`getrusage(2)`).
    pub switches: u64,
}

/// Runs `ping`, which sends to the other thread and waits for the answer, `trips` times against
/// `pong`, which waits and answers. The two threads run on one core or on two.
pub(super) fn ping_pong(
    [here, there]: [usize; 2],
    trips: u64,
    mut ping: impl FnMut() -> io::Result<()> + Send,
    mut pong: impl FnMut() -> io::Result<()> + Send,
) -> io::Result<Trips> {
    // ANCHOR: ping_pong
    thread::scope(|scope| {
        let first = cores::spawn(scope, move || {
            cores::pin(here)?;
            let (ready, partner_ready) = mpsc::channel();
            let partner = cores::spawn(scope, move || {
                let pinned = cores::pin(there);
                let go = pinned.is_ok();
                let _ = ready.send(pinned); // fails only if the other thread has given up
                if go { counted(|| (0..=trips).try_for_each(|_| pong())) } else { Ok(((), 0)) }
            })?;
            // Start only when both are pinned: a thread would wait forever for a partner
            // that has given up.
            partner_ready.recv().map_err(io::Error::other)??;
            ping()?; // an untimed trip, after which both threads run
            let (time, ours) = counted(|| {
                let start = Instant::now();
                (0..trips).try_for_each(|_| ping())?;
                Ok(start.elapsed())
            })?;
            Ok(Trips { time, switches: ours + joined(partner)?.1 })
        })?;
        joined(first)
    })
    // ANCHOR_END: ping_pong
}

/// Runs `work` and counts the context switches of this thread meanwhile.
///
/// `work` runs even if the kernel refuses the count: the other side of a round trip waits for it.
fn counted<T>(work: impl FnOnce() -> io::Result<T>) -> io::Result<(T, u64)> {
    let before = Usage::of_thread();
    let result = work()?;
    let used = Usage::of_thread()? - before?;
    Ok((result, used.voluntary_switches + used.involuntary_switches))
}

/// Sends a byte to another thread and back through two pipes, `trips` times. Unit: one round trip,
/// which is two hand-overs.
///
/// On one core (`cores` names it twice), each hand-over is a `write`, a context switch and a
/// `read`; subtract [`pipe_alone`] from half a trip, and the switch remains (lmbench's `lat_ctx`,
/// with processes that access no memory). On two cores there is no switch, but a core has to be
/// woken.
///
/// # Errors
///
/// `Unsupported` outside Linux; otherwise the errors of the calls.
// ANCHOR: pipe_trips
pub fn pipe_trips(cores: [usize; 2], trips: u64) -> io::Result<Trips> {
    let (mut from_there, mut to_here) = pipe()?;
    let (mut from_here, mut to_there) = pipe()?;
    // `move`: each side owns its ends, so if one fails, the other reads end of file
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

/// Hands over a byte `times` times, like [`pipe_trips`]. Unit: one hand-over, half a round trip.
///
/// # Errors
///
/// See [`pipe_trips`].
pub fn hand_over(cores: [usize; 2], times: u64) -> io::Result<Duration> {
    halves(times, |trips| pipe_trips(cores, trips))
}

/// Returns the time of `n` half round trips, from whole ones.
fn halves(n: u64, trips: impl FnOnce(u64) -> io::Result<Trips>) -> io::Result<Duration> {
    let whole = n.div_ceil(2).max(1);
    Ok(trips(whole)?.time.mul_f64(n as f64 / (2 * whole) as f64))
}

/// Writes a byte to a pipe and reads it back on the same thread, `times` times. Unit: one `write`
/// and one `read`.
///
/// # Errors
///
/// The errors of `pipe(2)`, `write(2)` and `read(2)`.
pub fn pipe_alone(times: u64) -> io::Result<Duration> {
    let (mut reader, mut writer) = pipe()?;
    let start = Instant::now();
    for _ in 0..times {
        writer.write_all(&[1])?;
        reader.read_exact(&mut [0])?;
    }
    Ok(start.elapsed())
}

/// Has two threads unpark each other in turn, `trips` times. Unit: one round trip, which is two
/// wake-ups.
///
/// A wake-up consists of the call to `unpark`, the other core's exit from its idle state, and the
/// scheduler there. It depends on how long that core has been idle, which here is the time of one
/// wake-up.
///
/// # Errors
///
/// `Unsupported` outside Linux, where threads are not pinned.
pub fn park_trips(cores: [usize; 2], trips: u64) -> io::Result<Trips> {
    // ANCHOR: park_trips
    let turn = &AtomicU64::new(0); // even: `ping` may run; odd: `pong` may
    let threads = &[OnceLock::new(), OnceLock::new()];
    // `park` may return spuriously and orders nothing, so `turn` decides. Its Acquire
    // loads pair with the Release additions of the other thread.
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

/// Wakes a parked thread `times` times, like [`park_trips`]. Unit: one wake-up, half a round trip.
///
/// # Errors
///
/// See [`park_trips`].
pub fn wake_parked(cores: [usize; 2], times: u64) -> io::Result<Duration> {
    halves(times, |trips| park_trips(cores, trips))
}

/// Starts a thread and joins it, `threads` times. Unit: one thread that does nothing, on a core of
/// the scheduler's choice.
///
/// # Errors
///
/// If a thread cannot be started.
pub fn spawn_join(threads: u64) -> io::Result<Duration> {
    let start = Instant::now();
    for number in 0..threads {
        let thread =
            trying("starting a thread", thread::Builder::new().spawn(move || black_box(number)))?;
        match thread.join() {
            Ok(answer) => assert_eq!(answer, number, "the answer of that thread"),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
    Ok(start.elapsed())
}

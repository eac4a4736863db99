//! Keeps samples apart from moments in which a core runs slower than it can.
//!
//! The core of a virtual machine is often one of the two hardware threads of a core of the host.
//! While another machine uses the other thread, instructions take longer, for some milliseconds or
//! for seconds. No clock shows it: stolen time counts only while a core does not run at all. So a
//! batch is measured in pieces of a few milliseconds, and between pieces a loop that only adds and
//! shifts tells the speed of each core that takes part. A piece counts if every core was at full
//! speed before it and after it; otherwise it is measured again, as long as the patience for one
//! benchmark lasts.
//!
//! Criterion's warm-up is left alone. From its time, pieces measured again included, criterion
//! would conclude that an iteration takes long, and ask for samples of very few.

use crate::clocks::Taken;
use perf_proved::sys::cores;
use std::hint::{black_box, spin_loop};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::time::{Duration, Instant};
use std::{env, thread};

/// The duration of a piece. The speed of a core changes within some milliseconds to seconds.
const PIECE: Duration = Duration::from_millis(4);

/// The time that the pieces of one benchmark that do not count may take.
const PATIENCE: Duration = Duration::from_millis(300);

/// The loop's time, in multiples of the fastest, from which on a core counts as slowed down. A core
/// that shares its units with a busy neighbor takes 1.5 to 2 times as long; the clock frequency
/// moves by less than this.
const SLOW: f64 = 1.3;

/// The steps of the loop: some 10 µs.
const STEPS: u32 = 2500;

/// The loops of which the fastest counts: an interrupt or another thread of this process may stop
/// one of them, and a neighbor slows them all.
const LOOPS: usize = 4;

/// The number of loops that find the fastest, and the time between them.
const CALIBRATION: (u32, Duration) = (100, Duration::from_millis(2));

/// The fastest loop of the process that started this one, in ns.
pub(crate) const FASTEST: &str = "PERF_PROVED_FASTEST";

/// The cores that the benchmarks of a group use.
pub(crate) struct Steady {
    /// The fastest loop so far on any core, in ns.
    fastest: f64,
    /// The two cores to watch, if it is not the one that the calling thread runs on.
    pair: Option<Pair>,
}

/// A thread on each of two cores, which measure their speed at the same time: two threads of one
/// core slow each other down.
struct Pair {
    cores: [usize; 2],
    ask: [SyncSender<()>; 2],
    /// `None` from a thread that cannot run on its core.
    answers: Receiver<Option<f64>>,
}

/// A batch that was measured in pieces.
pub(crate) struct Batch {
    pub(crate) taken: Taken,
    /// The part of the time during which a core was slowed down.
    pub(crate) slowed: Duration,
}

impl Steady {
    /// Looks for the fastest loop, or takes that of the process that started this one.
    pub(crate) fn new() -> Self {
        let known = env::var(FASTEST).ok().and_then(|ns| ns.parse().ok());
        let fastest = known.unwrap_or_else(|| {
            let (loops, pause) = CALIBRATION;
            let one = |_| {
                thread::sleep(pause);
                speed()
            };
            (0..loops).map(one).fold(f64::INFINITY, f64::min)
        });
        Self { fastest, pair: None }
    }

    /// Returns the fastest loop so far, in ns.
    pub(crate) fn fastest(&self) -> f64 {
        self.fastest
    }

    /// Watches these cores from now on, or the one that the calling thread runs on.
    pub(crate) fn watch(&mut self, cores: Option<[usize; 2]>) {
        if self.pair.as_ref().map(|pair| pair.cores) != cores {
            self.pair = cores.and_then(Pair::new);
        }
    }

    /// Returns `true` if every core is at full speed.
    fn undisturbed(&mut self) -> bool {
        let [one, other] =
            self.pair.as_ref().and_then(Pair::speeds).unwrap_or_else(|| [speed(); 2]);
        self.fastest = self.fastest.min(one).min(other);
        one.max(other) < self.fastest * SLOW
    }

    /// Runs `iterations` of `batch`, and measures the pieces that do not count again while
    /// `patience` lasts.
    pub(crate) fn run(
        &mut self,
        iterations: u64,
        pieces: &mut Pieces,
        patience: &mut Patience,
        batch: impl FnMut(u64) -> Taken,
    ) -> Batch {
        in_pieces(iterations, pieces, patience, || self.undisturbed(), batch)
    }
}

fn in_pieces(
    iterations: u64,
    pieces: &mut Pieces,
    patience: &mut Patience,
    mut undisturbed: impl FnMut() -> bool,
    mut batch: impl FnMut(u64) -> Taken,
) -> Batch {
    let mut sum = Batch { taken: Taken::default(), slowed: Duration::ZERO };
    let mut left = iterations;
    let mut before = undisturbed();
    while left > 0 {
        let piece = pieces.next(left);
        let done = piece.max(pieces.least);
        let started = Instant::now();
        let taken = batch(done);
        let elapsed = started.elapsed();
        pieces.took(done, taken);
        let after = undisturbed();
        let counts = before && after;
        before = after;
        if !counts && patience.bear(elapsed) {
            continue;
        }
        let taken = taken.scaled(piece as f64 / done as f64);
        sum.taken = sum.taken.and(taken);
        sum.slowed += if counts { Duration::ZERO } else { taken.wall };
        left -= piece;
    }
    sum
}

/// The pieces of a benchmark's batches.
pub(crate) struct Pieces {
    /// A batch is one piece.
    whole: bool,
    /// The least iterations of a piece.
    least: u64,
    /// The time of one iteration in the last piece, in seconds.
    each: f64,
}

impl Pieces {
    pub(crate) fn new(whole: bool, least: u64) -> Self {
        Self { whole, least, each: f64::INFINITY }
    }

    /// Runs a batch of criterion's warm-up, with no more iterations than it asks for: their time
    /// tells how many of them make a sample.
    pub(crate) fn warm_up(
        &mut self,
        iterations: u64,
        mut batch: impl FnMut(u64) -> Taken,
    ) -> Batch {
        let taken = batch(iterations);
        self.took(iterations, taken);
        Batch { taken, slowed: Duration::ZERO }
    }

    fn took(&mut self, iterations: u64, taken: Taken) {
        self.each = taken.wall.as_secs_f64() / iterations as f64;
    }

    /// Returns the iterations of the next piece, of equal ones of at least [`PIECE`], if `left` are
    /// left.
    fn next(&self, left: u64) -> u64 {
        let usual = ((PIECE.as_secs_f64() / self.each) as u64).max(self.least).max(1);
        if self.whole { left } else { left.div_ceil((left / usual).max(1)) }
    }
}

/// Tells the batches of criterion's warm-up from those of its samples: it doubles the iterations
/// from one batch to the next, from one on, until the time for the warm-up is over.
pub(crate) struct WarmUp {
    /// The iterations of its next batch.
    next: Option<u64>,
}

impl WarmUp {
    pub(crate) fn new() -> Self {
        Self { next: Some(1) }
    }

    /// Returns `true` if the batch with these iterations belongs to it.
    pub(crate) fn has(&mut self, iterations: u64) -> bool {
        let belongs = self.next == Some(iterations);
        self.next = belongs.then_some(iterations.saturating_mul(2));
        belongs
    }
}

/// The time that is left for those pieces of one benchmark that do not count.
pub(crate) struct Patience(Duration);

impl Patience {
    pub(crate) fn new() -> Self {
        Self(PATIENCE)
    }

    /// Returns `true` if a piece that took this long can be measured again.
    fn bear(&mut self, piece: Duration) -> bool {
        let bears = self.0 >= piece;
        self.0 = self.0.saturating_sub(piece);
        bears
    }
}

impl Pair {
    /// Starts the threads; `None` if one of them cannot run on its core.
    fn new(cores: [usize; 2]) -> Option<Self> {
        let ready = Arc::new(AtomicUsize::new(0));
        let (give, answers) = mpsc::sync_channel(2);
        let start = |core| {
            let (ask, asked) = mpsc::sync_channel(1);
            let (ready, give) = (Arc::clone(&ready), give.clone());
            let watch = move || {
                let first = cores::pin(core).is_ok().then_some(0.0);
                let mut answered = give.send(first).is_ok();
                while answered && asked.recv().is_ok() {
                    // Relaxed: the counter publishes no other data.
                    let both = ready.fetch_add(1, Ordering::Relaxed) / 2 * 2 + 2;
                    while ready.load(Ordering::Relaxed) < both {
                        spin_loop();
                    }
                    answered = give.send(Some(speed())).is_ok();
                }
            };
            thread::Builder::new().name(format!("core {core}")).spawn(watch).ok().map(|_| ask)
        };
        let [one, other] = cores.map(start);
        drop(give);
        let pair = Self { cores, ask: [one?, other?], answers };
        pair.answers().map(|_| pair)
    }

    fn answers(&self) -> Option<[f64; 2]> {
        Some([self.answers.recv().ok()??, self.answers.recv().ok()??])
    }

    fn speeds(&self) -> Option<[f64; 2]> {
        self.ask.iter().try_for_each(|ask| ask.send(()).ok())?;
        self.answers()
    }
}

/// Returns the time of a loop that keeps the core's arithmetic units busy, in ns.
fn speed() -> f64 {
    (0..LOOPS).map(|_| busy()).fold(f64::INFINITY, f64::min)
}

fn busy() -> f64 {
    let mut lanes = black_box([1u64, 2, 3, 5, 7, 11]);
    let start = Instant::now();
    for _ in 0..STEPS {
        for lane in &mut lanes {
            *lane ^= *lane << 13;
            *lane ^= *lane >> 7;
            *lane = lane.wrapping_add(*lane << 17);
        }
    }
    let time = start.elapsed();
    black_box(lanes);
    time.as_nanos() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// Runs iterations of 1 ms each, with what the cores say between the pieces, and returns the
    /// pieces that ran beside the outcome.
    fn run(iterations: u64, patience: Duration, says: &[bool]) -> (Vec<u64>, Batch) {
        let mut ran = Vec::new();
        let mut says = says.iter().copied();
        let mut pieces = Pieces { whole: false, least: 2, each: 0.001 };
        let mut patience = Patience(patience);
        let undisturbed = || says.next().unwrap_or(true);
        let batch = in_pieces(iterations, &mut pieces, &mut patience, undisturbed, |times| {
            ran.push(times);
            thread::sleep(MS);
            Taken { wall: MS * times as u32, cpu: Some(MS * times as u32 / 2) }
        });
        (ran, batch)
    }

    #[test]
    fn a_batch_is_the_sum_of_its_pieces() {
        let (ran, batch) = run(17, Duration::ZERO, &[]);
        assert_eq!(ran, [5, 4, 4, 4]);
        let all = Taken { wall: MS * 17, cpu: Some(MS * 17 / 2) };
        assert_eq!((batch.taken, batch.slowed), (all, Duration::ZERO));
        let (ran, batch) = run(1, Duration::ZERO, &[]);
        assert_eq!((ran, batch.taken.wall), (vec![2], MS), "no fewer than the least, scaled");
        assert_eq!(Pieces { whole: true, least: 1, each: 1.0 }.next(1000), 1000);
        assert_eq!(Pieces::new(false, 1).next(1000), 1);
    }

    #[test]
    fn a_warm_up_doubles_and_runs_what_it_is_asked_for() {
        let mut warm_up = WarmUp::new();
        let batches = [1, 2, 4, 8, 3, 6, 12, 16].map(|iterations| warm_up.has(iterations));
        assert_eq!(batches, [true, true, true, true, false, false, false, false]);
        let mut pieces = Pieces::new(false, 1000);
        let mut ran = 0;
        let batch = pieces.warm_up(2, |times| {
            ran = times;
            Taken { wall: MS * 4, cpu: None }
        });
        assert_eq!((ran, batch.taken.wall, pieces.each), (2, MS * 4, 0.002));
    }

    #[test]
    fn a_piece_beside_which_a_core_was_slow_is_measured_again_while_patience_lasts() {
        let says = [true, false, true, true];
        let (ran, batch) = run(8, PATIENCE, &says);
        assert_eq!((ran.len(), batch.slowed), (4, Duration::ZERO), "two did not count");
        assert_eq!(batch.taken.wall, MS * 8);
        let (ran, batch) = run(8, Duration::ZERO, &says);
        assert_eq!((ran.len(), batch.slowed), (2, MS * 8), "both count as slowed");
        assert_eq!(batch.taken.wall, MS * 8);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_pair_of_cores_answers_or_is_not_watched() {
        let Ok(cores) = cores::two_cores() else { return };
        let pair = Pair::new(cores).expect("both cores are allowed");
        for _ in 0..100 {
            assert!(pair.speeds().unwrap().into_iter().all(|ns| ns > 0.0));
        }
        assert!(Pair::new([cores[0], 100_000]).is_none(), "no such core");
    }
}

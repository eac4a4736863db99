//! Times of several probes that take turns, for examples: drift of the machine then affects all of
//! them alike.
//!
//! A few short rounds show large differences. To prove a small one, use the bench and `cargo book
//! record`.

use super::report::Value;
use std::io;
use std::time::{Duration, Instant};

/// Does something `n` times and returns the time of all of them.
type Probe<'a> = Box<dyn FnMut(u64) -> io::Result<Duration> + 'a>;

/// Several probes that take turns.
///
/// ```
/// use perf_proved::harness::rounds::Rounds;
/// use std::time::Duration;
///
/// let mut rounds = Rounds::default();
/// rounds.add("sleep", |times| {
///     let start = std::time::Instant::now();
///     (0..times).for_each(|_| std::thread::sleep(Duration::from_millis(1)));
///     Ok(start.elapsed())
/// });
/// let times = rounds.run(3, Duration::from_millis(5));
/// let (name, time) = &times[0];
/// assert_eq!(name, "sleep");
/// assert!(time.as_ref().is_ok_and(|time| time.median >= 1e6));
/// ```
#[derive(Default)]
pub struct Rounds<'a>(Vec<(String, Probe<'a>)>);

/// The time of one operation, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Times {
    /// The median of the rounds, the upper one if there are two.
    pub median: f64,
    /// The fastest round.
    pub low: f64,
    /// The slowest round.
    pub high: f64,
}

impl<'a> Rounds<'a> {
    /// Adds a probe: it gets a number of repetitions and returns the time that they took.
    pub fn add(
        &mut self,
        name: impl Into<String>,
        probe: impl FnMut(u64) -> io::Result<Duration> + 'a,
    ) {
        self.0.push((name.into(), Box::new(probe)));
    }

    /// Runs all probes in turns for `rounds` rounds. Each probe gets about `budget` per round and
    /// runs at least once.
    ///
    /// A probe that fails is not run again, and its error is returned in its place.
    pub fn run(self, rounds: usize, budget: Duration) -> Vec<(String, io::Result<Times>)> {
        let mut probes: Vec<_> = self
            .0
            .into_iter()
            .map(|(name, mut probe)| {
                let times = calibrate(&mut probe, budget);
                (name, probe, times, Vec::new())
            })
            .collect();
        for _ in 0..rounds.max(1) {
            for (_, probe, times, taken) in &mut probes {
                let Ok(n) = *times else { continue };
                match probe(n) {
                    Ok(time) => taken.push(time.as_secs_f64() * 1e9 / n as f64),
                    Err(error) => *times = Err(error),
                }
            }
        }
        probes
            .into_iter()
            .map(|(name, _, times, taken)| (name, times.map(|_| Times::of(taken))))
            .collect()
    }
}

/// Finds the number of repetitions that fill `budget`. Its calls warm up the probe.
fn calibrate(probe: &mut Probe<'_>, budget: Duration) -> io::Result<u64> {
    let mut n = 1;
    loop {
        let start = Instant::now();
        let time = probe(n)?;
        // The set-up of a probe is not part of its time, but of ours. The last condition ends the
        // loop for a probe that takes no time.
        if time >= budget / 8 || start.elapsed() >= budget || n >= 1 << 40 {
            let fits =
                n as f64 * budget.as_secs_f64() / time.max(Duration::from_nanos(1)).as_secs_f64();
            return Ok((fits as u64).clamp(1, n.saturating_mul(16)));
        }
        n = n.saturating_mul(4);
    }
}

impl Times {
    /// Returns the median and the extremes of the times `taken`, one of each round.
    ///
    /// # Panics
    ///
    /// If there was no round.
    fn of(mut taken: Vec<f64>) -> Self {
        taken.sort_unstable_by(f64::total_cmp);
        Self { median: taken[taken.len() / 2], low: taken[0], high: taken[taken.len() - 1] }
    }

    /// Converts to bytes per second, if one operation moves `bytes` bytes. The slowest round
    /// becomes the lowest rate, and the fastest round the highest.
    pub fn bandwidth(&self, bytes: usize) -> Value {
        let rate = |time: f64| Value::BytesPerSecond(bytes as f64 / time * 1e9);
        Value::Rounds(Box::new([rate(self.median), rate(self.high), rate(self.low)]))
    }
}

impl From<Times> for Value {
    fn from(times: Times) -> Self {
        Value::Rounds(Box::new([times.median, times.low, times.high].map(Value::Nanoseconds)))
    }
}

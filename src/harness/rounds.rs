//! Timing several things in turns, for examples: what the machine does meanwhile then happens to
//! all of them alike.
//!
//! A few short rounds show what is large. To prove a small difference, use the bench, and `cargo
//! book record`.

use super::report::Value;
use std::io;
use std::time::{Duration, Instant};

/// Does something so many times and says how long all of them took.
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

/// What one operation took, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Times {
    /// The median of the rounds (the upper one of two).
    pub median: f64,
    /// The fastest round.
    pub low: f64,
    /// The slowest round.
    pub high: f64,
}

impl<'a> Rounds<'a> {
    /// Adds a probe, which does something as often as it is told and returns how long that took.
    pub fn add(
        &mut self,
        name: impl Into<String>,
        probe: impl FnMut(u64) -> io::Result<Duration> + 'a,
    ) {
        self.0.push((name.into(), Box::new(probe)));
    }

    /// Runs all probes in turns, so many rounds, each probe for about `budget` a round but at least
    /// once.
    ///
    /// A probe that fails is not run again; its error stands in its place.
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

/// How often to do it to fill `budget`. The first calls also warm up what the probe uses.
fn calibrate(probe: &mut Probe<'_>, budget: Duration) -> io::Result<u64> {
    let mut n = 1;
    loop {
        let start = Instant::now();
        let time = probe(n)?;
        // What a probe sets up is not in its time, but in ours. The last condition stops at a probe
        // that takes no time.
        if time >= budget / 8 || start.elapsed() >= budget || n >= 1 << 40 {
            let fits =
                n as f64 * budget.as_secs_f64() / time.max(Duration::from_nanos(1)).as_secs_f64();
            return Ok((fits as u64).clamp(1, n.saturating_mul(16)));
        }
        n = n.saturating_mul(4);
    }
}

impl Times {
    /// # Panics
    ///
    /// If there was no round.
    fn of(mut taken: Vec<f64>) -> Self {
        taken.sort_unstable_by(f64::total_cmp);
        Self { median: taken[taken.len() / 2], low: taken[0], high: taken[taken.len() - 1] }
    }

    /// As bytes a second, where one operation moves that many: slowest and fastest change places.
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

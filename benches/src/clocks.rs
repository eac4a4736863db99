//! Clocks that measure CPU time beside wall time, over the same batch.

use perf_proved::proof::cpu;
use std::io;
use std::time::{Duration, Instant};

/// A clock of CPU time, in user space and in the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// The CPU time of the benchmarking thread. Threads that help it do not count.
    Thread,
    /// The CPU time of the whole process, including the kernel's workers and the other end of a
    /// connection.
    Process,
}

impl Clock {
    /// Reads the clock.
    ///
    /// # Errors
    ///
    /// `Unsupported` outside Unix.
    pub fn now(self) -> io::Result<Duration> {
        match self {
            Self::Thread => cpu::thread(),
            Self::Process => cpu::process(),
        }
    }

    /// Runs `work` and returns the time that it took by this clock and by the wall clock. The wall
    /// clock starts first and ends last, so one thread's CPU time never exceeds it.
    ///
    /// # Panics
    ///
    /// Outside Unix, which [`Clock::now`] tells before.
    pub fn taken(self, work: impl FnOnce()) -> Taken {
        let read = || self.now().expect("CPU time clocks exist on Unix systems");
        let start = Instant::now();
        let used = read();
        work();
        let used = read() - used;
        Taken { wall: start.elapsed(), cpu: Some(used) }
    }
}

/// The time of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// By the wall clock.
    pub wall: Duration,
    /// By a clock of CPU time, if one was read.
    pub cpu: Option<Duration>,
}

impl Taken {
    /// Adds the time of another part of the same batch, which has the same clocks.
    pub(crate) fn and(self, other: Self) -> Self {
        let cpu = match (self.cpu, other.cpu) {
            (Some(one), Some(other)) => Some(one + other),
            (one, other) => one.or(other),
        };
        Self { wall: self.wall + other.wall, cpu }
    }

    pub(crate) fn scaled(self, factor: f64) -> Self {
        Self { wall: self.wall.mul_f64(factor), cpu: self.cpu.map(|cpu| cpu.mul_f64(factor)) }
    }
}

/// The result of a batch: its time, or an error, which ends the bench.
pub trait Times {
    /// Returns the time.
    ///
    /// # Panics
    ///
    /// If the batch failed.
    fn taken(self) -> Taken;
}

impl Times for Taken {
    fn taken(self) -> Taken {
        self
    }
}

impl Times for Duration {
    fn taken(self) -> Taken {
        Taken { wall: self, cpu: None }
    }
}

impl<T: Times> Times for io::Result<T> {
    fn taken(self) -> Taken {
        match self {
            Ok(times) => times.taken(),
            Err(error) => panic!("the benchmark failed: {error}"),
        }
    }
}

/// The median of a benchmark's samples in ns per iteration, and the interval that covers it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Summary {
    pub(crate) median: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

/// Summarizes samples; `None` if there are none. The interval is the tightest pair of order
/// statistics, equally far from both ends, that covers the median with a probability of 95 %
/// (David and Nagaraja, *Order Statistics*, 3rd ed., section 7.1); all samples if that is not
/// enough.
pub(crate) fn summary(mut samples: Vec<f64>) -> Option<Summary> {
    samples.sort_by(f64::total_cmp);
    let n = samples.len();
    let (first, last) = (*samples.first()?, *samples.last()?);
    let (mut low, mut high) = (first, last);
    // The probability that at most `rank` of the samples lie below the median.
    let (mut below, mut term) = (0.0, 0.5f64.powi(i32::try_from(n).ok()?));
    for rank in 0..n / 2 {
        below += term;
        term *= (n - rank) as f64 / (rank + 1) as f64;
        if 1.0 - 2.0 * below < 0.95 {
            break;
        }
        (low, high) = (samples[rank], samples[n - 1 - rank]);
    }
    Some(Summary { median: (samples[(n - 1) / 2] + samples[n / 2]) / 2.0, low, high })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hint::black_box;
    use std::thread;

    /// CPU time and wall time come from different clocks of the kernel: the wall clock is adjusted
    /// to the date by up to 500 parts in a million (adjtimex(2)).
    fn resolution(wall: Duration) -> Duration {
        Duration::from_micros(1) + wall / 2000
    }

    #[test]
    #[cfg(unix)]
    fn one_threads_cpu_time_never_exceeds_the_wall_time_of_the_same_batch() {
        for batch in 0..2000u64 {
            let taken = Clock::Thread.taken(|| {
                black_box((0..batch * 50).fold(0u64, |sum, n| black_box(sum ^ n)));
            });
            let (cpu, wall) = (taken.cpu.unwrap(), taken.wall);
            assert!(cpu <= wall + resolution(wall), "batch {batch}: {cpu:?} of {wall:?}");
        }
    }

    #[test]
    #[cfg(unix)]
    fn a_thread_that_sleeps_uses_wall_time_alone() {
        let taken = Clock::Thread.taken(|| thread::sleep(Duration::from_millis(20)));
        assert!(taken.wall >= Duration::from_millis(20));
        assert!(taken.cpu.unwrap() < Duration::from_millis(10), "{taken:?}");
    }

    #[test]
    fn ten_samples_give_the_second_to_the_ninth() {
        let found = summary((1..=10).rev().map(f64::from).collect()).unwrap();
        assert_eq!(found, Summary { median: 5.5, low: 2.0, high: 9.0 });
        let few = summary(vec![3.0, 1.0, 2.0]).unwrap();
        assert_eq!(few, Summary { median: 2.0, low: 1.0, high: 3.0 }, "all that there are");
        assert_eq!(summary(vec![]), None);
    }
}

//! The ways of counting an event that the chapter compares.

use super::naive::{self, Labels, PerformanceMonitor};
use super::{Buckets, Counter, CounterWriter, Family, Histogram, Reading, RegisterError, Registry};
use crate::sys::cores::together;
use std::hint::black_box;
use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A way of counting an event, or of taking its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// Nothing: the loop alone.
    None,
    /// A handle of a disabled registry.
    Disabled,
    /// A handle of a counter.
    Handle,
    /// A cell of a counter for each thread.
    Writer,
    /// A counter that is looked up by its labels each time.
    Lookup,
    /// The naive monitor.
    Naive,
    /// Two readings of the clock, and nothing else.
    Clock,
    /// A number into a histogram.
    Histogram,
    /// The time between two readings of the clock into a histogram.
    Timed,
}

/// The series that several threads update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Series {
    /// One for all.
    Same,
    /// One for each thread.
    Own,
}

/// The number of different values of a label that the look-ups go through.
pub const LABELS: usize = 64;

/// The number of different observations.
const OBSERVATIONS: usize = 4096;

impl Variant {
    /// The ways of counting, in the order of the chapter.
    pub const COUNTERS: [Self; 6] =
        [Self::None, Self::Disabled, Self::Handle, Self::Writer, Self::Lookup, Self::Naive];

    /// The ways of taking a time.
    pub const TIMERS: [Self; 3] = [Self::Clock, Self::Histogram, Self::Timed];

    /// Returns its name in the figures.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Disabled => "disabled",
            Self::Handle => "handle",
            Self::Writer => "writer",
            Self::Lookup => "lookup",
            Self::Naive => "naive",
            Self::Clock => "clock",
            Self::Histogram => "histogram",
            Self::Timed => "timed",
        }
    }

    /// Updates `updates` times on each of `cores` at once, and returns the time until the last core
    /// is done. Unit: one update on every core.
    ///
    /// # Errors
    ///
    /// See [`together`].
    ///
    /// # Panics
    ///
    /// If an update was lost.
    pub fn updates(self, cores: &[usize], series: Series, updates: u64) -> io::Result<Duration> {
        let monitored = Monitored::new(self, cores.len(), series).map_err(io::Error::other)?;
        let elapsed = together(cores, |thread| monitored.update(thread, updates))?;
        let expected = match self {
            Self::None | Self::Disabled | Self::Clock => 0,
            _ => updates * cores.len() as u64,
        };
        assert_eq!(monitored.total(), expected, "{}", self.name());
        Ok(elapsed)
    }
}

/// A variant with its metrics, ready to be updated.
pub struct Monitored {
    variant: Variant,
    registry: Registry,
    events: Family<Counter>,
    counters: Vec<Counter>,
    /// Each is locked once, by its own thread.
    writers: Vec<Mutex<CounterWriter>>,
    timers: Vec<Histogram>,
    naive: PerformanceMonitor,
    labels: Vec<String>,
    observations: Vec<f64>,
}

impl Monitored {
    /// Registers the metrics of a variant for `threads` threads.
    ///
    /// # Errors
    ///
    /// None: the names are valid.
    pub fn new(variant: Variant, threads: usize, series: Series) -> Result<Self, RegisterError> {
        let registry =
            if variant == Variant::Disabled { Registry::disabled() } else { Registry::new() };
        let events = registry.counter("events", "Events.", &["kind"])?;
        let times =
            registry.histogram("seconds", "Their times.", &["kind"], Buckets::new(&bounds())?)?;
        // The labels of one thread come from 0 on, and those of the next from `LABELS` on.
        let labels: Vec<String> = (0..threads * LABELS).map(|label| label.to_string()).collect();
        let own = |thread: usize| match series {
            Series::Same => labels[0].as_str(),
            Series::Own => labels[thread * LABELS].as_str(),
        };
        let counters: Vec<Counter> = (0..threads).map(|at| events.with(&[own(at)])).collect();
        let writers = counters.iter().map(|counter| Mutex::new(counter.writer())).collect();
        let timers = (0..threads).map(|thread| times.with(&[own(thread)])).collect();
        let (naive, observations) =
            (PerformanceMonitor::new(Duration::MAX, vec![]), observations());
        Ok(Self {
            variant,
            registry,
            events,
            counters,
            writers,
            timers,
            naive,
            labels: match series {
                Series::Same => labels[..LABELS].to_vec(),
                Series::Own => labels,
            },
            observations,
        })
    }

    /// Updates `updates` times on the thread of this number.
    pub fn update(&self, thread: usize, updates: u64) {
        let labels = self.labels.chunks(LABELS).cycle().nth(thread).unwrap_or_default();
        let label = |update: u64| labels[update as usize % LABELS].as_str();
        let (counter, timer) = (&self.counters[thread], &self.timers[thread]);
        // `black_box` hides the number from the compiler.
        match self.variant {
            Variant::None => (0..updates).for_each(|_| _ = black_box(1)),
            Variant::Disabled | Variant::Handle => {
                (0..updates).for_each(|_| counter.add(black_box(1)));
            }
            Variant::Writer => {
                let writer = self.writers[thread].lock();
                let mut writer = writer.unwrap_or_else(PoisonError::into_inner);
                (0..updates).for_each(|_| writer.add(black_box(1)));
            }
            Variant::Lookup => {
                (0..updates).for_each(|n| self.events.with(&[label(n)]).add(black_box(1)));
            }
            Variant::Naive => (0..updates).for_each(|n| {
                let labels = Labels::from([("kind".to_owned(), label(n).to_owned())]);
                self.naive.add_metric("events", black_box(1.0), labels);
            }),
            Variant::Clock => (0..updates).for_each(|_| _ = black_box(Instant::now().elapsed())),
            Variant::Histogram => (0..updates).for_each(|update| {
                timer.observe(self.observations[update as usize % OBSERVATIONS]);
            }),
            Variant::Timed => (0..updates).for_each(|_| {
                let start = Instant::now();
                timer.observe(start.elapsed().as_secs_f64());
            }),
        }
    }

    /// Returns the number of updates in all series.
    pub fn total(&self) -> u64 {
        let naive = self.naive.metrics();
        let naive: u64 = naive.values().map(|metric| naive::lock(metric).count).sum();
        let snapshot = self.registry.snapshot();
        let events = snapshot.families.iter().filter(|family| !family.name.starts_with("monitor"));
        let series = events.flat_map(|family| &family.series);
        let counts = series.map(|series| match &series.reading {
            Reading::Number(super::Value::Integer(count)) => *count,
            Reading::Histogram { buckets, .. } => buckets.last().map_or(0, |(_, count)| *count),
            Reading::Number(super::Value::Float(_)) => 0,
        });
        naive + counts.sum::<u64>()
    }
}

/// Returns the bounds of the histograms: twelve from 1 µs to 4 s.
pub fn bounds() -> Vec<f64> {
    (0..12).map(|power| 1e-6 * 4_f64.powi(power)).collect()
}

/// Returns times in seconds, spread over all buckets in an order that no processor predicts.
pub fn observations() -> Vec<f64> {
    let mut state = 1_u64;
    let draw = || {
        // A linear congruential generator, of which the upper bits are used (Knuth's MMIX).
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        1e-6 * 4_f64.powf(12.5 * (state >> 11) as f64 / (1_u64 << 53) as f64)
    };
    std::iter::repeat_with(draw).take(OBSERVATIONS).collect()
}

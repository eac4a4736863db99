//! The experiments of the example, the bench and the tests.

pub mod watched;

use super::export::{Counts, Exporters, Schedule};
use super::json_lines::json;
use super::naive::{Labels, MetricExporter, Metrics, PerformanceMonitor};
use super::variants::{Monitored, Series, Variant, bounds, observations};
use super::{Buckets, Format, Reading, RegisterError, Registry, Settings, Value};
use crate::harness::shuffle::Random;
use crate::proof::allocations::{Allocations, count};
use crate::sys::cores::{joined, spawn};
use crate::sys::resident;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use std::{io, panic, thread};

/// Returns the allocations of `updates` updates by a variant, on one thread, once each of its
/// series exists.
///
/// # Errors
///
/// None: the names are valid.
///
/// # Panics
///
/// If an update was lost; see [`count`].
pub fn allocations(variant: Variant, updates: u64) -> Result<Allocations, RegisterError> {
    let monitored = Monitored::new(variant, 1, Series::Same)?;
    monitored.update(0, 1000);
    let before = monitored.total();
    let ((), made) = count(|| monitored.update(0, updates));
    let counted = monitored.total() - before;
    let is_counting = !matches!(variant, Variant::None | Variant::Disabled | Variant::Clock);
    assert_eq!(counted, if is_counting { updates } else { 0 }, "{}", variant.name());
    Ok(made)
}

/// The memory of a process before and after observations that no exporter asked for.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// Resident bytes by which it grew.
    pub grown: u64,
    /// Calls of the allocator.
    pub allocations: u64,
}

/// Observes `observations` times into a histogram that is never exported.
///
/// # Errors
///
/// If the system does not report resident memory.
///
/// # Panics
///
/// See [`count`].
pub fn memory(observations: u64) -> io::Result<Memory> {
    let monitored = Monitored::new(Variant::Histogram, 1, Series::Same);
    let monitored = monitored.map_err(io::Error::other)?;
    monitored.update(0, observations / 100);
    let before = resident::now()?;
    let ((), made) = count(|| monitored.update(0, observations));
    let grown = resident::now()?.saturating_sub(before);
    Ok(Memory { grown, allocations: made.calls })
}

/// The exports of a histogram that two threads update meanwhile.
#[derive(Clone, Copy, Debug, Default)]
pub struct Scrapes {
    /// The number of exports.
    pub rendered: u64,
    /// Exports whose buckets decrease, or whose count is not that of the last bucket.
    pub inconsistent: u64,
    /// Exports with fewer observations than the one before.
    pub backwards: u64,
    /// Exports with more observations than the one before: the threads were at work.
    pub advanced: u64,
    /// Observations that the last export, after the end of the threads, lacks.
    pub lost: u64,
}

/// Renders a histogram while two threads observe, until `times` exports have each seen observations
/// that the one before had not, but for a second at most: other programs may need the cores.
///
/// # Errors
///
/// If a rendering is not as the format says.
pub fn scrapes(times: u64) -> io::Result<Scrapes> {
    let registry = Registry::new();
    let buckets = Buckets::new(&bounds()).map_err(io::Error::other)?;
    let family = registry.histogram("seconds", "Times.", &[], buckets);
    let histogram = family.map_err(io::Error::other)?.with(&[]);
    let (stop, numbers) = (AtomicBool::new(false), observations());
    let mut scrapes = Scrapes::default();
    let mut before = 0;
    let made = thread::scope(|scope| {
        let observe = || {
            let mut made = 0_u64;
            // Relaxed: the threads are joined, and nothing else depends on the flag.
            while !stop.load(Ordering::Relaxed) {
                histogram.observe(numbers[made as usize % numbers.len()]);
                made += 1;
            }
            made
        };
        let threads = [spawn(scope, observe), spawn(scope, observe)];
        let deadline = Instant::now() + Duration::from_secs(1);
        let mut rendered = Ok(());
        while rendered.is_ok() && scrapes.advanced < times && Instant::now() < deadline {
            rendered = scrape(&registry, &mut scrapes).map(|now| {
                scrapes.backwards += u64::from(now < before);
                scrapes.advanced += u64::from(now > before);
                if now == before {
                    thread::yield_now();
                }
                before = now;
            });
        }
        stop.store(true, Ordering::Relaxed);
        let made: io::Result<u64> = threads.into_iter().map(|thread| Ok(joined(thread?))).sum();
        rendered.and(made)
    })?;
    let last = scrape(&registry, &mut scrapes)?;
    Ok(Scrapes { lost: made.saturating_sub(last), ..scrapes })
}

/// Renders a histogram, and returns its count.
fn scrape(registry: &Registry, scrapes: &mut Scrapes) -> io::Result<u64> {
    let mut text = vec![];
    registry.render(Format::Prometheus, &mut text);
    let text = String::from_utf8(text).map_err(io::Error::other)?;
    let number = |line: &str| line.rsplit(' ').next()?.parse::<u64>().ok();
    let of = |name: &str| {
        let lines = text.lines().filter(|line| line.starts_with(name));
        lines.map(number).collect::<Option<Vec<u64>>>()
    };
    let (Some(buckets), Some(counts)) = (of("seconds_bucket"), of("seconds_count")) else {
        return Err(io::Error::other(format!("no numbers in {text:?}")));
    };
    let ([.., last], [count]) = (&buckets[..], &counts[..]) else {
        return Err(io::Error::other(format!("no histogram in {text:?}")));
    };
    scrapes.rendered += 1;
    scrapes.inconsistent += u64::from(last != count || !buckets.is_sorted());
    Ok(*count)
}

/// The series of a metric with a label that a caller chooses.
#[derive(Clone, Copy, Debug)]
pub struct Cardinality {
    /// The series of the naive monitor.
    pub naive: u64,
    /// The series of the registry, with the overflow series.
    pub series: u64,
    /// The sum of the registry's series.
    pub total: u64,
    /// The number of the overflow series.
    pub overflow: u64,
}

/// Counts `users` events by users of their own, with a bound of `most` series.
///
/// # Errors
///
/// None: the names are valid.
pub fn cardinality(users: u64, most: usize) -> Result<Cardinality, RegisterError> {
    let naive = PerformanceMonitor::new(Duration::MAX, vec![]);
    let registry = Registry::with(Settings { series_per_metric: most });
    let family = registry.counter("requests", "Requests.", &["user"])?;
    for user in 0..users {
        let user = user.to_string();
        family.with(&[&user]).increment();
        naive.add_metric("requests", 1.0, Labels::from([("user".to_owned(), user)]));
    }
    let naive = naive.metrics().len() as u64;
    let mut found = Cardinality { naive, series: 0, total: 0, overflow: 0 };
    let snapshot = registry.snapshot();
    let requests = snapshot.families.iter().filter(|family| family.name == "requests");
    for series in requests.flat_map(|family| &family.series) {
        let Reading::Number(Value::Integer(count)) = series.reading else { continue };
        found.series += 1;
        found.total += count;
        if series.labels.iter().any(|(name, _)| name == "overflow") {
            found.overflow += count;
        }
    }
    Ok(found)
}

/// Returns a counter and a gauge whose labels hold all that a text format has to escape, and whose
/// numbers are those that are easy to print wrong: a line of JSON, and then OpenMetrics. The same
/// `seed` gives the same ones.
///
/// # Errors
///
/// None: the names are valid.
pub fn hostile(seed: u64) -> Result<Vec<u8>, RegisterError> {
    const PARTS: [&str; 16] = [
        "\\", "\"", "\n", "\\n", "\r", "\t", "{", "}", ",", "=", "# ", " ", "\u{2028}", "é", "😀",
        "a",
    ];
    const NUMBERS: [f64; 8] = [
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        -0.0,
        1e300,
        5e-324,
        0.1,
        9_007_199_254_740_993.0,
    ];
    let mut random = Random(seed);
    let mut text = || {
        let length = random.below(6);
        (0..length).map(|_| PARTS[random.below(PARTS.len())]).collect::<String>()
    };
    let registry = Registry::new();
    let counter = registry.counter("hostile", "A \\ and a\nline break.", &["one", "two"])?;
    let gauge = registry.gauge("hostile_gauge", "\"Quoted\".", &["one"])?;
    for number in 0..8_u32 {
        counter.with(&[&text(), &text()]).add(u64::MAX >> (8 * number));
        gauge.with(&[&text()]).set(NUMBERS[number as usize]);
    }
    let mut text = json(&registry.snapshot()).into_bytes();
    text.push(b'\n');
    registry.render(Format::OpenMetrics, &mut text);
    Ok(text)
}

/// The exports beside an exporter that hangs, one that panics, and one that fails.
#[derive(Clone, Debug)]
pub struct Beside {
    /// The account of the exporter to which nothing happens.
    pub healthy: Counts,
    /// The number that the healthy one exported last: that of the events before the stop.
    pub last: u64,
    /// The account of the exporter that panics each time.
    pub panics: Counts,
    /// The account of the exporter that returns an error each time.
    pub fails: Counts,
    /// The account of the exporter that never returns.
    pub hangs: Counts,
}

/// The interval of the exporters.
const INTERVAL: Duration = Duration::from_millis(5);

/// The time after which an experiment gives up.
const PATIENCE: Duration = Duration::from_secs(8);

fn hang() -> ! {
    loop {
        thread::park();
    }
}

/// Exports beside exporters that misbehave until the healthy one has exported `times` times, and
/// stops after `events` events. The thread that hangs is left behind.
///
/// # Errors
///
/// The errors of starting threads; `TimedOut` if the healthy exporter does not get that far.
pub fn beside(times: u64, events: u64) -> io::Result<Beside> {
    let registry = Registry::new();
    let counter = registry.counter("events", "Events.", &[]).map_err(io::Error::other)?.with(&[]);
    let last = Arc::new(AtomicU64::new(0));
    let schedule = || Schedule { interval: INTERVAL, attempts: 2, pause: INTERVAL / 5 };
    let mut exporters = Exporters::new(&registry);
    exporters.start("hangs", schedule(), |_: &_| hang())?;
    exporters.start("panics", schedule(), |_: &_| panic::resume_unwind(Box::new("a panic")))?;
    exporters.start("fails", schedule(), |_: &_| Err(io::ErrorKind::ConnectionRefused.into()))?;
    let seen = last.clone();
    exporters.start("healthy", schedule(), move |snapshot: &super::Snapshot| {
        if let Some(Value::Integer(number)) = snapshot.number("events", &[]) {
            seen.store(number, Ordering::Relaxed); // read after the exporter has ended
        }
        Ok(())
    })?;
    let deadline = Instant::now() + PATIENCE;
    let of = |counts: &[(String, Counts)], name: &str| {
        let found = counts.iter().find(|(found, _)| found == name);
        found.map_or_else(Counts::default, |(_, counts)| counts.clone())
    };
    loop {
        let counts = exporters.counts();
        let is_enough = of(&counts, "healthy").exported >= times
            && of(&counts, "panics").panics > 0
            && of(&counts, "fails").dropped > 0;
        if is_enough {
            break;
        } else if Instant::now() > deadline {
            let what = format!("after {PATIENCE:?}: {counts:?}");
            return Err(io::Error::new(io::ErrorKind::TimedOut, what));
        }
        thread::sleep(INTERVAL);
    }
    counter.add(events);
    let counts = exporters.stop(Duration::from_secs(1));
    let [healthy, panics, fails, hangs] =
        ["healthy", "panics", "fails", "hangs"].map(|name| of(&counts, name));
    // Relaxed: the exporter has ended, if it was not too slow for that.
    Ok(Beside { healthy, last: last.load(Ordering::Relaxed), panics, fails, hangs })
}

struct Hangs;

impl MetricExporter for Hangs {
    fn export(&self, _: &Metrics) -> io::Result<()> {
        hang()
    }
}

struct CountsExports(Arc<AtomicU64>);

impl MetricExporter for CountsExports {
    fn export(&self, _: &Metrics) -> io::Result<()> {
        self.0.fetch_add(1, Ordering::Relaxed); // a count only
        Ok(())
    }
}

/// Returns the number of exports by an exporter of the naive monitor, behind one that hangs, within
/// 50 intervals. The monitor's thread is left behind.
pub fn naive_beside() -> u64 {
    let exports = Arc::new(AtomicU64::new(0));
    let exporters: Vec<Box<dyn MetricExporter>> =
        vec![Box::new(Hangs), Box::new(CountsExports(exports.clone()))];
    Arc::new(PerformanceMonitor::new(INTERVAL, exporters)).start();
    thread::sleep(50 * INTERVAL);
    exports.load(Ordering::Relaxed) // a count only
}

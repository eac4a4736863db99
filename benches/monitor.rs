//! Times what a program pays for being watched: an update by one thread and by two, a look-up, an
//! observation with and without the clock, and the export of 10,000 series.
//!
//! In `monitor_update`, the unit is one update on each thread: `1` is one thread, `2_own` two with
//! a series each, and `2_same` two with one series. The threads are pinned to two cores. `none` is
//! the loop alone, `disabled` a handle of a disabled registry, and `naive` the Go article's
//! monitor, which looks its series up. All others have a handle. In `monitor_lookup`, one thread
//! goes through 64 labels that are not known when the program is compiled; crates whose labels must
//! be owned allocate each one. `measured` knows all labels beforehand.
//!
//! In `monitor_time`, `clock` is two readings of the clock, `histogram` an observation that is
//! there already, and `timed` both. The histograms of all crates have the same 12 bounds, and the
//! observations fall into all buckets. The unit of `monitor_export` is one series of a counter.
//! `opentelemetry_sdk` only collects the numbers there, and makes no text. Each variant proves its
//! total.

#[path = "monitor/peers.rs"]
mod peers;

use criterion::Throughput;
use peers::{BOUNDS, Measured, Metrics, OpenTelemetry, Own, Peer, Prometheus, PrometheusClient};
use perf_proved::measuring::monitor::variants::{LABELS, Series, Variant, bounds, observations};
use perf_proved::measuring::monitor::{Format, Registry};
use perf_proved::sys::cores::{self, together, two_cores};
use perf_proved_benches::{Group, Plan, with};
use std::hint::black_box;
use std::io;
use std::time::{Duration, Instant};

const IDS: [&str; 4] = ["monitor_update", "monitor_lookup", "monitor_time", "monitor_export"];

/// The updates that a batch of threads makes at least, so that starting them is a small part.
const MANY: u64 = 1 << 17;

/// The number of series that are exported.
const SERIES: usize = 10_000;

fn main() -> io::Result<()> {
    with(two_cores(), &IDS, |two| {
        let one = cores::allowed()?[0];
        let mut plan = Plan::new();
        updates(plan.group("monitor_update"), one, two);
        lookups(plan.group("monitor_lookup"), one);
        times(plan.group("monitor_time"), one);
        exports(plan.group("monitor_export"));
        plan.run()
    })
}

/// The threads of a benchmark, and their series.
#[derive(Clone)]
struct Threads {
    parameter: &'static str,
    cores: Vec<usize>,
    series: Series,
}

fn updates(group: &mut Group<'_>, one: usize, two: [usize; 2]) {
    group.flat().witnessed(two).at_least(MANY);
    let threads =
        |parameter, cores: &[usize], series| Threads { parameter, cores: cores.to_vec(), series };
    for threads in [
        threads("1", &[one], Series::Own),
        threads("2_own", &two, Series::Own),
        threads("2_same", &two, Series::Same),
    ] {
        for variant in
            [Variant::None, Variant::Disabled, Variant::Handle, Variant::Writer, Variant::Naive]
        {
            let threads = threads.clone();
            group.bench((variant.name(), threads.parameter), move |n| {
                variant.updates(&threads.cores, threads.series, n)
            });
        }
        update::<Metrics>(group, "metrics", &threads);
        update::<PrometheusClient>(group, "prometheus_client", &threads);
        update::<Prometheus>(group, "prometheus", &threads);
        update::<Measured>(group, "measured", &threads);
        update::<OpenTelemetry>(group, "opentelemetry", &threads);
    }
    group.again("handle");
}

fn update<P: Peer>(group: &mut Group<'_>, name: &str, threads: &Threads) {
    let threads = threads.clone();
    group.bench((name, threads.parameter), move |n| {
        let (peer, labels) = new::<P>(threads.cores.len());
        let label = |thread| match threads.series {
            Series::Own => &labels[thread],
            Series::Same => &labels[0],
        };
        let handles: Vec<P::Counter> =
            (0..threads.cores.len()).map(|thread| peer.counter(label(thread))).collect();
        let elapsed = together(&threads.cores, |thread| {
            let handle = &handles[thread];
            (0..n).for_each(|_| P::add(handle, black_box(1)));
        })?;
        assert_eq!(peer.total("events"), n * threads.cores.len() as u64);
        io::Result::Ok(elapsed)
    });
}

/// Creates a peer, and the labels that it knows.
fn new<P: Peer>(labels: usize) -> (P, Vec<String>) {
    let labels: Vec<String> = (0..labels).map(|label| format!("/items/{label}")).collect();
    (P::new(&labels, &bounds()), labels)
}

fn lookups(group: &mut Group<'_>, one: usize) {
    group.flat().at_least(MANY);
    look_up::<Own>(group, "lookup", one);
    group.bench("naive", move |n| Variant::Naive.updates(&[one], Series::Own, n));
    look_up::<Metrics>(group, "metrics", one);
    look_up::<PrometheusClient>(group, "prometheus_client", one);
    look_up::<Prometheus>(group, "prometheus", one);
    look_up::<Measured>(group, "measured", one);
    look_up::<OpenTelemetry>(group, "opentelemetry", one);
    group.again("lookup");
}

fn look_up<P: Peer + Sync>(group: &mut Group<'_>, name: &str, one: usize) {
    group.bench(name, move |n| {
        let (peer, labels) = new::<P>(LABELS);
        let elapsed = together(&[one], |_| {
            (0..n).for_each(|update| peer.look_up(black_box(&labels[update as usize % LABELS])));
        })?;
        assert_eq!(peer.total("events"), n);
        io::Result::Ok(elapsed)
    });
}

fn times(group: &mut Group<'_>, one: usize) {
    group.flat().at_least(MANY);
    for variant in Variant::TIMERS {
        group.bench(variant.name(), move |n| variant.updates(&[one], Series::Own, n));
    }
    observe::<Metrics>(group, "metrics", one);
    observe::<PrometheusClient>(group, "prometheus_client", one);
    observe::<Prometheus>(group, "prometheus", one);
    observe::<Measured>(group, "measured", one);
    observe::<OpenTelemetry>(group, "opentelemetry", one);
    group.again("histogram");
}

fn observe<P: Peer>(group: &mut Group<'_>, name: &str, one: usize) {
    assert_eq!(bounds().len(), BOUNDS);
    group.bench(name, move |n| {
        let (peer, labels) = new::<P>(1);
        let (histogram, numbers) = (peer.histogram(&labels[0]), observations());
        let elapsed = together(&[one], |_| {
            (0..n).for_each(|update| {
                P::observe(&histogram, numbers[update as usize % numbers.len()]);
            });
        })?;
        assert_eq!(peer.total("seconds"), n);
        io::Result::Ok(elapsed)
    });
}

fn exports(group: &mut Group<'_>) {
    group.throughput(Throughput::Elements(1));
    export::<Own>(group, "prometheus_text");
    group.made("open_metrics", || {
        let registry = Registry::new();
        let events = registry.counter("events", "Events.", &["kind"]).map_err(io::Error::other)?;
        (0..SERIES).for_each(|label| events.with(&[&format!("/items/{label}")]).increment());
        let mut out = vec![];
        Ok(move |n| per_series(n, || registry.render(Format::OpenMetrics, emptied(&mut out))))
    });
    export::<Metrics>(group, "metrics");
    export::<PrometheusClient>(group, "prometheus_client");
    export::<Prometheus>(group, "prometheus");
    export::<Measured>(group, "measured");
    export::<OpenTelemetry>(group, "opentelemetry");
    group.again("prometheus_text");
}

fn export<P: Peer>(group: &mut Group<'_>, name: &str) {
    group.made(name, || {
        let (peer, labels) = new::<P>(SERIES);
        labels.iter().for_each(|label| peer.look_up(label));
        assert_eq!(peer.total("events"), SERIES as u64);
        let mut out = vec![];
        Ok(move |n| per_series(n, || peer.render(emptied(&mut out))))
    });
}

fn emptied(out: &mut Vec<u8>) -> &mut Vec<u8> {
    out.clear();
    out
}

/// Exports until `series` series are, and returns their time.
fn per_series(series: u64, mut export: impl FnMut()) -> Duration {
    let times = series.div_ceil(SERIES as u64);
    let start = Instant::now();
    (0..times).for_each(|_| export());
    start.elapsed().mul_f64(series as f64 / (times * SERIES as u64) as f64)
}

//! Times writes of items to a file in the page cache: by the length of the items, by the size of a
//! batch, and from when each item was due until it was written.
//!
//! The file grows to 4 MiB, is emptied, and grows again. In `batching` and `batching_capacity`, one
//! unit is one item: the time from the first one until the last batch is written. The groups in
//! `_cpu` are the CPU time of the process over the same batches, with the threads that write and
//! the kernel's workers that belong to it. `batch_writer` and `channel` have a thread of their own,
//! and copy each item into memory of its own. Before a variant is timed, the file that it writes is
//! checked, and its calls are counted where they can be traced.
//!
//! `batching_latency_10k` and `batching_latency_100k` are open loops of 10,000 and 100,000 items of
//! 100 bytes a second. A time there is a percentile of the latencies of hundreds to thousands of
//! items, each from when it was due, whether or not the ones before were written. `batch_N` has
//! batches of N items, which wait for at most 1 ms. `batch_64_no_delay` and `channel` write what is
//! there as soon as the batch before is written. `generator` is how late the items were handed to
//! `batch_64`. No thread is pinned.

use perf_proved::sys::cores::two_cores;
use perf_proved_benches::with;
use std::io;

const IDS: [&str; 6] = [
    "batching",
    "batching_cpu",
    "batching_capacity",
    "batching_capacity_cpu",
    "batching_latency_10k",
    "batching_latency_100k",
];

fn main() -> io::Result<()> {
    with(two_cores(), &IDS, bench::run)
}

#[cfg(not(target_os = "linux"))]
mod bench {
    pub use perf_proved_benches::not_built as run;
}

#[cfg(target_os = "linux")]
mod bench {
    use hdrhistogram::Histogram;
    use perf_proved::harness::scratch::Scratch;
    use perf_proved::io::batching::experiment::{Load, calls, is_right, items, open_loop};
    use perf_proved::io::batching::variants::{BATCH, Sink, Variant};
    use perf_proved::proof::syscalls::trace;
    use perf_proved_benches::{Clock, Group, Plan, Taken, bytes, size};
    use std::fs::File;
    use std::io;
    use std::rc::Rc;
    use std::time::Duration;

    /// The length to which the file grows, and of all items that are written in turns.
    const SPAN: usize = 4 << 20;
    const LENGTHS: [usize; 6] = [16, 64, 256, 1 << 10, 4 << 10, 64 << 10];
    const CAPACITIES: [usize; 6] = [1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20];
    /// The length of the items in batches of different sizes.
    const LENGTH: usize = 64;
    const DELAY: Duration = Duration::from_millis(1);

    pub fn run(cores: [usize; 2]) -> io::Result<()> {
        let place = Rc::new(Scratch::new()?);
        let mut plan = Plan::new();
        lengths(plan.group("batching").witnessed(cores), &place);
        capacities(plan.group("batching_capacity"), &place);
        for (name, interval, percentiles) in LOADS {
            // A percentile of a part of a batch would be that of fewer items.
            let group = plan.group(name).witnessed(cores).flat();
            latencies(group, &place, interval, percentiles);
        }
        plan.run()
    }

    /// The directory of the file.
    type Place = Rc<Scratch>;

    fn empty(place: &Place) -> io::Result<File> {
        File::create(place.path().join("written"))
    }

    fn lengths(group: &mut Group<'_>, place: &Place) {
        group.second_clock(Clock::Process, "batching_cpu").at_least(1024);
        for name in Variant::NAMES {
            for length in LENGTHS {
                group.throughput(bytes(length));
                written(group, name, length, length, place, move |sink| Variant::new(name, sink));
            }
        }
        ["write", "bufwriter_8KiB", "writev", "batch_writer"]
            .iter()
            .for_each(|name| _ = group.again_at(name, size(LENGTH)));
        group.again_at("write", size(4 << 10));
    }

    fn capacities(group: &mut Group<'_>, place: &Place) {
        group.second_clock(Clock::Process, "batching_capacity_cpu").throughput(bytes(LENGTH));
        for capacity in CAPACITIES {
            group.at_least(4 * (capacity / LENGTH) as u64);
            let buffered = move |sink| Ok(Variant::buffered(sink, capacity));
            written(group, "bufwriter", capacity, LENGTH, place, buffered);
            let gathered = move |sink| Ok(Variant::Gathered(sink, capacity / LENGTH));
            written(group, "writev", capacity, LENGTH, place, gathered);
        }
        group.again_at("bufwriter", size(64 << 10)).again_at("writev", size(4 << 10));
    }

    /// Registers the variant that `make` makes, under the size `parameter`.
    fn written<'a>(
        group: &mut Group<'a>,
        name: &'static str,
        parameter: usize,
        length: usize,
        place: &Place,
        make: impl Fn(Sink) -> io::Result<Variant> + Copy + 'a,
    ) {
        let place = place.clone();
        group.made((name, size(parameter)), move || {
            prove(&place, name)?;
            let items = items((SPAN / length).clamp(BATCH, 16 << 10), length);
            let mut variant = make(Sink::emptied(empty(&place)?, SPAN as u64))?;
            Ok(move |times| {
                let mut result = Ok(());
                let taken = Clock::Process.taken(|| result = all(&mut variant, &items, times));
                result.map(|()| taken)
            })
        });
    }

    /// Writes `times` items.
    fn all(variant: &mut Variant, items: &[Vec<u8>], times: u64) -> io::Result<()> {
        let mut left = times as usize;
        while left > 0 {
            let part = left.min(items.len());
            variant.write(&items[..part])?;
            left -= part;
        }
        variant.flush()
    }

    /// Checks that a variant of this chapter writes what it is given, by the calls that its name
    /// says.
    fn prove(place: &Scratch, name: &str) -> io::Result<()> {
        if !Variant::NAMES.contains(&name) {
            return Ok(());
        }
        let (folder, count) = (place.path(), 32 * BATCH);
        assert!(is_right(folder, name, count)?, "{name} writes every item, in order");
        if trace(|| ()).is_err() {
            return Ok(());
        }
        let made = calls(folder, name, count)?;
        let expected = match name {
            "write" => ("write", count as u64),
            "writev" | "batch_writer" | "channel" => ("writev", (count / BATCH) as u64),
            "ring" => ("io_uring_enter", (count / BATCH) as u64),
            _ => ("write", 1),
        };
        for call in ["write", "writev", "io_uring_enter"] {
            let made = made.of(call).made;
            // Opening a ring takes one write.
            let right = if call == expected.0 { made >= expected.1 } else { made <= 1 };
            assert!(right, "{name}: {made} calls of {call}");
        }
        Ok(())
    }

    type Make = fn(Sink) -> io::Result<Variant>;

    const OPEN: [(&str, Make); 8] = [
        ("write", |sink| Ok(Variant::Write(sink))),
        ("bufwriter_8KiB", |sink| Ok(Variant::buffered(sink, 8 << 10))),
        ("batch_1", |sink| Variant::batched(sink, 1, DELAY)),
        ("batch_8", |sink| Variant::batched(sink, 8, DELAY)),
        ("batch_64", |sink| Variant::batched(sink, 64, DELAY)),
        ("batch_64_no_delay", |sink| Variant::batched(sink, 64, Duration::ZERO)),
        ("channel", |sink| Variant::new("channel", sink)),
        ("generator", |sink| Variant::batched(sink, 64, DELAY)),
    ];

    /// A percentile: its name, its share, and the number of items of which it is one.
    type Percentile = (&'static str, f64, usize);

    /// The loads: the group, the time between two items, and the percentiles.
    const LOADS: [(&str, Duration, [Percentile; 3]); 2] = [
        (
            "batching_latency_10k",
            Duration::from_micros(100),
            [("p50", 0.5, 300), ("p99", 0.99, 500), ("p99.9", 0.999, 1000)],
        ),
        (
            "batching_latency_100k",
            Duration::from_micros(10),
            [("p50", 0.5, 2000), ("p99", 0.99, 2000), ("p99.9", 0.999, 5000)],
        ),
    ];

    fn latencies(
        group: &mut Group<'_>,
        place: &Place,
        interval: Duration,
        percentiles: [Percentile; 3],
    ) {
        for (parameter, share, items) in percentiles {
            for (name, make) in OPEN {
                let place = place.clone();
                group.made((name, parameter), move || {
                    let place = place.clone();
                    Ok(move |times: u64| {
                        let found = open_loop(empty(&place)?, Load { items, interval }, make)?;
                        let is_generator = name == "generator";
                        let times_of =
                            if is_generator { &found.lateness } else { &found.latencies };
                        let percentile = percentile(times_of, share)?;
                        // The same load, whatever number of items criterion asks for.
                        let wall = percentile.saturating_mul(times.try_into().unwrap_or(u32::MAX));
                        io::Result::Ok(Taken { wall, cpu: None })
                    })
                });
            }
        }
        group.again("batch_64");
    }

    fn percentile(times: &[Duration], share: f64) -> io::Result<Duration> {
        let histogram = Histogram::<u64>::new_with_max(60_000_000_000, 3);
        let mut histogram = histogram.map_err(io::Error::other)?;
        times.iter().for_each(|time| histogram.saturating_record(time.as_nanos() as u64));
        Ok(Duration::from_nanos(histogram.value_at_quantile(share)))
    }
}

//! Times durable appends of records of 100 bytes to a log, on the file system of temporary files.
//!
//! `group_commit` is a closed loop of 1 to 256 appenders: each begins its next record when the one
//! before is durable. One unit is one record: the time from the first one until the last is
//! durable, over their number. `group_commit_cpu` is the CPU time of the process over the same
//! batches. `sync_each` and `sync_apart` sync for each record, under a lock and at the same time;
//! the others are logs whose appenders share syncs, except for `sqlite`, in which each record is a
//! transaction (in WAL mode, with `synchronous=FULL`). No log begins a new segment meanwhile, but
//! `okaywal` and `sqlite` use theirs again in their own time, as they are configured by default.
//!
//! `group_commit_latency` is an open loop of 4,000 records a second by up to 64 appenders. A time
//! is a percentile of the latencies of 1,000 records, each from when it was due until it was
//! durable, whether or not the ones before were. The percentiles of a variant are of the same
//! loads. `log_rotating` is `log_zeros` with segments of 32 KiB, of which four end during a load.
//! `generator` is how late the appenders of `log_zeros` began.
//!
//! Every time is the wall clock's, except for those in `_cpu`: what is timed is the wait for a
//! device, which other programs on the machine, and other guests of its host, share. Before a log
//! is timed, its records are counted, and the syncs of a lone appender where they can be traced.
//! No thread is pinned.

use std::io;

#[cfg(target_os = "linux")]
#[path = "group_commit/crew.rs"]
mod crew;

#[cfg(target_os = "linux")]
#[path = "group_commit/peers.rs"]
mod peers;

fn main() -> io::Result<()> {
    #[cfg(target_os = "linux")]
    return bench::run();
    #[cfg(not(target_os = "linux"))]
    ["group_commit", "group_commit_cpu", "group_commit_latency"].iter().try_for_each(|id| {
        perf_proved_benches::not_possible(id, "this bench counts and clocks Linux's calls")
    })
}

#[cfg(target_os = "linux")]
mod bench {
    use super::crew::Crew;
    use super::peers;
    use criterion::Throughput;
    use hdrhistogram::Histogram;
    use perf_proved::harness::scratch::Scratch;
    use perf_proved::io::group_commit::experiment::{
        Latencies, Load, append_all, is_right, open_loop,
    };
    use perf_proved::io::group_commit::variants::{self, Appender, SEGMENT};
    use perf_proved::measuring::limits::file::filesystem;
    use perf_proved::proof::syscalls::trace;
    use perf_proved_benches::{Clock, Group, Plan, Taken};
    use std::cell::RefCell;
    use std::io;
    use std::path::Path;
    use std::rc::Rc;
    use std::time::Duration;

    const APPENDERS: [usize; 5] = [1, 4, 16, 64, 256];
    /// The records of each appender in a batch, at least: a batch begins with all appenders at
    /// once, ends with those that find no further record, and should be mostly what comes between.
    const RECORDS: usize = 4;
    const LOAD: Load = Load { records: 1000, interval: Duration::from_micros(250), appenders: 64 };
    const PERCENTILES: [(&str, f64); 3] = [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)];
    /// The bytes of the segments that a load fills.
    const SMALL: u64 = 32 << 10;
    const OPEN: [&str; 8] = [
        "sync_each",
        "log_grow",
        "log_zeros",
        "log_rotating",
        "log_delay",
        "okaywal",
        "sqlite",
        "generator",
    ];

    pub fn run() -> io::Result<()> {
        let scratch = Scratch::new()?;
        let kind = filesystem(scratch.path())?;
        let in_memory = matches!(kind.as_str(), "tmpfs" | "ramfs");
        let reason = in_memory.then(|| format!("{kind} is in memory, where fsync does nothing"));
        let mut plan = Plan::new();
        closed(plan.group("group_commit"), scratch.path(), reason.as_deref());
        open_loops(plan.group("group_commit_latency"), scratch.path(), reason.as_deref());
        plan.run()
    }

    fn closed<'a>(group: &mut Group<'a>, folder: &'a Path, reason: Option<&str>) {
        group.flat().second_clock(Clock::Process, "group_commit_cpu");
        group.throughput(Throughput::Elements(1));
        for appenders in APPENDERS {
            group.at_least((RECORDS * appenders) as u64);
            for name in variants::NAMES.into_iter().chain(peers::NAMES) {
                let id = (name, appenders);
                if let Some(reason) = reason {
                    group.not_possible(id, reason);
                    continue;
                }
                group.made(id, move || {
                    prove(folder, name)?;
                    let place = Scratch::within(folder)?;
                    let crew = Crew::new(open(name, place.path())?, appenders);
                    Ok(move |times| {
                        let _place = &place; // as long as the crew
                        Clock::Process.taken(|| crew.append(times))
                    })
                });
            }
        }
        if reason.is_none() {
            AGAIN.iter().for_each(|(name, appenders)| _ = group.again_at(name, appenders));
        }
    }

    /// The benchmarks that claims compare.
    const AGAIN: [(&str, usize); 6] = [
        ("log_zeros", 1),
        ("log_zeros", 4),
        ("log_zeros", 16),
        ("log_zeros", 64),
        ("log_zeros", 256),
        ("sync_each", 64),
    ];

    /// Makes a log in an empty directory.
    fn open(name: &str, folder: &Path) -> io::Result<Box<dyn Appender>> {
        match name {
            "log_rotating" => variants::open("log_zeros", folder, SMALL),
            "generator" => variants::open("log_zeros", folder, SEGMENT),
            _ if peers::NAMES.contains(&name) => peers::open(name, folder),
            _ => variants::open(name, folder, SEGMENT),
        }
    }

    /// Checks that a log has the records that it was given, and syncs for each one of a lone
    /// appender.
    fn prove(folder: &Path, name: &str) -> io::Result<()> {
        const COUNT: u64 = 32;
        let scratch = Scratch::within(folder)?;
        let log = open(name, scratch.path())?;
        match trace(|| append_all(&*log, 1, COUNT)) {
            Ok((appended, calls)) => {
                appended?;
                let synced = calls.of("fdatasync").made + calls.of("fsync").made;
                assert!(synced >= COUNT, "{name}: {synced} syncs for {COUNT} records");
            }
            Err(_) => append_all(&*log, 1, COUNT)?, // not traceable here
        }
        drop(log);
        let right = match peers::NAMES.contains(&name) {
            true => peers::records(name, scratch.path())? == COUNT,
            false => is_right(folder, name, 4, COUNT)?,
        };
        assert!(right, "{name} has every record");
        Ok(())
    }

    /// The loads of a variant so far, those of its second measurement apart.
    type Loads = Rc<RefCell<[Vec<Latencies>; 2]>>;

    fn open_loops<'a>(group: &mut Group<'a>, folder: &'a Path, reason: Option<&str>) {
        group.flat();
        let loads: Vec<(&str, Loads)> = OPEN.iter().map(|name| (*name, Loads::default())).collect();
        for (percentile, share) in PERCENTILES {
            for (name, loads) in &loads {
                let id = (*name, percentile);
                if let Some(reason) = reason {
                    group.not_possible(id, reason);
                    continue;
                }
                let (name, loads, mut made) = (*name, loads.clone(), 0);
                group.made(id, move || {
                    let (which, mut next, loads) = (made, 0, loads.clone());
                    made += 1;
                    Ok(move |times: u64| {
                        let loads = &mut loads.borrow_mut()[which];
                        let percentile = of_load(folder, name, loads, next, share)?;
                        next += 1;
                        // The same load, whatever number of iterations criterion asks for.
                        let wall = percentile.saturating_mul(times.try_into().unwrap_or(u32::MAX));
                        io::Result::Ok(Taken { wall, cpu: None })
                    })
                });
            }
        }
        if reason.is_none() {
            group.again("log_zeros");
        }
    }

    /// Returns a percentile of load `number` of a variant, which is run if it is new.
    fn of_load(
        folder: &Path,
        name: &str,
        loads: &mut Vec<Latencies>,
        number: usize,
        share: f64,
    ) -> io::Result<Duration> {
        if loads.len() <= number {
            let scratch = Scratch::within(folder)?;
            let log = open(name, scratch.path())?;
            loads.push(open_loop(&*log, LOAD)?);
        }
        let times = match name {
            "generator" => &loads[number].lateness,
            _ => &loads[number].latencies,
        };
        let histogram = Histogram::<u64>::new_with_max(60_000_000_000, 3);
        let mut histogram = histogram.map_err(io::Error::other)?;
        times.iter().for_each(|time| histogram.saturating_record(time.as_nanos() as u64));
        Ok(Duration::from_nanos(histogram.value_at_quantile(share)))
    }
}

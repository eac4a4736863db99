//! What this machine can do at all: memory, kernel, threads, cores, sockets, files.
//!
//!     cargo run --release --example limits              # about half a minute, and 700 MiB of memory
//!     cargo run --release --example limits -- --quick   # a few seconds; rougher, and promises nothing of times
//!
//! Each line is the median of several short rounds, in which all probes of a family take turns,
//! with the lowest and the highest. What each probe measures and leaves out stands at its function
//! in `src/measuring/limits/`.

use perf_proved::harness::flags::Example;
use perf_proved::harness::report::{Report, Value};
use perf_proved::harness::rounds::{Rounds, Times};
use perf_proved::measuring::limits::bandwidth::Block;
use perf_proved::measuring::limits::file::{Cached, filesystem, write_fsync};
use perf_proved::measuring::limits::load::Chain;
use perf_proved::measuring::limits::{
    addition, kernel, lines, loopback, naive, threads, two_cores,
};
use perf_proved::proof::{syscalls, usage};
use perf_proved::sys::cores;
use perf_proved::sys::region::{HUGE_PAGE, Pages, Region, page_size};
use std::cell::RefCell;
use std::collections::HashMap;
use std::process::ExitCode;
use std::time::Duration;
use std::{env, io};

const SIZES: [(&str, usize); 5] = [
    ("16KiB", 16 << 10),
    ("256KiB", 256 << 10),
    ("4MiB", 4 << 20),
    ("64MiB", 64 << 20),
    ("256MiB", 256 << 20),
];
const PAGES: [(&str, Pages); 2] = [("", Pages::Small), ("_huge", Pages::Huge)];
/// What is counted is done this often.
const OPERATIONS: u64 = 1024;

fn main() -> ExitCode {
    Example::new(
        "Measures what this machine can do: memory, system calls, threads, sockets, files.",
    )
    .flag("quick", "", "measures fewer and shorter rounds")
    .run(|flags| Ok(measure(flags.own("quick").is_some(), flags.json)))
}

fn measure(quick: bool, json: bool) -> ExitCode {
    let mut limits = Limits {
        rounds: if quick { 3 } else { 9 },
        budget: Duration::from_millis(if quick { 2 } else { 20 }),
        report: Report::new("What this machine can do: median of the rounds (lowest to highest)"),
        measured: HashMap::new(),
    };
    limits.loads();
    limits.memory();
    limits.kernel_and_threads();
    limits.cores();
    limits.sockets_and_files();
    limits.counts();
    if !quick {
        limits.promises(); // a quick round is shorter than the burst of another program
    }
    limits.report.finish(json)
}

struct Limits {
    rounds: usize,
    budget: Duration,
    report: Report,
    /// The times again, for the promises.
    measured: HashMap<String, Times>,
}

impl Limits {
    /// Runs the probes in turns; one that moves `bytes` bytes an operation is reported as
    /// bandwidth.
    fn run(&mut self, rounds: Rounds, bytes: impl Fn(&str) -> Option<usize>) {
        for (name, times) in rounds.run(self.rounds, self.budget) {
            match (times, bytes(&name)) {
                (Ok(times), Some(bytes)) => {
                    self.report.set(&name, "bandwidth", times.bandwidth(bytes))
                }
                (Ok(times), None) => {
                    self.report.set(&name, "time", times);
                    self.measured.insert(name, times);
                }
                (Err(error), bytes) => self.report.set(
                    &name,
                    if bytes.is_some() { "bandwidth" } else { "time" },
                    error,
                ),
            }
        }
    }

    fn loads(&mut self) {
        let mut chains = Vec::new();
        for (suffix, pages) in PAGES {
            for (size, bytes) in SIZES {
                chains
                    .push((format!("{suffix}_{size}"), Chain::new(bytes, pages).map(RefCell::new)));
            }
        }
        let mut rounds = Rounds::default();
        for (name, chain) in &chains {
            rounds.add(format!("load_dependent{name}"), move |n| {
                Ok(had(chain)?.borrow_mut().dependent(n))
            });
            rounds.add(format!("load_independent{name}"), move |n| {
                Ok(had(chain)?.borrow_mut().independent(n))
            });
            if name == "_256MiB" {
                rounds.add(format!("naive_latency{name}"), move |n| {
                    Ok(naive::latency(&had(chain)?.borrow(), n))
                });
            }
        }
        self.run(rounds, |_| None);
    }

    fn memory(&mut self) {
        let mut sizes = HashMap::new();
        let mut blocks = Vec::new();
        for (suffix, pages) in PAGES {
            for (size, bytes) in SIZES {
                let name = format!("{suffix}_{size}");
                sizes.extend([(format!("read{name}"), bytes), (format!("write{name}"), bytes)]);
                sizes.insert(format!("copy{name}"), bytes / 2);
                blocks.push((name, Block::new(bytes, pages).map(RefCell::new)));
            }
        }
        let mut rounds = Rounds::default();
        for (name, block) in &blocks {
            rounds.add(format!("read{name}"), move |n| Ok(had(block)?.borrow_mut().read(n)));
            rounds.add(format!("write{name}"), move |n| Ok(had(block)?.borrow_mut().write(n)));
            rounds.add(format!("copy{name}"), move |n| Ok(had(block)?.borrow_mut().copy(n)));
        }
        self.run(rounds, |name| sizes.get(name).copied());
    }

    fn kernel_and_threads(&mut self) {
        let touched =
            Region::new(OPERATIONS as usize * page_size(), Pages::Small).map(RefCell::new);
        let mut rounds = Rounds::default();
        rounds.add("addition", |n| Ok(addition::additions(n)));
        rounds.add("naive_addition", |n| Ok(naive::additions(n)));
        rounds.add("timer", |n| Ok(kernel::timer(n)));
        rounds.add("syscall", kernel::syscall);
        rounds.add("first_touch", |n| kernel::first_touch(n, Pages::Small));
        rounds.add("first_touch_huge", |n| kernel::first_touch(n, Pages::Huge));
        rounds
            .add("second_touch", |n| Ok(kernel::second_touch(&mut had(&touched)?.borrow_mut(), n)));
        rounds.add("pipe_alone", threads::pipe_alone);
        rounds.add("context_switch_same_core", |n| threads::hand_over([one_core()?; 2], n));
        rounds.add("context_switch_across", |n| threads::hand_over(two_cores()?, n));
        rounds.add("wake_parked", |n| threads::wake_parked(two_cores()?, n));
        rounds.add("spawn_join", threads::spawn_join);
        self.run(rounds, |_| None);
        if let Some(step) = kernel::timer_step(100_000) {
            self.report.set("timer", "step", step);
        }
    }

    fn cores(&mut self) {
        let mut rounds = Rounds::default();
        rounds.add("atomic_add_alone", |n| Ok(lines::add_alone(n)));
        rounds.add("atomic_add_same_line", |n| lines::add_beside(two_cores()?, 8, n));
        rounds.add("atomic_add_separate_lines", |n| lines::add_beside(two_cores()?, 128, n));
        rounds.add("line_round_trip", |n| lines::line_trips(two_cores()?, n));
        self.run(rounds, |_| None);
    }

    fn sockets_and_files(&mut self) {
        let program = env::current_exe().unwrap_or_default();
        let folder = program.parent().unwrap_or(".".as_ref());
        let kind = filesystem(folder).unwrap_or_else(|error| error.to_string());
        eprintln!("limits: files are in {} ({kind})", folder.display());
        let file = &Cached::new(folder);
        let pieces = [("pread_4KiB", 4 << 10), ("pread_64KiB", 64 << 10), ("pread_1MiB", 1 << 20)];
        let mut rounds = Rounds::default();
        rounds.add("loopback_round_trip", |n| loopback::round_trips(two_cores()?, n));
        rounds.add("loopback", |n| Ok(loopback::stream(two_cores()?, n)?.time));
        for (name, bytes) in pieces {
            rounds.add(name, move |n| had(file)?.read(bytes, n));
        }
        rounds.add("write_fsync", |n| write_fsync(folder, n));
        self.run(rounds, |name| match name {
            "loopback" => Some(1 << 20),
            name => pieces.iter().find(|(piece, _)| *piece == name).map(|(_, bytes)| *bytes),
        });
        let calls = had(file).and_then(|file| syscalls::trace(|| file.read(4 << 10, OPERATIONS)));
        self.count("pread_4KiB", "calls", calls.map(|(_, calls)| calls.total()), |n| {
            n == OPERATIONS
        });
    }

    /// Counted, not clocked: what `OPERATIONS` of them ask of the kernel.
    fn counts(&mut self) {
        let calls = |work: &dyn Fn()| syscalls::trace(work).map(|((), calls)| calls);
        let system_calls =
            calls(&|| _ = kernel::syscall(OPERATIONS)).map(|calls| calls.of("getppid").made);
        let timer = calls(&|| _ = kernel::timer(OPERATIONS)).map(|calls| calls.total());
        self.count("syscall", "calls", system_calls, |n| n == OPERATIONS);
        self.count("timer", "calls", timer, |n| n == 0 || n >= OPERATIONS); // from memory, or each by a system call
        let huge_pages = (OPERATIONS as usize * page_size()).div_ceil(HUGE_PAGE) as u64;
        let (first, second) = (faults(Pages::Small, 1), faults(Pages::Small, 2));
        self.count("first_touch", "faults", first, |n| n == OPERATIONS);
        self.count("second_touch", "faults", second, |n| n == 0);
        self.count("first_touch_huge", "faults", faults(Pages::Huge, 1), |n| n == huge_pages);
        let switches = |cores: io::Result<[usize; 2]>| {
            Ok(threads::pipe_trips(cores?, OPERATIONS / 2)?.switches)
        };
        self.count(
            "context_switch_same_core",
            "switches",
            switches(one_core().map(|core| [core; 2])),
            |n| n >= OPERATIONS,
        );
    }

    fn count(
        &mut self,
        row: &str,
        column: &str,
        count: io::Result<u64>,
        right: impl Fn(u64) -> bool,
    ) {
        if let Ok(count) = count {
            self.report.promise(&format!("{OPERATIONS} of {row}: {count} {column}"), right(count));
        }
        self.report.set(row, column, count.map_or_else(Value::from, Value::from));
    }

    /// What holds on every machine, unless a probe measures something else than it says. The
    /// fastest rounds are compared, because other programs only ever slow a round down. The bounds
    /// are wide: on the machines that we know, each ratio is several times its bound. 64 MiB and
    /// 256 MiB are not compared, since both may lie beyond the last cache.
    fn promises(&mut self) {
        let sizes = SIZES.map(|(size, _)| format!("load_dependent_{size}"));
        for pair in sizes[..4].windows(2) {
            self.slower(&pair[1], &pair[0], 0.8);
        }
        self.slower(&sizes[4], &sizes[0], 3.0);
        self.slower(&sizes[4], "load_independent_256MiB", 1.2);
        self.slower(&sizes[4], "naive_latency_256MiB", 1.2);
        self.slower("addition", "naive_addition", 10.0);
        self.slower("first_touch", "second_touch", 2.0);
        self.slower("context_switch_same_core", "pipe_alone", 1.0);
        self.slower("wake_parked", "syscall", 1.0);
    }

    fn slower(&mut self, slow: &str, fast: &str, by: f64) {
        if let (Some(slow_times), Some(fast_times)) =
            (self.measured.get(slow), self.measured.get(fast))
        {
            let kept = slow_times.low >= by * fast_times.low;
            self.report
                .promise(&format!("{slow} takes at least {by} times as long as {fast}"), kept);
        }
    }
}

/// What was set up for a probe, or again why it could not be.
fn had<T>(thing: &io::Result<T>) -> io::Result<&T> {
    thing.as_ref().map_err(|error| io::Error::new(error.kind(), error.to_string()))
}

fn one_core() -> io::Result<usize> {
    cores::allowed()?.first().copied().ok_or_else(|| io::Error::other("no core is allowed"))
}

/// The page faults of the last of `touches` touches of `OPERATIONS` pages.
fn faults(pages: Pages, touches: u32) -> io::Result<u64> {
    let mut region = Region::untouched(OPERATIONS as usize * page_size(), pages)?;
    for _ in 1..touches {
        region.touch();
    }
    let (_, used) = usage::count(|| Ok(region.touch()))?;
    region.verify()?;
    Ok(used.minor_faults)
}

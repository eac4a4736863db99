//! Runs the probes for the example, in families whose probes take turns.

use super::bandwidth::Block;
use super::file::{Cached, filesystem, write_fsync};
use super::load::Chain;
use super::{addition, kernel, lines, loopback, naive, threads};
use crate::harness::report::{Kept, Report, Value};
use crate::harness::rounds::{Rounds, Times};
use crate::proof::{syscalls, usage};
use crate::sys::cores;
use crate::sys::cores::two_cores;
use crate::sys::region::{HUGE_PAGE, Pages, Region, page_size};
use std::cell::RefCell;
use std::collections::HashMap;
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
/// The number of operations in a count.
const OPERATIONS: u64 = 1024;

/// The report on a machine, and the times that its promises compare.
pub struct Limits {
    /// The numbers so far.
    pub report: Report,
    rounds: usize,
    budget: Duration,
    measured: HashMap<String, Times>,
}

impl Limits {
    /// Prepares `rounds` rounds, in which each probe gets about `budget`.
    pub fn new(rounds: usize, budget: Duration) -> Self {
        let report = Report::new("The limits of this machine: median of the rounds (low to high)");
        Self { report, rounds, budget, measured: HashMap::new() }
    }

    /// Runs `probes` in turns. A probe for which `bytes` returns the bytes per operation is
    /// reported as bandwidth.
    fn run(&mut self, probes: Rounds, bytes: impl Fn(&str) -> Option<usize>) {
        for (name, times) in probes.run(self.rounds, self.budget) {
            let bytes = bytes(&name);
            let quantity = if bytes.is_some() { "bandwidth" } else { "time" };
            let value = match (times, bytes) {
                (Ok(times), Some(bytes)) => times.bandwidth(bytes),
                (Ok(times), None) => {
                    self.measured.insert(name.clone(), times);
                    times.into()
                }
                (Err(error), _) => error.into(),
            };
            self.report.set(&name, quantity, value);
        }
    }

    /// Measures dependent and independent loads, in working sets of several sizes.
    pub fn loads(&mut self) {
        let mut chains = Vec::new();
        for (suffix, pages) in PAGES {
            for (size, bytes) in SIZES {
                let chain = Chain::new(bytes, pages).map(RefCell::new);
                chains.push((format!("{suffix}_{size}"), chain));
            }
        }
        let mut probes = Rounds::default();
        for (name, chain) in &chains {
            probes.add(format!("load_dependent{name}"), move |n| {
                Ok(available(chain)?.borrow_mut().dependent(n))
            });
            probes.add(format!("load_independent{name}"), move |n| {
                Ok(available(chain)?.borrow_mut().independent(n))
            });
            if name == "_256MiB" {
                probes.add(format!("naive_latency{name}"), move |n| {
                    Ok(naive::latency(&available(chain)?.borrow(), n))
                });
            }
        }
        self.run(probes, |_| None);
    }

    /// Measures reading, writing and copying memory.
    pub fn memory(&mut self) {
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
        let mut probes = Rounds::default();
        for (name, block) in &blocks {
            let block = move || Ok::<_, io::Error>(available(block)?.borrow_mut());
            probes.add(format!("read{name}"), move |n| Ok(block()?.read(n)));
            probes.add(format!("write{name}"), move |n| Ok(block()?.write(n)));
            probes.add(format!("copy{name}"), move |n| Ok(block()?.copy(n)));
        }
        self.run(probes, |name| sizes.get(name).copied());
    }

    /// Measures system calls, page faults, the clock, and switches between threads.
    pub fn kernel_and_threads(&mut self) {
        let touched = Region::new(OPERATIONS as usize * page_size(), Pages::Small);
        let touched = touched.map(RefCell::new);
        let mut probes = Rounds::default();
        probes.add("addition", |n| Ok(addition::additions(n)));
        probes.add("naive_addition", |n| Ok(naive::additions(n)));
        probes.add("timer", |n| Ok(kernel::timer(n)));
        probes.add("syscall", kernel::syscall);
        probes.add("first_touch", |n| kernel::first_touch(n, Pages::Small));
        probes.add("first_touch_huge", |n| kernel::first_touch(n, Pages::Huge));
        probes.add("second_touch", |n| {
            Ok(kernel::second_touch(&mut available(&touched)?.borrow_mut(), n))
        });
        probes.add("pipe_alone", threads::pipe_alone);
        probes.add("context_switch_same_core", |n| threads::hand_over([one_core()?; 2], n));
        probes.add("context_switch_across", |n| threads::hand_over(two_cores()?, n));
        probes.add("wake_parked", |n| threads::wake_parked(two_cores()?, n));
        probes.add("spawn_join", threads::spawn_join);
        self.run(probes, |_| None);
        if let Some(step) = kernel::timer_step(100_000) {
            self.report.set("timer", "step", step);
        }
    }

    /// Measures two cores that write to one line or to two.
    pub fn cores(&mut self) {
        let mut probes = Rounds::default();
        probes.add("atomic_add_alone", |n| Ok(lines::add_alone(n)));
        probes.add("atomic_add_same_line", |n| lines::add_beside(two_cores()?, 8, n));
        probes.add("atomic_add_separate_lines", |n| lines::add_beside(two_cores()?, 128, n));
        probes.add("line_round_trip", |n| lines::line_trips(two_cores()?, n));
        self.run(probes, |_| None);
    }

    /// Measures loopback connections, the page cache, and `fsync` in the directory of the program.
    pub fn sockets_and_files(&mut self) {
        let program = env::current_exe().unwrap_or_default();
        let folder = program.parent().unwrap_or(".".as_ref());
        let kind = filesystem(folder).unwrap_or_else(|error| error.to_string());
        eprintln!("limits: files are in {} ({kind})", folder.display());
        let file = &Cached::new(folder);
        let pieces = [("pread_4KiB", 4 << 10), ("pread_64KiB", 64 << 10), ("pread_1MiB", 1 << 20)];
        let mut probes = Rounds::default();
        probes.add("loopback_round_trip", |n| loopback::round_trips(two_cores()?, n));
        probes.add("loopback", |n| loopback::stream(two_cores()?, loopback::PIECE, n));
        for (name, bytes) in pieces {
            probes.add(name, move |n| available(file)?.read(bytes, n));
        }
        probes.add("write_fsync", |n| write_fsync(folder, n));
        self.run(probes, |name| match name {
            "loopback" => Some(1 << 20),
            name => pieces.iter().find(|(piece, _)| *piece == name).map(|(_, bytes)| *bytes),
        });
        let read = |file: &Cached| syscalls::trace(|| file.read(4 << 10, OPERATIONS));
        let calls = available(file).and_then(read).map(|(_, calls)| calls.total());
        self.count("pread_4KiB", "calls", calls, |n| n == OPERATIONS);
    }

    /// Counts the calls, faults and switches of 1,024 operations.
    pub fn counts(&mut self) {
        let calls = |work: &dyn Fn()| syscalls::trace(work).map(|((), calls)| calls);
        let getppid = calls(&|| _ = kernel::syscall(OPERATIONS));
        let getppid = getppid.map(|calls| calls.of("getppid").made);
        self.count("syscall", "calls", getppid, |n| n == OPERATIONS);
        // The clock is read from memory, or by a system call each time.
        let timer = calls(&|| _ = kernel::timer(OPERATIONS)).map(|calls| calls.total());
        self.count("timer", "calls", timer, |n| n == 0 || n >= OPERATIONS);

        let huge_pages = (OPERATIONS as usize * page_size()).div_ceil(HUGE_PAGE) as u64;
        let (first, second) = (faults(Pages::Small, 1), faults(Pages::Small, 2));
        self.count("first_touch", "faults", first, |n| n == OPERATIONS);
        self.count("second_touch", "faults", second, |n| n == 0);
        self.count("first_touch_huge", "faults", faults(Pages::Huge, 1), |n| n == huge_pages);

        let trips = |core| threads::pipe_trips([core; 2], OPERATIONS / 2);
        let switches = one_core().and_then(trips).map(|trips| trips.switches);
        self.count("context_switch_same_core", "switches", switches, |n| n >= OPERATIONS);
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

    /// Promises that loads take longer the larger their working set is. 64 MiB and 256 MiB are not
    /// compared, since both may exceed the last-level cache.
    pub fn promise_slower_by_size(&mut self) {
        let sizes = SIZES.map(|(size, _)| format!("load_dependent_{size}"));
        for pair in sizes[..4].windows(2) {
            self.promise_slower(&pair[1], &pair[0], 0.8);
        }
        self.promise_slower(&sizes[4], &sizes[0], 3.0);
    }

    /// Promises that the probe `slow` takes at least `by` times as long as `fast`, in the fastest
    /// round of each, because other programs only ever slow a round down. They may slow down all
    /// rounds of `fast`, so that a promise is never broken, only in doubt. A probe that was not
    /// possible promises nothing.
    pub fn promise_slower(&mut self, slow: &str, fast: &str, by: f64) {
        let fastest = |name| self.measured.get(name).map(|times: &Times| times.low);
        if let (Some(slow_time), Some(fast_time)) = (fastest(slow), fastest(fast)) {
            let says = format!("{slow} takes at least {by} times as long as {fast}");
            let kept = if slow_time >= by * fast_time { Kept::Yes } else { Kept::InDoubt };
            self.report.promise(&says, kept);
        }
    }
}

/// Returns what was set up for a probe, or a copy of the error of its set-up.
fn available<T>(set_up: &io::Result<T>) -> io::Result<&T> {
    set_up.as_ref().map_err(|error| io::Error::new(error.kind(), error.to_string()))
}

fn one_core() -> io::Result<usize> {
    cores::allowed()?.first().copied().ok_or_else(|| io::Error::other("no core is allowed"))
}

/// Returns the page faults of the last of `touches` touches of 1,024 pages.
fn faults(pages: Pages, touches: u32) -> io::Result<u64> {
    let mut region = Region::untouched(OPERATIONS as usize * page_size(), pages)?;
    for _ in 1..touches {
        region.touch();
    }
    let (_, used) = usage::count(|| Ok(region.touch()))?;
    region.verify()?;
    Ok(used.minor_faults)
}

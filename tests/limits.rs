//! The probes of the machine's limits do what they say, and the naive ones do not.
//!
//! No test compares a time with a number of nanoseconds. Counts are exact, and times are compared
//! with each other, as the fastest of several, until they are as expected.
#![cfg(target_os = "linux")]

use perf_proved::harness::report::{Report, Value};
use perf_proved::harness::rounds::Rounds;
use perf_proved::measuring::limits::bandwidth::Block;
use perf_proved::measuring::limits::file::{Cached, filesystem, write_fsync};
use perf_proved::measuring::limits::load::{Chain, Line};
use perf_proved::measuring::limits::{addition, kernel, lines, loopback, naive, threads};
use perf_proved::proof::syscalls::trace;
use perf_proved::proof::usage::Usage;
use perf_proved::sys::cores;
use perf_proved::sys::cores::two_cores;
use perf_proved::sys::region::{HUGE_PAGE, Pages, Region, page_size};
use perf_proved_tests::{eventually, fastest};
use serde_json::{Map, Value as Json};
use std::process::{Command, ExitCode, Output};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{fs, io, thread};

#[test]
fn the_chain_is_one_cycle_through_all_lines() {
    for bytes in [64, 128, 192, 4096, 1 << 20] {
        let chain = Chain::new(bytes, Pages::Small).unwrap();
        assert_eq!(chain.cycle(), Some(bytes / 64), "{bytes} bytes");
        let numbers: Vec<u64> = chain.lines().iter().map(Line::number).collect();
        assert!(numbers.iter().copied().eq(0..bytes as u64 / 64));
    }
}

#[test]
fn any_number_of_loads_ends_at_the_right_line() {
    // The probes check themselves: they panic if they did not make the loads.
    let mut chain = Chain::new(4096, Pages::Small).unwrap();
    for loads in [0, 1, 63, 64, 65, 1000] {
        chain.dependent(loads);
        chain.independent(loads);
    }
}

#[test]
fn a_line_has_the_size_of_a_cache_line() {
    let Ok(size) =
        fs::read_to_string("/sys/devices/system/cpu/cpu0/cache/index0/coherency_line_size")
    else {
        return; // some virtual machines hide it
    };
    if cfg!(target_arch = "x86_64") {
        assert_eq!(size.trim().parse::<usize>().unwrap(), size_of::<Line>());
    }
}

#[test]
fn passes_read_write_and_copy_every_word() {
    let mut block = Block::new(1 << 16, Pages::Small).unwrap();
    for passes in [0, 1, 3, 257] {
        block.read(passes);
        block.write(passes);
        block.copy(passes);
    }
    assert_eq!(block.bytes(), 1 << 16);
}

/// Held by tests that count page faults or system calls: counting calls forks, and after a fork
/// each page that its parent writes faults once more, whichever thread writes it.
static COUNTING: Mutex<()> = Mutex::new(());

fn counting() -> MutexGuard<'static, ()> {
    COUNTING.lock().unwrap_or_else(PoisonError::into_inner)
}

fn faults(touch: impl FnOnce() -> Duration) -> u64 {
    let before = Usage::of_thread().unwrap();
    touch();
    (Usage::of_thread().unwrap() - before).minor_faults
}

#[test]
fn the_first_touch_of_a_page_faults_once_and_the_second_never() {
    let _alone = counting();
    let mut region = Region::untouched(256 * page_size(), Pages::Small).unwrap();
    assert_eq!(region.touched_pages(), 256);
    assert_eq!((faults(|| region.touch()), faults(|| region.touch())), (256, 0));
    region.verify().unwrap();
}

#[test]
fn huge_pages_fault_once_each_or_there_is_a_reason() {
    let _alone = counting();
    match Region::new(HUGE_PAGE, Pages::Huge) {
        Ok(_) => {
            let mut region = Region::untouched(3 * HUGE_PAGE, Pages::Huge).unwrap();
            assert_eq!((faults(|| region.touch()), faults(|| region.touch())), (3, 0));
            region.verify().unwrap();
        }
        Err(error) => {
            assert_eq!(error.kind(), io::ErrorKind::Unsupported, "{error}");
            assert!(error.to_string().contains("huge pages"), "{error}");
            let enabled = fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled")
                .unwrap_or_default();
            assert!(
                enabled.is_empty() || enabled.contains("[never]"),
                "{error}, though enabled says {enabled}"
            );
        }
    }
}

#[test]
fn missing_huge_pages_are_noticed() {
    if Region::new(HUGE_PAGE, Pages::Huge).is_ok() {
        // It was never touched, so the kernel gave none.
        let region = Region::untouched(2 * HUGE_PAGE, Pages::Huge).unwrap();
        let error = region.verify().unwrap_err();
        assert_eq!(error.to_string(), "the kernel gave 0 of 4096 KiB in huge pages");
    }
}

#[test]
fn each_probe_makes_the_calls_that_it_times() {
    let _alone = counting();
    let ((), calls) = trace(|| _ = kernel::syscall(1000).unwrap()).unwrap();
    assert_eq!((calls.of("getppid").made, calls.total()), (1000, 1000));

    let ((), calls) = trace(|| _ = kernel::timer(1000)).unwrap();
    let clock = calls.of("clock_gettime").made; // a system call with some clock sources
    assert_eq!(calls.total(), clock);
    assert!(clock == 0 || clock >= 1000, "{calls:?}");

    let (_, calls) = trace(|| threads::pipe_alone(100).unwrap()).unwrap();
    assert_eq!((calls.of("write").made, calls.of("read").made), (100, 100));

    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let file = Cached::new(folder.path()).unwrap();
    let (_, calls) = trace(|| file.read(4096, 100).unwrap()).unwrap();
    assert_eq!((calls.of("pread64").made, calls.bytes_read()), (100, 409_600));

    let (result, calls) = trace(|| write_fsync(folder.path(), 10)).unwrap();
    match result {
        // One write and one fsync precede the clock.
        Ok(_) => assert_eq!(
            (calls.of("write").made, calls.of("fsync").made, calls.bytes_written()),
            (11, 11, 45_056)
        ),
        Err(error) => assert!(error.to_string().contains("in memory"), "{error}"),
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "the files have no name");

    let core = cores::allowed().unwrap()[0];
    let (_, calls) = trace(|| loopback::round_trips([core; 2], 50).unwrap()).unwrap();
    // Two sends and two receives per trip, and one trip precedes the clock.
    assert_eq!(
        (calls.of("sendto").returned, calls.of("recvfrom").returned),
        (102, 102),
        "{calls:?}"
    );
}

#[test]
fn a_hand_over_on_one_core_is_a_context_switch() {
    let core = cores::allowed().unwrap()[0];
    let trips = threads::pipe_trips([core; 2], 500).unwrap();
    assert!(trips.switches >= 2 * 500, "{trips:?}");
}

#[test]
fn a_parked_thread_has_left_its_core() {
    let Ok(cores) = two_cores() else { return };
    let trips = threads::park_trips(cores, 500).unwrap();
    // Two per trip, unless a thread is woken before it has parked.
    assert!(trips.switches >= 500, "{trips:?}");
}

#[test]
fn every_probe_of_two_cores_returns() {
    let Ok(cores) = two_cores() else { return };
    lines::add_beside(cores, 8, 10_000).unwrap();
    lines::add_beside(cores, 128, 10_000).unwrap();
    lines::line_trips(cores, 1000).unwrap();
    loopback::stream(cores, 64 << 10, 4).unwrap();
    threads::hand_over(cores, 101).unwrap();
    threads::wake_parked(cores, 101).unwrap();
}

#[test]
fn a_missing_core_is_an_error_and_no_thread_waits_for_it() {
    let core = cores::allowed().unwrap()[0];
    for cores in [[core, usize::MAX], [usize::MAX, core]] {
        assert!(threads::pipe_trips(cores, 1).is_err());
        assert!(threads::park_trips(cores, 1).is_err());
        assert!(lines::line_trips(cores, 1).is_err());
        assert!(lines::add_beside(cores, 8, 1).is_err());
        assert!(loopback::stream(cores, 64 << 10, 1).is_err());
        assert!(loopback::round_trips(cores, 1).is_err());
    }
}

#[test]
fn a_file_system_has_a_name() {
    assert!(!filesystem(env!("CARGO_TARGET_TMPDIR").as_ref()).unwrap().is_empty());
    assert_eq!(filesystem("/no/such/folder".as_ref()).unwrap_err().kind(), io::ErrorKind::NotFound);
    if filesystem("/dev/shm".as_ref()).is_ok_and(|name| name == "tmpfs") {
        let error = write_fsync("/dev/shm".as_ref(), 1).unwrap_err();
        assert_eq!(error.to_string(), "/dev/shm is a tmpfs, in memory, where fsync does nothing");
    }
}

#[test]
fn the_naive_latency_is_too_short() {
    let mut chain = Chain::new(64 << 20, Pages::Small).unwrap();
    eventually(
        || {
            let honest = fastest(5, || chain.dependent(50_000));
            [honest, fastest(5, || naive::latency(&chain, 50_000))]
        },
        |[honest, naive]| *honest > 2 * *naive,
    );
}

#[test]
fn the_naive_additions_are_not_made() {
    const TIMES: u64 = 1000;
    eventually(
        || [1_000_000, TIMES * 1_000_000].map(|n| fastest(9, || naive::additions(n))),
        |[few, many]| *many < *few * 10 + Duration::from_micros(1),
    );
    eventually(|| [100_000, 800_000].map(|n| fastest(9, || addition::additions(n))), eight_times);
}

/// Returns `true` if the second time is about eight times the first.
fn eight_times(times: &[Duration; 2]) -> bool {
    times[1] > times[0] * 6 && times[1] < times[0] * 10
}

#[test]
fn twice_the_loads_take_about_twice_the_time() {
    let mut chain = Chain::new(16 << 10, Pages::Small).unwrap();
    eventually(|| [200_000, 1_600_000].map(|n| fastest(9, || chain.dependent(n))), eight_times);
}

#[test]
fn rounds_report_median_low_and_high_and_keep_errors() {
    let mut calls = 0;
    let mut rounds = Rounds::default();
    rounds.add("steady", |n| Ok(Duration::from_micros(10) * n as u32));
    rounds.add("timeless", |_| Ok(Duration::ZERO));
    rounds.add("impossible", |_| {
        calls += 1;
        Err(io::Error::other("no"))
    });
    let results = rounds.run(3, Duration::from_millis(1));
    let steady = results[0].1.as_ref().unwrap();
    assert_eq!((steady.low, steady.median, steady.high), (10_000.0, 10_000.0, 10_000.0));
    assert_eq!(steady.bandwidth(10_000), {
        let rate = Value::BytesPerSecond(1e9);
        Value::Rounds(Box::new([rate.clone(), rate.clone(), rate]))
    });
    assert_eq!(results[1].1.as_ref().unwrap().high, 0.0);
    assert_eq!(results[2].1.as_ref().unwrap_err().to_string(), "no");
    assert_eq!(calls, 1);
}

#[test]
fn a_report_prints_rounds_with_one_unit() {
    let mut report = Report::new("Rounds");
    let rounds = |times: [f64; 3]| Value::Rounds(Box::new(times.map(Value::Nanoseconds)));
    report.set("near", "time", rounds([1.5, 1.25, 2.0]));
    report.set("far", "time", rounds([1.5, 1.0, 2000.0]));
    assert_eq!(
        report.json(),
        r#"{"near.time":1.500,"near.time_low":1.250,"near.time_high":2.000,"far.time":1.500,"far.time_low":1.000,"far.time_high":2000.000}"#
    );
    let table = report.table();
    assert!(
        table.contains("1.50 ns (1.25 to 2)") && table.contains("1.50 ns (1 ns to 2 µs)"),
        "{table}"
    );
}

#[test]
fn a_broken_promise_fails_the_example() {
    let mut report = Report::new("Promises");
    report.promise("kept", true);
    assert_eq!(format!("{:?}", report.finish(true)), format!("{:?}", ExitCode::SUCCESS));
    report.promise("broken", false);
    assert_eq!(format!("{:?}", report.finish(true)), format!("{:?}", ExitCode::FAILURE));
}

fn example(arguments: &[&str]) -> Output {
    let run = ["run", "--quiet", "--package", "perf-proved", "--example", "limits", "--"];
    Command::new(env!("CARGO")).args(run).args(arguments).output().unwrap()
}

#[test]
fn the_example_has_every_number_or_its_reason_and_keeps_its_promises() {
    let output = example(&["--quick", "--json"]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let numbers: Map<String, Json> = serde_json::from_slice(&output.stdout).unwrap();

    let mut expected = Vec::new();
    for size in ["16KiB", "256KiB", "4MiB", "64MiB", "256MiB"] {
        for pages in ["", "_huge"] {
            expected.extend(
                ["load_dependent", "load_independent"]
                    .map(|probe| format!("{probe}{pages}_{size}.time")),
            );
            expected.extend(
                ["read", "write", "copy"].map(|probe| format!("{probe}{pages}_{size}.bandwidth")),
            );
        }
    }
    let times = "addition naive_addition naive_latency_256MiB timer syscall first_touch first_touch_huge second_touch
        pipe_alone context_switch_same_core context_switch_across wake_parked spawn_join atomic_add_alone
        atomic_add_same_line atomic_add_separate_lines line_round_trip loopback_round_trip write_fsync";
    expected.extend(times.split_whitespace().map(|probe| format!("{probe}.time")));
    let others = "loopback.bandwidth pread_4KiB.bandwidth pread_64KiB.bandwidth pread_1MiB.bandwidth timer.step
        syscall.calls timer.calls pread_4KiB.calls first_touch.faults second_touch.faults first_touch_huge.faults
        context_switch_same_core.switches";
    expected.extend(others.split_whitespace().map(str::to_owned));

    for key in &expected {
        let value = numbers.get(key).unwrap_or_else(|| panic!("no {key}"));
        let sound = value.as_f64().is_some_and(|number| number >= 0.0)
            || value.as_str().is_some_and(|why| !why.is_empty());
        assert!(sound, "{key}: {value}");
    }
    for key in numbers.keys() {
        let key = key.trim_end_matches("_low").trim_end_matches("_high");
        assert!(expected.iter().any(|known| known == key), "{key} is not expected");
    }
    for key in ["syscall.calls", "first_touch.faults", "pread_4KiB.calls"] {
        assert_eq!(numbers[key], 1024, "{key}");
    }
}

#[test]
fn the_example_refuses_unknown_flags() {
    let output = example(&["--fast"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--fast"));
    assert!(output.stdout.is_empty());
}

#[test]
fn probes_leave_the_callers_affinity_alone() {
    let before = cores::allowed().unwrap();
    thread::scope(|_| {
        if let Ok(cores) = two_cores() {
            lines::line_trips(cores, 10).unwrap();
            loopback::stream(cores, 64 << 10, 1).unwrap();
        }
    });
    assert_eq!(cores::allowed().unwrap(), before);
}

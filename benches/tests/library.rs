//! Checks the benches' library from outside: this program is a bench in miniature, which the checks
//! run with criterion's arguments. `cargo test --package perf-proved-benches --test library`.

use perf_proved_benches::{Clock, Plan, bytes};
use serde_json::Value;
use std::cell::Cell;
use std::hint::black_box;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, exit};
use std::time::{Duration, Instant};
use std::{env, fs, io, process, thread};

/// Set for the miniature. Its value is a file to which each batch appends a line.
const MINIATURE: &str = "PERF_PROVED_MINIATURE";

fn main() -> io::Result<()> {
    match env::var_os(MINIATURE) {
        Some(log) => miniature(Path::new(&log)),
        None => {
            filters_and_lists();
            a_test_runs_everything_once();
            both_clocks_are_read_over_the_same_batches();
            isolated_variants_share_no_process();
            rounds_change_the_order();
            Ok(())
        }
    }
}

fn miniature(log: &Path) -> io::Result<()> {
    let note = move |what: &str| {
        let mut file = fs::File::options().create(true).append(true).open(log).unwrap();
        writeln!(file, "{what} {}", process::id()).unwrap();
    };
    let mut plan = Plan::new();
    let group = plan.group("mini");
    group.flat().second_clock(Clock::Thread, "mini_cpu").throughput(bytes(1000));
    for name in ["a", "b", "c"] {
        for size in [1, 2] {
            group.bench((name, size), move |times| {
                note(&format!("mini/{name}/{size}"));
                Clock::Thread.taken(|| {
                    (0..times * 1000).for_each(|n| _ = black_box(n));
                    thread::sleep(Duration::from_micros(100));
                })
            });
        }
    }
    group.again("b").not_possible("never", "it cannot be done");
    let group = plan.group("mini_apart");
    group.flat().isolated();
    for name in ["d", "e"] {
        group.made(name, move || {
            note(&format!("made {name}"));
            let batches = Cell::new(0);
            Ok(move |times: u64| {
                batches.set(batches.get() + 1);
                note(&format!("mini_apart/{name}"));
                let start = Instant::now();
                (0..times).for_each(|_| thread::sleep(Duration::from_micros(50)));
                start.elapsed()
            })
        });
    }
    group.made::<Duration, fn(u64) -> Duration>("broken", || Err(io::Error::other("no such luck")));
    plan.run()
}

/// The outcome of a run of the miniature.
struct Ran {
    stdout: String,
    stderr: String,
    /// The batches in order, each with the process that ran it.
    log: Vec<(String, String)>,
    home: PathBuf,
}

impl Ran {
    /// Returns each benchmark once, in the order in which they ran.
    fn order(&self) -> Vec<&str> {
        let mut order: Vec<&str> = Vec::new();
        for (what, _) in &self.log {
            if !order.contains(&what.as_str()) {
                order.push(what);
            }
        }
        order
    }

    fn json(&self, path: &str) -> Value {
        let text =
            fs::read_to_string(self.home.join(path)).unwrap_or_else(|e| panic!("{path}: {e}"));
        serde_json::from_str(&text).unwrap()
    }
}

impl Drop for Ran {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(self.home.parent().unwrap());
    }
}

fn run(arguments: &str, round: Option<u32>) -> Ran {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("library-{}", process::id()));
    let _ = fs::remove_dir_all(&folder);
    let (home, log) = (folder.join("criterion"), folder.join("log"));
    fs::create_dir_all(&home).unwrap();
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(arguments.split_whitespace()).env(MINIATURE, &log).env("CRITERION_HOME", &home);
    command.env_remove("PERF_PROVED_ROUND");
    if let Some(round) = round {
        command.env("PERF_PROVED_ROUND", round.to_string());
    }
    let output = command.output().unwrap();
    let (stdout, stderr) = (output.stdout, output.stderr);
    let [stdout, stderr] = [stdout, stderr].map(|text| String::from_utf8(text).unwrap());
    if !output.status.success() {
        eprintln!("{stdout}\n{stderr}");
        exit(1);
    }
    let log = fs::read_to_string(&log).unwrap_or_default();
    let line =
        |line: &str| line.rsplit_once(' ').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    Ran { stdout, stderr, log: log.lines().map(line).collect(), home }
}

/// Short, and with the library's own settings otherwise.
const QUICK: &str = "--bench --warm-up-time 0.01 --measurement-time 0.02";

fn filters_and_lists() {
    let listed = |arguments: &str| -> Vec<String> {
        let ran = run(arguments, None);
        assert!(ran.log.is_empty(), "a list runs nothing: {:?}", ran.log);
        ran.stdout
            .lines()
            .filter_map(|l| l.strip_suffix(": benchmark"))
            .map(str::to_owned)
            .collect()
    };
    let all = listed("--bench --list");
    assert_eq!(all.len(), 2 * 9 + 3, "{all:?}");
    assert_eq!(all[..2], ["mini/a/1", "mini_cpu/a/1"]);
    assert_eq!(
        listed("--list --format terse apart"),
        ["mini_apart/d", "mini_apart/e", "mini_apart/broken"]
    );
    assert_eq!(listed("--bench --list --exact mini/c/2"), ["mini/c/2", "mini_cpu/c/2"]);

    // A filter by the second clock's id runs the batches that both clocks share.
    let ran = run(&format!("{QUICK} mini_cpu/a/2"), None);
    assert_eq!(ran.order(), ["mini/a/2"]);
    assert!(ran.stderr.contains("1 of 1"), "{}", ran.stderr);
    assert!(ran.home.join("mini/a/2/new/benchmark.json").is_file());
}

fn a_test_runs_everything_once() {
    let ran = run("--test", None);
    let times = |of: &str| ran.log.iter().filter(|(what, _)| what == of).count();
    assert_eq!((times("mini/a/1"), times("mini/b/2"), times("mini_apart/d")), (1, 2, 1));
    assert!(!ran.home.join("settings.json").exists(), "a test leaves no results");
}

fn both_clocks_are_read_over_the_same_batches() {
    let ran = run(&format!("{QUICK} mini/[ab]"), None);
    assert!(ran.stderr.contains("6 of 6, about "), "{}", ran.stderr);
    for id in ["a/1", "b/2", "b_again/1"] {
        let second = ran.json(&format!("mini_cpu/{id}/second_clock.json"));
        let numbers = |name: &str| -> Vec<f64> {
            second[name].as_array().unwrap().iter().map(|n| n.as_f64().unwrap()).collect()
        };
        let sample = ran.json(&format!("mini/{id}/new/sample.json"));
        let of_criterion = |name: &str| -> Vec<f64> {
            sample[name].as_array().unwrap().iter().map(|n| n.as_f64().unwrap()).collect()
        };
        assert_eq!(numbers("iterations"), of_criterion("iters"), "{id}");
        assert_eq!(numbers("wall_ns"), of_criterion("times"), "{id}");
        for (cpu, wall) in numbers("cpu_ns").iter().zip(numbers("wall_ns")) {
            assert!(*cpu <= wall * 1.0005 + 1000.0, "{id}: {cpu} ns of CPU time in {wall} ns");
        }
        assert_eq!(second["full_id"], format!("mini_cpu/{id}"));
        assert_eq!(second["throughput"]["Bytes"], 1000);
        let wall = ran.json(&format!("mini/{id}/new/estimates.json"));
        assert!(second["median"].as_f64() < wall["median"]["point_estimate"].as_f64());
    }
    let settings = ran.json("settings.json");
    assert_eq!((&settings["warm_up"], &settings["samples"]), (&"0.01".into(), &10.into()));
    let order = ran.json("mini_cpu/order.json");
    assert_eq!(order["ids"][2], "mini_cpu/b/1", "the order of the code");
}

fn isolated_variants_share_no_process() {
    let ran = run(QUICK, None);
    let processes = |of: &str| {
        let mut all: Vec<_> = ran.log.iter().filter(|(w, _)| w == of).map(|(_, p)| p).collect();
        all.dedup();
        all
    };
    let (d, e, a) = (processes("mini_apart/d"), processes("mini_apart/e"), processes("mini/a/1"));
    assert_eq!((d.len(), e.len(), a.len()), (1, 1, 1));
    assert!(d != e && d != a && e != a);
    assert_eq!((processes("made d"), processes("made e")), (d, e), "made where they run");
    assert!(ran.home.join("mini_apart/d/new/estimates.json").is_file());
    assert_eq!(ran.json("mini_apart_broken/not_possible.json")["reason"], "no such luck");
    assert_eq!(ran.json("mini_cpu_never/not_possible.json")["reason"], "it cannot be done");
}

fn rounds_change_the_order() {
    let of = |round| run("--test mini/", round).order().join(" ");
    assert_eq!(of(None), of(Some(0)));
    assert!(of(None).starts_with("mini/a/1 mini/b/1 "), "{}", of(None));
    assert!(of(Some(1)).starts_with("mini/b/1 mini/c/1 mini/a/1 "), "{}", of(Some(1)));
    assert!(of(Some(2)).starts_with("mini/b/1 mini/c/1 "), "{}", of(Some(2)));
}

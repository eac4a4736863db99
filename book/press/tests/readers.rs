//! The readers of files: criterion's output as it really is, machines' files whole and damaged, the
//! book's pages.

mod common;

use common::copy;
use press::book;
use press::machine::files::{self, BenchFile, CheckFile, FORMAT, MachineFile};
use press::machine::{Counts, Known, Machine, ProofRun, criterion};
use press::model::{Crossover, Error};
use press::project::Project;
use press::units::Quantity;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use tempfile::TempDir;

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

/// A copy of the book in miniature that a test may break.
fn miniature() -> (TempDir, Project) {
    let folder = TempDir::new().unwrap();
    copy(&data("project"), folder.path());
    let project = Project::at(folder.path());
    (folder, project)
}

/// A recording of the miniature's bench, with numbers that need no machine.
fn reference() -> String {
    let benchmark = |group: &str, function: &str, medians: &str| {
        format!(
            r#""{group}/{function}/1MiB": {{"group":"{group}","function":"{function}","parameter":"1MiB",
               "throughput_bytes":1048576,"median":{medians},"low":{medians},"high":{medians}}}"#
        )
    };
    format!(
        r#"{{ "format": {FORMAT}, "recording": {{
             "date": "2026-01-01T00:00:00Z", "commit": null, "modified": null, "rounds": 3, "environment": {{}},
             "benchmarks": {{ {}, {}, {}, {} }}, "not_possible": {{ "copy/ring": "no ring" }} }},
             "counts": {{ "date": "2026-01-01T00:00:00Z", "commit": null,
             "values": {{ "whole.calls": 1, "bytes.calls": 1048576, "ring.calls": "no ring" }} }} }}"#,
        benchmark("copy", "whole", "[100.0,120.0,110.0]"),
        benchmark("copy", "bytes", "[200.0,250.0,230.0]"),
        benchmark("copy_aa", "first", "[100.0,110.0,120.0]"),
        benchmark("copy_aa", "second", "[101.0,112.0,119.0]"),
    )
}

/// A machine with that recording only.
fn miniatures_machine() -> Machine {
    let file: BenchFile = serde_json::from_str(&reference()).unwrap();
    let mut machine = Machine::new("reference");
    machine.recordings.extend(file.recording.map(|recording| ("copy".to_string(), recording)));
    machine.counts.extend(file.counts.map(|counts| ("copy".to_string(), counts)));
    machine
}

/// Writes [`reference`] as the file of a bench of the machine.
fn record(project: &Project, machine: &str, bench: &str) -> PathBuf {
    fs::create_dir_all(project.machine(machine)).unwrap();
    let path = files::bench_path(&project.machine(machine), bench);
    fs::write(&path, reference()).unwrap();
    path
}

fn problems(project: &Project) -> Vec<String> {
    match book::load(project) {
        Ok(_) => Vec::new(),
        Err(Error::Book(problems)) => problems.iter().map(|p| p.to_string()).collect(),
        Err(e) => panic!("{e}"),
    }
}

#[test]
fn criterions_own_files_are_read() {
    let run = criterion::read(&data("criterion")).unwrap();
    let mut ids: Vec<&str> = run.benchmarks.keys().map(String::as_str).collect();
    ids.sort();
    let long =
        "copy_flat/a function whose name is longer than the sixty-four bytes: criterion cuts it";
    assert_eq!(ids, ["copy/iterator/4KiB", "copy/slice/4KiB", "copy/slice/64KiB", long]);
    let slice = &run.benchmarks["copy/slice/4KiB"].benchmark;
    assert_eq!((slice.group.as_str(), slice.function.as_deref()), ("copy", Some("slice")));
    assert_eq!((slice.parameter.as_deref(), slice.throughput_bytes), (Some("4KiB"), Some(4096)));
    let round = slice.rounds[0];
    assert_eq!(
        (round.median, round.low, round.high),
        (150.90543130457968, 120.7453836410906, 157.95936187587495)
    );
    let flat = &run.benchmarks[long].benchmark;
    assert_eq!((flat.parameter.as_deref(), flat.throughput_elements), (None, Some(7)));
}

#[test]
fn the_files_of_the_benches_library_are_read_beside_criterions() {
    let folder = TempDir::new().unwrap();
    copy(&data("criterion"), folder.path());
    let read = || criterion::read(folder.path()).unwrap();
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    assert_eq!(read().settings, None);
    write("settings.json", r#"{"warm_up":"0.1","measurement":"0.4","samples":10}"#);
    write(
        "copy_cpu/slice/4KiB/second_clock.json",
        r#"{"group_id":"copy_cpu","function_id":"slice","value_str":"4KiB","throughput":{"Bytes":4096},
            "full_id":"copy_cpu/slice/4KiB","median":120.0,"low":110.0,"high":130.0,
            "iterations":[1],"wall_ns":[125.0],"cpu_ns":[120.0]}"#,
    );
    write("x/witness.json", r#"{"id":"copy/slice/4KiB","before":50.0,"after":60.0,"slowed":0.25}"#);
    write(
        "copy/order.json",
        r#"{"ids":["copy/slice/64KiB","copy/iterator/4KiB","copy/slice/4KiB"]}"#,
    );
    let run = read();
    assert_eq!(run.settings.as_deref(), Some("warm-up 0.1 s, measurement 0.4 s, 10 samples"));
    let cpu = &run.benchmarks["copy_cpu/slice/4KiB"].benchmark;
    assert_eq!((cpu.group.as_str(), cpu.throughput_bytes), ("copy_cpu", Some(4096)));
    let round = cpu.rounds[0];
    assert_eq!((round.median, round.low, round.high), (120.0, 110.0, 130.0));
    let witnessed = &run.benchmarks["copy/slice/4KiB"].benchmark.rounds[0];
    assert_eq!((witnessed.witness, witnessed.slowed), (Some([50.0, 60.0]), 0.25));
    assert_eq!(run.benchmarks["copy/slice/64KiB"].benchmark.rounds[0].witness, None);
    let of_group: Vec<&String> =
        run.benchmarks.keys().filter(|id| id.starts_with("copy/")).collect();
    assert_eq!(of_group, ["copy/slice/64KiB", "copy/iterator/4KiB", "copy/slice/4KiB"]);

    // A witness that is older than the result belongs to an earlier one.
    let witness = fs::File::options().write(true).open(folder.path().join("x/witness.json"));
    witness.unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(read().benchmarks["copy/slice/4KiB"].benchmark.rounds[0].witness, None);

    // Groups come in the order in which they ran.
    let clock = folder.path().join("copy_cpu/slice/4KiB/second_clock.json");
    let clock = fs::File::options().write(true).open(clock).unwrap();
    clock.set_modified(SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(read().benchmarks.keys().next().unwrap(), "copy_cpu/slice/4KiB");
    clock.set_modified(SystemTime::now() + Duration::from_secs(3600)).unwrap();
    assert_eq!(read().benchmarks.keys().last().unwrap(), "copy_cpu/slice/4KiB");
}

#[test]
fn witnesses_survive_being_written_and_read() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("copy.json");
    let mut file: BenchFile = serde_json::from_str(&reference()).unwrap();
    let recording = file.recording.as_mut().unwrap();
    let benchmark = &mut recording.benchmarks["copy/whole/1MiB"];
    benchmark.rounds[0].witness = Some([50.0, 55.0]);
    benchmark.rounds[2].witness = Some([400.0, 60.0]);
    benchmark.rounds[1].slowed = 0.5;
    files::store(&file, &path).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(r#""witness_before": [50.0, null, 400.0]"#), "{text}");
    assert!(text.contains(r#""slowed": [0.0, 0.5, 0.0]"#), "{text}");
    let again: BenchFile = files::load(&path).unwrap().unwrap();
    assert_eq!(again.recording.unwrap().benchmarks, file.recording.unwrap().benchmarks);
    fs::write(&path, text.replace("[50.0, null, 400.0]", "[50.0, null]")).unwrap();
    let error = files::load::<BenchFile>(&path).unwrap_err().to_string();
    assert!(error.contains("3 medians, but 2 witnesses"), "{error}");
}

#[test]
fn criterions_files_may_be_missing_damaged_or_outdated() {
    let folder = TempDir::new().unwrap();
    let home = folder.path().join("criterion");
    let nothing = criterion::read(&home).unwrap();
    assert!(nothing.benchmarks.is_empty() && nothing.not_possible.is_empty());
    copy(&data("criterion"), &home);
    let refuse = |id: &str| {
        fs::write(
            home.join("not_possible.json"),
            format!(r#"{{"id":"{id}","reason":"forbidden"}}"#),
        )
        .unwrap();
        criterion::read(&home).unwrap()
    };
    assert_eq!(refuse("copy/slice").benchmarks.len(), 2, "refused after they were measured");
    assert_eq!(refuse("copy/sl").benchmarks.len(), 4, "half a name is no prefix");
    assert_eq!(refuse("copy").not_possible["copy"].reason, "forbidden");
    fs::remove_file(home.join("copy/slice/4KiB/new/estimates.json")).unwrap();
    assert!(criterion::read(&home).unwrap_err().to_string().contains("estimates.json"));
    fs::write(home.join("copy/slice/4KiB/new/estimates.json"), "{\"median\":").unwrap();
    let error = criterion::read(&home).unwrap_err().to_string();
    assert!(error.contains("4KiB/new/estimates.json: not what criterion 0.8.2 writes"), "{error}");
    fs::remove_dir_all(&home).unwrap();
    fs::write(&home, "a file").unwrap();
    assert!(criterion::read(&home).unwrap_err().to_string().starts_with("cannot read "));
}

#[test]
fn a_later_result_takes_the_place_of_an_earlier_refusal() {
    let folder = TempDir::new().unwrap();
    copy(&data("criterion"), folder.path());
    let refusal = folder.path().join("not_possible.json");
    fs::write(&refusal, r#"{"id":"copy","reason":"forbidden"}"#).unwrap();
    let at = |path: &Path, seconds: u64| {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        fs::File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
        time
    };
    at(&refusal, 2_000_000);
    let benchmark = folder.path().join("copy/slice/4KiB/new/benchmark.json");
    let newest = at(&benchmark, 3_000_000);
    at(&folder.path().join("copy/slice/64KiB/new/benchmark.json"), 1_000_000);
    at(&folder.path().join("copy/iterator/4KiB/new/benchmark.json"), 1_000_000);
    fs::remove_dir_all(folder.path().join("copy_flat")).unwrap();
    let run = criterion::read(folder.path()).unwrap();
    assert_eq!(run.benchmarks.keys().collect::<Vec<_>>(), ["copy/slice/4KiB"]);
    assert_eq!(run.newest(), newest);
    let text = fs::read_to_string(&benchmark).unwrap();
    let bits = text.replace(r#"{"Bytes":4096}"#, r#"{"Bits":4096}"#);
    assert_ne!(text, bits);
    fs::write(&benchmark, bits).unwrap();
    let run = criterion::read(folder.path()).unwrap();
    assert_eq!(run.benchmarks["copy/slice/4KiB"].benchmark.throughput_bytes, Some(512));
}

#[test]
fn a_machines_files_survive_being_read_and_written_byte_for_byte() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../machines/zen5");
    let copies = TempDir::new().unwrap();
    let mut benches = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let again = copies.path().join("deep").join(path.file_name().unwrap());
        if path.ends_with("machine.json") {
            let file: MachineFile = files::load(&path).unwrap().unwrap();
            files::store(&file, &again).unwrap();
        } else {
            let file: BenchFile = files::load(&path).unwrap().unwrap();
            files::store(&file, &again).unwrap();
            benches += 1;
        }
        assert!(fs::read(&again).unwrap() == fs::read(&path).unwrap(), "{}", path.display());
        let longest = fs::read_to_string(&path).unwrap().lines().map(str::len).max().unwrap();
        assert!(longest < 400, "{}: a line of {longest} bytes", path.display());
    }
    assert!(benches > 10);
    assert_eq!(
        fs::read_dir(copies.path().join("deep")).unwrap().count(),
        benches + 1,
        "nothing is left beside the files"
    );
}

#[test]
fn a_machine_is_put_together_from_its_files() {
    let (_folder, project) = miniature();
    assert!(Machine::load(&project.machine("laptop")).unwrap().is_none());
    fs::create_dir_all(project.machine("laptop")).unwrap();
    assert!(Machine::load(&project.machine("laptop")).unwrap().is_none(), "a folder without files");
    record(&project, "laptop", "copy");
    // Neither is read: an example that has no bench, and a recording that has not ended.
    let counts = BenchFile {
        recording: None,
        ..files::load(&record(&project, "laptop", "other")).unwrap().unwrap()
    };
    files::store(&counts, &files::bench_path(&project.machine("laptop"), "other")).unwrap();
    fs::write(project.machine("laptop").join("late.json.part"), reference()).unwrap();
    let about = MachineFile { about: Some("Mine.".to_string()), ..Default::default() };
    files::store(&about, &files::machine_path(&project.machine("laptop"))).unwrap();

    let machine = Machine::load(&project.machine("laptop")).unwrap().unwrap();
    assert_eq!((machine.name.as_str(), machine.about.as_deref()), ("laptop", Some("Mine.")));
    assert_eq!(machine.recordings.keys().collect::<Vec<_>>(), ["copy"]);
    assert_eq!(machine.counts.keys().collect::<Vec<_>>(), ["copy", "other"]);
    assert_eq!(machine.recordings["copy"].benchmarks["copy/whole/1MiB"].rounds[1].median, 120.0);

    // Of the folders in `machines`, `here` is the reader's own; other files do not matter.
    record(&project, "here", "copy");
    record(&project, "reference", "copy");
    record(&project, "desktop", "copy");
    fs::write(project.machines().join("README.md"), "# Machines").unwrap();
    let all = Machine::all(&project).unwrap();
    let names: Vec<&str> = all.iter().map(|machine| machine.name.as_str()).collect();
    assert_eq!(names, ["reference", "desktop", "laptop"]);

    let error = Machine::load(&project.machines().join("README.md")).unwrap_err().to_string();
    assert!(error.starts_with("cannot read ") && error.contains("README.md: "), "{error}");
    fs::write(project.machines().join("laptop.json"), "{}").unwrap();
    let error = Machine::all(&project).unwrap_err().to_string();
    assert!(error.contains("laptop.json: a machine's recordings are now a folder"), "{error}");
}

#[test]
fn a_damaged_file_is_named() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("laptop").join("copy.json");
    fs::create_dir(folder.path().join("laptop")).unwrap();
    for (text, expected) in [
        (
            reference().replace("\"format\": 2", "\"format\": 1"),
            "format 1, but this press reads format 2",
        ),
        (reference().replace("\"format\": 2,", ""), "damaged, it names no format"),
        (reference()[..400].to_string(), "damaged, not JSON"),
        (
            reference().replacen("\"median\":[100.0,120.0,110.0],", "", 1),
            "damaged: missing field `median`",
        ),
        (
            reference().replacen("\"median\":[100.0,", "\"median\":[null,", 1),
            "damaged: invalid type: null",
        ),
        (
            reference().replacen("\"low\":[100.0,", "\"low\":[", 1),
            "damaged: 3 medians, but 2 and 3 ends of their intervals",
        ),
        (
            reference().replacen("\"high\":[100.0,", "\"high\":[", 1),
            "damaged: 3 medians, but 3 and 2 ends of their intervals",
        ),
        (reference().replace("\"counts\"", "\"count\""), "damaged: unknown field `count`"),
        (String::new(), "damaged, not JSON"),
    ] {
        fs::write(&path, text).unwrap();
        let error = Machine::load(path.parent().unwrap()).unwrap_err().to_string();
        assert!(
            error.contains("copy.json: ") && error.contains(expected),
            "{error}\nnot {expected}"
        );
    }
}

#[test]
fn a_machine_answers_for_its_numbers() {
    let machine = miniatures_machine();
    assert_eq!(machine.time("copy/whole/1MiB").measured().unwrap().value, 110.0);
    let ratio = machine.ratio("copy/bytes/1MiB", "copy/whole/1MiB").measured().unwrap();
    assert_eq!((ratio.low, ratio.rounds), (2.0, 3));
    let (rate, unit) = machine.throughput("copy/whole/1MiB").measured().unwrap();
    assert!(
        (rate.value - 1048576e9 / 110.0).abs() < 1.0
            && unit == Quantity::Bytes
            && rate.low < rate.high
    );
    let percent = machine.percent("copy/bytes/1MiB", "copy/whole/1MiB").measured().unwrap();
    assert!(percent.value < 0.5 && percent.high <= 0.5, "{percent:?}");
    assert_eq!(
        machine.crossover("copy", "whole", "bytes"),
        Known::Measured(Some(crossover("1MiB", "1MiB")))
    );
    assert_eq!(machine.crossover("copy", "bytes", "whole"), Known::Measured(None));
    assert_eq!(
        machine.crossover("copy", "ring", "whole"),
        Known::NotPossible("no ring".to_string())
    );
    assert_eq!(machine.crossover("copy", "none", "whole"), Known::NotMeasured);
    assert!(machine.noise("copy").measured().unwrap().high < 1.02);
    assert_eq!(machine.noise("other"), Known::NotMeasured);
    assert_eq!(machine.time("copy/ring/4KiB"), Known::NotPossible("no ring".to_string()));
    assert_eq!(machine.time("copy/rings/4KiB"), Known::NotMeasured);
    assert_eq!(machine.count("copy", "ring.calls"), Known::NotPossible("no ring".to_string()));
    assert_eq!(machine.count("copy", "whole.calls"), Known::Measured(1.0));
    assert_eq!(machine.count("none", "whole.calls"), Known::NotMeasured);
}

#[test]
fn the_noise_of_a_bench_is_the_widest_of_its_pairs() {
    let mut machine = miniatures_machine();
    assert!(machine.noise("copy").measured().unwrap().high < 1.02, "the group of its own");
    add(&mut machine, "copy/whole_again/1MiB", 111.0);
    add(&mut machine, "copy_cpu/whole/1MiB", 100.0);
    add(&mut machine, "copy_cpu/whole_again/1MiB", 150.0);
    let noise = |name: &str| machine.noise(name).measured().unwrap().value;
    assert!((noise("copy_cpu") - 100.0 / 150.0).abs() < 1e-9);
    assert_eq!(noise("copy"), noise("copy_cpu"), "all groups of the bench");
}

#[test]
fn recordings_from_two_environments_are_not_compared() {
    let mut machine = miniatures_machine();
    let mut other = machine.recordings["copy"].clone();
    let renamed = other
        .benchmarks
        .drain(..)
        .map(|(id, benchmark)| (id.replacen("copy", "other", 1), benchmark));
    other.benchmarks = renamed.collect();
    other.environment.load_before = Some(7.0);
    machine.recordings.insert("other".to_string(), other.clone());
    let ratio = |machine: &Machine| machine.ratio("copy/whole/1MiB", "other/whole/1MiB");
    assert!(ratio(&machine).measured().is_some(), "a different load is the same environment");
    other.environment.caches = Some("L2 1 MiB".to_string());
    machine.recordings.insert("other".to_string(), other);
    assert_eq!(
        ratio(&machine),
        Known::NotPossible("the two were measured in different environments".to_string())
    );
}

fn crossover(from: &str, earliest: &str) -> Crossover {
    Crossover { from: from.to_owned(), earliest: earliest.to_owned() }
}

/// Adds a benchmark of the bench `copy`, with the same time in all three rounds.
fn add(machine: &mut Machine, id: &str, time: f64) {
    let recording = machine.recordings.get_mut("copy").unwrap();
    let mut benchmark = recording.benchmarks["copy/whole/1MiB"].clone();
    let mut parts = id.split('/').map(str::to_string);
    benchmark.group = parts.next().unwrap();
    (benchmark.function, benchmark.parameter) = (parts.next(), parts.next());
    for round in &mut benchmark.rounds {
        round.median = time;
    }
    recording.benchmarks.insert(id.to_string(), benchmark);
}

#[test]
fn the_noise_is_that_of_the_pair_that_differs_most() {
    let mut machine = miniatures_machine();
    let noise = |machine: &Machine| machine.noise("copy_big").measured().unwrap().value;
    for (parameter, second, expected) in [
        ("/4KiB", 80.0, 1.25),
        ("/8KiB", 90.0, 1.25),
        ("/16KiB", 200.0, 0.5),
        // Factors of 2 and 1/2 differ equally, and the smaller parameter stays.
        ("/32KiB", 50.0, 0.5),
        ("", 25.0, 4.0),
    ] {
        add(&mut machine, &format!("copy_big_aa/first{parameter}"), 100.0);
        add(&mut machine, &format!("copy_big_aa/second{parameter}"), second);
        assert_eq!(noise(&machine), expected, "{parameter}");
    }
    add(&mut machine, "copy_big_aa/first/1MiB", 100.0);
    add(&mut machine, "copy_big_aa/third/4KiB", 1.0);
    assert_eq!(noise(&machine), 4.0, "a first without a second, and a third");
    let recording = machine.recordings.get_mut("copy").unwrap();
    recording.not_possible.insert("copy_far_aa".to_string(), "no far".to_string());
    assert_eq!(machine.noise("copy_far"), Known::NotPossible("no far".to_string()));
}

#[test]
fn only_the_same_kind_of_work_is_compared() {
    let mut machine = miniatures_machine();
    let [whole, bytes] = ["copy/whole/1MiB", "copy/bytes/1MiB"];
    add(&mut machine, whole, 100.0);
    add(&mut machine, bytes, 400.0);
    let set = |machine: &mut Machine, id: &str, work: [Option<u64>; 2]| {
        let benchmark = &mut machine.recordings.get_mut("copy").unwrap().benchmarks[id];
        [benchmark.throughput_bytes, benchmark.throughput_elements] = work;
    };
    set(&mut machine, whole, [Some(1000), Some(7)]);
    set(&mut machine, bytes, [Some(2000), None]);
    let percent = machine.percent(bytes, whole).measured().unwrap();
    assert_eq!((percent.value, percent.low, percent.high, percent.rounds), (0.5, 0.5, 0.5, 3));
    let (rate, unit) = machine.throughput(whole).measured().unwrap();
    assert_eq!((rate.value, rate.rounds, unit), (1e10, 3, Quantity::Bytes));
    set(&mut machine, bytes, [None, Some(2000)]);
    assert_eq!(machine.percent(bytes, whole), Known::NotMeasured, "elements and bytes");
    assert_eq!(machine.throughput(bytes).measured().unwrap().1, Quantity::Elements);
    for none in [[None, None], [Some(0), None]] {
        set(&mut machine, bytes, none);
        assert_eq!(machine.percent(bytes, whole), Known::NotMeasured);
        assert_eq!(machine.throughput(bytes), Known::NotMeasured);
    }
}

#[test]
fn a_machine_with_any_result_is_not_empty() {
    let whole = miniatures_machine();
    let run = ProofRun {
        date: "2026-01-01T00:00:00Z".to_string(),
        commit: None,
        holds: true,
        found: "it builds".to_string(),
    };
    let new = || Machine::new("laptop");
    assert!(new().is_empty());
    assert!(Machine { about: Some("Mine.".to_string()), ..new() }.is_empty());
    assert!(!Machine { recordings: whole.recordings.clone(), ..new() }.is_empty());
    assert!(!Machine { counts: whole.counts.clone(), ..new() }.is_empty());
    let proofs = [("explored:a::b".to_string(), run)].into();
    assert!(!Machine { proofs, ..new() }.is_empty());
}

#[test]
fn the_crossover_needs_every_larger_size_to_be_won() {
    // Each size's time, and how far it swings from round to round; the other takes 100 everywhere.
    let sizes = |whole: [(f64, f64); 4]| {
        let mut machine = miniatures_machine();
        let recording = machine.recordings.get_mut("copy").unwrap();
        let model = recording.benchmarks["copy/whole/1MiB"].clone();
        recording.benchmarks.clear();
        // Inserted out of order, as names sort.
        for (i, size) in [(3, "16MiB"), (2, "1MiB"), (0, "4KiB"), (1, "64KiB")] {
            for (function, (time, swing)) in [("whole", whole[i]), ("bytes", (100.0, 0.0))] {
                let mut benchmark = model.clone();
                benchmark.function = Some(function.to_string());
                benchmark.parameter = Some(size.to_string());
                let swings = [-swing, 0.0, swing];
                benchmark
                    .rounds
                    .iter_mut()
                    .zip(swings)
                    .for_each(|(round, swing)| round.median = time + swing);
                recording.benchmarks.insert(format!("copy/{function}/{size}"), benchmark);
            }
        }
        let order: Vec<String> =
            machine.group("copy").iter().filter_map(|(_, b)| b.parameter.clone()).take(4).collect();
        assert_eq!(order, ["4KiB", "64KiB", "1MiB", "16MiB"]);
        let group = machine.group("copy");
        assert!(group[..4].iter().all(|(id, _)| id.starts_with("copy/whole/")), "{group:?}");
        machine.crossover("copy", "whole", "bytes").measured().unwrap()
    };
    let (won, lost, level) = ((50.0, 1.0), (150.0, 1.0), (100.0, 20.0));
    let from = |from: &str, earliest: &str| Some(crossover(from, earliest));
    assert_eq!(sizes([lost, won, won, won]), from("64KiB", "64KiB"));
    assert_eq!(sizes([won, lost, won, won]), from("1MiB", "1MiB"), "won, lost, won");
    assert_eq!(sizes([lost, level, won, won]), from("1MiB", "64KiB"), "somewhere between the two");
    assert_eq!(sizes([level, level, level, won]), from("16MiB", "4KiB"), "perhaps everywhere");
    assert_eq!(sizes([won, level, lost, won]), from("16MiB", "16MiB"));
    assert_eq!(sizes([won, won, won, level]), None, "level at the largest");
    assert_eq!(sizes([won, won, won, won]), from("4KiB", "4KiB"));
    let equal = (100.0, 0.0);
    assert_eq!(sizes([equal, equal, won, won]), from("1MiB", "4KiB"), "equal is not won or lost");
}

#[test]
fn the_miniature_is_a_good_book_with_and_without_measurements() {
    let (_folder, project) = miniature();
    assert_eq!(problems(&project), Vec::<String>::new());
    let book = book::load(&project).unwrap();
    assert!(book.here.is_empty() && book.machines.is_empty() && book.unrecorded.is_empty());
    let titles: Vec<&str> = book.pages.iter().map(|page| page.title.as_str()).collect();
    assert_eq!(titles, ["Introduction", "Copying"]);
    assert!(book.claims().iter().all(|judged| judged.worst().words() == "not measured"));

    record(&project, "reference", "copy");
    record(&project, "laptop", "copy");
    assert_eq!(problems(&project), Vec::<String>::new());
    let book = book::load(&project).unwrap();
    let names: Vec<&str> = book.machines.iter().map(|machine| machine.name.as_str()).collect();
    assert_eq!(names, ["reference", "laptop"]);
    let verdicts: Vec<&str> =
        book.claims().iter().map(|judged| judged.reference().words()).collect();
    assert_eq!(
        verdicts,
        ["not measured", "holds", "holds", "not measured", "holds", "not possible here"]
    );

    // The recording of the whole bench away: not measured, and nothing breaks.
    fs::remove_file(files::bench_path(&project.machine("reference"), "copy")).unwrap();
    record(&project, "reference", "other");
    assert_eq!(problems(&project), Vec::<String>::new());
}

#[test]
fn everything_wrong_in_all_pages_is_named_at_once() {
    let (_folder, project) = miniature();
    record(&project, "reference", "copy");
    let page = project.pages().join("intro.md");
    let say = |text: &str| {
        fs::write(&page, format!("# Introduction\n\n{text}\n")).unwrap();
        problems(&project)
    };
    let claim = |body: &str| format!("```claim\nid = \"x\"\nsays = \"S\"\n{body}\n```");
    for (text, expected) in [
        (
            "{{measured copy/hole/1MiB}}",
            "unknown: no recording has `copy/hole/1MiB` (reference, 2026-01-01)",
        ),
        (
            "{{measured paste/whole/1MiB}}",
            "unknown: no bench in benches/ has the group of `paste/whole/1MiB`",
        ),
        (
            "{{ratio copy/whole/1MiB copy/whole/2MiB}}",
            "unknown: no recording has `copy/whole/2MiB`",
        ),
        (
            "{{percent copy/whole/1MiB copy/whole/2MiB}}",
            "unknown: no recording has `copy/whole/2MiB`",
        ),
        ("{{counted copy/whole.cells}}", "unknown: the example `copy` had no `whole.cells`"),
        ("{{counted paste/whole.calls}}", "unknown: examples/paste.rs does not exist"),
        (
            "{{crossover copy whole part}}",
            "unknown: no recording has `copy/part` (reference, 2026-01-01)",
        ),
        (
            "{{difference copy/whole/1MiB other/nothing/1}}",
            "`other/nothing/1` and `copy/whole/1MiB` are of different benches, and share no rounds",
        ),
        (
            "{{share copy/whole/1MiB copy/bytes/1MiB of other/nothing/1}}",
            "`other/nothing/1` and `copy/whole/1MiB` are of different benches, and share no rounds",
        ),
        (
            "{{share copy/whole/1MiB copy/old/1MiB of copy/whole/1MiB}}",
            "unknown: no recording has `copy/old/1MiB`",
        ),
        (
            &claim(
                "difference = [\"copy/whole/1MiB\", \"copy/bytes/1MiB\"]\n\
                 of = \"other/nothing/1\"\nat_most = 2",
            ),
            "`other/nothing/1` and `copy/whole/1MiB` are of different benches, and share no rounds",
        ),
        ("{{claim copied-twice}}", "unknown: no page claims `copied-twice`"),
        ("{{noise paste}}", "unknown: no bench"),
        ("```figure\ngroup = \"paste\"\ny = \"time\"\n```", "unknown: no bench"),
        (
            &claim("compiled = \"src/copy.rs#sizes\""),
            "src/copy.rs has no anchor `sizes` with its end",
        ),
        (&claim("compiled = \"src/none.rs#size\""), "cannot read src/none.rs"),
        (
            &claim("compiled = \"src/copy.rs#unproved\""),
            "the anchor `unproved` of src/copy.rs asserts nothing",
        ),
        ("It takes 60 ns.", "a number typed by hand, `60 ns`"),
    ] {
        let found = say(text);
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        assert!(
            found[0].starts_with(&format!("book/src/intro.md:3: {expected}")),
            "{text}\n  gave {}",
            found[0]
        );
    }
    for good in [
        "{{measured copy/ring/1MiB}}",
        "{{crossover copy ring whole}}",
        "{{noise other}}",
        "{{measured other/x}}",
    ] {
        assert_eq!(say(good), Vec::<String>::new(), "{good}");
    }
    say(&claim("faster = \"other_big/a\"\nthan = \"other_big/b\"\nby = 2"));
    let book = book::load(&project).unwrap();
    assert_eq!(book.claims()[0].claim.command(), "cargo bench --bench other");
    let malformed = say("{{noise}}\n\nIt takes 60 ns.\n\n```claim\nid = 1\n```");
    assert_eq!(malformed.len(), 3, "{malformed:?}");
    let twice = say("```claim\nid = \"copy-size\"\nsays = \"S\"\nexplored = \"a::b\"\n```");
    assert_eq!(
        twice,
        ["book/src/part/copy.md:7: the id `copy-size` is taken: book/src/intro.md:3"]
    );
}

#[test]
fn an_exercise_has_one_solution_and_one_break() {
    let (_folder, project) = miniature();
    let page = project.pages().join("part/copy.md");
    let text = fs::read_to_string(&page).unwrap();
    let lines = text.lines().count();
    let breaks = project.root().join(".ci/breaks");
    fs::create_dir_all(&breaks).unwrap();
    let say = |exercise: &str, table: &str| {
        fs::write(&page, format!("{text}\n## Try it\n\n{exercise}")).unwrap();
        fs::write(breaks.join("copy.toml"), table).unwrap();
        problems(&project)
    };
    let solution = "1. Copy less.\n\n```solution\nexercise = 1\nsays = \"Less.\"\n```\n";
    let one = "[[break]]\nclaims = ['copy-calls']\nfile = 'src/copy.rs'\nfrom = 'a'\nto = 'b'\n";
    let numbered = format!("{one}exercise = 1\n");
    assert_eq!(say(solution, &numbered), Vec::<String>::new());
    let place = format!("book/src/part/copy.md:{}", lines + 6);
    let missing = format!("{place}: no break in .ci/breaks/copy.toml has `exercise = 1`");
    assert_eq!(say(solution, one), [missing]);
    let unused = "its chapter has no solution of exercise 1";
    assert_eq!(say("", &numbered), [format!(".ci/breaks/copy.toml:1: {unused}")]);
    let twice = say(solution, &[one, &numbered, &numbered].concat());
    assert_eq!(twice, [".ci/breaks/copy.toml:12: exercise 1 has a break already"]);
    let place = format!("book/src/part/copy.md:{}", lines + 4);
    assert_eq!(say("1. Copy less.\n", one), [format!("{place}: exercise 1 has no solution")]);
}

#[test]
fn what_claims_and_figures_name_in_vain_is_listed_and_stops_nothing() {
    let (_folder, project) = miniature();
    record(&project, "reference", "copy");
    let page = project.pages().join("intro.md");
    let unrecorded = |text: &str| {
        fs::write(&page, format!("# Introduction\n\n{text}\n")).unwrap();
        let book = book::load(&project).unwrap_or_else(|e| panic!("{text}: {e}"));
        book.unrecorded.iter().map(|problem| problem.to_string()).collect::<Vec<_>>()
    };
    let claim = |body: &str| format!("```claim\nid = \"x\"\nsays = \"S\"\n{body}\n```");
    for (text, expected) in [
        (
            "```figure\ngroup = \"copy_cpu\"\ny = \"time\"\n```",
            "no recording has `copy_cpu` (reference, 2026-01-01)",
        ),
        (
            "```figure\ngroup = \"copy\"\ny = \"time\"\nseries = [\"part\"]\n```",
            "no recording has `copy/part`",
        ),
        (
            &claim("faster = \"copy/whole/1MiB\"\nthan = \"copy/old/1MiB\"\nby = 2"),
            "no recording has `copy/old/1MiB`",
        ),
        (
            &claim(
                "difference = [\"copy/whole/1MiB\", \"copy/old/1MiB\"]\n\
                 of = \"copy/whole/1MiB\"\nat_most = 2",
            ),
            "no recording has `copy/old/1MiB`",
        ),
        (
            &claim("observed = \"copy/whole.cells\"\nequals = 1"),
            "the example `copy` had no `whole.cells`",
        ),
        (
            &claim("counted = \"copy/whole.cells\"\nequals = 1"),
            "the example `copy` had no `whole.cells` when it was recorded",
        ),
        (
            &claim("counted = \"copy/whole.calls\"\nthan = \"copy/old.calls\"\nby = 2"),
            "the example `copy` had no `old.calls`",
        ),
    ] {
        let found = unrecorded(text);
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        let expected = format!("book/src/intro.md:3: unknown: {expected}");
        assert!(found[0].starts_with(&expected), "{text}\n  gave {}", found[0]);
    }
    // Another machine's recording has the benchmark.
    let path = record(&project, "laptop", "copy");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("copy/bytes/1MiB", "copy/old/1MiB")).unwrap();
    let text = claim("faster = \"copy/whole/1MiB\"\nthan = \"copy/old/1MiB\"\nby = 1.5");
    assert_eq!(unrecorded(&text), Vec::<String>::new());
    let book = book::load(&project).unwrap();
    let judged = book.claims().swap_remove(0);
    assert_eq!((judged.reference().words(), judged.worst().words()), ("not measured", "holds"));
    assert!(judged.stands());
}

#[test]
fn prose_takes_its_numbers_from_the_first_machine_that_has_them() {
    let (_folder, project) = miniature();
    record(&project, "reference", "copy");
    let path = record(&project, "laptop", "copy");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("copy/bytes/1MiB", "copy/old/1MiB")).unwrap();
    let book = book::load(&project).unwrap();
    let from = |id: &str| {
        let (machine, known) = book.first(|machine| machine.time(id));
        (machine.map(|machine| machine.name.clone()), known.measured().is_some())
    };
    assert_eq!(from("copy/whole/1MiB"), (Some("reference".to_string()), true));
    assert_eq!(from("copy/old/1MiB"), (Some("laptop".to_string()), true));
    assert_eq!(from("copy/ring"), (Some("reference".to_string()), false), "the reason why not");
    assert_eq!(from("copy/none/1MiB"), (None, false));
    assert!(book.is_reference(&book.machines[0]) && !book.is_reference(&book.machines[1]));

    // Which machine is the reference is a matter of the book's settings alone.
    let names = |config: &str| {
        fs::write(project.book().join("book.toml"), config).unwrap();
        let machines = Machine::all(&project).unwrap();
        machines.into_iter().map(|machine| machine.name).collect::<Vec<_>>()
    };
    assert_eq!(names("[preprocessor.press]\nreference = \"reference\""), ["reference", "laptop"]);
    assert_eq!(names("[book]"), ["laptop", "reference"]);
    assert_eq!(names("[preprocessor.press]\nreference = \"gone\""), ["laptop", "reference"]);
}

#[test]
fn here_has_the_newer_of_recorded_and_checked_counts_and_proofs() {
    let (_folder, project) = miniature();
    let counts = |date: &str, calls: u64| Counts {
        date: date.to_string(),
        commit: None,
        values: [("whole.calls".to_string(), calls.into())].into_iter().collect(),
    };
    let proof = |date: &str, holds: bool| ProofRun {
        date: date.to_string(),
        commit: None,
        holds,
        found: String::new(),
    };
    let key = "explored:ring::no_loss".to_string();
    let folder = project.machine("here");
    let bench = BenchFile { counts: Some(counts("2026-02-02", 2)), ..Default::default() };
    files::store(&bench, &files::bench_path(&folder, "copy")).unwrap();
    let proofs = [(key.clone(), proof("2026-02-02", true))].into();
    files::store(&MachineFile { proofs, ..Default::default() }, &files::machine_path(&folder))
        .unwrap();
    for (date, newer) in [("2026-01-01", false), ("2026-02-02", true), ("2026-03-03", true)] {
        let checked = CheckFile {
            counts: [("copy".to_string(), counts(date, 3))].into(),
            proofs: [(key.clone(), proof(date, false))].into(),
            ..Default::default()
        };
        files::store(&checked, &project.checked()).unwrap();
        let here = Machine::here(&project).unwrap();
        let found = (here.count("copy", "whole.calls"), here.proofs[&key].holds);
        assert_eq!(found, (Known::Measured(if newer { 3.0 } else { 2.0 }), !newer), "{date}");
    }
}

#[test]
fn here_is_the_newer_of_the_recording_and_the_last_bench() {
    let (_folder, project) = miniature();
    copy(&data("criterion"), project.criterion());
    let rounds = |project: &Project| Machine::here(project).unwrap().recordings["copy"].rounds;
    let here = Machine::here(&project).unwrap();
    assert_eq!(here.recordings.len(), 1, "the groups copy and copy_flat are one bench's");
    assert_eq!(here.recordings["copy"].rounds, 1);
    assert_eq!(here.recordings["copy"].environment.load_before, None);
    assert!(here.recordings["copy"].environment.cores.is_some());
    let path = record(&project, "here", "copy");
    assert_eq!(rounds(&project), 1, "recorded before the bench ran");
    fs::write(path, reference().replace("2026-01", "9999-01")).unwrap();
    assert_eq!(rounds(&project), 3, "recorded after it");
    fs::remove_dir_all(project.criterion()).unwrap();
    assert_eq!(rounds(&project), 3);
}

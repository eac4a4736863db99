//! `record` and `check` as a reader runs them, on a book in miniature, whole and broken.

mod common;

use common::copy;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

struct Miniature {
    folder: TempDir,
}

struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Miniature {
    fn new() -> Miniature {
        let miniature = Miniature { folder: TempDir::new().unwrap() };
        copy(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/project"),
            miniature.folder.path(),
        );
        miniature
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A command that runs in the miniature's folder, with none of this process's settings.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.folder.path());
        for name in [
            "CARGO_TARGET_DIR",
            "CARGO_BUILD_TARGET_DIR",
            "CARGO_BUILD_BUILD_DIR",
            "CRITERION_HOME",
            "RUSTFLAGS",
            "CARGO_ENCODED_RUSTFLAGS",
        ] {
            command.env_remove(name);
        }
        command
    }

    fn press_command(&self, arguments: &str) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_press"));
        command.args(arguments.split(' ').filter(|word| !word.is_empty()));
        command.env("CARGO_MANIFEST_DIR", self.folder.path());
        command
    }

    /// `cargo bench`, as a reader runs it.
    fn cargo_bench(&self) -> Command {
        let mut command = self.command(env!("CARGO"));
        command.args(["bench", "--quiet", "--package", "perf-proved-benches", "--bench", "copy"]);
        command
    }

    fn press(&self, arguments: &str) -> Said {
        run(&mut self.press_command(arguments))
    }

    /// Changes a file and returns its old text.
    fn edit(&self, file: &str, from: &str, to: &str) -> String {
        let path = self.path(file);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file} has no {from}");
        fs::write(&path, text.replace(from, to)).unwrap();
        text
    }

    /// A file of the recordings.
    fn json(&self, file: &str) -> Value {
        let path = self.path("book/machines").join(file);
        serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap()
    }

    /// Runs the press with one file changed, and puts it back.
    fn with(&self, file: &str, from: &str, to: &str, arguments: &str) -> Said {
        let text = self.edit(file, from, to);
        let said = self.press(arguments);
        fs::write(self.path(file), text).unwrap();
        said
    }
}

fn run(command: &mut Command) -> Said {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Said { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
}

impl Said {
    #[track_caller]
    fn exits(&self, code: i32, expected: &str) {
        assert_eq!(self.code, Some(code), "out: {}\nerr: {}", self.out, self.err);
        let said = format!("{}{}", self.out, self.err);
        assert!(said.contains(expected), "no `{expected}` in\n{said}");
    }
}

/// The verdict of each claim, here and on the reference machine, in the book's order.
fn verdicts(json: &str) -> Vec<(String, String, String)> {
    let array: Vec<Value> = serde_json::from_str(json).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or("not measured").to_string();
    let on = |o: &Value, machine: &str| text(&o["machines"][machine]["verdict"]);
    array.iter().map(|o| (text(&o["id"]), on(o, "here"), on(o, "reference"))).collect()
}

#[test]
fn arguments_that_make_no_sense_exit_with_2() {
    let miniature = Miniature::new();
    for (arguments, expected) in [
        ("chekc", "unknown command chekc"),
        ("check --jsno", "invalid option '--jsno'"),
        ("build --json", "invalid option '--json'"),
        ("check here", "unexpected argument \"here\""),
        ("check --chapter copy", "no chapter `copy` makes a claim"),
        ("check --strict", "--strict has no meaning without --recorded"),
        ("record --rounds nine", "nine"),
        ("record --rounds 0", "--rounds is at least 1"),
        ("record --bench", "missing argument"),
        ("record --bench none", "no bench `none`; there are: copy, other"),
        ("record --machine ../here", "not `../here`"),
        ("record --machine Laptop", "not `Laptop`"),
        ("record --minutes -1", "--minutes is a number of minutes above zero"),
    ] {
        let said = miniature.press(arguments);
        said.exits(2, expected);
        assert_eq!(said.err.trim().lines().count(), 1, "one line: {}", said.err);
    }
    miniature.press("--help").exits(0, "cargo book [COMMAND]");
    assert!(!miniature.path("book/machines").exists() && !miniature.path("target").exists());
}

/// A bench that notes how far two of its functions are from each other.
const NOTES_ITS_ORDER: &str = r#"
#[inline(never)]
fn one() -> u64 {
    black_box(1)
}

#[inline(never)]
fn two() -> u64 {
    black_box(2)
}

fn main() {
    use std::io::Write;
    let apart = (one as fn() -> u64 as usize).wrapping_sub(two as fn() -> u64 as usize);
    let orders = concat!(env!("CARGO_MANIFEST_DIR"), "/orders");
    let mut orders = std::fs::File::options().append(true).create(true).open(orders).unwrap();
    writeln!(orders, "{apart}").unwrap();
"#;

#[test]
fn each_round_has_an_order_of_functions_of_its_own() {
    let miniature = Miniature::new();
    miniature
        .with("benches/copy.rs", "fn main() {", NOTES_ITS_ORDER, "record --bench copy --rounds 4")
        .exits(0, "round 4 of 4: copy");
    let orders = fs::read_to_string(miniature.path("benches/orders")).unwrap();
    let different: BTreeSet<&str> = orders.lines().collect();
    let environment = &miniature.json("here/copy.json")["recording"]["environment"];
    match environment["layout"].as_str() {
        Some(layout) => {
            assert_eq!(layout, "another order of functions in each round");
            assert!(different.len() > 1, "{different:?}");
        }
        None => assert!(!environment["linker"].as_str().unwrap_or_default().starts_with("LLD")),
    }
    assert_eq!(orders.lines().count(), 4);
}

#[test]
fn measurements_are_recorded_in_rounds_and_never_overwritten_in_silence() {
    let miniature = Miniature::new();
    let file = miniature.path("book/machines/reference/copy.json");
    miniature.press("check --recorded").exits(1, "not measured");

    let said = miniature.press("record --rounds 6 --machine reference --about Miniature.");
    said.exits(0, "round 2 of 6: copy, about");
    let recorded = miniature.json("reference/copy.json");
    let recording = &recorded["recording"];
    assert_eq!((&recording["rounds"], &recording["planned"]), (&6.into(), &Value::Null));
    for column in ["median", "low", "high"] {
        let rounds = &recording["benchmarks"]["copy/whole/1MiB"][column];
        assert_eq!(rounds.as_array().unwrap().len(), 6, "{column}");
    }
    assert_eq!(recording["not_possible"]["copy/ring"], "no ring on this machine");
    assert_eq!(recorded["counts"]["values"]["whole.calls"], 1);
    let machine = miniature.json("reference/machine.json");
    assert_eq!(machine["about"], "Miniature.");
    assert_eq!(machine["proofs"]["explored:ring::no_loss"]["holds"], true);
    let files = |machine: &str| {
        let entries = miniature.path("book/machines").join(machine).read_dir().unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    assert_eq!(files("reference"), ["copy.json", "machine.json", "other.json"]);
    assert!(recording["environment"]["rustc"].as_str().unwrap().starts_with("rustc "));
    assert!(
        !miniature
            .path("target/proved")
            .read_dir()
            .unwrap()
            .any(|e| { e.unwrap().file_name().to_string_lossy().starts_with("rounds") })
    );

    // One claim cannot be had on this machine, so the reference does not carry it.
    miniature.press("check --recorded").exits(1, "not possible here");
    let page = miniature.path("book/src/part/copy.md");
    let text = fs::read_to_string(&page).unwrap();
    let (before, after) = text.split_once("```claim\nid = \"copy-ring\"").unwrap();
    fs::write(&page, format!("{before}{}", after.split_once("```\n").unwrap().1)).unwrap();
    miniature.press("check --recorded").exits(0, "5 claims on reference: 5 holds");
    // A copy byte by byte takes thousands of times as long, and the bound is 1.5.
    let loose = "`copy-faster` has a loose bound, 1.5, where the weakest machine, reference, shows";
    miniature.press("check --recorded").exits(0, loose);
    miniature.press("check --recorded").exits(0, "1 bounds do not fit what the machines show");
    miniature.press("check --recorded --strict").exits(1, loose);
    let page = "book/src/part/copy.md";
    miniature
        .with(page, "by = 1.5", "by = 1.5\nloose = \"R.\"", "check --recorded --strict")
        .exits(0, "5 claims on reference: 5 holds");
    // On a machine without the fact it does not apply, and a claim needs one on which it does.
    let elsewhere = "by = 1.5\nwhere = \"cores >= 4096\"";
    let said = miniature.with(page, "by = 1.5", elsewhere, "check --recorded --json");
    said.exits(1, "\"does not apply here\"");
    assert!(said.out.contains("\"reason\": \"it has "), "{}", said.out);
    // The same code that differs from itself decides nothing.
    let pair = "\"copy_aa/second/1MiB\": {";
    let recorded = fs::read_to_string(&file).unwrap();
    let (before, after) = recorded.split_once(pair).unwrap();
    let doctored = |column: &str, after: &str| {
        let (head, rest) = after.split_once(&format!("\"{column}\": [")).unwrap();
        let (times, rest) = rest.split_once(']').unwrap();
        let times: Vec<String> =
            times.split(", ").map(|t| (t.parse::<f64>().unwrap() * 1.5).to_string()).collect();
        format!("{head}\"{column}\": [{}]{rest}", times.join(", "))
    };
    let after = ["median", "low", "high"].iter().fold(after.to_owned(), |a, c| doctored(c, &a));
    fs::write(&file, format!("{before}{pair}{after}")).unwrap();
    let said = miniature.press("check --recorded");
    said.exits(0, "undecided           A whole copy is at least 1.5 times as fast.");
    said.exits(0, "; the same code against itself gave 0.66");
    fs::write(&file, recorded).unwrap();
    miniature
        .press("check --recorded --claim copy-faster")
        .exits(0, "1 claim on reference: 1 holds");
    miniature.press("check --claim copy-sad").exits(2, "no chapter makes a claim `copy-sad`");
    miniature
        .with("book/src/part/copy.md", "by = 1.5", "by = 1e6", "check --recorded")
        .exits(1, "fails               A whole copy is at least 1,000,000 times as fast.");

    let whole = fs::read_to_string(&file).unwrap();
    miniature
        .press("record --machine reference --bench copy")
        .exits(1, "`copy` is already recorded");
    assert_eq!(fs::read_to_string(&file).unwrap(), whole);
    miniature
        .with(
            "book/machines/reference/other.json",
            "\"format\": 2",
            "\"format\": 7",
            "record --machine reference --replace",
        )
        .exits(1, "other.json: format 7");

    // The earlier recording of a bench that fails stays, and the new rounds lie beside it; the
    // other bench is recorded.
    let fail = "fn main() {\n\
                if std::env::var(\"CRITERION_HOME\").unwrap().contains(\"/2-\") {\n\
                panic!(\"wrong answer\") }";
    let said = miniature.with(
        "benches/copy.rs",
        "fn main() {",
        fail,
        "record --machine reference --rounds 2 --replace",
    );
    said.exits(1, "round 2: the bench `copy` failed");
    said.exits(1, "wrong answer");
    said.exits(1, "the earlier recording of `copy` stays; the 1 of 2 rounds measured now are in ");
    assert_eq!(miniature.json("reference/copy.json")["recording"]["rounds"], 6);
    assert_eq!(miniature.json("reference/copy.json.part")["recording"]["rounds"], 1);
    assert_eq!(miniature.json("reference/other.json")["recording"]["rounds"], 2);
    let one = "record --machine reference --rounds 1 --replace --bench copy";
    miniature.press(one).exits(0, "round 1 of 1: copy");
    assert_eq!(miniature.json("reference/copy.json")["recording"]["rounds"], 1);
    assert_eq!(files("reference"), ["copy.json", "machine.json", "other.json"]);
    // Where there is nothing to lose, the rounds that succeeded are the recording.
    let said =
        miniature.with("benches/copy.rs", "fn main() {", fail, "record --bench copy --rounds 3");
    said.exits(1, "round 2: the bench `copy` failed");
    let here = miniature.json("here/copy.json");
    assert_eq!(
        (&here["recording"]["rounds"], &here["recording"]["planned"]),
        (&1.into(), &3.into())
    );
    assert_eq!(files("here"), ["copy.json"]);
    miniature
        .press("record --bench copy --rounds 3")
        .exits(1, "(interrupted after 1 of 3 rounds); --replace replaces it");
    miniature
        .with("benches/other.rs", "fn main() {", "fn main() { return;", "record --bench other")
        .exits(1, "left no results");
    miniature
        .with("benches/other.rs", "fn main() {", "fn main() { !", "record --bench other")
        .exits(1, "the benches do not build");
}

#[test]
fn every_recorded_machine_has_a_say() {
    let miniature = Miniature::new();
    let recording = |bytes: u32| {
        let benchmark = |group: &str, function: &str, time: u32| {
            format!(
                r#""{group}/{function}/1MiB": {{ "group": "{group}", "function": "{function}",
                   "parameter": "1MiB", "throughput_bytes": 1048576, "median": [{time}, {time}],
                   "low": [{time}, {time}], "high": [{time}, {time}] }}"#
            )
        };
        format!(
            r#"{{ "format": 2, "recording": {{ "date": "2026-01-01T00:00:00Z", "commit": null,
               "modified": null, "rounds": 2, "environment": {{}}, "benchmarks": {{ {}, {}, {}, {} }} }},
               "counts": {{ "date": "2026-01-01T00:00:00Z", "commit": null,
               "values": {{ "whole.calls": 1, "bytes.calls": 1048576 }} }} }}"#,
            benchmark("copy", "whole", 100),
            benchmark("copy", "bytes", bytes),
            benchmark("copy_aa", "first", 100),
            benchmark("copy_aa", "second", 100),
        )
    };
    let record = |machine: &str, text: &str| {
        let folder = miniature.path("book/machines").join(machine);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("copy.json"), text).unwrap();
    };
    let verdicts = || {
        let said = miniature.press("check --recorded --json --claim copy-faster");
        let array: Vec<Value> = serde_json::from_str(&said.out).unwrap();
        (said.code, array[0].clone())
    };
    let faster = "check --recorded --claim copy-faster";
    let benchmarks = |text: &str| text.replace("copy/bytes", "copy/other");

    // Measured on the second machine only, and it holds there.
    record("reference", &benchmarks(&recording(300)));
    record("laptop", &recording(300));
    miniature.press(faster).exits(0, "1 claim on reference: 1 not measured");
    miniature.press(faster).exits(0, "1 claim on laptop: 1 holds");
    miniature.press(faster).exits(0, "not measured on reference: copy-faster");
    let (code, claim) = verdicts();
    assert_eq!(code, Some(0));
    let on = |claim: &Value, machine: &str| claim["machines"][machine]["verdict"].clone();
    assert_eq!(
        (on(&claim, "reference"), on(&claim, "laptop")),
        ("not measured".into(), "holds".into())
    );
    assert_eq!(claim["machines"]["reference"].get("value"), None);
    assert_eq!(claim["machines"]["laptop"]["rounds"], 2);

    // Holds on the first, and fails on the second alone.
    record("reference", &recording(300));
    record("laptop", &recording(120));
    miniature
        .press(faster)
        .exits(1, "fails               A whole copy is at least 1.5 times as fast.");
    miniature.press(faster).exits(1, "1 claim on reference: 1 holds");
    miniature.press(faster).exits(1, "prove it: cargo bench --bench copy");
    let claim = verdicts().1;
    assert_eq!((on(&claim, "reference"), on(&claim, "laptop")), ("holds".into(), "fails".into()));

    // Undecided on the second: no failure, and listed.
    record("laptop", &recording(300).replacen("[300, 300]", "[120, 300]", 1));
    miniature.press(faster).exits(0, "undecided on laptop: copy-faster");
    // Undecided on both: no machine carries the claim.
    record("reference", &recording(300).replacen("[300, 300]", "[120, 300]", 1));
    miniature.press(faster).exits(1, "undecided on reference: copy-faster");

    // A figure that names a variant in vain.
    record("reference", &recording(300));
    let page = "book/src/part/copy.md";
    let said = miniature.with(
        page,
        "y = \"throughput\"",
        "y = \"time\"\nseries = [\"gone\"]",
        "check --recorded --strict",
    );
    said.exits(
        1,
        "unknown: no recording has `copy/gone` (reference, 2026-01-01; laptop, 2026-01-01)",
    );
}

#[test]
fn a_recording_that_is_killed_leaves_its_rounds() {
    let miniature = Miniature::new();
    // The second round says that it has begun, and waits to be killed.
    let hang = "fn main() {
        if std::env::var(\"CRITERION_HOME\").unwrap().contains(\"/2-\") {
            std::fs::write(\"../second-round\", \"\").unwrap();
            std::thread::sleep(std::time::Duration::from_secs(5));
            std::process::exit(0);
        }";
    let whole = miniature.edit("benches/copy.rs", "fn main() {", hang);
    let kill = |arguments: &str| {
        let _ = fs::remove_file(miniature.path("second-round"));
        let mut press = miniature.press_command(arguments).stderr(Stdio::null()).spawn().unwrap();
        let started = Instant::now();
        while !miniature.path("second-round").exists() {
            assert!(started.elapsed() < Duration::from_secs(120), "the second round never began");
            assert!(press.try_wait().unwrap().is_none(), "it ended before the second round");
            thread::sleep(Duration::from_millis(20));
        }
        press.kill().unwrap();
        press.wait().unwrap();
    };
    kill("record --bench copy --rounds 3 --about Mine.");
    let recording = &miniature.json("here/copy.json")["recording"];
    assert_eq!((&recording["rounds"], &recording["planned"]), (&1.into(), &3.into()));
    assert_eq!(miniature.json("here/machine.json")["about"], "Mine.");

    // It is a recording like any other: it has verdicts, and is not overwritten.
    miniature.press("check --claim copy-faster").exits(0, "one round");
    miniature.press("record --bench copy").exits(1, "(interrupted after 1 of 3 rounds)");
    kill("record --bench copy --rounds 2 --replace");
    assert_eq!(miniature.json("here/copy.json")["recording"]["planned"], 3);
    assert_eq!(miniature.json("here/copy.json.part")["recording"]["planned"], 2);

    fs::write(miniature.path("benches/copy.rs"), whole).unwrap();
    miniature.press("record --bench copy --rounds 2 --replace").exits(0, "round 2 of 2");
    let recording = &miniature.json("here/copy.json")["recording"];
    assert_eq!((&recording["rounds"], &recording["planned"]), (&2.into(), &Value::Null));
    assert!(!miniature.path("book/machines/here/copy.json.part").exists());
}

#[test]
fn a_place_that_cannot_be_written_is_found_before_anything_is_built() {
    let miniature = Miniature::new();
    let refuses = |machines: &str| {
        let said = miniature.press("record --machine laptop --rounds 1");
        said.exits(1, machines);
        assert!(!said.err.contains("building"), "{}", said.err);
        assert!(!miniature.path("target").exists());
    };
    fs::write(miniature.path("book/machines"), "a file").unwrap();
    refuses("machines/laptop: ");
    // Root may write to every folder but this.
    #[cfg(target_os = "linux")]
    {
        fs::remove_file(miniature.path("book/machines")).unwrap();
        std::os::unix::fs::symlink("/proc", miniature.path("book/machines")).unwrap();
        refuses("cannot write recordings to ");
    }
}

#[test]
fn results_are_found_wherever_cargo_is_told_to_build() {
    let elsewhere = TempDir::new().unwrap();
    let absolute = elsewhere.path().join("moved");
    let config = "[build]\ntarget-dir = \"moved\"\nbuild-dir = \"intermediate\"\n\n[alias]";
    for (variable, value) in [
        ("CARGO_TARGET_DIR", Path::new("moved")),
        ("CARGO_BUILD_TARGET_DIR", &absolute),
        ("CARGO_BUILD_TARGET_DIR", Path::new("moved")),
        ("build.target-dir", Path::new("moved")),
    ] {
        let miniature = Miniature::new();
        let environment = variable.starts_with("CARGO").then_some((variable, value));
        if environment.is_none() {
            miniature.edit(".cargo/config.toml", "[alias]", config);
        }
        let bench = run(miniature.cargo_bench().envs(environment));
        assert_eq!(bench.code, Some(0), "{}", bench.err);
        let claims = "--claim copy-size --claim copy-calls --claim copy-faster --claim copy-ring";
        run(miniature.press_command(&format!("check {claims}")).envs(environment))
            .exits(0, "4 claims here: 3 holds, 1 not possible here");
        run(miniature.press_command("record --bench copy --rounds 1").envs(environment))
            .exits(0, "recorded in");
        assert!(!miniature.path("target").exists(), "{variable} {}", value.display());
    }
}

#[test]
fn every_kind_of_claim_is_checked_and_can_fail() {
    let miniature = Miniature::new();
    let said = miniature.press("check --json");
    assert_eq!(said.code, Some(0), "{}", said.err);
    let not_measured = "not measured".to_string();
    let expected: Vec<(String, String, String)> = [
        ("copy-size", "holds"),
        ("copy-calls", "holds"),
        ("copy-fewer", "holds"),
        ("copy-no-loss", "holds"),
        ("copy-faster", "not measured"),
        ("copy-ring", "not measured"),
    ]
    .map(|(id, here)| (id.to_string(), here.to_string(), not_measured.clone()))
    .into();
    assert_eq!(verdicts(&said.out), expected);
    let array: Vec<Value> = serde_json::from_str(&said.out).unwrap();
    assert_eq!(
        (&array[1]["machines"]["here"]["value"], &array[1]["kind"], &array[1]["chapter"]),
        (&1.0.into(), &"counted".into(), &"part/copy.md".into())
    );
    assert_eq!(array[1]["says"], "A whole copy takes 1 call.");
    assert_eq!(array[1]["url"], "part/copy.html#claim-copy-calls");
    assert_eq!(array[1]["permalink"], "claims.html#cite-copy-calls");
    assert_eq!(array[4]["machines"]["here"].get("interval"), None);

    let bench = run(&mut miniature.cargo_bench());
    assert_eq!(bench.code, Some(0), "{}", bench.err);
    let said = miniature.press("check");
    said.exits(0, "one round");
    said.exits(0, "6 claims here: 5 holds, 1 not possible here");
    assert!(said.out.ends_with("\nno claim fails here\n"), "{}", said.out);
    // The page has the results that `cargo bench` left.
    miniature.press("build").exits(0, "");
    let page = miniature.path("book/book/part/copy.html");
    let page = fs::read_to_string(page).unwrap();
    let strip = "Your machine</a>: 5 hold, 1 not possible.";
    assert!(page.contains(strip), "{page}");

    // Each proof broken in turn.
    let broken = |file: &str, from: &str, to: &str, expected: &str| {
        miniature.with(file, from, to, "check").exits(1, expected);
    };
    broken(
        "examples/copy.rs",
        "copy(&from, AT_ONCE)",
        "copy(&from, AT_ONCE / 32)",
        "fails               A whole copy takes 1 call. (copy-calls)",
    );
    broken(
        "src/copy.rs",
        "[u8; 60]",
        "[u8; 61]",
        "fails               A chunk is a cache line. (copy-size)",
    );
    broken(
        "book/src/part/copy.md",
        "src/copy.rs#size",
        "src/loose.rs#false",
        "src/loose.rs is not part of the library",
    );
    broken(
        "tests/loom.rs",
        "fn no_loss() {}",
        "fn no_loss() { panic!(\"lost one\") }",
        "fails               Nothing is lost. (copy-no-loss)",
    );
    broken(
        "tests/loom.rs",
        "fn no_loss",
        "fn no_losses",
        "there is no loom model `ring::no_loss`: nothing ran",
    );
    broken(
        "book/src/part/copy.md",
        "by = 1.5",
        "by = 1e6",
        "fails               A whole copy is at least 1,000,000 times as fast.",
    );
    broken(
        "examples/copy.rs",
        "fn main() {",
        "fn main() { if std::env::args().count() > 0 { eprintln!(\"no socket\"); std::process::exit(1) }",
        "the example `copy` failed (exit status: 1):\n    no socket",
    );
    broken(
        "examples/copy.rs",
        "println!(\"{{",
        "println!(\"Calls: {{",
        "the example `copy` with --json did not print one JSON object",
    );
    broken(
        "book/src/intro.md",
        "Nothing is",
        "In 60 ns nothing is",
        "book/src/intro.md:3: a number typed by hand, `60 ns`",
    );
    miniature.press("check").exits(0, "6 claims here");
}

#[test]
fn what_a_check_of_one_claim_finds_is_stored_beside_the_rest() {
    let miniature = Miniature::new();
    let stored = || -> Value {
        let path = miniature.path("target/proved/check.json");
        serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
    };
    let card = |id: &str| {
        miniature.press("build").exits(0, "");
        let page = fs::read_to_string(miniature.path("book/book/part/copy.html")).unwrap();
        let (_, card) = page.split_once(&format!("id=\"claim-{id}\"")).unwrap();
        card.split_once("</article>").unwrap().0.to_owned()
    };
    assert!(!card("copy-calls").contains("<dt>Your machine</dt>"));

    // The numbers that an example has kept are shown, until a check finds others.
    let kept = miniature.path("target/proved/examples/copy.json");
    fs::create_dir_all(kept.parent().unwrap()).unwrap();
    fs::write(&kept, "{\"whole.calls\": 32, \"bytes.calls\": 1000}").unwrap();
    assert!(
        card("copy-calls").contains("<dt>Your machine</dt>\n<dd><span class=\"verdict fails\">")
    );

    let said = miniature.press("check --claim copy-calls");
    assert!(!kept.exists(), "it would outlive the check");
    said.exits(0, "1 claim here: 1 holds");
    assert!(said.out.ends_with("\nno claim fails here\n"), "{}", said.out);
    let first = stored();
    assert_eq!(first["counts"]["copy"]["values"]["whole.calls"], 1);
    assert!(first["counts"]["copy"]["date"].as_str().unwrap().ends_with('Z'));
    assert!(
        card("copy-calls").contains("<dt>Your machine</dt>\n<dd><span class=\"verdict holds\">")
    );

    // Another claim's result joins it.
    miniature.press("check --claim copy-size").exits(0, "1 claim here: 1 holds");
    let second = stored();
    assert_eq!(second["counts"], first["counts"]);
    assert_eq!(second["proofs"]["compiled:src/copy.rs#size"]["holds"], true);

    // A failure takes the place of the success, and is named at the end.
    let slower = ("examples/copy.rs", "copy(&from, AT_ONCE)", "copy(&from, AT_ONCE / 32)");
    let said = miniature.with(slower.0, slower.1, slower.2, "check --claim copy-calls");
    said.exits(1, "prove it: cargo run --release --example copy");
    assert!(said.out.ends_with("\n1 claim fails here: copy-calls\n"), "{}", said.out);
    assert!(
        card("copy-calls").contains("<dt>Your machine</dt>\n<dd><span class=\"verdict fails\">")
    );
    assert_eq!(stored()["proofs"], second["proofs"]);

    // An example that no longer runs has no result, whatever it had before.
    let mute = ("examples/copy.rs", "println!(\"{{", "println!(\"Calls: {{");
    let said = miniature.with(mute.0, mute.1, mute.2, "check --claim copy-calls");
    said.exits(1, "did not print one JSON object");
    assert_eq!(stored()["counts"], serde_json::json!({}));
    assert_eq!(stored()["proofs"], second["proofs"]);

    let said = miniature.press("check --chapter part/copy --json");
    said.exits(0, "\"here\": \"holds\"");
    assert!(!said.out.contains("no claim fails"), "JSON and nothing else: {}", said.out);
    assert_eq!(stored()["counts"]["copy"]["values"], first["counts"]["copy"]["values"]);
}

#[test]
#[cfg(target_os = "linux")]
fn an_archive_measures_without_cargo() {
    let miniature = Miniature::new();
    miniature.press("pack").exits(0, "perf-proved.tar.gz (");
    let archive = miniature.path("target/proved/perf-proved.tar.gz");
    let elsewhere = TempDir::new().unwrap();
    let root = elsewhere.path().join("perf-proved");
    let unpack = Command::new("tar").arg("-xzf").arg(&archive).current_dir(&elsewhere).status();
    assert!(unpack.unwrap().success());
    assert!(!root.join("Cargo.toml").exists());

    // Neither cargo nor the folder that built the programs.
    fs::remove_dir_all(miniature.path("target")).unwrap();
    let measure = |arguments: &str| {
        let mut command = Command::new(root.join("measure"));
        command.args(arguments.split(' ')).env_clear().env("PATH", "/usr/bin:/bin");
        run(&mut command)
    };
    measure("--machine box --about There. --rounds 2").exits(0, "round 2 of 2: copy");
    let file = |name: &str| {
        let path = root.join("book/machines").join(name);
        serde_json::from_str::<Value>(&fs::read_to_string(path).unwrap()).unwrap()
    };
    let recorded = file("box/copy.json");
    assert_eq!(recorded["recording"]["rounds"], 2);
    assert_eq!(recorded["counts"]["values"]["whole.calls"], 1);
    let rustc = recorded["recording"]["environment"]["rustc"].as_str().unwrap();
    assert!(rustc.starts_with("rustc "), "of the machine that built them: {rustc}");
    assert_eq!(file("box/machine.json")["about"], "There.");
    let hash = press::machine::hash(&press::project::Project::at(miniature.path("")), "copy");
    assert_eq!(recorded["recording"]["sources"].as_str(), hash.as_deref(), "of the code");

    // The recording serves where the archive came from, and a time limit measures what fits.
    let home = miniature.path("book/machines/box");
    copy(&root.join("book/machines/box"), &home);
    miniature.press("build").exits(0, "");
    assert!(miniature.path("book/book/machines/box.html").exists());
    let refused = "refused: book/machines/box/copy.json: 2 rounds are too few";
    miniature.press("validate box").exits(1, refused);
    miniature.press("validate ../box").exits(1, "and is not a path");
    measure("--machine quick --minutes 0.2").exits(0, "recorded in");
    let rounds = file("quick/copy.json")["recording"]["rounds"].as_u64().unwrap();
    assert!(rounds >= 3, "{rounds} rounds in 12 s");
    measure("--machine hasty --minutes 0").exits(0, "because the time was up: copy, other");
    let mut again = Command::new(root.join("bin/press"));
    run(again.arg("pack").current_dir(&root).env_clear()).exits(1, "this is an unpacked archive");
}

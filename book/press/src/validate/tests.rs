//! A valid machine, and for each refusal an edit that causes it.

use super::*;
use crate::project::Project;
use crate::testing;
use serde_json::{Value, json};
use std::fs;
use tempfile::TempDir;

const CLAIM: &str = r#"# Copying

```claim
id = "copy-faster"
says = "A whole copy is faster."
faster = "copy/whole/1MiB"
than = "copy/bytes/1MiB"
by = 1.5
```
"#;

/// It names the group and the function that the claim does not.
const BENCH: &str = "fn main() { plan.group(\"copy\").bench(\"other\"); }\n";

/// A project in a repository, with a machine that has nothing wrong.
struct Fixture {
    folder: TempDir,
    commit: String,
}

impl Fixture {
    fn new() -> Fixture {
        let mut fixture = Fixture { folder: TempDir::new().unwrap(), commit: String::new() };
        fixture.write("book/book.toml", "[book]\ntitle = \"T\"\n");
        fixture.write("book/src/SUMMARY.md", "# Summary\n\n- [Copying](copy.md)\n");
        fixture.write("book/src/copy.md", CLAIM);
        fixture.write("benches/copy.rs", BENCH);
        fixture.write("examples/copy.rs", "fn main() {}\n");
        fixture.git("init --quiet");
        fixture.git("add .");
        fixture.git("commit --quiet -m Start");
        fixture.commit = fixture.git("rev-parse HEAD");
        fixture.store("copy", &fixture.bench());
        fixture.store("machine", &json!({ "format": 2, "about": "A test.", "by": "Someone" }));
        fixture
    }

    fn git(&self, arguments: &str) -> String {
        testing::git(self.folder.path(), arguments)
    }

    fn write(&self, path: &str, text: &str) {
        testing::write(self.folder.path(), path, text);
    }

    fn store(&self, name: &str, value: &Value) {
        self.write(&format!("book/machines/box/{name}.json"), &value.to_string());
    }

    /// The file of a bench whose variants are measured twice, in six rounds.
    fn bench(&self) -> Value {
        let of = |function: &str, time: f64| {
            json!({ "group": "copy", "function": function, "parameter": "1MiB",
                "throughput_bytes": 1 << 20, "median": six(time), "low": six(time - 1.0),
                "high": six(time + 1.0) })
        };
        let date = crate::date::now();
        json!({
            "format": 2,
            "counts": { "date": date, "commit": self.commit, "values": { "whole.calls": 1,
                "ring.calls": "no io_uring" } },
            "recording": {
                "date": date, "commit": self.commit, "modified": false, "rounds": 6,
                "environment": { "cpu": "A processor", "cores": 2, "memory_bytes": 1 << 30,
                    "kernel": "Linux 6.1.0", "rustc": "rustc 1.88.0", "flags": "bench profile",
                    "criterion": "0.8", "settings": "ten samples", "stolen_share": 0.0,
                    "load_before": 0.1 },
                "benchmarks": {
                    "copy/whole/1MiB": of("whole", 100.0),
                    "copy/whole_again/1MiB": of("whole_again", 100.5),
                    "copy/bytes/1MiB": of("bytes", 300.0),
                    "copy/bytes_again/1MiB": of("bytes_again", 300.5),
                    "copy/other/1MiB": of("other", 200.0),
                    "copy/other_again/1MiB": of("other_again", 200.5),
                },
            },
        })
    }

    /// Returns all findings as text.
    fn found_for(&self, name: &str) -> String {
        let project = Project::at(self.folder.path());
        let book = crate::book::without_machines(&project).unwrap();
        let findings = Validator::new(&project, &book).machine(name);
        findings.iter().map(|finding| format!("{finding}\n")).collect()
    }

    fn found(&self) -> String {
        self.found_for("box")
    }

    /// Sets a value in the file of the bench, by its JSON pointer; `null` removes it.
    #[track_caller]
    fn with(&self, pointer: &str, value: Value) -> String {
        let mut file = self.bench();
        set(&mut file, pointer, value);
        self.store("copy", &file);
        let found = self.found();
        self.store("copy", &self.bench());
        found
    }

    #[track_caller]
    fn refuses(&self, pointer: &str, value: Value, says: &str) {
        let found = self.with(pointer, value.clone());
        let expected = "refused: book/machines/box/copy.json: ";
        assert!(
            found.contains(expected) && found.contains(says),
            "{pointer} = {value}: no `{says}` in\n{found}"
        );
    }
}

/// Six equal rounds.
fn six(time: f64) -> Value {
    json!(vec![time; 6])
}

#[track_caller]
fn set(file: &mut Value, pointer: &str, value: Value) {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let parent = file.pointer_mut(parent).unwrap();
    let key = key.replace("~1", "/");
    match parent {
        Value::Object(object) if value.is_null() => {
            object.shift_remove(&key).unwrap();
        }
        Value::Object(object) => {
            object.insert(key, value);
        }
        Value::Array(array) => array[key.parse::<usize>().unwrap()] = value,
        _ => panic!("{pointer} is no place"),
    }
}

#[test]
fn a_sound_machine_has_nothing_wrong() {
    assert_eq!(Fixture::new().found(), "");
}

#[test]
fn damaged_files_are_refused() {
    let fixture = Fixture::new();
    fixture.refuses("/surprise", json!(1), "unknown field `surprise`");
    fixture.refuses("/recording/environment/hostname", json!("h"), "unknown field `hostname`");
    fixture.refuses("/recording/rounds", Value::Null, "missing field `rounds`");
    fixture.refuses("/format", json!(1), "format 1, but this press reads format 2");
    fixture.refuses("/recording/benchmarks/copy~1bytes~11MiB/low", json!([1.0]), "6 medians, but");
    let path = "book/machines/box/copy.json";
    for (text, says) in [
        ("", "damaged, not JSON"),
        ("{ \"format\": 2", "damaged, not JSON"),
        ("{ \"format\": 2 }", "it holds neither rounds nor counts"),
        (&fixture.bench().to_string().replacen("300.0", "1e999", 1), "damaged, not JSON"),
        (&fixture.bench().to_string().replacen("300.0", "NaN", 1), "damaged, not JSON"),
    ] {
        fixture.write(path, text);
        assert!(fixture.found().contains(says), "no `{says}` in\n{}", fixture.found());
    }
}

#[test]
fn numbers_that_cannot_be_are_refused() {
    let fixture = Fixture::new();
    let bytes = "/recording/benchmarks/copy~1bytes~11MiB";
    let at = |key: &str| format!("{bytes}/{key}");
    fixture.refuses(&at("median/3"), json!(0.0), "`copy/bytes/1MiB`, round 4: a time is not");
    fixture.refuses(&at("low/0"), json!(-1.0), "round 1: a time is not a number above zero");
    fixture.refuses(&at("low/0"), json!(301.0), "the median lies outside its interval");
    fixture.refuses(&at("high/0"), json!(299.0), "the median lies outside its interval");
    fixture.refuses(&at("slowed"), json!([0.0, 0.0, 0.0, 0.0, 0.0, 1.5]), "not between 0 and 1");
    fixture.refuses(&at("throughput_bytes"), json!(0), "handles nothing");
    fixture.refuses(&at("function"), json!("byte"), "has the parts `copy/byte/1MiB`");
    fixture.refuses("/recording/rounds", json!(9), "has 6 rounds, and the recording says 9");
    fixture.refuses("/recording/planned", json!(6), "interrupted after 6 of 6 rounds");
    fixture.refuses("/recording/benchmarks", json!({}), "holds no benchmark");
    fixture.refuses("/recording/not_possible", json!({ "copy/ring": " " }), "without a reason");
    fixture.refuses("/recording/environment/stolen_share", json!(2.0), "not between 0 and 1");
    fixture.refuses("/recording/environment/load_before", json!(-1.0), "the load before is not");
    fixture.refuses("/counts/values", json!({}), "counted nothing");
    fixture.refuses("/counts/values/whole.calls", json!(-1), "the count `whole.calls` is -1");
    fixture.refuses("/counts/values/whole.calls", json!([1]), "the count `whole.calls` is [1]");
    let witnessed = |trip: f64| {
        let mut file = fixture.bench();
        set(&mut file, &at("witness_before"), six(trip));
        set(&mut file, &at("witness_after"), six(50.0));
        fixture.store("copy", &file);
        fixture.found()
    };
    assert!(witnessed(-50.0).contains("a trip between the cores is not a number above zero"));
    assert_eq!(witnessed(50.0), "");
    // `record` writes this for a benchmark that measured nothing in a round.
    let mut dropped = fixture.bench();
    for key in ["median", "low", "high"] {
        set(&mut dropped, &at(&format!("{key}/5")), json!(0.0));
    }
    set(&mut dropped, &at("slowed"), json!([0.0, 0.0, 0.0, 0.0, 0.0, 1.0]));
    fixture.store("copy", &dropped);
    assert_eq!(fixture.found(), "");
}

#[test]
fn too_few_rounds_are_refused_and_few_are_noted() {
    let fixture = Fixture::new();
    let with = |rounds: usize| {
        let mut file = fixture.bench();
        set(&mut file, "/recording/rounds", json!(rounds));
        for benchmark in file["recording"]["benchmarks"].as_object_mut().unwrap().values_mut() {
            for key in ["median", "low", "high"] {
                benchmark[key].as_array_mut().unwrap().truncate(rounds);
            }
        }
        fixture.store("copy", &file);
        fixture.found()
    };
    assert!(with(2).starts_with("refused: book/machines/box/copy.json: 2 rounds are too few"));
    assert!(with(3).starts_with("notice: book/machines/box/copy.json: 3 rounds: each card"));
    assert_eq!(with(6), "");
}

#[test]
fn a_machine_that_was_not_left_alone_is_refused() {
    let fixture = Fixture::new();
    let with = |pairs: &[&str]| {
        let mut file = fixture.bench();
        for pair in pairs {
            for key in ["median", "low", "high"] {
                let place = format!("/recording/benchmarks/copy~1{pair}_again~11MiB/{key}");
                set(&mut file, &place, six(900.0));
            }
        }
        fixture.store("copy", &file);
        fixture.found()
    };
    let one = with(&["whole"]);
    assert!(one.starts_with("notice: ") && one.contains("in 1 of 3 pairs"), "{one}");
    let two = with(&["whole", "other"]);
    assert!(two.starts_with("refused: ") && two.contains("while nothing else runs"), "{two}");
}

#[test]
fn names_that_have_changed_are_refused() {
    let fixture = Fixture::new();
    let mut file = fixture.bench();
    let mut odd = file["recording"]["benchmarks"]["copy/other/1MiB"].clone();
    odd["group"] = json!("copy_gone");
    set(&mut file, "/recording/benchmarks/copy_gone~1other~11MiB", odd.clone());
    fixture.store("copy", &file);
    assert!(fixture.found().contains("the bench `copy` has no group `copy_gone`"));
    fixture.write("benches/copy.rs", &BENCH.replace("\"copy\"", "format!(\"copy_g{rest}\")"));
    assert!(!fixture.found().contains("copy_gone"), "a name that is formatted");
    fixture.write("benches/copy.rs", BENCH);
    odd["group"] = json!("elsewhere");
    let mut file = fixture.bench();
    set(&mut file, "/recording/benchmarks/elsewhere~1other~11MiB", odd);
    fixture.store("copy", &file);
    assert!(fixture.found().contains("has no group `elsewhere`"));

    fixture.store("copy", &fixture.bench());
    fixture.store("gone", &fixture.bench());
    assert!(fixture.found().contains("gone.json: there is no bench `gone`"));
    assert!(fixture.found().contains("gone.json: there is no example `gone`"));
}

#[test]
fn a_function_that_no_bench_has_is_refused_unless_the_bench_has_changed() {
    let fixture = Fixture::new();
    let with = |function: &str| {
        let mut file = fixture.bench();
        let mut odd = file["recording"]["benchmarks"]["copy/other/1MiB"].clone();
        odd["function"] = json!(function);
        set(&mut file, &format!("/recording/benchmarks/copy~1{function}~11MiB"), odd);
        fixture.store("copy", &file);
        fixture.found()
    };
    let refused = "refused: book/machines/box/copy.json: the bench has no `copy/gone`; commit";
    assert!(with("gone").starts_with(refused), "{}", with("gone"));
    assert!(with("gone_again").starts_with(refused), "{}", with("gone_again"));
    let figure = "```figure\ngroup = \"copy\"\ny = \"time\"\nseries = [\"gone\"]\n```\n";
    fixture.write("book/src/copy.md", &format!("{CLAIM}\n{figure}"));
    assert_eq!(with("gone"), "", "a figure names it");
    assert!(with("gone_too").contains("no `copy/gone_too`"));
    fixture.write("book/src/copy.md", CLAIM);

    // The code of the technique names it, and only that file has changed.
    for (code, known) in [
        ("const NAME: &str = \"gone\";", true),
        ("fn name() { format!(\"{first}ne\") }", true),
        ("fn name() { format!(\"{first}{second}\") }", false),
        ("fn gone() { format!(\"no\") }", false),
    ] {
        fixture.write("src/part/copy/mod.rs", code);
        let found = with("gone");
        assert_eq!(found.contains("the bench has no `copy/gone` now"), !known, "{code}: {found}");
        assert!(!found.contains("refused"), "{found}");
    }
}

#[test]
fn a_part_of_a_bench_is_refused_unless_the_bench_has_changed() {
    let fixture = Fixture::new();
    let bytes = "/recording/benchmarks/copy~1bytes~11MiB";
    fixture.refuses(bytes, Value::Null, "lacks 1 benchmarks that claims need, `copy/bytes/1MiB`");
    let mut excused = fixture.bench();
    set(&mut excused, bytes, Value::Null);
    set(&mut excused, "/recording/not_possible", json!({ "copy/bytes": "no memory" }));
    fixture.store("copy", &excused);
    assert_eq!(fixture.found(), "", "it says why");
    fixture.write("benches/copy.rs", &BENCH.replace("plan", "let _ = plan"));
    let found = fixture.with(bytes, Value::Null);
    assert!(found.starts_with("notice: ") && found.contains("the bench has changed"), "{found}");
}

#[test]
fn an_origin_that_cannot_be_told_is_refused() {
    let fixture = Fixture::new();
    let recording = |key: &str| format!("/recording/{key}");
    fixture.refuses(&recording("date"), json!("yesterday"), "`yesterday` is no date");
    fixture.refuses(&recording("date"), json!("2999-01-01T00:00:00Z"), "is in the future");
    fixture.refuses(&recording("date"), json!("2001-01-01T00:00:00Z"), "older than the commit");
    fixture.refuses("/counts/date", json!("2001-01-01T00:00:00Z"), "older than the commit");
    fixture.refuses(&recording("commit"), json!("main"), "`main` is no full id of a commit");
    let gone = json!("0123456789012345678901234567890123456789");
    fixture.refuses(&recording("commit"), gone.clone(), "0123456789 is not in this repository");
    fixture.refuses(&recording("commit"), Value::Null, "neither a commit nor the hash");
    fixture.refuses(&recording("modified"), json!(true), "differs from its commit");
    fixture.refuses(&recording("sources"), json!("1"), "`1` is no hash of sources");

    // The hash says what was measured.
    let project = Project::at(fixture.folder.path());
    let hash = json!(crate::machine::hash(&project, "copy").unwrap());
    let mut file = fixture.bench();
    set(&mut file, &recording("sources"), hash);
    set(&mut file, &recording("modified"), json!(true));
    fixture.store("copy", &file);
    assert_eq!(fixture.found(), "", "only other files differ");
    set(&mut file, &recording("commit"), gone.clone());
    set(&mut file, "/counts/commit", gone);
    fixture.store("copy", &file);
    let found = fixture.found();
    assert!(found.starts_with("notice: ") && !found.contains("refused"), "{found}");

    let mut old = fixture.bench();
    set(&mut old, "/counts/commit", Value::Null);
    set(&mut old, "/counts/date", json!("2024-01-01T00:00:00Z"));
    fixture.store("copy", &old);
    assert!(fixture.found().contains("days apart"), "{}", fixture.found());
}

#[test]
fn an_incomplete_environment_is_refused() {
    let fixture = Fixture::new();
    for (key, says) in [
        ("cpu", "the processor"),
        ("cores", "the number of cores"),
        ("memory_bytes", "the memory"),
        ("kernel", "the kernel"),
        ("rustc", "the compiler"),
        ("flags", "the flags"),
        ("criterion", "the version of criterion"),
        ("settings", "criterion's settings"),
    ] {
        let says = format!("the environment does not say {says}");
        fixture.refuses(&format!("/recording/environment/{key}"), Value::Null, &says);
    }
    let busy = fixture.with("/recording/environment/load_before", json!(9.5));
    assert!(busy.starts_with("notice: ") && busy.contains("the load was 9.5"), "{busy}");
}

#[test]
fn a_folder_holds_the_files_of_one_machine_and_nothing_else() {
    let fixture = Fixture::new();
    for name in ["../box", "/etc", "Box", "a--b", "-", "a b", "", &"x".repeat(41)] {
        let found = fixture.found_for(name);
        assert!(found.contains("a machine's name is made of"), "{name}: {found}");
    }
    assert!(fixture.found_for("gone").contains("record the machine first"));
    let path = |name: &str| fixture.folder.path().join("book/machines/box").join(name);
    let refused = |name: &str, says: &str| {
        let found = fixture.found();
        let file = format!("refused: book/machines/box/{name}: ");
        assert!(found.contains(&file) && found.contains(says), "{name}: {found}");
    };
    fs::create_dir(path("more")).unwrap();
    refused("more", "only plain files belong here");
    fs::remove_dir(path("more")).unwrap();
    fs::write(path("copy.json.part"), "{}").unwrap();
    refused("copy.json.part", "only the files BENCH.json and machine.json");
    fs::remove_file(path("copy.json.part")).unwrap();
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("/etc/passwd", path("link.json")).unwrap();
        refused("link.json", "only plain files belong here");
        fs::remove_file(path("link.json")).unwrap();
    }
    let large = fixture.bench().to_string() + &" ".repeat(3 << 20);
    fs::write(path("copy.json"), large).unwrap();
    refused("copy.json", "no recording needs more than");
    fs::remove_file(path("copy.json")).unwrap();
    assert!(fixture.found().contains("box: it holds no recording"));
    fixture.store("copy", &fixture.bench());
    assert_eq!(fixture.found(), "");
}

#[test]
fn a_machine_says_what_it_is() {
    let fixture = Fixture::new();
    for (file, says) in [
        (json!({ "format": 2 }), "it does not say what the machine is"),
        (json!({ "format": 2, "about": " " }), "it does not say what the machine is"),
        (json!({ "format": 2, "about": "Two\nlines." }), "`about` is one line"),
        (json!({ "format": 2, "about": "x".repeat(501) }), "at most 500 bytes"),
        (json!({ "format": 2, "about": "A.", "by": "" }), "`by` is empty"),
        (json!({ "format": 2, "about": "A.", "by": "x".repeat(81) }), "at most 80 bytes"),
        (json!({ "format": 2, "about": "A.", "hostname": "h" }), "unknown field `hostname`"),
    ] {
        fixture.store("machine", &file);
        let found = fixture.found();
        assert!(found.contains("machine.json: ") && found.contains(says), "{says}: {found}");
    }
    fs::remove_file(fixture.folder.path().join("book/machines/box/machine.json")).unwrap();
    assert!(fixture.found().contains("machine.json is missing"));
}

#[test]
fn without_git_or_in_a_shallow_clone_commits_are_not_looked_up() {
    let fixture = Fixture::new();
    let clone = TempDir::new().unwrap();
    fixture.git("add .");
    fixture.git("commit --quiet -m Machine");
    let url = format!("file://{}", fixture.folder.path().display());
    let to = clone.path().join("shallow");
    fixture.git(&format!("clone --quiet --depth 1 {url} {}", to.display()));
    let project = Project::at(&to);
    let book = crate::book::without_machines(&project).unwrap();
    let found = Validator::new(&project, &book).machine("box");
    assert!(found.iter().all(|finding| !finding.refused), "{found:?}");
    assert!(found[0].says.ends_with("because the checkout is shallow"), "{found:?}");
    fs::remove_dir_all(fixture.folder.path().join(".git")).unwrap();
    let found = fixture.found();
    assert!(found.starts_with("notice: ") && found.contains("no checkout of git"), "{found}");
}

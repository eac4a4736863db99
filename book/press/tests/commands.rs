//! `record` and `check` as a reader runs them, on a book in miniature, whole and broken.

mod common;

use common::copy;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
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

    fn press(&self, arguments: &str) -> Said {
        let mut command = Command::new(env!("CARGO_BIN_EXE_press"));
        command.args(arguments.split(' ').filter(|word| !word.is_empty()));
        command.current_dir(self.folder.path()).env("CARGO_MANIFEST_DIR", self.folder.path());
        for name in ["CARGO_TARGET_DIR", "CRITERION_HOME", "RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS"] {
            command.env_remove(name);
        }
        let output = command.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Said { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }

    /// Runs the press with one file changed, and puts it back.
    fn with(&self, file: &str, from: &str, to: &str, arguments: &str) -> Said {
        let path = self.path(file);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file} has no {from}");
        fs::write(&path, text.replace(from, to)).unwrap();
        let said = self.press(arguments);
        fs::write(&path, text).unwrap();
        said
    }
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
    let text = |object: &Value, key: &str| object[key].as_str().unwrap().to_string();
    array.iter().map(|o| (text(o, "id"), text(o, "here"), text(o, "reference"))).collect()
}

#[test]
fn arguments_that_make_no_sense_exit_with_2() {
    let miniature = Miniature::new();
    for (arguments, expected) in [
        ("chekc", "unknown command chekc"),
        ("check --jsno", "invalid option '--jsno'"),
        ("build --json", "invalid option '--json'"),
        ("check here", "unexpected argument \"here\""),
        ("record --rounds nine", "nine"),
        ("record --rounds 0", "--rounds is at least 1"),
        ("record --bench", "missing argument"),
        ("record --bench none", "no bench `none`; there are: copy, other"),
        ("record --machine ../here", "not `../here`"),
        ("record --machine Laptop", "not `Laptop`"),
    ] {
        let said = miniature.press(arguments);
        said.exits(2, expected);
        assert_eq!(said.err.trim().lines().count(), 1, "one line: {}", said.err);
    }
    miniature.press("--help").exits(0, "cargo book [COMMAND]");
    assert!(!miniature.path("book/machines").exists() && !miniature.path("target").exists());
}

#[test]
fn measurements_are_recorded_in_rounds_and_never_overwritten_in_silence() {
    let miniature = Miniature::new();
    let file = miniature.path("book/machines/reference.json");
    miniature.press("check --recorded").exits(1, "not measured");

    let said = miniature.press("record --rounds 3 --machine reference --about Miniature.");
    said.exits(0, "round 2 of 3: copy, about");
    let recorded: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    let recording = &recorded["recordings"]["copy"];
    assert_eq!(recorded["about"], "Miniature.");
    assert_eq!(recording["rounds"], 3);
    assert_eq!(recording["benchmarks"]["copy/whole/1MiB"]["rounds"].as_array().unwrap().len(), 3);
    assert_eq!(recording["not_possible"]["copy/ring"], "no ring on this machine");
    assert_eq!(recorded["counts"]["copy"]["values"]["whole.calls"], 1);
    assert_eq!(recorded["proofs"]["explored:ring::no_loss"]["holds"], true);
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
    miniature.press("check --recorded").exits(0, "5 claims on the reference machine: 5 holds");
    miniature
        .press("check --recorded --claim copy-faster")
        .exits(0, "1 claim on the reference machine: 1 holds");
    miniature.press("check --claim copy-sad").exits(2, "no chapter makes a claim `copy-sad`");
    miniature
        .with("book/src/part/copy.md", "by = 1.5", "by = 1e6", "check --recorded")
        .exits(1, "fails             A whole copy is at least 1,000,000 times as fast.");

    let whole = fs::read_to_string(&file).unwrap();
    miniature
        .press("record --machine reference --bench copy")
        .exits(1, "`copy` is already recorded");
    assert_eq!(fs::read_to_string(&file).unwrap(), whole);
    miniature
        .with(
            "book/machines/reference.json",
            "\"format\": 1",
            "\"format\": 7",
            "record --machine reference --replace",
        )
        .exits(1, "reference.json: format 7");

    // A bench that breaks off keeps the whole recording that it would have replaced; the other is
    // recorded.
    let fail = "fn main() {\n    if std::env::var(\"CRITERION_HOME\").unwrap().contains(\"/2-\") { panic!(\"wrong answer\") }";
    let said = miniature.with(
        "benches/copy.rs",
        "fn main() {",
        fail,
        "record --machine reference --rounds 2 --replace",
    );
    said.exits(1, "round 2: the bench `copy` failed");
    said.exits(1, "wrong answer");
    let recorded: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!(recorded["recordings"]["copy"]["rounds"], 3);
    assert_eq!(recorded["recordings"]["other"]["rounds"], 2);
    // Where there is nothing to lose, the rounds that went through are kept.
    let said =
        miniature.with("benches/copy.rs", "fn main() {", fail, "record --bench copy --rounds 3");
    said.exits(1, "round 2: the bench `copy` failed");
    let here: Value = serde_json::from_str(
        &fs::read_to_string(miniature.path("book/machines/here.json")).unwrap(),
    )
    .unwrap();
    assert_eq!(here["recordings"]["copy"]["rounds"], 1);
    miniature
        .with("benches/other.rs", "fn main() {", "fn main() { return;", "record --bench other")
        .exits(1, "left no results");
    miniature
        .with("benches/other.rs", "fn main() {", "fn main() { !", "record --bench other")
        .exits(1, "the benches do not build");
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
        (&array[1]["value"], &array[1]["kind"], &array[1]["chapter"]),
        (&1.0.into(), &"counted".into(), &"part/copy.md".into())
    );
    assert_eq!(array[1]["says"], "A whole copy takes 1 call.");
    assert_eq!(array[4]["interval"], Value::Null);

    // `cargo bench`, as the reader would.
    let bench = Command::new(env!("CARGO"))
        .args(["bench", "--quiet", "--package", "perf-proved-benches", "--bench", "copy"])
        .current_dir(miniature.folder.path())
        .env("CARGO_TARGET_DIR", miniature.path("target"))
        .env_remove("CRITERION_HOME")
        .output()
        .unwrap();
    assert!(bench.status.success(), "{}", String::from_utf8_lossy(&bench.stderr));
    let said = miniature.press("check");
    said.exits(0, "one round");
    said.exits(0, "6 claims here: 5 holds, 1 not possible here");

    // Each proof broken in turn.
    let broken = |file: &str, from: &str, to: &str, expected: &str| {
        miniature.with(file, from, to, "check").exits(1, expected);
    };
    broken(
        "examples/copy.rs",
        "copy(&from, AT_ONCE)",
        "copy(&from, AT_ONCE / 32)",
        "fails             A whole copy takes 1 call. (copy-calls)",
    );
    broken(
        "src/copy.rs",
        "[u8; 60]",
        "[u8; 61]",
        "fails             A chunk is a cache line. (copy-size)",
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
        "fails             Nothing is lost. (copy-no-loss)",
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
        "fails             A whole copy is at least 1,000,000 times as fast.",
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

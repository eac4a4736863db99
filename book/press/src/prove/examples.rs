//! Runs examples for their counts.

use crate::date;
use crate::machine::{ALL, Counts, environment};
use crate::model::Error;
use crate::pack;
use crate::process::{self, tail};
use crate::project::Project;
use indexmap::IndexMap;
use serde_json::Value;
use std::process::Command;
use std::time::Duration;

/// The longest that an example may run before it counts as hung.
const LIMIT: Duration = Duration::from_secs(120);

/// The longest that a build may take; a slow machine is no reason to stop cargo early.
pub(crate) const BUILD: Duration = Duration::from_secs(3600);

/// Runs `cargo run --release --example NAME -- --json` and reads the object that it prints.
///
/// # Errors
///
/// Names the example and ends with the last lines that it wrote to stderr.
pub fn run(project: &Project, example: &str) -> Result<Counts, Error> {
    run_within(project, example, LIMIT)
}

/// Like [`run`], with a limit of its own.
fn run_within(project: &Project, example: &str, limit: Duration) -> Result<Counts, Error> {
    let name = format!("the example `{example}`");
    let mut command = match project.packed() {
        Some(_) => Command::new(pack::example(project.root(), example)),
        None => cargo_run(project, example, &name)?,
    };
    command.arg("--json");
    let run = process::run(&mut command, limit)?;
    if !run.success() {
        return Err(run.failure(&name, limit));
    }
    let values = parse(&run.stdout)
        .map_err(|what| Error::Failed(format!("{name} with --json {what}{}", tail(&run.stderr))))?;
    Ok(Counts { date: date::now(), commit: environment::commit(project).0, values })
}

/// Builds an example, and returns the command that runs it. It is built first, so that a limit is
/// the example's and not the compiler's.
fn cargo_run(project: &Project, example: &str, name: &str) -> Result<Command, Error> {
    let arguments = ["--quiet", "--release", "--example", example];
    let build = process::run(process::cargo(project).arg("build").args(arguments), BUILD)?;
    if !build.success() {
        return Err(build.failure(&format!("the build of {name}"), BUILD));
    }
    let mut command = process::cargo(project);
    command.arg("run").args(arguments).arg("--");
    Ok(command)
}

/// Reads one flat object of numbers, or of reasons why a number cannot be had. A sentence in place
/// of the object is the reason why none can.
fn parse(stdout: &str) -> Result<IndexMap<String, Value>, String> {
    let sentence = stdout.trim();
    if sentence.is_empty() {
        return Err("printed nothing".to_string());
    }
    if sentence.starts_with(char::is_alphabetic)
        && sentence.ends_with('.')
        && sentence.lines().count() == 1
    {
        return Ok(IndexMap::from([(ALL.to_string(), Value::from(sentence))]));
    }
    let values: IndexMap<String, Value> =
        serde_json::from_str(stdout).map_err(|e| format!("did not print one JSON object: {e}"))?;
    if values.is_empty() {
        return Err("printed an empty object".to_string());
    }
    for (key, value) in &values {
        if !key.contains('.') {
            return Err(format!("printed `{key}`, which is not `variant.quantity`"));
        }
        if !value.is_number() && !value.is_string() {
            return Err(format!("printed neither a number nor a reason for `{key}`: {value}"));
        }
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_of_numbers_and_reasons_is_read_in_order() {
        let values =
            parse("{ \"b.n\": 1, \"a.n\": 2.5, \"c.n\": \"io_uring is forbidden\" }\n").unwrap();
        assert_eq!(values.keys().collect::<Vec<_>>(), ["b.n", "a.n", "c.n"]);
    }

    #[test]
    fn a_sentence_is_the_reason_for_all() {
        let values = parse("This system has no sendfile(2).\n").unwrap();
        assert_eq!(values.get(ALL), Some(&Value::from("This system has no sendfile(2).")));
    }

    #[test]
    fn anything_else_is_an_error() {
        for (stdout, expected) in [
            ("", "printed nothing"),
            ("variant  calls\n", "did not print one JSON object"),
            ("{ \"a.n\": 1 } { }", "did not print one JSON object"),
            ("[1]", "did not print one JSON object"),
            ("{}", "printed an empty object"),
            ("{ \"a\": 1 }", "printed `a`, which is not"),
            ("{ \"a.n\": null }", "printed neither a number nor a reason for `a.n`"),
            ("{ \"a.n\": { \"b\": 1 } }", "printed neither a number nor a reason for `a.n`"),
        ] {
            let error = parse(stdout).unwrap_err();
            assert!(error.starts_with(expected), "{stdout}: {error}");
        }
    }

    #[test]
    fn an_example_that_hangs_is_stopped_and_named() {
        let folder = tempfile::TempDir::new().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write(
            "Cargo.toml",
            "[workspace]\n[package]\nname = \"p\"\nversion = \"0.1.0\"\nedition = \"2024\"\n",
        );
        write("src/lib.rs", "");
        write(
            "examples/hang.rs",
            "fn main() { eprintln!(\"waiting\"); loop { std::thread::park() } }",
        );
        write("examples/bad.rs", "fn main() {");
        let project = Project::at(folder.path());
        let error = run_within(&project, "hang", Duration::from_secs(3)).unwrap_err().to_string();
        assert_eq!(error, "the example `hang` was stopped after 3 seconds:\n    waiting");
        let error = run(&project, "bad").unwrap_err().to_string();
        assert!(error.starts_with("the build of the example `bad` failed"), "{error}");
    }
}

//! Builds the library for its compile-time assertions, and runs the models.

use super::examples::BUILD;
use super::judge;
use crate::date;
use crate::machine::{ProofRun, environment};
use crate::model::{Claim, Error, Proof};
use crate::process::{self, tail};
use crate::project::Project;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The longest that a model may run; one that takes longer explores more than it should.
const MODEL: Duration = Duration::from_secs(1800);

/// Builds the library for the compiled claims and runs the models of the explored ones.
///
/// # Errors
///
/// Returns an error if a program cannot be run at all; whatever ran has an outcome.
pub fn run(project: &Project, claims: &[&Claim]) -> Result<BTreeMap<String, ProofRun>, Error> {
    let mut outcomes = BTreeMap::new();
    let mut build = None;
    let commit = environment::commit(project).0;
    for claim in claims {
        let (key, (holds, found)) = match &claim.proof {
            Proof::Compiled { file, anchor } => {
                if build.is_none() {
                    eprintln!("building the library for its compile-time assertions");
                    build = Some(build_library(project)?);
                }
                let built = build.clone().unwrap_or_else(|| Err("not built".to_string()));
                (judge::compiled_key(file, anchor), compiled(project, file, built))
            }
            Proof::Explored { model } => {
                eprintln!("exploring {model}");
                (judge::explored_key(model), explored(project, model)?)
            }
            Proof::Counted(_) | Proof::Observed(_) | Proof::Clocked(_) => continue,
        };
        outcomes.insert(key, ProofRun { date: date::now(), commit: commit.clone(), holds, found });
    }
    Ok(outcomes)
}

/// Builds the library and returns the list of files that it is built from; the inner error is the
/// compiler's.
fn build_library(project: &Project) -> Result<Result<PathBuf, String>, Error> {
    let mut command = process::cargo(project);
    command
        .args(["build", "--quiet", "--package", "perf-proved", "--lib"])
        .arg("--message-format=json-render-diagnostics");
    let build = process::run(&mut command, BUILD)?;
    if !build.success() {
        return Ok(Err(format!("the library does not build{}", tail(&build.stderr))));
    }
    // The path depends on cargo's configuration, which may name a target or other folders.
    let messages = build.stdout.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut libraries = messages
        .filter(|message| message["target"]["name"] == "perf_proved")
        .flat_map(|message| message["filenames"].as_array().cloned().unwrap_or_default())
        .filter_map(|name| name.as_str().map(PathBuf::from))
        .filter(|name| name.extension().is_some_and(|ending| ending == "rlib"));
    let library = libraries.next();
    Ok(library
        .map(|library| library.with_extension("d"))
        .ok_or_else(|| "cargo did not say where it put the library".to_string()))
}

/// Returns `true` if the library built and `file` is part of it, with the finding in words. The
/// compiler never sees an assertion in a file that no module names.
fn compiled(project: &Project, file: &Path, built: Result<PathBuf, String>) -> (bool, String) {
    let sources = match built {
        Ok(sources) => sources,
        Err(why) => return (false, why),
    };
    match fs::read_to_string(&sources) {
        Err(e) => (false, format!("cannot read {}: {e}", sources.display())),
        Ok(list) if lists(&list, &project.root().join(file)) => {
            (true, "the library builds".to_string())
        }
        Ok(_) => (false, format!("{} is not part of the library built here", file.display())),
    }
}

/// Returns `true` if cargo's list of a library's sources, in make's syntax, has this file.
fn lists(dep_info: &str, file: &Path) -> bool {
    let wanted = file.display().to_string().replace(' ', "\\ ");
    dep_info.lines().any(|line| {
        line.match_indices(&wanted).any(|(at, _)| {
            let bounded = |c: Option<char>| c.is_none_or(|c| c.is_whitespace() || c == ':');
            bounded(line[..at].chars().next_back())
                && bounded(line[at + wanted.len()..].chars().next())
        })
    })
}

/// Runs a model; returns `true` if it passed, with the finding in words.
fn explored(project: &Project, model: &str) -> Result<(bool, String), Error> {
    let mut command = process::cargo(project);
    command
        .args(["explore", "--exact", model])
        // Either would override the alias's `--cfg loom`, without which there are no models.
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS");
    let run = process::run(&mut command, MODEL)?;
    if run.success() {
        return Ok(match passed(&run.stdout) {
            1 => (true, "every interleaving that loom tried passed".to_string()),
            0 => (false, format!("there is no loom model `{model}`: nothing ran")),
            n => (false, format!("{n} tests have the name `{model}`")),
        });
    }
    let how = if run.status.is_none() { "was stopped for taking too long" } else { "failed" };
    let output = if run.stdout.contains("test result:") { &run.stdout } else { &run.stderr };
    Ok((false, format!("the model {how}{}", tail(output))))
}

/// Returns the number of tests that passed, according to a test program's output.
fn passed(stdout: &str) -> usize {
    let results = stdout.lines().filter_map(|line| line.trim().strip_prefix("test result: ok. "));
    results.filter_map(|rest| rest.split(' ').next()?.parse::<usize>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_that_never_ran_has_not_passed() {
        let none = "running 0 tests\n\n\
                    test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 3 filtered out\n";
        assert_eq!(passed(none), 0);
        assert_eq!(passed(&none.replace("ok. 0", "ok. 1")), 1);
        assert_eq!(passed("test result: FAILED. 1 passed; 1 failed"), 0);
        assert_eq!(passed(""), 0);
    }

    #[test]
    fn a_file_is_listed_only_by_its_whole_name() {
        let list = "/p/target/libx.rlib: /p/src/lib.rs /p/src/my\\ file.rs /p/src/layout.rs\n";
        assert!(lists(list, Path::new("/p/src/layout.rs")));
        assert!(lists(list, Path::new("/p/src/my file.rs")));
        assert!(!lists(list, Path::new("/p/src/layout")));
        assert!(!lists(list, Path::new("/src/layout.rs")));
    }
}

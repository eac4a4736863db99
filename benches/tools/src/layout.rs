//! Separates the order of a program's functions from what else changes between two runs: the
//! addresses that the kernel chooses, and the environment, which moves the stack.

use crate::{Outcome, about, root, run, write};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The things that change from one run to the next.
const KINDS: [&str; 4] = ["nothing", "addresses", "environment", "order"];

/// Runs of each program in each state. The least time of them is the least disturbed one.
const PASSES: usize = 4;

/// Builds the program `laid_out` with its functions in `orders` different orders, and runs it in
/// turns with each of the things that change. Writes the time of each run.
///
/// # Errors
///
/// If a build or a run fails, or the file cannot be written.
pub fn layout(machine: &str, orders: usize) -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    let build = |seed| build(folder.path(), seed);
    let programs = (1..=orders).map(build).collect::<Outcome<Vec<_>>>()?;
    let mut rows = vec![];
    for turn in 0..PASSES * orders {
        for at in 0..KINDS.len() {
            let kind = KINDS[(at + turn) % KINDS.len()];
            let number = turn % orders;
            let program = if kind == "order" { &programs[number] } else { &programs[0] };
            let mut command = Command::new("setarch");
            command.arg(std::env::consts::ARCH);
            if kind != "addresses" {
                command.arg("--addr-no-randomize");
            }
            command.arg(program).env_clear();
            if kind == "environment" {
                command.env("PADDING", "x".repeat(64 * number));
            }
            let times: Value = serde_json::from_str(&run(&mut command)?)?;
            rows.push(json!({ "changes": kind, "number": number, "picoseconds": times }));
        }
    }
    write(machine, "layout.json", &about()?, &rows)
}

/// Builds the program with its functions in the order of `seed`, and keeps it in `folder`.
fn build(folder: &Path, seed: usize) -> Outcome<PathBuf> {
    let mut cargo = Command::new("cargo");
    cargo.args(["rustc", "--quiet", "--release", "--package", "perf-proved-tools"]);
    cargo.args(["--bin", "laid_out", "--message-format", "json", "--"]);
    cargo.arg(format!("-Clink-arg=-Wl,--shuffle-sections=*={seed}"));
    let messages = run(cargo.current_dir(root()))?;
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut programs =
        messages.filter_map(|message| Some(PathBuf::from(message["executable"].as_str()?)));
    let built = programs.next().ok_or("cargo built no program")?;
    let kept = folder.join(format!("laid_out_{seed:02}"));
    fs::copy(built, &kept)?;
    eprintln!("order {seed}");
    Ok(kept)
}

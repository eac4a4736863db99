//! Asks the tools of others for an effect that is known, and for what they do not see.
//!
//! The programs `with_criterion`, `with_divan` and `with_tango` are benches as a user of these
//! crates writes them. The program `tools` runs them again and again, and writes what they said to
//! `book/tools/MACHINE`. The example `benchmarking` of the book counts how often they were right.

pub mod decide;
pub mod flamegraph;
pub mod layout;
pub mod parse;

use perf_proved::measuring::benchmarking::known::LESS;
use serde_json::{Value, json};
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The outcome of what may fail in many ways.
pub type Outcome<T> = Result<T, Box<dyn Error>>;

/// The environment variable that says how many steps a bench makes.
pub const STEPS: &str = "KNOWN_STEPS";

/// Returns the steps that the environment asks for; [`LESS`] if it does not.
///
/// # Panics
///
/// If it asks for something else than a number.
pub fn steps() -> u64 {
    std::env::var(STEPS).map_or(LESS, |steps| steps.parse().expect("a number of steps"))
}

/// Returns the folder of the project.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Runs a command, and returns what it printed.
///
/// # Errors
///
/// If it does not start, or fails; the error says what it complained of.
pub fn run(command: &mut Command) -> Outcome<String> {
    let Output { status, stdout, stderr } =
        command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if !status.success() {
        let complaint = String::from_utf8_lossy(&stderr);
        return Err(format!("{command:?}: {status}: {}", complaint.trim()).into());
    }
    Ok(String::from_utf8_lossy(&stdout).into_owned())
}

/// Returns what a recording says of the machine and the moment.
///
/// # Errors
///
/// If the machine does not say it.
pub fn about() -> Outcome<Value> {
    let processor = fs::read_to_string("/proc/cpuinfo")?;
    let name = processor.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let load = fs::read_to_string("/proc/loadavg")?;
    let date = run(Command::new("date").args(["-u", "+%F"]))?;
    let commit = run(Command::new("git").args(["rev-parse", "HEAD"]).current_dir(root()))?;
    Ok(json!({
        "processor": name.map_or("", |(_, name)| name),
        "cores": std::thread::available_parallelism()?.get(),
        "load": load.split(' ').next(),
        "date": date.trim(),
        "commit": commit.trim(),
    }))
}

/// Writes a recording to `book/tools/MACHINE/NAME`: what is `said` of it, and `rows`, one a line.
///
/// # Errors
///
/// Those of the file.
pub fn write(machine: &str, name: &str, said: &Value, rows: &[Value]) -> Outcome<()> {
    let folder = root().join("book/tools").join(machine);
    fs::create_dir_all(&folder)?;
    let rows: Vec<String> = rows.iter().map(Value::to_string).collect();
    let text = format!("{{\n\"about\": {said},\n\"rows\": [\n{}\n]\n}}\n", rows.join(",\n"));
    let path = folder.join(name);
    let part = path.with_extension("part");
    fs::write(&part, text)?;
    Ok(fs::rename(part, path)?)
}

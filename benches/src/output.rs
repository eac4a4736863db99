//! The folder of criterion's results, and the files that this library writes beside them.
//!
//! Each file names the id that it is about, so the book finds it wherever it lies:
//!
//! | file | holds |
//! | --- | --- |
//! | `not_possible.json` | the reason why an id, and all below it, cannot run here |
//! | `witness.json` | the trip of a line between the two cores, before and after, and the share of the time on a slowed core |
//! | `second_clock.json` | the times of another clock over the same batches |
//! | `order.json` | the ids of a group in the order of the code |
//! | `settings.json` | the settings of the last run |

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::{env, fs, io};

/// Prints the reason why a benchmark, function or whole group (`id`) cannot run on this machine,
/// and writes it next to criterion's results, where the book finds it.
///
/// # Errors
///
/// If the file cannot be written.
pub fn not_possible(id: &str, reason: &str) -> io::Result<()> {
    eprintln!("{id}: not possible here: {reason}");
    let json = serde_json::json!({ "id": id, "reason": reason });
    write(&id.replace('/', "_"), "not_possible.json", &json)
}

/// Writes the file `name` into the folder of `id`.
pub(crate) fn write(id: &str, name: &str, json: &Value) -> io::Result<()> {
    let mut folder = home()?.to_path_buf();
    folder.extend(id.split('/').map(file_name));
    let path = folder.join(name);
    fs::create_dir_all(&folder).and_then(|()| fs::write(&path, json.to_string())).map_err(|error| {
        io::Error::new(error.kind(), format!("cannot write {}: {error}", path.display()))
    })
}

/// Replaces characters that some file system refuses.
fn file_name(part: &str) -> String {
    let safe = |c: char| if c.is_alphanumeric() || "._-".contains(c) { c } else { '_' };
    part.chars().map(safe).collect()
}

/// Returns the folder that criterion writes to, as criterion determines it: `CRITERION_HOME`, or
/// `criterion` in cargo's target folder, which environment variables and configuration may move.
fn home() -> io::Result<&'static Path> {
    static HOME: OnceLock<PathBuf> = OnceLock::new();
    if let Some(home) = HOME.get() {
        return Ok(home);
    }
    let found = find_home()?;
    Ok(HOME.get_or_init(|| found))
}

fn find_home() -> io::Result<PathBuf> {
    if let Some(home) = env::var_os("CRITERION_HOME") {
        return Ok(home.into());
    }
    if let Some(target) = env::var_os("CARGO_TARGET_DIR") {
        return Ok(Path::new(&target).join("criterion"));
    }
    let Some(cargo) = env::var_os("CARGO") else {
        return Ok(Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/criterion"));
    };
    let output =
        Command::new(cargo).args(["metadata", "--no-deps", "--format-version", "1"]).output()?;
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    match metadata["target_directory"].as_str() {
        Some(target) => Ok(Path::new(target).join("criterion")),
        None => Err(io::Error::other("`cargo metadata` names no target folder")),
    }
}

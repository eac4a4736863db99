//! Reads what was recorded of the tools of others, by `benches/tools`.

use perf_proved::measuring::benchmarking::experiment::tools::{Decision, Profile, Run, Tools};
use perf_proved::sys::trying;
use serde_json::Value as Json;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// Lists a folder.
pub fn sorted(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = trying(folder.display(), fs::read_dir(folder))?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

/// Reads the decisions and the runs of all machines.
pub fn read(folder: &Path) -> io::Result<Tools> {
    let mut all = Tools::default();
    for machine in sorted(folder)? {
        let rows = |name: &str| -> io::Result<Vec<Json>> {
            let path = machine.join(name);
            if !path.exists() {
                return Ok(vec![]);
            }
            let mut json: Json = serde_json::from_slice(&fs::read(path)?)?;
            Ok(json["rows"].as_array_mut().map(std::mem::take).unwrap_or_default())
        };
        all.decisions.extend(rows("decisions.json")?.iter().filter_map(decision));
        all.runs.extend(rows("layout.json")?.iter().filter_map(run));
        all.profiles.extend(rows("profile.json")?.iter().filter_map(profile));
    }
    Ok(all)
}

fn decision(row: &Json) -> Option<Decision> {
    Some(Decision {
        tool: row["tool"].as_str()?.to_owned(),
        more: row["more"].as_bool()?,
        percent: row["percent"].as_f64()?,
        differs: row["differs"].as_bool()?,
        by_default: row["by_default"].as_bool()?,
        milliseconds: row["ms"].as_f64()?,
    })
}

fn profile(row: &Json) -> Option<Profile> {
    Some(Profile {
        hertz: row["hertz"].as_f64()?,
        milliseconds: row["milliseconds"].as_f64()?,
        samples: row["samples"].as_f64()?,
        functions: row["functions"].as_u64()?,
        without_inlined: row["without_inlined"].as_u64()?,
        unmasking: row["unmasking"].as_f64()?,
    })
}

fn run(row: &Json) -> Option<Run> {
    let least = row["picoseconds"].as_object()?.iter();
    let least = least.map(|(name, time)| Some((name.clone(), time.as_f64()?)));
    Some(Run {
        changes: row["changes"].as_str()?.to_owned(),
        number: row["number"].as_u64()?,
        least: least.collect::<Option<_>>()?,
    })
}

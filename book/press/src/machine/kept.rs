//! The numbers that examples keep when a reader runs them, each in a file of its own.

use super::files::json_files;
use super::recording::Counts;
use crate::date;
use crate::model::Error;
use crate::project::Project;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Returns the kept numbers by example. They are as old as their files, and name no commit.
///
/// # Errors
///
/// If a file cannot be read or is damaged.
pub fn load(project: &Project) -> Result<BTreeMap<String, Counts>, Error> {
    let counts = |path: PathBuf| {
        let example = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let counts = read(&path).map_err(|what| {
            Error::Failed(format!("{}: {what}; run the example again", path.display()))
        })?;
        Ok((example, counts))
    };
    json_files(&project.ran())?.into_iter().map(counts).collect()
}

fn read(path: &Path) -> Result<Counts, String> {
    let written = fs::metadata(path).and_then(|about| about.modified());
    let text = fs::read_to_string(path).map_err(|e| e.to_string())?;
    let values = serde_json::from_str(&text).map_err(|e| format!("no object of numbers: {e}"))?;
    Ok(Counts { date: date::rfc3339(written.map_err(|e| e.to_string())?), commit: None, values })
}

/// Removes what an example has kept, because it no longer runs or has run in another way since.
pub fn forget(project: &Project, example: &str) {
    _ = fs::remove_file(place(project, example));
}

fn place(project: &Project, example: &str) -> PathBuf {
    project.ran().join(format!("{example}.json"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::write;
    use tempfile::TempDir;

    #[test]
    fn numbers_are_kept_until_they_are_forgotten() {
        let folder = TempDir::new().unwrap();
        let project = Project::at(folder.path());
        assert_eq!(load(&project).unwrap(), BTreeMap::new());
        let path = place(&project, "mmap");
        let path = path.strip_prefix(folder.path()).unwrap().to_string_lossy().into_owned();
        write(folder.path(), &path, "{\"map.calls\": 3}");
        let kept = load(&project).unwrap();
        assert_eq!(kept["mmap"].values["map.calls"], 3);
        assert!(kept["mmap"].date.ends_with('Z') && kept["mmap"].commit.is_none());
        forget(&project, "mmap");
        assert_eq!(load(&project).unwrap(), BTreeMap::new());
        write(folder.path(), &path, "{\"map.calls\": 3");
        let error = load(&project).unwrap_err().to_string();
        assert!(error.contains("mmap.json: no object of numbers: "), "{error}");
        assert!(error.ends_with("; run the example again"), "{error}");
    }
}

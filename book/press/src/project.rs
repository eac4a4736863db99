//! The paths that the press reads and writes.

use crate::ids;
use crate::model::Error;
use std::env;
use std::path::{Path, PathBuf};

/// The folder that holds `book/book.toml`, the folders below it, and the folder that cargo builds
/// into.
#[derive(Clone, Debug)]
pub struct Project {
    root: PathBuf,
    target: PathBuf,
    criterion: PathBuf,
}

impl Project {
    /// The project that this process was started for: the nearest folder with a `book/book.toml`,
    /// upwards from the crate that cargo runs, otherwise from the current folder.
    /// `CARGO_TARGET_DIR` and `CRITERION_HOME` are heeded.
    pub fn find() -> Result<Project, Error> {
        let current = env::current_dir()
            .map_err(|e| Error::Failed(format!("cannot tell the current folder: {e}")))?;
        let starts = [env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from), Some(current.clone())];
        let root = starts
            .iter()
            .flatten()
            .flat_map(|start| start.ancestors())
            .find(|folder| folder.join("book").join("book.toml").is_file())
            .ok_or_else(|| {
                Error::Failed(format!("no book/book.toml in {} or above it", current.display()))
            })?;
        let mut project = Project::at(root);
        if let Some(target) = env::var_os("CARGO_TARGET_DIR") {
            project.target = current.join(target);
            project.criterion = project.target.join("criterion");
        }
        if let Some(home) = env::var_os("CRITERION_HOME") {
            project.criterion = current.join(home);
        }
        Ok(project)
    }

    /// Returns the project at `root`, with `target/` in it whatever the environment says.
    pub fn at(root: impl Into<PathBuf>) -> Project {
        let root = root.into();
        let target = root.join("target");
        let criterion = target.join("criterion");
        Project { root, target, criterion }
    }

    /// Returns the folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Returns `book/`.
    pub fn book(&self) -> PathBuf {
        self.root.join("book")
    }

    /// Returns `book/src/`, where the pages are.
    pub fn pages(&self) -> PathBuf {
        self.book().join("src")
    }

    /// Returns `book/machines/`.
    pub fn machines(&self) -> PathBuf {
        self.book().join("machines")
    }

    /// Returns `book/machines/NAME/`.
    pub fn machine(&self, name: &str) -> PathBuf {
        self.machines().join(name)
    }

    /// Returns cargo's target folder.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// Returns the folder that criterion writes to under `cargo bench`.
    pub fn criterion(&self) -> &Path {
        &self.criterion
    }

    /// Returns the press's own folder: `target/proved/`.
    pub fn scratch(&self) -> PathBuf {
        self.target.join("proved")
    }

    /// Returns the file with the results of the last whole `check`.
    pub fn checked(&self) -> PathBuf {
        self.scratch().join("check.json")
    }

    /// Returns the names of `benches/*.rs`, sorted.
    pub fn benches(&self) -> Vec<String> {
        sources(&self.root.join("benches"))
    }

    /// Returns the names of `examples/*.rs`, sorted.
    pub fn examples(&self) -> Vec<String> {
        sources(&self.root.join("examples"))
    }

    /// The bench that a group or a full id belongs to: the one named like the group, or like its
    /// start up to an underscore (`sendfile_cpu` belongs to `sendfile`).
    pub fn bench_of(&self, id: &str) -> Option<String> {
        let benches = self.benches();
        ids::owner(id, benches.iter().map(String::as_str)).map(str::to_string)
    }
}

fn sources(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut names: Vec<String> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|e| e == "rs") && path.is_file())
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_string()))
        .collect();
    names.sort();
    names
}

//! The paths that the press reads and writes.

use crate::model::Error;
use crate::pack::Pack;
use serde_json::Value;
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder that holds `book/book.toml`, the folders below it, and the folder that cargo builds
/// into.
#[derive(Clone, Debug)]
pub struct Project {
    root: PathBuf,
    target: PathBuf,
    criterion: PathBuf,
    packed: Option<Pack>,
}

impl Project {
    /// Finds the project that this process was started for: the nearest folder with a
    /// `book/book.toml`, upwards from the crate that cargo runs, otherwise from the current folder.
    /// cargo's target folder and criterion's output folder are those that the environment and
    /// cargo's configuration name.
    ///
    /// # Errors
    ///
    /// If there is no such folder, or cargo cannot say where it builds.
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
        project.packed = Pack::load(root)?;
        if root.join("Cargo.toml").is_file() {
            project.target = target_directory(root)?;
        }
        project.criterion = criterion_output(root, &project.target);
        Ok(project)
    }

    /// Creates the project at `root` with the target folder `root/target`, whatever the environment
    /// says.
    pub fn at(root: impl Into<PathBuf>) -> Project {
        let root = root.into();
        let target = root.join("target");
        let criterion = target.join("criterion");
        Project { root, target, criterion, packed: None }
    }

    /// Returns the project's folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Returns how the programs were built, if this is an unpacked archive of `cargo book pack`.
    pub fn packed(&self) -> Option<&Pack> {
        self.packed.as_ref()
    }

    /// Returns `book/`.
    pub fn book(&self) -> PathBuf {
        self.root.join("book")
    }

    /// Returns `book/src/`, the folder of the pages.
    pub fn pages(&self) -> PathBuf {
        self.book().join("src")
    }

    /// Returns `book/machines/`.
    pub fn machines(&self) -> PathBuf {
        self.book().join("machines")
    }

    /// Returns the name of the machine whose numbers the prose quotes, as `book.toml` has it:
    ///
    /// ```toml
    /// [preprocessor.press]
    /// reference = "NAME"
    /// ```
    ///
    /// Without it, or without a recording of that machine, it is the first by name.
    pub fn reference(&self) -> Option<String> {
        let text = std::fs::read_to_string(self.book().join("book.toml")).ok()?;
        let config: toml::Table = text.parse().ok()?;
        let reference = config.get("preprocessor")?.get("press")?.get("reference")?;
        reference.as_str().map(str::to_string)
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

    /// Returns the file with the results of `check`.
    pub fn checked(&self) -> PathBuf {
        self.scratch().join("check.json")
    }

    /// Returns the folder in which examples keep their numbers: a flat JSON object for each.
    pub fn ran(&self) -> PathBuf {
        self.scratch().join("examples")
    }

    /// Returns the names of `benches/*.rs`, sorted.
    pub fn benches(&self) -> Vec<String> {
        sources(&self.root.join("benches"))
    }

    /// Returns the names of `examples/*.rs`, sorted.
    pub fn examples(&self) -> Vec<String> {
        sources(&self.root.join("examples"))
    }
}

/// Asks cargo for its target folder, which environment variables and configuration files may move.
fn target_directory(root: &Path) -> Result<PathBuf, Error> {
    let failed = |what: String| {
        Error::Failed(format!("cannot ask cargo for the target folder (`cargo metadata`): {what}"))
    };
    let output = Command::new(env::var_os("CARGO").unwrap_or("cargo".into()))
        .args(["metadata", "--no-deps", "--format-version", "1", "--manifest-path"])
        .arg(root.join("Cargo.toml"))
        .output()
        .map_err(|e| failed(e.to_string()))?;
    if !output.status.success() {
        return Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_string()));
    }
    let metadata: Value =
        serde_json::from_slice(&output.stdout).map_err(|e| failed(e.to_string()))?;
    let target = metadata["target_directory"].as_str();
    target.map(PathBuf::from).ok_or_else(|| failed("it names none".to_string()))
}

/// Returns criterion's output folder as criterion itself determines it. Benches run in their
/// package's folder, and criterion takes a relative path from there.
fn criterion_output(root: &Path, target: &Path) -> PathBuf {
    let package = root.join("benches");
    if let Some(home) = env::var_os("CRITERION_HOME") {
        return package.join(home);
    }
    let moved = env::var_os("CARGO_TARGET_DIR").or_else(|| env::var_os("CARGO_BUILD_TARGET_DIR"));
    moved.map_or(target.to_path_buf(), |target| package.join(target)).join("criterion")
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

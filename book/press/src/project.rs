//! Where things are: the paths that the press reads and writes, all below the project's root.

use crate::model::Error;
use std::path::{Path, PathBuf};

/// The folder that holds `book/book.toml`, and what lies below it.
#[derive(Clone, Debug)]
pub struct Project {
    root: PathBuf,
}

impl Project {
    /// The project that this process was started for: the workspace that cargo runs it from, otherwise the nearest
    /// folder above the current one that holds `book/book.toml`.
    pub fn find() -> Result<Project, Error> {
        todo!()
    }

    /// The project at `root`.
    pub fn at(root: impl Into<PathBuf>) -> Project {
        Project { root: root.into() }
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// `book/`.
    pub fn book(&self) -> PathBuf {
        self.root.join("book")
    }

    /// `book/src/`, where the pages are.
    pub fn pages(&self) -> PathBuf {
        self.book().join("src")
    }

    /// `book/machines/`.
    pub fn machines(&self) -> PathBuf {
        self.book().join("machines")
    }

    /// `book/machines/NAME.json`.
    pub fn machine(&self, name: &str) -> PathBuf {
        self.machines().join(format!("{name}.json"))
    }

    /// `target/`, or where cargo was told to put it.
    pub fn target(&self) -> PathBuf {
        todo!()
    }

    /// Where criterion writes: `$CRITERION_HOME`, otherwise `target/criterion`.
    pub fn criterion(&self) -> PathBuf {
        todo!()
    }

    /// What `check` found last: `target/proved/counts.json`.
    pub fn proved(&self) -> PathBuf {
        self.target().join("proved").join("counts.json")
    }

    /// The names of `benches/*.rs`, sorted.
    pub fn benches(&self) -> Vec<String> {
        todo!()
    }

    /// The names of `examples/*.rs`, sorted.
    pub fn examples(&self) -> Vec<String> {
        todo!()
    }
}

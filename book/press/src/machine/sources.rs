//! The code that a bench measures, as one number: whether it has changed since a recording.
//!
//! The code is `benches/NAME.rs`, the folder beside it, and the technique `src/PART/NAME`. A
//! recording keeps its hash. Older ones do not, so the code of their commit is read from git.

mod git;

use crate::project::Project;
use git::Git;
use sha2::{Digest, Sha256};
use std::fs;
use std::path::{Path, PathBuf};

/// The code that a recording measured, compared with the code now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sources {
    /// It is the same, but for comments and white space.
    Same,
    /// It has changed: another recording might find something else.
    Changed,
    /// The recording has no hash, and its commit is not in this repository.
    NotKnown,
}

/// Returns the hash of the code that a bench measures, or `None` if there is no such bench.
pub fn hash(project: &Project, bench: &str) -> Option<String> {
    measured(project, bench).map(digest)
}

/// Returns the text of all files that a bench measures, one after the other; it is empty if there
/// is no such bench.
pub fn text(project: &Project, bench: &str) -> String {
    let files = measured(project, bench).unwrap_or_default();
    files.into_iter().map(|(_, text)| text).collect()
}

/// Returns the names and texts of the files that a bench measures.
fn measured(project: &Project, bench: &str) -> Option<Vec<(String, String)>> {
    let mut files = Vec::new();
    collect(&project.root().join("benches").join(format!("{bench}.rs")), &mut files);
    if files.is_empty() {
        return None;
    }
    collect(&project.root().join("benches").join(bench), &mut files);
    for part in folders(&project.root().join("src")) {
        collect(&part.join(format!("{bench}.rs")), &mut files);
        collect(&part.join(bench), &mut files);
    }
    Some(files)
}

/// Answers for many recordings with one process of git.
pub struct History {
    git: Option<Git>,
}

impl History {
    /// Starts git in the project's folder, if that is a repository of its own.
    pub fn of(project: &Project) -> History {
        History { git: Git::start(project.root()) }
    }

    /// Returns `true` if there is a repository to look into.
    pub fn is_there(&self) -> bool {
        self.git.is_some()
    }

    /// Returns `true` if only the latest commits are here.
    pub fn is_shallow(&self) -> bool {
        self.git.as_ref().is_some_and(Git::is_shallow)
    }

    /// Returns the time of a commit's author in seconds since 1970, or `None` if there is no such
    /// commit.
    pub fn authored(&mut self, commit: &str) -> Option<i64> {
        let text = self.git.as_mut()?.commit(commit)?;
        let line = text.lines().find_map(|line| line.strip_prefix("author "))?;
        line.rsplit(' ').nth(1)?.parse().ok()
    }

    /// Returns the hash of the code that a bench measured in `commit`.
    pub fn hash(&mut self, commit: &str, bench: &str) -> Option<String> {
        let git = self.git.as_mut()?;
        let file = format!("{bench}.rs");
        let main = git.blob(&format!("{commit}:benches/{file}"))?;
        let mut files = vec![(file.clone(), main)];
        git.collect(&format!("{commit}:benches/{bench}"), &mut files);
        for part in git.folders(&format!("{commit}:src")) {
            let path = format!("{commit}:src/{part}");
            if let Some(text) = git.blob(&format!("{path}/{file}")) {
                files.push((file.clone(), text));
            }
            git.collect(&format!("{path}/{bench}"), &mut files);
        }
        Some(digest(files))
    }

    /// Compares the code that a recording measured with the code now: by the `recorded` hash, or
    /// by the code of its commit.
    pub fn compare(
        &mut self,
        project: &Project,
        bench: &str,
        recorded: Option<&str>,
        commit: Option<&str>,
    ) -> Sources {
        let then = match recorded {
            Some(hash) => Some(hash.to_owned()),
            None => commit.and_then(|commit| self.hash(commit, bench)),
        };
        match (then, hash(project, bench)) {
            (None, _) => Sources::NotKnown,
            (Some(then), Some(now)) if then == now => Sources::Same,
            _ => Sources::Changed,
        }
    }
}

/// Adds a file, or all Rust files below a folder, by their names.
fn collect(path: &Path, files: &mut Vec<(String, String)>) {
    if path.is_dir() {
        let Ok(entries) = fs::read_dir(path) else { return };
        entries.flatten().for_each(|entry| collect(&entry.path(), files));
    } else if path.extension().is_some_and(|ending| ending == "rs")
        && let (Some(name), Ok(text)) = (path.file_name(), fs::read_to_string(path))
    {
        files.push((name.to_string_lossy().into_owned(), text));
    }
}

/// Returns the folders in a folder.
fn folders(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
}

/// Hashes files without their comments and white space, which change nothing that is measured.
fn digest(files: Vec<(String, String)>) -> String {
    let mut files: Vec<(String, String)> =
        files.into_iter().map(|(name, text)| (name, code(&text))).collect();
    files.sort();
    let mut hasher = Sha256::new();
    for (name, code) in files {
        // Zeros keep the end of a name apart from the code that follows.
        hasher.update([name.as_bytes(), &[0], code.as_bytes(), &[0]].concat());
    }
    hasher.finalize()[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns the code of a file without lines that hold only a comment, and without white space.
fn code(text: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with("//"));
    lines.flat_map(str::split_whitespace).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{git, write};

    #[test]
    fn the_code_of_a_commit_is_compared_with_the_code_now() {
        let folder = tempfile::TempDir::new().unwrap();
        let (root, project) = (folder.path(), Project::at(folder.path()));
        write(root, "benches/copy.rs", "fn main() {}\n");
        write(root, "benches/copy/more.rs", "fn more() {}\n");
        write(root, "src/part/copy/mod.rs", "//! A copy.\nfn copy() {}\n");
        write(root, "src/part/other.rs", "fn other() {}\n");
        assert!(!History::of(&project).is_there(), "no repository yet");
        git(root, "init --quiet");
        assert!(!History::of(&project).is_there(), "nothing in it yet");
        git(root, "add .");
        git(root, "commit --quiet -m Start");
        let commit = git(root, "rev-parse HEAD");
        let sources = |recorded: Option<&str>, commit: &str| {
            History::of(&project).compare(&project, "copy", recorded, Some(commit))
        };
        let then = hash(&project, "copy").unwrap();
        assert_eq!(History::of(&project).hash(&commit, "copy").as_ref(), Some(&then));
        assert!(History::of(&project).authored(&commit).unwrap() > 1_700_000_000);
        assert_eq!(sources(None, &commit), Sources::Same);
        write(root, "src/part/other.rs", "fn changed() {}\n");
        write(root, "src/part/copy/mod.rs", "//! Copies.\n\nfn  copy() {}\n");
        assert_eq!(sources(None, &commit), Sources::Same, "a comment, and another technique");
        for file in ["benches/copy.rs", "benches/copy/more.rs", "src/part/copy/mod.rs"] {
            let text = fs::read_to_string(root.join(file)).unwrap();
            write(root, file, &text.replace("{}", "{ loop {} }"));
            assert_eq!(sources(None, &commit), Sources::Changed, "{file}");
            assert_eq!(sources(Some(&then), "unknown"), Sources::Changed, "{file}");
            write(root, file, &text);
        }
        assert_eq!(sources(Some(&then), "unknown"), Sources::Same, "no commit is needed");
        assert_eq!(sources(None, &"0".repeat(40)), Sources::NotKnown);
        assert_eq!(sources(None, "no commit"), Sources::NotKnown);
        assert_eq!(hash(&project, "gone"), None);
    }
}

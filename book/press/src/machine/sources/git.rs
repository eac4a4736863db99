//! Reads objects by one long-lived `git cat-file`, because a process for each would take seconds.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// The bytes of an object's id in a tree.
const ID: usize = 20;

/// A process that answers each line on its input by an object.
pub(super) struct Git {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    shallow: bool,
}

impl Git {
    /// Starts it in the repository whose top is `root`; `None` if there is none, no commit in it,
    /// or no git.
    pub fn start(root: &Path) -> Option<Git> {
        let said = Command::new("git")
            .arg("-C")
            .arg(root)
            .args(["rev-parse", "--is-shallow-repository", "--show-prefix"])
            .stderr(Stdio::null())
            .output()
            .ok()?;
        let text = String::from_utf8(said.stdout).ok()?;
        let mut lines = text.lines();
        let shallow = lines.next()? == "true";
        // Below another repository's top, the paths would not be ours.
        if !said.status.success() || lines.next().is_some_and(|prefix| !prefix.is_empty()) {
            return None;
        }
        let head = Command::new("git")
            .arg("-C")
            .arg(root)
            .args(["rev-parse", "--quiet", "--verify", "HEAD"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        if !head.is_ok_and(|status| status.success()) {
            return None;
        }
        let mut child = Command::new("git")
            .arg("-C")
            .arg(root)
            .args(["cat-file", "--batch"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let (to, from) = (child.stdin.take()?, BufReader::new(child.stdout.take()?));
        Some(Git { child, to, from, shallow })
    }

    pub fn is_shallow(&self) -> bool {
        self.shallow
    }

    /// Returns the text of a commit by its full id.
    pub fn commit(&mut self, id: &str) -> Option<String> {
        let is_id = id.len() == 2 * ID && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        let (kind, bytes) = if is_id { self.object(id)? } else { return None };
        (kind == "commit").then(|| String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Returns the text of a file, named as `COMMIT:PATH`.
    pub fn blob(&mut self, name: &str) -> Option<String> {
        let (kind, bytes) = self.object(name)?;
        (kind == "blob").then(|| String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Returns the names of the folders in a folder.
    pub fn folders(&mut self, name: &str) -> Vec<String> {
        let entries = self.tree(name).into_iter();
        entries.filter(|(_, is_folder)| *is_folder).map(|(name, _)| name).collect()
    }

    /// Adds all Rust files below a folder, by their names.
    pub fn collect(&mut self, folder: &str, files: &mut Vec<(String, String)>) {
        for (name, is_folder) in self.tree(folder) {
            let path = format!("{folder}/{name}");
            if is_folder {
                self.collect(&path, files);
            } else if name.ends_with(".rs")
                && let Some(text) = self.blob(&path)
            {
                files.push((name, text));
            }
        }
    }

    /// Returns the entries of a folder, and whether each is a folder.
    fn tree(&mut self, name: &str) -> Vec<(String, bool)> {
        let Some((_, bytes)) = self.object(name).filter(|(kind, _)| kind == "tree") else {
            return Vec::new();
        };
        // Each entry is `MODE NAME`, a zero, and an id.
        let (mut entries, mut rest) = (Vec::new(), &bytes[..]);
        while let Some(end) = rest.iter().position(|byte| *byte == 0) {
            let head = String::from_utf8_lossy(&rest[..end]);
            if let Some((mode, name)) = head.split_once(' ') {
                entries.push((name.to_owned(), mode == "40000"));
            }
            rest = rest.get(end + 1 + ID..).unwrap_or_default();
        }
        entries
    }

    /// Returns the type and the content of an object.
    fn object(&mut self, name: &str) -> Option<(String, Vec<u8>)> {
        // A line is one question.
        if name.contains(['\n', '\r']) {
            return None;
        }
        writeln!(self.to, "{name}").and_then(|()| self.to.flush()).ok()?;
        let mut head = String::new();
        self.from.read_line(&mut head).ok()?;
        let mut words = head.trim_end().rsplit(' ');
        // `ID TYPE SIZE`, or `NAME missing`.
        let size: usize = words.next()?.parse().ok()?;
        let kind = words.next()?.to_owned();
        let mut bytes = vec![0; size + 1];
        self.from.read_exact(&mut bytes).ok()?;
        bytes.pop();
        Some((kind, bytes))
    }
}

impl Drop for Git {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

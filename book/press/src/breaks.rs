//! Breaks: small edits that make a claim, a model or a test fail, which shows that it can.
//!
//! Each technique has a table of them in `.ci/breaks/TECHNIQUE.toml`:
//!
//! ```toml
//! [[break]]
//! claims = ["sendfile-calls"]     # what must notice: claims that fail,
//! model = "ring_buffer::spsc"     # a loom model,
//! test = "sendfile::a_short_file" # a test, as TARGET::PATH,
//! sanitizer = "ring_buffer::many" # a test in which ThreadSanitizer reports a data race, or
//! command = "book build"          # a cargo command
//! says = 'FAILS: .* loses'        # a regex that the output must contain
//! file = "src/zero_copy/sendfile/senders.rs"
//! anchor = "send"                 # look only between `ANCHOR: send` and `ANCHOR_END: send`
//! from = 'the exact text'         # found once in the file, or in that piece
//! to = 'what stands there instead'
//! round = 1                       # breaks of this technique that are applied together
//! exercise = 1                    # the solution of this exercise of the chapter
//!
//! [[break.also]]                  # more edits of the same break: file, anchor, from, to
//! ```
//!
//! A break names at least one of `claims`, `model`, `test`, `sanitizer` and `command`, and all that
//! it names must notice. A claim notices by the verdict "fails", and an observation by "not seen"
//! too. Where an example stops at a broken promise, its claims have no verdict: then `says` tells
//! what the output must contain instead.
//!
//! `.ci/break` tries them in rounds: each round applies one break of each technique to a copy of
//! the checkout, builds it once, and judges every break by what it names. Breaks of one technique
//! share a round only where their `round` says that they cannot mask each other.
//!
//! Below an exercise, the book prints the edit of its break as the solution.

use serde::Deserialize;
use similar::TextDiff;
use std::collections::BTreeMap;
use std::path::Path;
use std::{fs, iter};
use toml::Spanned;

/// The folder of the tables, from the project's root.
pub const FOLDER: &str = ".ci/breaks";

/// The number of lines that a diff shows before and after a change.
const CONTEXT: usize = 2;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    #[serde(rename = "break")]
    breaks: Vec<Spanned<Break>>,
}

/// One break of a table.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Break {
    /// The technique in whose table it stands.
    #[serde(skip)]
    pub technique: String,
    /// The line of the table on which it begins, counted from 1.
    #[serde(skip)]
    pub line: usize,
    /// The ids of the claims that must fail.
    #[serde(default)]
    pub claims: Vec<String>,
    /// The loom model that must fail, `technique::model`.
    pub model: Option<String>,
    /// The test that must fail, `target::path`.
    pub test: Option<String>,
    /// The test in which ThreadSanitizer must report a data race, `target::path`.
    pub sanitizer: Option<String>,
    /// The cargo command that must fail.
    pub command: Option<String>,
    /// A regex that the output must contain.
    pub says: Option<String>,
    /// Breaks of one technique with the same number are applied together.
    pub round: Option<u32>,
    /// The exercise of the technique's chapter whose solution it is.
    pub exercise: Option<u32>,
    file: String,
    anchor: Option<String>,
    from: String,
    to: String,
    #[serde(default)]
    also: Vec<Edit>,
}

/// A replacement of one piece of text in one file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Edit {
    file: String,
    anchor: Option<String>,
    from: String,
    to: String,
}

impl Break {
    /// Returns a name for messages: the technique, and what must notice.
    pub fn name(&self) -> String {
        let others = [&self.model, &self.test, &self.sanitizer, &self.command];
        let others = others.into_iter().flatten();
        let named: Vec<&str> = self.claims.iter().chain(others).map(String::as_str).collect();
        format!("{}: {}", self.technique, named.join(", "))
    }

    /// Returns the paths of the files that it edits.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        self.edits().map(|edit| edit.file).collect::<Vec<_>>().into_iter()
    }

    fn edits(&self) -> impl Iterator<Item = EditRef<'_>> {
        let own = EditRef {
            file: &self.file,
            anchor: self.anchor.as_deref(),
            from: &self.from,
            to: &self.to,
        };
        let also = self.also.iter().map(|edit| EditRef {
            file: &edit.file,
            anchor: edit.anchor.as_deref(),
            from: &edit.from,
            to: &edit.to,
        });
        iter::once(own).chain(also)
    }

    /// Edits `texts`, which holds files by their paths and reads missing ones with `read`.
    ///
    /// # Errors
    ///
    /// A sentence that says why an edit does not apply; `texts` is then as it was.
    pub fn apply(
        &self,
        texts: &mut BTreeMap<String, String>,
        mut read: impl FnMut(&str) -> Result<String, String>,
    ) -> Result<(), String> {
        let mut edited = BTreeMap::new();
        for edit in self.edits() {
            let text = match edited.remove(edit.file).or_else(|| texts.get(edit.file).cloned()) {
                Some(text) => text,
                None => read(edit.file)?,
            };
            edited.insert(edit.file.to_owned(), edit.apply(&text)?);
        }
        texts.extend(edited);
        Ok(())
    }

    /// Returns the files below `root` that it edits, by their paths, as they are after that.
    ///
    /// # Errors
    ///
    /// A sentence that says why an edit does not apply.
    pub fn edited(&self, root: &Path) -> Result<BTreeMap<String, String>, String> {
        let mut texts = BTreeMap::new();
        self.apply(&mut texts, |file| read(root, file))?;
        Ok(texts)
    }

    /// Returns its edits as a patch of the files below `root`, or as the bare lines that it replaces
    /// where a file is no longer as the table says: a reader may have solved the exercise.
    pub fn diff(&self, root: &Path) -> String {
        let Ok(texts) = self.edited(root) else { return self.bare() };
        let patch = texts.iter().map(|(file, text)| {
            let before = read(root, file).unwrap_or_default();
            let [from, to] = ["a", "b"].map(|side| format!("{side}/{file}"));
            let lines = TextDiff::from_lines(&before, text);
            lines.unified_diff().context_radius(CONTEXT).header(&from, &to).to_string()
        });
        patch.collect()
    }

    /// Returns the texts of its edits, line by line, without their places in the files.
    fn bare(&self) -> String {
        let edit = |edit: EditRef<'_>| {
            let heading = format!("--- a/{0}\n+++ b/{0}\n", edit.file);
            let old = edit.from.lines().map(|line| format!("-{line}\n"));
            let new = edit.to.lines().map(|line| format!("+{line}\n"));
            heading + &old.chain(new).collect::<String>()
        };
        self.edits().map(edit).collect()
    }
}

/// The fields of an edit, of the break itself or of one in its `also`.
struct EditRef<'a> {
    file: &'a str,
    anchor: Option<&'a str>,
    from: &'a str,
    to: &'a str,
}

impl EditRef<'_> {
    /// Returns `text` with the edit applied.
    fn apply(&self, text: &str) -> Result<String, String> {
        let piece = match self.anchor {
            None => 0..text.len(),
            Some(anchor) => {
                let start = text.find(&format!("ANCHOR: {anchor}\n"));
                let end = text.find(&format!("ANCHOR_END: {anchor}\n"));
                match (start, end) {
                    (Some(start), Some(end)) if start < end => start..end,
                    _ => return Err(format!("{} has no anchor `{anchor}`", self.file)),
                }
            }
        };
        let places: Vec<usize> =
            text[piece.clone()].match_indices(self.from).map(|(at, _)| piece.start + at).collect();
        match places[..] {
            [at] => Ok([&text[..at], self.to, &text[at + self.from.len()..]].concat()),
            _ => {
                let from = self.from.lines().next().unwrap_or_default();
                let times = places.len();
                Err(format!("{} has `{from}` {times} times instead of once", self.file))
            }
        }
    }
}

/// Reads a file of the project at `root`.
///
/// # Errors
///
/// A sentence that names the file.
pub fn read(root: &Path, file: &str) -> Result<String, String> {
    fs::read_to_string(root.join(file)).map_err(|error| format!("cannot read {file}: {error}"))
}

/// Reads the tables of the project at `root`, of `techniques` alone unless that is empty. A project
/// without the folder has no breaks.
///
/// # Errors
///
/// A sentence that names the table that cannot be read.
pub fn tables(root: &Path, techniques: &[String]) -> Result<Vec<Break>, String> {
    let folder = root.join(FOLDER);
    if techniques.is_empty() && !folder.exists() {
        return Ok(vec![]);
    }
    let failed = |error| format!("cannot list {}: {error}", folder.display());
    let mut paths = vec![];
    for entry in fs::read_dir(&folder).map_err(failed)? {
        paths.push(entry.map_err(failed)?.path());
    }
    paths.sort();
    let mut breaks = vec![];
    let mut read = vec![];
    for path in paths {
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        let Some(technique) = file.strip_suffix(".toml") else {
            return Err(format!("{} is not TECHNIQUE.toml", path.display()));
        };
        if !techniques.is_empty() && !techniques.iter().any(|wanted| wanted == technique) {
            continue;
        }
        read.push(technique.to_owned());
        let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let text = fs::read_to_string(&path).map_err(|error| failed(&error))?;
        let table: Table = toml::from_str(&text).map_err(|error| failed(&error))?;
        breaks.extend(table.breaks.into_iter().map(|found| Break {
            technique: technique.to_owned(),
            line: text[..found.span().start].matches('\n').count() + 1,
            ..found.into_inner()
        }));
    }
    match techniques.iter().find(|technique| !read.contains(technique)) {
        Some(missing) => Err(format!("there is no {FOLDER}/{missing}.toml")),
        None => Ok(breaks),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(rest: &str) -> Break {
        let text = format!("[[break]]\nfile = \"a.rs\"\n{rest}");
        let table: Table = toml::from_str(&text).unwrap();
        table.breaks.into_iter().next().unwrap().into_inner()
    }

    fn apply(text: &str, rest: &str) -> Result<String, String> {
        let mut texts = BTreeMap::new();
        parse(rest).apply(&mut texts, |_| Ok(text.to_owned()))?;
        Ok(texts.remove("a.rs").unwrap())
    }

    #[test]
    fn a_text_found_once_is_replaced() {
        assert_eq!(apply("let a = 1;\n", "from = '1'\nto = '2'"), Ok("let a = 2;\n".to_owned()));
        let twice = apply("1 + 1", "from = '1'\nto = '2'");
        assert_eq!(twice, Err("a.rs has `1` 2 times instead of once".to_owned()));
        let never = apply("1 + 1", "from = '3'\nto = '2'");
        assert_eq!(never, Err("a.rs has `3` 0 times instead of once".to_owned()));
    }

    #[test]
    fn an_anchor_narrows_the_search() {
        let text = "1\n// ANCHOR: b\n1\n// ANCHOR_END: b\n1\n";
        let rest = "from = '1'\nto = '2'\nanchor = 'b'";
        let expected = "1\n// ANCHOR: b\n2\n// ANCHOR_END: b\n1\n";
        assert_eq!(apply(text, rest), Ok(expected.to_owned()));
        let missing = apply(text, "from = '1'\nto = '2'\nanchor = 'c'");
        assert_eq!(missing, Err("a.rs has no anchor `c`".to_owned()));
    }

    #[test]
    fn several_edits_apply_together_or_not_at_all() {
        let more = |from: &str| {
            format!(
                "from = '1'\nto = '2'\n[[break.also]]\nfile = 'a.rs'\nfrom = '{from}'\nto = '3'"
            )
        };
        assert_eq!(apply("1 b", &more("b")), Ok("2 3".to_owned()));
        let mut texts = BTreeMap::from([("a.rs".to_owned(), "1 b".to_owned())]);
        assert!(parse(&more("c")).apply(&mut texts, |file| read(Path::new("/"), file)).is_err());
        assert_eq!(texts["a.rs"], "1 b");
    }

    #[test]
    fn an_unknown_key_is_refused() {
        let text = "[[break]]\nfile = 'a'\nfrom = 'a'\nto = 'b'\nclaim = 'c'\n";
        assert!(toml::from_str::<Table>(text).is_err());
    }

    #[test]
    fn a_diff_is_a_patch_or_the_bare_lines_of_a_file_that_is_already_edited() {
        let folder = tempfile::tempdir().unwrap();
        let write = |text: &str| fs::write(folder.path().join("a.rs"), text).unwrap();
        let one =
            parse("from = '5'\nto = 'five'\n[[break.also]]\nfile = 'a.rs'\nfrom = '1'\nto = ''");
        write("1\n2\n3\n4\n5 // to\n6\n7\n8\n");
        let patch = "--- a/a.rs\n+++ b/a.rs\n@@ -1,7 +1,7 @@\n-1\n+\n 2\n 3\n 4\n-5 // to\n\
                     +five // to\n 6\n 7\n";
        assert_eq!(one.diff(folder.path()), patch);
        write("1\n2\nfive\n");
        let bare = "--- a/a.rs\n+++ b/a.rs\n-5\n+five\n--- a/a.rs\n+++ b/a.rs\n-1\n";
        assert_eq!(one.diff(folder.path()), bare);
    }

    #[test]
    fn a_break_knows_its_table_and_its_line() {
        let folder = tempfile::tempdir().unwrap();
        assert!(tables(folder.path(), &[]).unwrap().is_empty(), "without the folder");
        fs::create_dir_all(folder.path().join(FOLDER)).unwrap();
        let one = "[[break]]\nmodel = 'a::b'\nfile = 'a'\nfrom = 'a'\nto = 'b'\n";
        fs::write(folder.path().join(FOLDER).join("copy.toml"), [one, "\n", one].concat()).unwrap();
        let breaks = tables(folder.path(), &[]).unwrap();
        let places: Vec<_> = breaks.iter().map(|one| (&*one.technique, one.line)).collect();
        assert_eq!(places, [("copy", 1), ("copy", 7)]);
        let missing = tables(folder.path(), &["other".to_owned()]).unwrap_err();
        assert_eq!(missing, "there is no .ci/breaks/other.toml");
    }
}

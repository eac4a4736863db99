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
//!
//! [[break.also]]                  # more edits of the same break: file, anchor, from, to
//! ```
//!
//! A break names at least one of `claims`, `model`, `test`, `sanitizer` and `command`, and all that
//! it names must notice. A claim notices by the verdict "fails", and an observation by "not seen"
//! too. Where an example stops at a broken
//! promise, its claims have no verdict: then `says` tells what the output must contain instead.
//!
//! `.ci/break` tries them in rounds: each round applies one break of each technique to a copy of
//! the checkout, builds it once, and judges every break by what it names. Breaks of one technique
//! share a round only where their `round` says that they cannot mask each other.

mod checkout;
mod rounds;
pub mod trial;

use crate::house;
use press::chapter;
use press::model::{Claim, Proof};
use press::project::Project;
use regex::Regex;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::{fs, iter};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    #[serde(rename = "break")]
    breaks: Vec<Break>,
}

/// One break of a table.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Break {
    /// The technique whose table it stands in.
    #[serde(skip)]
    pub technique: String,
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

/// Everything that the breaks are judged by: the book's claims by id.
pub type Claims = BTreeMap<String, Proof>;

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

    /// Lists what is wrong with the table's entry itself, given the book's claims.
    fn problems(&self, root: &Path, claims: &Claims) -> Vec<String> {
        let mut found = vec![];
        for claim in self.claims.iter().filter(|claim| !claims.contains_key(*claim)) {
            found.push(format!("no chapter makes a claim `{claim}`"));
        }
        for claim in &self.claims {
            if let Some(Proof::Clocked(_)) = claims.get(claim) {
                found.push(format!("`{claim}` rests on a clock, which no break can set"));
            }
        }
        let others = [&self.model, &self.test, &self.sanitizer, &self.command];
        if self.claims.is_empty() && others.iter().all(|other| other.is_none()) {
            found.push("it names nothing that must notice".to_owned());
        }
        let tests = [(&self.model, true), (&self.test, false), (&self.sanitizer, false)];
        for (name, is_model) in
            tests.into_iter().filter_map(|(name, is)| Some((name.as_ref()?, is)))
        {
            let Some((target, path)) = name.split_once("::") else {
                found.push(format!("`{name}` is not TARGET::PATH"));
                continue;
            };
            let function = path.rsplit("::").next().unwrap_or(path);
            let (file, text) = match is_model {
                true => {
                    let file = format!("tests/loom/{target}.rs");
                    (file.clone(), fs::read_to_string(root.join(file)).unwrap_or_default())
                }
                false => (format!("tests/{target}.rs"), house::test_source(root, target)),
            };
            if !text.contains(&format!("fn {function}(")) {
                found.push(format!("{file} has no test `{function}`"));
            }
        }
        if let Some(Err(error)) = self.says.as_ref().map(|says| Regex::new(says)) {
            found.push(format!("`says` is no regex: {error}"));
        }
        if let Err(why) = self.apply(&mut BTreeMap::new(), |file| read(root, file)) {
            found.push(why);
        }
        found
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

fn read(root: &Path, file: &str) -> Result<String, String> {
    fs::read_to_string(root.join(file)).map_err(|error| format!("cannot read {file}: {error}"))
}

/// Reads the tables of the project at `root`, of `techniques` alone unless that is empty.
///
/// # Errors
///
/// A sentence that names the table that cannot be read.
pub fn tables(root: &Path, techniques: &[String]) -> Result<Vec<Break>, String> {
    let folder = root.join(".ci/breaks");
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
        breaks.extend(
            table
                .breaks
                .into_iter()
                .map(|found| Break { technique: technique.to_owned(), ..found }),
        );
    }
    match techniques.iter().find(|technique| !read.contains(technique)) {
        Some(missing) => Err(format!("there is no .ci/breaks/{missing}.toml")),
        None => Ok(breaks),
    }
}

/// Reads the claims of the book in the project at `root`.
///
/// # Errors
///
/// What the press says of a page that it cannot read.
pub fn claims(root: &Path) -> Result<Claims, String> {
    let pages = chapter::pages(&Project::at(root)).map_err(|error| error.to_string())?;
    let claims = pages.iter().flat_map(|page| page.claims());
    Ok(claims.map(|Claim { id, proof, .. }| (id.clone(), proof.clone())).collect())
}

/// Lists what is wrong with the tables of the project at `root`, one sentence each: breaks that no
/// longer apply, claims and tests that do not exist, and claims that have no break.
pub fn problems(root: &Path) -> Vec<String> {
    let (breaks, claims) = match (tables(root, &[]), claims(root)) {
        (Ok(breaks), Ok(claims)) => (breaks, claims),
        (Err(error), _) | (_, Err(error)) => return vec![error],
    };
    let mut found = vec![];
    for one in &breaks {
        let about =
            |why: String| format!(".ci/breaks/{}.toml: {why} ({})", one.technique, one.name());
        found.extend(one.problems(root, &claims).into_iter().map(about));
    }
    found.extend(shared(&breaks));
    for (id, proof) in &claims {
        let is_broken = breaks.iter().any(|one| one.claims.contains(id));
        if !matches!(proof, Proof::Clocked(_)) && !is_broken {
            found.push(format!("no break for `{id}`"));
        }
    }
    found
}

/// Lists what two breaks of one round both name: if it fails, either may be the reason.
fn shared(breaks: &[Break]) -> Vec<String> {
    let mut named = BTreeSet::new();
    let mut found = vec![];
    for one in breaks {
        let Some(round) = one.round else { continue };
        let others = [&one.model, &one.test, &one.sanitizer];
        for name in one.claims.iter().chain(others.into_iter().flatten()) {
            if !named.insert((&one.technique, round, name)) {
                found.push(format!(
                    ".ci/breaks/{}.toml: round {round} has two breaks for `{name}`",
                    one.technique
                ));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(rest: &str) -> Break {
        let text = format!("[[break]]\nfile = \"a.rs\"\n{rest}");
        let table: Table = toml::from_str(&text).unwrap();
        table.breaks.into_iter().next().unwrap()
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
    fn two_breaks_of_a_round_may_not_name_the_same() {
        let one = |round: &str| parse(&format!("from = 'a'\nto = 'b'\nmodel = 'a::b'\n{round}"));
        let found = shared(&[one("round = 1"), one("round = 2"), one(""), one("round = 1")]);
        assert_eq!(found, [".ci/breaks/.toml: round 1 has two breaks for `a::b`"]);
    }

    #[test]
    fn an_unknown_key_is_refused() {
        let text = "[[break]]\nfile = 'a'\nfrom = 'a'\nto = 'b'\nclaim = 'c'\n";
        assert!(toml::from_str::<Table>(text).is_err());
    }
}

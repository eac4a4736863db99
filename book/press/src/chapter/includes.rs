//! Checks that the code that chapters include exists. Without it, mdBook logs a warning and prints
//! the bare reference.

use super::anchor::anchored;
use crate::model::{Place, Problem};
use crate::project::Project;
use regex::Regex;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// Matches mdBook's own references to files, and the backslash that escapes one.
static INCLUDE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(\\)?\{\{\s*#(?:include|rustdoc_include)\s+([^}:\s]+)(?::([^}\s]*))?\s*\}\}")
        .expect("a constant")
});

/// Returns a problem for every include in the pages whose file or anchor is missing.
#[must_use]
pub fn problems(project: &Project) -> Vec<Problem> {
    let mut found = Vec::new();
    for page in markdown_below(&project.pages()) {
        let Ok(text) = fs::read_to_string(&page) else {
            continue;
        };
        let shown = page.strip_prefix(project.root()).unwrap_or(&page);
        for (i, line) in text.lines().enumerate() {
            for message in missing(line, &page) {
                let place = Place { page: shown.to_owned(), line: i + 1 };
                found.push(Problem { place, message });
            }
        }
    }
    found
}

/// Returns the files that a piece of a page includes, each once, as it names them.
pub(super) fn included(text: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for captures in INCLUDE.captures_iter(text).filter(|captures| captures.get(1).is_none()) {
        let file = PathBuf::from(&captures[2]);
        if !files.contains(&file) {
            files.push(file);
        }
    }
    files
}

/// Describes the faults of the includes on one line of `page`.
fn missing(line: &str, page: &Path) -> Vec<String> {
    let mut messages = Vec::new();
    // Most lines have none, and an unoptimized regex takes its time to see that.
    if !line.contains("{{") {
        return messages;
    }
    for captures in INCLUDE.captures_iter(line) {
        if captures.get(1).is_some() {
            continue;
        }
        let name = &captures[2];
        let file = page.parent().unwrap_or(page).join(name);
        let Ok(source) = fs::read_to_string(&file) else {
            messages.push(format!("includes {name}, which cannot be read"));
            continue;
        };
        let Some(anchor) = captures.get(3).map(|m| m.as_str()) else {
            continue;
        };
        let lines = anchor.split(':').all(|part| part.is_empty() || part.parse::<usize>().is_ok());
        if !lines && !has_anchor(&source, anchor) {
            messages
                .push(format!("includes {name}, which has no anchor `{anchor}`, or an empty one"));
        }
    }
    messages
}

/// Returns `true` if the anchor has both marks, and at least one line between them.
fn has_anchor(source: &str, anchor: &str) -> bool {
    anchored(source, anchor).is_some_and(|lines| lines.iter().any(|line| !line.trim().is_empty()))
}

/// Returns every Markdown file below `folder`, sorted.
fn markdown_below(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            all.extend(markdown_below(&path));
        } else if path.extension().is_some_and(|e| e == "md") {
            all.push(path);
        }
    }
    all.sort();
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_file_or_anchor_is_found() {
        let page = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src/chapter/page.md"));
        assert!(missing("{{#include includes.rs}}", page).is_empty());
        assert!(
            missing("{{#include includes.rs:1:3}} {{#rustdoc_include includes.rs:2:}}", page)
                .is_empty()
        );
        assert!(missing(r"\{{#include nothing.rs}}", page).is_empty());
        assert_eq!(missing("{{#include nothing.rs}}", page).len(), 1);
        assert_eq!(
            missing("{{#include includes.rs:no_such}} {{ #include nothing.rs:a }}", page).len(),
            2
        );
    }

    #[test]
    fn an_anchor_needs_a_line() {
        assert!(has_anchor("// ANCHOR: a\nfn f() {}\n// ANCHOR_END: a\n", "a"));
        assert!(!has_anchor("// ANCHOR: a\n\n// ANCHOR_END: a\nfn f() {}", "a"));
        assert!(!has_anchor("// ANCHOR: ab\nfn f() {}\n// ANCHOR_END: ab\n", "a"));
    }
}

//! The width of the lines and the language of the comments of all Rust code.

use super::source::{self, Class};
use std::fs;
use std::path::Path;

const FOLDERS: [&str; 5] = ["benches", "book/press", "examples", "src", "tests"];

const WIDEST: usize = 100;

/// Words for threads and things that are names of people, and clauses in place of a parameter's
/// name.
const WORDS: [&str; 4] = ["so many", "nobody", "somebody", "also when"];

/// A documentation comment opens with a verb in the third person or a noun, never with these.
const OPENINGS: [&str; 5] = ["What ", "How many ", "Where ", "Whether ", "Who "];

/// Lists the lines that are too wide, and the comments that are not plain English, one sentence
/// each.
pub fn problems(root: &Path) -> Vec<String> {
    let mut found = vec![];
    for file in FOLDERS.iter().flat_map(|folder| source::files(root, folder)) {
        let text = fs::read_to_string(root.join(&file)).unwrap_or_default();
        found.extend(of(&text).into_iter().map(|(line, what)| format!("{file}:{line} {what}")));
    }
    found
}

/// Lists what is wrong with a source file, each with the number of its line.
fn of(text: &str) -> Vec<(usize, String)> {
    let mut found = vec![];
    let classes = source::classes(text);
    let mut start = 0;
    // The comment that ends on the line before, because a phrase may be broken across lines.
    let mut before = String::new();
    let mut was_documentation = false;
    for (number, line) in (1..).zip(text.split('\n')) {
        let width = line.chars().count();
        let classes = &classes[start..start + width];
        start += width + 1;
        let at = classes.iter().position(|class| *class == Class::Comment);
        let comment: String = match at {
            Some(at) => line.chars().skip(at).collect(),
            None => String::new(),
        };
        // Strings, addresses, commands and the rows of tables may be as wide as they need.
        let prose = comment.trim_start_matches(['/', '!']);
        let is_whole =
            prose.starts_with("     ") || prose.starts_with(" |") || prose.contains("://");
        if width > WIDEST && !classes.contains(&Class::Text) && !is_whole {
            found.push((number, format!("has {width} columns, more than {WIDEST}")));
        }
        let words = comment.trim_start_matches(['/', '!', '*', ' ']).to_lowercase();
        for pattern in WORDS {
            let joined = format!("{before} {words}");
            let is_new = |at: usize| at + pattern.len() > before.len() + 1 || before.is_empty();
            if whole(&joined, pattern).any(is_new) && !words.is_empty() {
                found.push((number, format!("says \"{pattern}\" in a comment")));
            }
        }
        before = words;
        let is_documentation = ["///", "//!"].iter().any(|mark| comment.starts_with(mark));
        let opening = comment.get(3..).unwrap_or_default().trim_start();
        if is_documentation && !was_documentation {
            for pattern in OPENINGS.iter().filter(|pattern| opening.starts_with(**pattern)) {
                found.push((number, format!("opens a doc comment with \"{}\"", pattern.trim())));
            }
        }
        was_documentation = is_documentation;
    }
    found
}

/// Returns the places of `pattern` in `text` as whole words.
pub(super) fn whole<'a>(text: &'a str, pattern: &'a str) -> impl Iterator<Item = usize> + 'a {
    let is_part = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    text.match_indices(pattern).map(|(at, _)| at).filter(move |&at| {
        !is_part(text[..at].chars().next_back())
            && !is_part(text[at + pattern.len()..].chars().next())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Vec<String> {
        of(text).into_iter().map(|(line, what)| format!("{line} {what}")).collect()
    }

    #[test]
    fn wide_lines_are_found_but_for_strings() {
        let (wide, string) = ("x".repeat(101), format!("\"{}\"", "x".repeat(101)));
        assert_eq!(said(&format!("a\n{wide}\n{string}\n")), ["2 has 101 columns, more than 100"]);
        assert!(said(&"x".repeat(100)).is_empty());
        assert!(said(&format!("//!     strace {wide}\n/// | {wide} |\n")).is_empty());
    }

    #[test]
    fn phrases_are_found_in_comments_alone() {
        assert_eq!(said("f(); // Takes so many.\n"), ["1 says \"so many\" in a comment"]);
        assert_eq!(said("/// Takes so\n/// many.\n"), ["2 says \"so many\" in a comment"]);
        assert_eq!(said("// Nobody.\n//\n// a\n"), ["1 says \"nobody\" in a comment"]);
        assert!(said("f(\"so many\"); // also so manyfold\n").is_empty());
    }

    #[test]
    fn openings_are_found_at_the_start_of_documentation() {
        let expected = ["1 opens a doc comment with \"What\""];
        assert_eq!(said("/// What it is.\n/// Where it is.\n"), expected);
        assert!(said("/// Returns a thing.\n/// What it is.\n// What it is.\n").is_empty());
    }
}

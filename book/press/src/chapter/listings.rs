//! Listings: the code that a page shows, from the margin and without the parts of comments that
//! every function has.

use super::includes::included;
use super::markdown::events;
use mdbook_markdown::pulldown_cmark::{CodeBlockKind, Event, Tag};
use std::ops::Range;
use std::path::PathBuf;

/// The headings of doc comments whose sections no listing shows: what is worth knowing of them, the
/// chapter says.
const BOILERPLATE: [&str; 2] = ["# Errors", "# Panics"];

/// A fenced code block outside of lists, quotes and notes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// The bytes of the page that it takes up.
    pub range: Range<usize>,
    /// The block as it is shown, with its fences.
    pub block: String,
    /// The files that it includes, from the page's folder, in order.
    pub files: Vec<PathBuf>,
}

/// Returns the listings of a page. `written` is the page before mdBook put the included code in,
/// and says where the code comes from; if the page has other blocks than `written`, no listing
/// has files.
pub fn listings(markdown: &str, written: &str) -> Vec<Listing> {
    let (shown, sources) = (fences(markdown), fences(written));
    let same = shown.len() == sources.len();
    let mut listings = Vec::new();
    for (i, fence) in shown.into_iter().enumerate().filter(|(_, fence)| fence.depth == 0) {
        let source = sources.get(i).filter(|_| same);
        listings.push(Listing {
            block: tidied(&markdown[fence.range.clone()]),
            range: fence.range,
            files: source
                .map(|source| included(&written[source.range.clone()]))
                .unwrap_or_default(),
        });
    }
    listings
}

/// A fenced code block, and the number of blocks around it.
struct Fence {
    range: Range<usize>,
    depth: usize,
}

fn fences(markdown: &str) -> Vec<Fence> {
    let (mut fences, mut depth) = (Vec::new(), 0);
    for (event, range) in events(markdown) {
        match event {
            Event::Start(tag) => {
                if matches!(tag, Tag::CodeBlock(CodeBlockKind::Fenced(_))) {
                    fences.push(Fence { range, depth });
                }
                depth += 1;
            }
            Event::End(_) => depth -= 1,
            _ => {}
        }
    }
    fences
}

/// Removes from the lines between the fences the indentation that all of them share, and the
/// boilerplate of their comments.
fn tidied(block: &str) -> String {
    let tidy = || {
        let (opening, rest) = block.split_once('\n')?;
        let (code, closing) = rest.trim_end().rsplit_once('\n')?;
        if code.is_empty() {
            return None;
        }
        let lines = without_boilerplate(&code.lines().collect::<Vec<_>>());
        let spaces = |line: &&str| line.len() - line.trim_start_matches(' ').len();
        let filled = lines.iter().filter(|line| !line.trim().is_empty());
        let shared = filled.map(spaces).min().unwrap_or(0);
        let code: String =
            lines.iter().flat_map(|line| [line.get(shared..).unwrap_or(""), "\n"]).collect();
        // A word such as `example=NAME` is for the test that runs the command of an output.
        let shown = opening.split(',').filter(|word| !word.contains('=')).collect::<Vec<_>>();
        Some(format!("{}\n{code}{closing}\n", shown.join(",")))
    };
    tidy().unwrap_or_else(|| format!("{}\n", block.trim_end()))
}

/// Drops the sections of doc comments that [`BOILERPLATE`] names, each with the empty line before
/// it.
fn without_boilerplate<'a>(lines: &[&'a str]) -> Vec<&'a str> {
    let mut kept: Vec<&str> = Vec::new();
    let mut dropping = false;
    for line in lines {
        let comment = line.trim_start().strip_prefix("///").map(str::trim);
        if comment.is_none() && dropping && kept.last().is_some_and(|last| last.trim() == "///") {
            kept.pop();
        }
        dropping = match comment {
            Some(comment) if comment.starts_with("# ") => BOILERPLATE.contains(&comment),
            Some(_) => dropping,
            None => false,
        };
        if !dropping {
            kept.push(line);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the block of the only listing.
    fn only(markdown: &str) -> Option<String> {
        let listings = listings(markdown, markdown);
        assert!(listings.len() < 2);
        listings.into_iter().next().map(|listing| listing.block)
    }

    #[test]
    fn a_shared_indentation_is_removed_and_no_more() {
        let method = "Text\n\n```rust\n    fn f() {\n\n        1\n    }\n```\n\nText\n";
        assert_eq!(only(method).as_deref(), Some("```rust\nfn f() {\n\n    1\n}\n```\n"));
        let at_margin = "```rust\nfn f() {\n    1\n}\n```\n";
        assert_eq!(only(at_margin).as_deref(), Some(at_margin));
        assert_eq!(only("```text\n```\n").as_deref(), Some("```text\n```\n"));
        let output = only("```text,example=a\n  x\n```\n");
        assert_eq!(output.as_deref(), Some("```text\nx\n```\n"), "and an output's command");
        assert_eq!(only("- a\n\n  ```rust\n      fn f()\n  ```\n"), None, "in a list");
        assert_eq!(only("    indented\n"), None);
    }

    #[test]
    fn the_sections_that_every_function_has_are_left_out() {
        let shown = |code: &str| only(&format!("```rust\n{code}```\n")).unwrap();
        let with = "    /// Sends.\n    ///\n    /// # Errors\n    ///\n    /// If it fails.\n    \
                    ///\n    /// # Safety\n    ///\n    /// None.\n    fn f() {}\n";
        let without = "/// Sends.\n///\n/// # Safety\n///\n/// None.\nfn f() {}\n";
        assert_eq!(shown(with), format!("```rust\n{without}```\n"));
        let last = "/// Sends.\n///\n/// # Panics\n///\n/// If it fails.\nfn f() {}\n\n/// G.\nfn g() {}\n";
        assert_eq!(shown(last), "```rust\n/// Sends.\nfn f() {}\n\n/// G.\nfn g() {}\n```\n");
        let other = "/// # Examples\n///\n/// One.\nfn f() {}\n";
        assert_eq!(shown(other), format!("```rust\n{other}```\n"), "other sections stay");
    }

    #[test]
    fn a_listing_knows_the_files_that_it_includes() {
        let written = "```rust\n{{#include ../a.rs:x}}\n\n{{#include ../a.rs:y}}\n```\n\n\
                       - ```sh\n  ls\n  ```\n\n```rust\n{{#include b.rs}}\n```\n";
        let shown = "```rust\n/// ```\nfn a() {}\n\nfn b() {}\n```\n\n- ```sh\n  ls\n  ```\n\n\
                     ```rust\nfn c() {}\n```\n";
        let files =
            |shown| listings(shown, written).into_iter().map(|l| l.files).collect::<Vec<_>>();
        assert_eq!(files(shown), [[PathBuf::from("../a.rs")], [PathBuf::from("b.rs")]]);
        let more = format!("{shown}\n```sh\nls\n```\n");
        assert!(files(&more).iter().all(Vec::is_empty), "the page has a block of another origin");
    }
}

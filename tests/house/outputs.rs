//! The outputs that chapters show: each names the command that printed it, so that a test can tell
//! whether it still does. And the commands that readers copy.

use std::fs;
use std::path::Path;

/// An output that a chapter shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The path of the page from `book/src`, and the line of its fence.
    pub place: String,
    /// The command: `example=NAME`, or `program=NAME` for what the compiler says of a program that
    /// a test compiles.
    pub by: String,
    /// The lines.
    pub lines: Vec<String>,
}

/// The languages of blocks that show an output: none, and those that say so.
const OUTPUTS: [&str; 4] = ["", "console", "output", "text"];

/// Returns the outputs that the chapters show.
pub fn shown(root: &Path) -> Vec<Shown> {
    let mut all = vec![];
    for page in super::pages(root) {
        let text = fs::read_to_string(root.join("book/src").join(&page)).unwrap_or_default();
        all.extend(of(&page, &text).into_iter().filter(|block| block.by.contains('=')));
    }
    all
}

/// Lists the outputs that no command has printed, and the commands that cannot be pasted, one
/// sentence each.
pub fn problems(root: &Path) -> Vec<String> {
    let mut found = vec![];
    for page in super::pages(root) {
        let text = fs::read_to_string(root.join("book/src").join(&page)).unwrap_or_default();
        for Shown { place, by, lines } in of(&page, &text) {
            if lines.iter().any(|line| line.starts_with("$ ")) {
                found.push(format!("book/src/{place} has a prompt, which no shell takes"));
            } else if OUTPUTS.contains(&by.as_str()) {
                found.push(format!("book/src/{place} shows an output without `,example=NAME`"));
            }
        }
    }
    found
}

/// Returns all blocks of a page: outputs by their command, the others by their language.
fn of(page: &str, text: &str) -> Vec<Shown> {
    let mut blocks: Vec<Shown> = vec![];
    let mut open = None;
    for (number, line) in (1..).zip(text.lines()) {
        match (line.trim_start().strip_prefix("```"), open) {
            (Some(info), None) => {
                let mut words = info.split(',');
                let language = words.next().unwrap_or_default().to_owned();
                let by = words.find(|word| word.contains('=')).map_or(language, str::to_owned);
                let place = format!("{page}:{number}");
                blocks.push(Shown { place, by, lines: vec![] });
                open = Some(blocks.len() - 1);
            }
            (Some(_), Some(_)) => open = None,
            (None, Some(block)) => blocks[block].lines.push(line.to_owned()),
            (None, None) => {}
        }
    }
    blocks
}

/// Returns the first of the lines that a chapter shows and `printed` lacks. All of them must stand
/// there in this order; the chapter may leave others out.
pub fn drifted<'a>(shown: &'a [String], printed: &str) -> Option<&'a String> {
    let mut printed = printed.lines().map(bare);
    shown.iter().find(|line| !printed.any(|other| other == bare(line)))
}

/// Returns a line without the margin in which a compiler numbers lines.
fn bare(line: &str) -> String {
    let line = line.trim_start().trim_start_matches(|c: char| c.is_ascii_digit());
    line.trim_start_matches([' ', '|', '=']).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_output_names_its_command() {
        let page = "```text,example=a\nx\n```\n\n```rust,ignore\ny\n```\n\n```text\nz\n```\n";
        let blocks = of("p.md", page);
        let by: Vec<&str> = blocks.iter().map(|block| block.by.as_str()).collect();
        assert_eq!(by, ["example=a", "rust", "text"]);
        assert_eq!((blocks[0].place.as_str(), &blocks[0].lines), ("p.md:1", &vec!["x".to_owned()]));
    }

    #[test]
    fn a_line_that_is_not_printed_is_found() {
        let shown = ["a: 1", "c"].map(str::to_owned);
        assert_eq!(drifted(&shown, "a: 1\nb\nc\n"), None);
        assert_eq!(drifted(&shown, "c\na: 1\n"), Some(&shown[1]), "in another order");
        assert_eq!(drifted(&shown, "a: 2\nc\n"), Some(&shown[0]));
        let compiler = ["   |     f();".to_owned()];
        assert_eq!(drifted(&compiler, "12 |     f();\n"), None);
    }
}

//! Listings whose lines share an indentation, such as a method shown without its `impl` block.

use super::markdown::events;
use crate::model::Spanned;
use mdbook_markdown::pulldown_cmark::{CodeBlockKind, Event, Tag};

/// Returns the fenced code blocks of a page whose lines share an indentation, each without it, so
/// that the code starts at the margin. Blocks in lists, quotes and notes are left alone.
pub fn dedented(markdown: &str) -> Vec<Spanned<String>> {
    let mut listings = Vec::new();
    let mut depth = 0;
    for (event, range) in events(markdown) {
        match event {
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(_))) if depth == 0 => {
                let dedented = dedent(&markdown[range.clone()]);
                listings.extend(dedented.map(|item| Spanned { range, item }));
                depth += 1;
            }
            Event::Start(_) => depth += 1,
            Event::End(_) => depth -= 1,
            _ => {}
        }
    }
    listings
}

/// Removes the indentation that all lines between the fences share, or returns `None` if there is
/// none.
fn dedent(block: &str) -> Option<String> {
    let (opening, rest) = block.split_once('\n')?;
    let (code, closing) = rest.trim_end().rsplit_once('\n')?;
    let spaces = |line: &str| line.len() - line.trim_start_matches(' ').len();
    let lines = code.lines().filter(|line| !line.trim().is_empty());
    let shared = lines.map(spaces).min().filter(|shared| *shared > 0)?;
    let lines = code.lines().map(|line| line.get(shared..).unwrap_or(""));
    let code = lines.collect::<Vec<_>>().join("\n");
    Some(format!("{opening}\n{code}\n{closing}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(markdown: &str) -> Option<String> {
        let listings = dedented(markdown);
        assert!(listings.len() < 2);
        listings.into_iter().next().map(|listing| listing.item)
    }

    #[test]
    fn a_shared_indentation_is_removed_and_no_more() {
        let method = "Text\n\n```rust\n    fn f() {\n\n        1\n    }\n```\n\nText\n";
        assert_eq!(only(method).as_deref(), Some("```rust\nfn f() {\n\n    1\n}\n```\n"));
        assert_eq!(only("```rust\nfn f() {\n    1\n}\n```\n"), None);
        assert_eq!(only("```text\n```\n"), None);
        assert_eq!(only("- a\n\n  ```rust\n      fn f()\n  ```\n"), None, "in a list");
        assert_eq!(only("    indented\n"), None);
    }
}

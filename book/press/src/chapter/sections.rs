//! Anchors of sections that stay when a heading's words change.

use super::markdown::events;
use crate::model::Spanned;
use mdbook_markdown::pulldown_cmark::{Event, HeadingLevel, Tag};

/// Returns, for each section whose heading is `Kind: finding`, the attribute that makes its anchor
/// the kind alone: `## Counted: one call a file` is `#counted`. So links need not know what was
/// found.
pub fn anchors(markdown: &str) -> Vec<Spanned<String>> {
    let mut anchors = Vec::new();
    for (event, range) in events(markdown) {
        let Event::Start(Tag::Heading { level, id: None, .. }) = event else { continue };
        let heading = markdown[range.clone()].trim_end();
        let kind = heading.trim_start_matches('#').split_once(": ").map(|(kind, _)| kind.trim());
        // A title names the page, not a section of it.
        let Some(kind) = kind.filter(|_| level != HeadingLevel::H1) else { continue };
        if !kind.is_empty() && kind.chars().all(|c| c.is_alphanumeric() || " -_".contains(c)) {
            let end = range.start + heading.len();
            let item = format!(" {{#{}}}", kind.to_lowercase().replace(' ', "-"));
            anchors.push(Spanned { range: end..end, item });
        }
    }
    anchors
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_part_before_a_colon_is_the_anchor() {
        let attributes = |markdown: &str| -> Vec<(usize, String)> {
            let anchors = anchors(markdown).into_iter();
            anchors.map(|anchor| (anchor.range.start, anchor.item)).collect()
        };
        let found = attributes("# A: b\n\n## When not to: small files\n\nText: more.\n");
        assert_eq!(found, [(35, " {#when-not-to}".to_owned())]);
        assert_eq!(attributes("### From Go: `io.Copy` does it\n")[0].1, " {#from-go}");
        assert_eq!(attributes("## Try it\n\n## A `b`: c\n\n```sh\n## A: b\n```\n"), []);
        assert_eq!(attributes("## Counted: one call {#calls}\n"), [], "it has one already");
    }
}

//! A page's opening as plain text, with its numbers filled in.

use crate::book::{Book, Judged};
use crate::chapter::Page;
use crate::page::reference;
use mdbook_markdown::pulldown_cmark::{Event, Tag, TagEnd};
use mdbook_markdown::{MarkdownOptions, new_cmark_parser};
use std::ops::Range;

/// Returns the lines with which a page opens, or its first paragraph.
#[must_use]
pub fn opening(page: &Page, book: &Book, claims: &[Judged<'_>]) -> String {
    let Some(range) = first(&page.markdown) else {
        return String::new();
    };
    let (mut filled, mut at) = (String::new(), range.start);
    for one in page.inlines.iter().filter(|one| range.contains(&one.range.start)) {
        filled += &page.markdown[at..one.range.start];
        filled += &reference::inline(&one.item, book, &page.path, claims).into_string();
        at = one.range.end;
    }
    text(&(filled + &page.markdown[at..range.end]))
}

/// Returns the bytes of the first paragraph or list outside of other blocks.
fn first(markdown: &str) -> Option<Range<usize>> {
    let mut depth = 0;
    let events = new_cmark_parser(markdown, &MarkdownOptions::default()).into_offset_iter();
    for (event, range) in events {
        match event {
            Event::Start(Tag::Paragraph | Tag::List(_)) if depth == 0 => return Some(range),
            Event::Start(_) => depth += 1,
            Event::End(_) => depth -= 1,
            _ => {}
        }
    }
    None
}

/// Returns the text of Markdown on one line, without its markup.
fn text(markdown: &str) -> String {
    let mut out = String::new();
    for event in new_cmark_parser(markdown, &MarkdownOptions::default()) {
        match event {
            Event::Text(text) => out += &text,
            Event::Code(code) => {
                out.push('`');
                out += &code;
                out.push('`');
            }
            Event::SoftBreak | Event::HardBreak | Event::End(TagEnd::Paragraph | TagEnd::Item) => {
                out.push(' ')
            }
            _ => {}
        }
    }
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_paragraph_is_no_heading_and_no_quotation() {
        let markdown = "# Title\n\n> Quoted.\n\nThe `first`\nparagraph.\n\nThe second.\n";
        let range = first(markdown).unwrap();
        assert_eq!(text(&markdown[range]), "The `first` paragraph.");
        assert_eq!(first("# Title\n\n```text\ncode\n```\n"), None);
    }

    #[test]
    fn the_lines_of_an_opening_stand_in_one() {
        let markdown = "# Title\n\n- **Answer:** No.\n- **Not when:** it\n  does.\n\nMore.\n";
        assert_eq!(text(&markdown[first(markdown).unwrap()]), "Answer: No. Not when: it does.");
    }

    #[test]
    fn markup_leaves_its_text() {
        let markdown = "It *costs* <span class=\"measured\">2&lt;3 <small>(1 to 4)</small></span> \
                        [more](a.md).";
        assert_eq!(text(markdown), "It costs 2<3 (1 to 4) more.");
    }
}

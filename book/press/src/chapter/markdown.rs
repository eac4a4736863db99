//! A page's source as Markdown, for everything that reads it.

use crate::model::Place;
use mdbook_markdown::pulldown_cmark::{Event, Tag, TagEnd};
use mdbook_markdown::{MarkdownOptions, new_cmark_parser};
use std::ops::Range;
use std::path::Path;

/// A page's source, with its lines.
pub(crate) struct Source<'a> {
    pub page: &'a Path,
    pub text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Source<'a> {
    /// Wraps the source `text` of `page`, the path that problems name.
    pub fn new(page: &'a Path, text: &'a str) -> Source<'a> {
        let newlines = text.match_indices('\n').map(|(at, _)| at + 1);
        Source { page, text, starts: std::iter::once(0).chain(newlines).collect() }
    }

    /// Returns the place of a byte.
    pub fn place(&self, byte: usize) -> Place {
        let line = self.starts.partition_point(|start| *start <= byte);
        Place { page: self.page.to_path_buf(), line }
    }

    /// Returns the events of mdBook's own parser, each with the bytes that it takes up.
    pub fn events(&self) -> impl Iterator<Item = (Event<'a>, Range<usize>)> {
        events(self.text)
    }

    /// Returns the bytes that are code or HTML comments, in which nothing is replaced and nothing
    /// is read as prose.
    pub fn code(&self) -> Vec<Range<usize>> {
        let mut ranges = Vec::new();
        for (event, range) in self.events() {
            match event {
                Event::Code(_) | Event::Start(Tag::CodeBlock(_)) => ranges.push(range),
                Event::Start(Tag::HtmlBlock) | Event::InlineHtml(_)
                    if self.text[range.clone()].trim_start().starts_with("<!--") =>
                {
                    ranges.push(range);
                }
                _ => {}
            }
        }
        ranges
    }
}

/// Parses a page or a sentence as mdBook does. The options are mdBook's defaults, which `book.toml`
/// leaves as they are.
pub(crate) fn events(text: &str) -> impl Iterator<Item = (Event<'_>, Range<usize>)> {
    new_cmark_parser(text, &MarkdownOptions::default()).into_offset_iter()
}

/// Returns `true` if text before and after this end belongs to different sentences.
pub(crate) fn ends_a_block(end: TagEnd) -> bool {
    !matches!(
        end,
        TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough | TagEnd::Link | TagEnd::Image
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use mdbook_preprocessor::config::Config;

    #[test]
    fn the_book_is_configured_for_the_options_that_its_pages_are_read_with() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../book.toml");
        let html = Config::from_disk(&path).unwrap().html_config().unwrap();
        let options = MarkdownOptions::default();
        assert_eq!(html.smart_punctuation, options.smart_punctuation);
        assert_eq!(html.definition_lists, options.definition_lists);
        assert_eq!(html.admonitions, options.admonitions);
    }
}

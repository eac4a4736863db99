//! What the readers of a page's source share.

use crate::model::Place;
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use std::ops::Range;
use std::path::Path;

/// A page's source, with its lines.
pub(crate) struct Source<'a> {
    pub page: &'a Path,
    pub text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Source<'a> {
    pub fn new(page: &'a Path, text: &'a str) -> Source<'a> {
        let newlines = text.match_indices('\n').map(|(at, _)| at + 1);
        Source { page, text, starts: std::iter::once(0).chain(newlines).collect() }
    }

    /// The place of a byte.
    pub fn place(&self, byte: usize) -> Place {
        let line = self.starts.partition_point(|start| *start <= byte);
        Place { page: self.page.to_path_buf(), line }
    }

    /// The events that mdBook's own parser sees, with the bytes that each takes up.
    pub fn events(&self) -> impl Iterator<Item = (Event<'a>, Range<usize>)> {
        events(self.text)
    }

    /// The bytes that are code or HTML comments, where nothing is replaced and nothing is read as
    /// prose.
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

/// Parses a page, or a sentence.
pub(crate) fn events(text: &str) -> impl Iterator<Item = (Event<'_>, Range<usize>)> {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_HEADING_ATTRIBUTES
        | Options::ENABLE_DEFINITION_LIST
        | Options::ENABLE_GFM;
    Parser::new_ext(text, options).into_offset_iter()
}

/// Whether text on either side of this end belongs to different sentences.
pub(crate) fn ends_a_block(end: TagEnd) -> bool {
    !matches!(
        end,
        TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough | TagEnd::Link | TagEnd::Image
    )
}

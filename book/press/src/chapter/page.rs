//! One page with its blocks and references, and the pages that SUMMARY.md links.

use super::{blocks, lint, references};
use crate::model::{Block, Claim, Error, Inline, Problem, Spanned};
use crate::project::Project;
use pulldown_cmark::{Event, Parser, Tag, TagEnd};
use std::fs;
use std::path::{Path, PathBuf};

/// One page.
#[derive(Clone, Debug)]
pub struct Page {
    /// Path below `book/src`, as SUMMARY.md has it.
    pub path: PathBuf,
    /// The title that SUMMARY.md gives it.
    pub title: String,
    /// The source.
    pub markdown: String,
    /// Claims and figures, in order.
    pub blocks: Vec<Spanned<Block>>,
    /// References in prose, in order.
    pub inlines: Vec<Spanned<Inline>>,
}

impl Page {
    /// The claims that it makes, in order.
    pub fn claims(&self) -> impl Iterator<Item = &Claim> {
        self.blocks.iter().filter_map(|block| match &block.item {
            Block::Claim(claim) => Some(claim),
            Block::Figure(_) => None,
        })
    }
}

/// Reads the pages only: what they say is well-formed, whether it exists is not looked into.
pub fn pages(project: &Project) -> Result<Vec<Page>, Error> {
    let read = |path: &Path| {
        fs::read_to_string(path)
            .map_err(|e| Error::Failed(format!("cannot read {}: {e}", path.display())))
    };
    let mut pages = Vec::new();
    let mut problems = Vec::new();
    for (path, title) in summary(&read(&project.pages().join("SUMMARY.md"))?) {
        let (page, wrong) = page(&path, &title, &read(&project.pages().join(&path))?);
        pages.push(page);
        problems.extend(wrong);
    }
    if problems.is_empty() { Ok(pages) } else { Err(Error::Book(problems)) }
}

/// Reads one page from its source; `path` as in [`Page::path`]. Finds malformed blocks and
/// references, and numbers typed by hand; whether what is referred to exists is [`load`]'s to
/// check.
pub fn page(path: &Path, title: &str, markdown: &str) -> (Page, Vec<Problem>) {
    let named = Path::new("book/src").join(path);
    let (blocks, mut problems) = blocks::blocks(&named, markdown);
    let (inlines, more) = references::references(&named, markdown);
    problems.extend(more);
    problems.extend(lint::typed_numbers(&named, markdown));
    problems.sort();
    let page = Page {
        path: path.to_path_buf(),
        title: title.to_string(),
        markdown: markdown.to_string(),
        blocks,
        inlines,
    };
    (page, problems)
}

/// The pages that SUMMARY.md links, with their titles; drafts have no page.
fn summary(markdown: &str) -> Vec<(PathBuf, String)> {
    let mut pages = Vec::new();
    let mut open: Option<(PathBuf, String)> = None;
    for event in Parser::new(markdown) {
        match event {
            Event::Start(Tag::Link { dest_url, .. }) if !dest_url.is_empty() => {
                open = Some((PathBuf::from(dest_url.replace("%20", " ")), String::new()));
            }
            Event::Text(text) | Event::Code(text) => {
                if let Some((_, title)) = &mut open {
                    title.push_str(&text);
                }
            }
            Event::End(TagEnd::Link) => pages.extend(open.take()),
            _ => {}
        }
    }
    pages
}

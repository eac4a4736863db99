//! A page with its blocks and references, and the list of pages in SUMMARY.md.

use super::{blocks, exercises, lint, references};
use crate::belief::Belief;
use crate::ids::slashed;
use crate::model::{Block, Claim, Error, Inline, Problem, Solution, Spanned};
use crate::project::Project;
use mdbook_summary::{SummaryItem, parse_summary};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// A page of the book.
#[derive(Clone, Debug)]
pub struct Page {
    /// Path below `book/src`, as SUMMARY.md has it.
    pub path: PathBuf,
    /// The title that SUMMARY.md gives it.
    pub title: String,
    /// The source.
    pub markdown: String,
    /// The blocks that the press replaces, in order.
    pub blocks: Vec<Spanned<Block>>,
    /// References in prose, in order.
    pub inlines: Vec<Spanned<Inline>>,
}

impl Page {
    /// Returns the claims that it makes, in order.
    pub fn claims(&self) -> impl Iterator<Item = &Claim> {
        self.blocks.iter().filter_map(|block| match &block.item {
            Block::Claim(claim) => Some(claim),
            _ => None,
        })
    }

    /// Returns the bytes at which its claims start, in order.
    pub fn claim_starts(&self) -> impl Iterator<Item = usize> {
        let is_claim = |block: &&Spanned<Block>| matches!(block.item, Block::Claim(_));
        self.blocks.iter().filter(is_claim).map(|block| block.range.start)
    }

    /// Returns its path below `book/src` without the extension, by which commands and addresses
    /// name it: `zero-copy/sendfile`.
    pub fn name(&self) -> String {
        slashed(&self.path.with_extension(""))
    }

    /// Returns the solutions of its exercises, in order.
    pub fn solutions(&self) -> impl Iterator<Item = &Solution> {
        self.blocks.iter().filter_map(|block| match &block.item {
            Block::Solution(solution) => Some(solution),
            _ => None,
        })
    }

    /// Returns the beliefs that it judges, in order.
    pub fn beliefs(&self) -> impl Iterator<Item = &Belief> {
        self.blocks.iter().filter_map(|block| match &block.item {
            Block::Belief(belief) => Some(belief),
            _ => None,
        })
    }

    /// Returns the name of the technique that it is about, which is that of its file.
    pub fn technique(&self) -> String {
        self.path.file_stem().unwrap_or_default().to_string_lossy().replace('-', "_")
    }
}

/// Reads the pages and checks that what they say is well-formed, without looking for what they
/// refer to.
pub fn pages(project: &Project) -> Result<Vec<Page>, Error> {
    let mut pages = Vec::new();
    let mut problems = Vec::new();
    for (path, title) in summary(project)? {
        let (page, wrong) = page(&path, &title, &read(&project.pages().join(&path))?);
        pages.push(page);
        problems.extend(wrong);
    }
    if problems.is_empty() { Ok(pages) } else { Err(Error::Book(problems)) }
}

/// A page and its faults, as [`page`] returned them.
type Read = (Page, Vec<Problem>);

/// The pages read last, by path: each as its file has it and with included code. A process that
/// prints the book again reads only the edited ones.
static READ: Mutex<BTreeMap<PathBuf, Vec<Read>>> = Mutex::new(BTreeMap::new());

/// Reads one page from its source; `path` is as in [`Page::path`]. Finds malformed blocks and
/// references, and numbers typed by hand. [`load`](crate::book::load) checks that what the page
/// refers to exists.
pub fn page(path: &Path, title: &str, markdown: &str) -> (Page, Vec<Problem>) {
    let all = || READ.lock().unwrap_or_else(PoisonError::into_inner);
    let is_it = |(page, _): &&Read| page.markdown == markdown && page.title == title;
    if let Some(known) = all().get(path).and_then(|pages| pages.iter().find(is_it)) {
        return known.clone();
    }
    let new = read_page(path, title, markdown);
    let mut all = all();
    let pages = all.entry(path.to_path_buf()).or_default();
    pages.push(new.clone());
    if pages.len() > 2 {
        pages.remove(0);
    }
    new
}

/// Reads a page as [`page`] does, whether or not it was read before.
fn read_page(path: &Path, title: &str, markdown: &str) -> (Page, Vec<Problem>) {
    let named = Path::new("book/src").join(path);
    let (blocks, mut problems) = blocks::blocks(&named, markdown);
    let (inlines, more) = references::references(&named, markdown);
    problems.extend(more);
    problems.extend(lint::typed_numbers(&named, markdown));
    problems.extend(exercises::problems(&named, markdown));
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

/// Returns the pages that SUMMARY.md links, with their titles; drafts have no page.
fn summary(project: &Project) -> Result<Vec<(PathBuf, String)>, Error> {
    let path = project.pages().join("SUMMARY.md");
    let summary = parse_summary(&read(&path)?)
        .map_err(|e| Error::Failed(format!("cannot make sense of {}: {e:#}", path.display())))?;
    let mut pages = Vec::new();
    for items in [summary.prefix_chapters, summary.numbered_chapters, summary.suffix_chapters] {
        collect(items, &mut pages);
    }
    Ok(pages)
}

/// Appends the pages of `items` in reading order.
fn collect(items: Vec<SummaryItem>, pages: &mut Vec<(PathBuf, String)>) {
    for item in items {
        if let SummaryItem::Link(link) = item {
            pages.extend(link.location.map(|path| (path, link.name)));
            collect(link.nested_items, pages);
        }
    }
}

fn read(path: &Path) -> Result<String, Error> {
    fs::read_to_string(path)
        .map_err(|e| Error::Failed(format!("cannot read {}: {e}", path.display())))
}

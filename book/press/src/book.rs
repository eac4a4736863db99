//! The whole book: its pages with their blocks and references, and the machines that they are judged on.

use crate::machine::Machine;
use crate::model::{Block, Claim, Error, Inline, Judgement, Problem, Spanned};
use crate::project::Project;
use std::path::{Path, PathBuf};

/// Pages, claims and measurements.
#[derive(Clone, Debug)]
pub struct Book {
    /// In the order of SUMMARY.md.
    pub pages: Vec<Page>,
    /// The machine that the book's own numbers are from; empty when its file is not there.
    pub reference: Machine,
    /// The reader's machine; empty when nothing was measured.
    pub here: Machine,
    /// Every recorded machine, the reference first, without the reader's.
    pub machines: Vec<Machine>,
}

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

/// A claim with the page that makes it and its verdicts.
#[derive(Clone, Debug)]
pub struct Judged<'a> {
    /// The page.
    pub page: &'a Page,
    /// The claim.
    pub claim: &'a Claim,
    /// On the reference machine.
    pub reference: Judgement,
    /// On the reader's.
    pub here: Judgement,
}

/// Reads the whole book and checks every reference in it. All problems of all pages come in one error.
pub fn load(project: &Project) -> Result<Book, Error> {
    let _ = project;
    todo!()
}

/// Reads one page from its source; `path` as in [`Page::path`]. Finds malformed blocks and references, and numbers
/// typed by hand; whether what is referred to exists is [`load`]'s to check.
pub fn page(path: &Path, title: &str, markdown: &str) -> (Page, Vec<Problem>) {
    let _ = (path, title, markdown);
    todo!()
}

impl Book {
    /// Every claim of the book, in order, judged.
    pub fn claims(&self) -> Vec<Judged<'_>> {
        todo!()
    }
}

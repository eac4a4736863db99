//! `llms.txt`, the list of pages in the form of <https://llmstxt.org>: a title, a summary, and the
//! links by part, each with the page's answer.

use super::about::About;
use super::claims::CLAIMS;
use super::plain;
use crate::book::{Book, Judged};
use crate::chapter::Page;
use crate::ids::slashed;
use mdbook_preprocessor::book::{BookItem, Chapter};
use std::fmt::Write;
use std::path::PathBuf;

/// A part of the book, or the pages outside of all parts.
#[derive(Clone, Debug)]
pub struct Part<'a> {
    /// The title; without one, the pages stand before the first part.
    pub title: Option<String>,
    /// The pages, in order, each with its path in the printed book, where a README is an index.
    pub pages: Vec<(PathBuf, &'a Page)>,
}

/// Groups the book's pages as SUMMARY.md does.
#[must_use]
pub fn parts<'a>(items: &[BookItem], book: &'a Book) -> Vec<Part<'a>> {
    let mut parts = vec![Part { title: None, pages: Vec::new() }];
    for item in items {
        match item {
            BookItem::PartTitle(title) => {
                parts.push(Part { title: Some(title.clone()), pages: Vec::new() });
            }
            // The pages after a line belong to no part.
            BookItem::Separator => {
                parts.push(Part { title: Some("Appendix".to_owned()), pages: Vec::new() });
            }
            BookItem::Chapter(chapter) => {
                let part = parts.len() - 1;
                add(chapter, book, &mut parts[part].pages);
            }
        }
    }
    parts.retain(|part| !part.pages.is_empty());
    parts
}

/// Adds a chapter and those below it.
fn add<'a>(chapter: &Chapter, book: &'a Book, pages: &mut Vec<(PathBuf, &'a Page)>) {
    let source = chapter.source_path.as_ref();
    let page = book.pages.iter().find(|page| Some(&page.path) == source);
    if let (Some(page), Some(path)) = (page, &chapter.path) {
        pages.push((path.with_extension("html"), page));
    }
    for item in &chapter.sub_items {
        if let BookItem::Chapter(chapter) = item {
            add(chapter, book, pages);
        }
    }
}

/// Returns the content of `llms.txt`.
#[must_use]
pub fn document(about: &About, parts: &[Part<'_>], book: &Book, claims: &[Judged<'_>]) -> String {
    let mut out = format!("# {}\n\n> {}\n\n", about.title, about.description);
    let _ = writeln!(
        out,
        "Each chapter makes claims. A claim is cited by its id: `CHAPTER#claim-ID` is its address.\n\
         [{CLAIMS}]({CLAIMS}) holds all {} with the verdict, the value and its interval on every \
         recorded machine, and the command that proves it.",
        claims.len()
    );
    for part in parts {
        let _ = writeln!(out, "\n## {}\n", part.title.as_deref().unwrap_or("The book"));
        for (path, page) in &part.pages {
            let _ = write!(out, "- [{}]({})", page.title, slashed(path));
            let _ = match plain::opening(page, book, claims) {
                answer if answer.is_empty() => writeln!(out),
                answer => writeln!(out, ": {answer}"),
            };
        }
    }
    out
}

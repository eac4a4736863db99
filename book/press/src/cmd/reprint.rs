//! Prints the book again in a process that has printed it before: of an edited page, only the pages
//! that came out different.
//!
//! mdBook prints all or nothing, and takes seconds for the search index and the page that holds the
//! whole book. So every printing makes all chapters, which is quick, and hands mdBook a small book
//! of the different ones. The search index and `print.html` stay behind until [`Reprint::finish`].

use super::build::{self, Pages};
use crate::book::Measured;
use crate::model::Error;
use crate::project::Project;
use crate::stamp::stamp;
use mdbook_preprocessor::book::{Book, BookItem, Chapter};
use mdbook_preprocessor::errors::{Error as Failure, Result};
use mdbook_renderer::{RenderContext, Renderer};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The files whose names hold a hash of their contents, which differ in a small book.
const HASHED: [&str; 2] = ["searchindex-", "toc-"];

/// The printings of one process.
#[derive(Debug)]
pub struct Reprint {
    project: Project,
    folder: PathBuf,
    measured: Measured,
    last: Mutex<Last>,
}

/// The last printing.
#[derive(Debug, Default)]
struct Last {
    /// The chapters as they were printed; none before the first time.
    chapters: Vec<Chapter>,
    /// The stamp of what every page depends on.
    common: u64,
    /// `true` if the search index and `print.html` are older than the pages.
    unfinished: bool,
}

impl Reprint {
    /// Creates the printings of a project's book to a folder.
    pub fn new(project: &Project, folder: PathBuf) -> Reprint {
        let project = project.clone();
        Reprint { project, folder, measured: Measured::default(), last: Mutex::default() }
    }

    /// Prints what has changed since the last time; the first time, that is all.
    ///
    /// # Errors
    ///
    /// As [`build::build`]; the pages stay as they were.
    pub fn print(&self) -> std::result::Result<(), Error> {
        let mut common = vec![
            self.project.book().join("theme"),
            self.project.book().join("book.toml"),
            self.project.pages().join("SUMMARY.md"),
            self.project.pages().join("404.md"),
        ];
        pictures(&self.project.pages(), &mut common);
        let common = stamp(&common);
        let printer = Printer { reprint: self, common };
        build::build_with(&self.project, &self.folder, &self.measured, &printer)
    }

    /// Prints the search index and `print.html`, if they are older than the pages. Returns `false`
    /// if they are not.
    ///
    /// # Errors
    ///
    /// As [`build::build`]; the pages stay as they were.
    pub fn finish(&self) -> std::result::Result<bool, Error> {
        {
            let mut last = self.last();
            if !last.unfinished {
                return Ok(false);
            }
            // Forgotten, so that nothing is the same as before.
            last.chapters.clear();
        }
        self.print().map(|()| true)
    }

    fn last(&self) -> MutexGuard<'_, Last> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One printing.
struct Printer<'a> {
    reprint: &'a Reprint,
    common: u64,
}

impl Renderer for Printer<'_> {
    fn name(&self) -> &str {
        "html"
    }

    fn render(&self, context: &RenderContext) -> Result<()> {
        let chapters = flat(&context.book.items);
        let mut last = self.reprint.last();
        let same_outline = last.common == self.common
            && last.chapters.len() == chapters.len()
            && last.chapters.iter().zip(&chapters).all(|(a, b)| same_place(a, b));
        let different: Vec<usize> = match same_outline {
            true => (0..chapters.len())
                .filter(|i| last.chapters[*i].content != chapters[*i].content)
                .collect(),
            false => (0..chapters.len()).collect(),
        };
        // Of nearly all pages, each is as quick in the whole book.
        if different.len() * 4 > chapters.len() * 3 {
            Pages.render(context)?;
            last.unfinished = false;
        } else if !different.is_empty() {
            self.some(context, &chapters, &different)?;
            last.unfinished = true;
        }
        (last.chapters, last.common) = (chapters, self.common);
        Ok(())
    }
}

impl Printer<'_> {
    /// Prints some of the chapters, and leaves the other pages as they are.
    fn some(&self, context: &RenderContext, all: &[Chapter], some: &[usize]) -> Result<()> {
        let aside = self.reprint.project.target().join("press-pages");
        let book = Book::new_with_items(
            with_neighbors(all, some).into_iter().map(BookItem::Chapter).collect(),
        );
        let mut small =
            RenderContext::new(context.root.clone(), book, context.config.clone(), aside.clone());
        small.chapter_titles = context.chapter_titles.clone();
        Pages.render(&small)?;
        let names = renamed(&aside, &context.destination)?;
        for i in some {
            let Some(path) = &all[*i].path else { continue };
            let mut pages = vec![path.with_extension("html")];
            // mdBook prints the first chapter twice.
            if *i == 0 {
                pages.push(PathBuf::from("index.html"));
            }
            for page in pages {
                let mut html = fs::read_to_string(aside.join(&page))?;
                for (from, to) in &names {
                    html = html.replace(from, to);
                }
                fs::write(context.destination.join(&page), html)?;
            }
        }
        Ok(())
    }
}

/// Adds the files below a folder that are no pages, which mdBook copies.
fn pictures(folder: &Path, all: &mut Vec<PathBuf>) {
    // The next printing reads a folder that cannot be read now.
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut entries: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    entries.sort();
    for entry in entries {
        if entry.is_dir() {
            pictures(&entry, all);
        } else if entry.extension().is_none_or(|ending| ending != "md") {
            all.push(entry);
        }
    }
}

/// Returns all chapters with a page, in order and without their nesting.
fn flat(items: &[BookItem]) -> Vec<Chapter> {
    let mut all = Vec::new();
    for item in items {
        if let BookItem::Chapter(chapter) = item {
            let below = flat(&chapter.sub_items);
            if chapter.path.is_some() {
                all.push(Chapter { sub_items: Vec::new(), ..chapter.clone() });
            }
            all.extend(below);
        }
    }
    all
}

/// Returns `true` if two chapters have the same place and name in the table of contents.
fn same_place(one: &Chapter, other: &Chapter) -> bool {
    one.path == other.path && one.name == other.name && one.number == other.number
}

/// Returns the chapters at `some` and, without their contents, those before and after, which each
/// page links.
fn with_neighbors(all: &[Chapter], some: &[usize]) -> Vec<Chapter> {
    let near = |i: usize| some.iter().any(|at| at.abs_diff(i) <= 1);
    let chosen = all.iter().enumerate().filter(|(i, _)| near(*i));
    chosen
        .map(|(i, chapter)| match some.contains(&i) {
            true => chapter.clone(),
            false => Chapter { content: String::new(), ..chapter.clone() },
        })
        .collect()
}

/// Returns the names in `aside` of files that hold less than those of the whole book, each with the
/// name of the whole book's file.
fn renamed(aside: &Path, whole: &Path) -> Result<Vec<(String, String)>> {
    let hashed = |start: &str, folder: &Path| -> Result<String> {
        let names = fs::read_dir(folder)?
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect::<io::Result<Vec<String>>>()?;
        let found = names.into_iter().find(|name| name.starts_with(start) && name.ends_with(".js"));
        found.ok_or_else(|| Failure::msg(format!("no {start}….js in {}", folder.display())))
    };
    HASHED.iter().map(|start| Ok((hashed(start, aside)?, hashed(start, whole)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chapter(name: &str) -> Chapter {
        Chapter::new(name, format!("# {name}"), format!("{name}.md"), Vec::new())
    }

    #[test]
    fn nested_chapters_are_in_reading_order_and_drafts_have_no_page() {
        let mut outer = chapter("a");
        outer.sub_items = vec![BookItem::Chapter(chapter("b")), BookItem::Separator];
        let draft = BookItem::Chapter(Chapter::new_draft("c", Vec::new()));
        let all = flat(&[BookItem::Chapter(outer), draft, BookItem::Chapter(chapter("d"))]);
        let names: Vec<&str> = all.iter().map(|chapter| chapter.name.as_str()).collect();
        assert_eq!(names, ["a", "b", "d"]);
        assert!(all.iter().all(|chapter| chapter.sub_items.is_empty()));
    }

    #[test]
    fn a_chapter_brings_its_neighbors_without_their_contents() {
        let all: Vec<Chapter> = ["a", "b", "c", "d", "e", "f"].map(chapter).into();
        let small = |some: &[usize]| -> Vec<(String, bool)> {
            let chosen = with_neighbors(&all, some).into_iter();
            chosen.map(|chapter| (chapter.name, !chapter.content.is_empty())).collect()
        };
        let of = |names: &[(&str, bool)]| -> Vec<(String, bool)> {
            names.iter().map(|(name, whole)| ((*name).to_owned(), *whole)).collect()
        };
        assert_eq!(small(&[0]), of(&[("a", true), ("b", false)]));
        assert_eq!(small(&[3, 5]), of(&[("c", false), ("d", true), ("e", false), ("f", true)]));
    }
}

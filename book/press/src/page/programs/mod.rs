//! Files of the site for programs: `claims.json` with every claim, and `llms.txt`, which lists the
//! pages.

pub mod claims;
pub mod llms;
mod plain;

use crate::book::{Book, Judged};
use mdbook_preprocessor::book::BookItem;
use mdbook_preprocessor::config::Config;

/// The file of every claim, from the site's root.
pub const CLAIMS: &str = "claims.json";

/// The file that lists the pages, from the site's root.
pub const LLMS: &str = "llms.txt";

/// Returns the names and contents of both files. `items` are the chapters as SUMMARY.md has them.
#[must_use]
pub fn files(
    config: &Config,
    items: &[BookItem],
    book: &Book,
    all: &[Judged<'_>],
) -> Vec<(&'static str, String)> {
    let about = About::of(config);
    let parts = llms::parts(items, book);
    vec![
        (CLAIMS, format!("{:#}\n", claims::document(&about, book, all))),
        (LLMS, llms::document(&about, &parts, book, all)),
    ]
}

/// The facts that `book.toml` gives about the book.
#[derive(Clone, Debug, Default)]
pub struct About {
    /// Its title.
    pub title: String,
    /// One sentence about it.
    pub description: String,
    /// Its authors.
    pub authors: Vec<String>,
    /// The address of its repository.
    pub repository: Option<String>,
}

impl About {
    /// Reads mdBook's configuration.
    #[must_use]
    pub fn of(config: &Config) -> About {
        let book = &config.book;
        let html = config.html_config();
        About {
            title: book.title.clone().unwrap_or_default(),
            description: book.description.clone().unwrap_or_default(),
            authors: book.authors.clone(),
            repository: html.and_then(|html| html.git_repository_url),
        }
    }

    /// Returns the title as the name of a file: `rust-performance-proved`.
    #[must_use]
    pub fn slug(&self) -> String {
        let title = self.title.to_lowercase();
        let words = title.split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| !w.is_empty());
        words.collect::<Vec<_>>().join("-")
    }
}

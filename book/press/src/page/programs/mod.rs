//! Files of the site for programs: `claims.json` with every claim, and `llms.txt`, which lists the
//! pages.

mod about;
pub mod claims;
pub mod llms;
mod plain;

pub use about::About;
pub use claims::CLAIMS;

use crate::book::{Book, Judged};
use mdbook_preprocessor::book::BookItem;
use mdbook_preprocessor::config::Config;

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

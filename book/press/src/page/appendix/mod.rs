//! The appendix, generated from claims and measurements: a page of all claims on all machines, a
//! page of all machines, and a page for each of them.

mod claims;
mod machine;
mod machines;
mod pieces;

pub(super) use machines::machines;
pub use pieces::Generated;

use crate::book::{Book, Judged};

/// Returns the appendix's pages in order.
#[must_use]
pub fn appendix(book: &Book, all: &[Judged<'_>]) -> Vec<Generated> {
    let mut pages = vec![claims::claims(book, all), machines::machines(book)];
    let yours = Some(&book.here).filter(|here| !here.is_empty());
    let each = book.machines.iter().chain(yours);
    pages.extend(each.map(|machine| machine::machine(machine, book)));
    pages
}

//! The appendix, generated from claims and measurements: a summary of the reader's machine, pages
//! of all claims, a page of all machines, and a page for each of them.

mod claims;
mod machine;
mod machines;
mod matrix;
mod pieces;
mod yours;

pub use claims::anchor;
pub(super) use machines::machines;
pub use pieces::Generated;
pub use yours::YOUR_MACHINE;

use crate::book::{Book, Judged};

/// Returns the appendix's pages in order.
#[must_use]
pub fn appendix(book: &Book, all: &[Judged<'_>]) -> Vec<Generated> {
    let mut pages = vec![
        yours::yours(book, all),
        claims::claims(book, all),
        matrix::matrix(book, all),
        machines::machines(book),
    ];
    let yours = Some(&book.here).filter(|here| !here.is_empty());
    let each = book.machines.iter().chain(yours);
    pages.extend(each.map(|machine| machine::machine(machine, book, all)));
    pages
}

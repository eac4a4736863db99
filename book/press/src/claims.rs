//! Finds `claim` and `figure` blocks in a page.

use crate::model::{Block, Problem, Spanned};
use std::path::Path;

/// The blocks of one page in order, and what is wrong with the others. A range covers the whole fenced block, fences
/// included. `page` is the path that problems name. That ids are unique in the book is `book::load`'s to check.
pub fn blocks(page: &Path, markdown: &str) -> (Vec<Spanned<Block>>, Vec<Problem>) {
    let _ = (page, markdown);
    todo!()
}

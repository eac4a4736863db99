//! Finds measured numbers that somebody typed by hand.

use crate::model::Problem;
use std::path::Path;

/// One problem for every number with a unit of measurement in the page's prose.
pub fn typed_numbers(page: &Path, markdown: &str) -> Vec<Problem> {
    let _ = (page, markdown);
    todo!()
}

/// The same for one sentence, such as a claim's: what was typed.
pub fn typed_in(sentence: &str) -> Vec<String> {
    let _ = sentence;
    todo!()
}

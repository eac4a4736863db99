//! The press: reads claims and figures from the book's chapters, measurements from `book/machines`
//! and criterion, and prints, serves, checks and records.
//!
//! From the top down, each module uses only those below it:
//!
//! - [`cmd`]: the commands.
//! - [`page`]: cards, figures, references and appendix as HTML.
//! - [`book`]: all pages, judged on all machines.
//! - [`validate`]: whether a recording can become part of the book.
//! - [`prove`]: running examples, builds and models, and judging claims.
//! - [`chapter`]: the pages' sources; [`machine`]: the measurements.
//! - [`breaks`]: edits that a check must notice, which are the solutions of exercises.
//! - [`belief`], [`ids`], [`condition`], [`model`], [`units`], [`project`] and the like: shared by
//!   all of them.

pub mod belief;
pub mod book;
pub mod breaks;
pub mod chapter;
pub mod cmd;
pub mod condition;
pub mod date;
pub mod ids;
pub mod machine;
pub mod model;
pub mod pack;
pub mod page;
mod process;
pub mod project;
pub mod prove;
pub mod sizes;
pub mod stamp;
#[cfg(test)]
mod testing;
pub mod units;
pub mod validate;

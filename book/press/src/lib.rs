//! The press: reads claims and figures from the book's chapters, measurements from `book/machines`
//! and criterion, and prints, serves, checks and records.

pub mod book;
pub mod chapter;
pub mod cmd;
pub mod date;
pub mod ids;
pub mod machine;
pub mod model;
pub mod page;
mod process;
pub mod project;
pub mod prove;
pub mod units;

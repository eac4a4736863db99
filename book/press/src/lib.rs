//! The press: reads claims and figures from the book's chapters, measurements from `book/machines` and criterion, and
//! prints, serves, checks and records.

pub mod model;

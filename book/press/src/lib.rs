//! The press: reads claims and figures from the book's chapters, measurements from `book/machines`
//! and criterion, and prints, serves, checks and records.

pub mod book;
pub mod chart;
pub mod check;
pub mod claims;
pub mod counts;
pub mod criterion;
pub mod date;
pub mod environment;
pub mod html;
pub mod includes;
pub mod inline;
pub mod judge;
pub mod links;
pub mod lint;
pub mod machine;
mod markdown;
pub mod model;
pub mod pages;
pub mod print;
mod process;
pub mod project;
pub mod record;
pub mod serve;
pub mod stats;
pub mod units;

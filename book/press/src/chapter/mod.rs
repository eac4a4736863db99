//! The book's sources: its pages, with the claims, figures and references in them.

pub mod anchor;
mod belief;
pub mod blocks;
mod claim;
mod exercises;
mod generated;
pub mod includes;
pub mod lint;
pub mod listings;
pub(crate) mod markdown;
pub mod page;
pub mod references;
pub mod sections;
mod times;

pub use claim::SAME;
pub use page::{Page, page, pages};

//! The commands of `cargo book`.

pub mod build;
pub mod check;
mod folders;
pub mod pack;
pub mod pdf;
pub mod record;
pub mod reprint;
pub mod serve;
pub mod site;
pub mod validate;

//! The commands of `cargo book`.

pub mod build;
pub mod check;
pub mod pack;
pub mod record;
pub mod reprint;
pub mod serve;

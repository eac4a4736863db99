//! The techniques of the book *Rust Performance, Proved*, one module each, and [`proof`], the
//! laboratory that counts and clocks them.
//!
//! A module carries its technique's name, and so do its chapter, example, bench and test. The
//! version that everybody writes first is kept beside the good one, in a module called `naive`.

pub mod concurrency;
pub mod measuring;
pub mod memory;
pub mod proof;
pub mod zero_copy;

//! The techniques of the book *Rust Performance, Proved*, one module each. They stand on [`sys`]
//! (system calls, pinning); [`proof`] counts what they do, and [`harness`] holds what examples,
//! benches and tests share.
//!
//! A module carries its technique's name, and so do its chapter, example, bench and test. The
//! version that everybody writes first is kept beside the good one, in a module called `naive`.
//!
//! The book: [Rust Performance, Proved](../../index.html).

pub mod concurrency;
pub mod harness;
pub mod io;
pub mod measuring;
pub mod memory;
pub mod proof;
pub mod sys;
pub mod zero_copy;

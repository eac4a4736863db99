//! The library of a book in miniature.

pub mod copy;

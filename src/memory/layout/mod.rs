//! The size of a type, the offsets of its fields, and ways to make it smaller.
//!
//! [`naive`] orders fields, which Rust does by itself, and packs them, after which they cannot be
//! borrowed. [`picture`] draws a type byte by byte, [`niches`] lists the options that cost nothing,
//! [`shrink`] pairs types with smaller ones, [`packed`] reads unaligned fields, and [`records`]
//! holds one record in several layouts. [`variants`] fills memory with each of them, to be counted
//! and clocked; [`experiment`] clocks unaligned loads.
//!
//! Sizes are asserted at compile time. Those that depend on the alignment of eight-byte numbers are
//! asserted for 64-bit targets only. The layout of a type without a `repr` is [not
//! guaranteed](https://doc.rust-lang.org/reference/type-layout.html#the-rust-representation): the
//! assertions record what the compiler does, and a compiler that did otherwise would stop the
//! build.
//!
//! The book's chapter: [layout](../../../../memory/layout.html).

mod event;
pub mod experiment;
pub mod naive;
pub mod niches;
pub mod packed;
pub mod picture;
pub mod records;
pub mod shrink;
pub mod variants;

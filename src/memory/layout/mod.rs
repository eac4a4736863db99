//! How many bytes a type takes, where its fields lie, and what makes it smaller.
//!
//! [`naive`] orders fields, which Rust does by itself, and packs them, which forbids borrowing
//! them. [`picture`] draws where the fields of a type are, [`niches`] says which values cost
//! nothing, [`shrink`] pairs types with smaller ones, [`packed`] reads fields that are not aligned,
//! and [`records`] holds the same records in four shapes, to be counted and clocked.
//!
//! Sizes are asserted at compile time; those that rest on the alignment of eight-byte numbers,
//! where pointers have 64 bits. How the compiler lays out a type without a `repr` is [not
//! guaranteed](https://doc.rust-lang.org/reference/type-layout.html#the-rust-representation): these
//! assertions say what it does, and a compiler that did otherwise would stop the build.

pub mod naive;
pub mod niches;
pub mod packed;
pub mod picture;
pub mod records;
pub mod shrink;

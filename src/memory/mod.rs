//! Part "Memory": the size and layout of objects, cache lines, and allocating and freeing.
//!
//! The book's part: [memory](../../../memory/index.html).

pub mod allocation;
pub mod cache_lines;
pub mod layout;
pub mod object_pool;

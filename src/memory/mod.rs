//! Part "Memory": the size and layout of objects, cache lines, and allocating and freeing.

pub mod allocation;
pub mod cache_lines;
pub mod layout;
pub mod object_pool;

//! Part "Memory": what an object takes, where it lies, who else writes beside it, and who gives it
//! back.

pub mod allocation;
pub mod cache_lines;
pub mod layout;
pub mod object_pool;

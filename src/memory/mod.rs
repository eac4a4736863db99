//! Part "Memory": what an object takes, where it lies, who else writes beside it, and who gives it back.

pub mod allocation;

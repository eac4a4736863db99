//! Part "Measuring": what a figure is worth, which benches lie, what this machine can do at all,
//! and what a program does while it runs.
//!
//! The book's part: [measuring](../../../measuring/index.html).

pub mod benchmarking;
pub mod limits;
pub mod monitor;

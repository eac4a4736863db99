//! Part "Measuring": what a figure is worth, which benches lie, and what this machine can do at all.

pub mod benchmarking;
pub mod limits;

//! Part "Measuring": what a figure is worth, which benches lie, and what this machine can do.

pub mod benchmarking;
pub mod limits;

//! Part "Measuring": what a figure is worth, and what this machine can do at all.

pub mod limits;

//! Part "Measuring": what a figure is worth, what this machine can do at all, and what a program
//! does while it runs.

pub mod limits;
pub mod monitor;

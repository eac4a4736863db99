//! Runs the examples, builds and models that claims rest on, and judges the outcomes.

mod applies;
mod clocked;
pub mod examples;
pub mod family;
pub mod judge;
pub mod likely;
pub mod loose;
pub mod proofs;
mod regimes;

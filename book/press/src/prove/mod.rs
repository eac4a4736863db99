//! Runs the examples, builds and models that claims rest on, and judges the outcomes.

pub mod examples;
pub mod judge;
pub mod proofs;

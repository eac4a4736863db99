//! Runs what the claims rest on, examples, builds and models, and judges what came of it.

pub mod examples;
pub mod judge;
pub mod proofs;

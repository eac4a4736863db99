//! What was measured on one machine: the recordings in `book/machines`, and the reader's own
//! results.

mod benchmark;
pub mod criterion;
pub mod environment;
mod recordings;
pub mod statistics;

pub use crate::model::Round;
pub use benchmark::Benchmark;
pub use environment::Environment;
pub use recordings::{ALL, Counts, FORMAT, Known, Machine, ProofRun, Recording};

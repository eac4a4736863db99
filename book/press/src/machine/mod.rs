//! The results of machines: the recordings in `book/machines`, and the reader's own results.

mod benchmark;
pub mod criterion;
pub mod environment;
mod facts;
pub mod files;
pub mod kept;
mod known;
mod null;
mod recording;
mod recordings;
pub mod regime;
mod regimes;
mod sources;
pub mod statistics;

pub use crate::model::Round;
pub use benchmark::Benchmark;
pub use environment::Environment;
pub use known::Known;
pub use recording::{ALL, Counts, ProofRun, Recording};
pub use recordings::{HERE, Machine};
pub use regime::{Regime, Seen};
pub use sources::{History, Sources, hash, text};

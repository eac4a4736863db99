//! When memory is asked for, when it is given back, and how much of it there may be: what takes the
//! place of tuning a garbage collector.
//!
//! | question | answer |
//! | --- | --- |
//! | how can a request be answered without allocating? | [`page::Page`], [`growth`] |
//! | how are many small values made and freed at once? | [`arena::Arena`], [`tree`] |
//! | what does it cost to free on another thread? | [`hand_over`] |
//! | what does a load of mixed sizes cost, by allocator? | [`churn`] |
//! | who waits while a large structure is dropped? | [`dropper::Dropper`] |
//! | how is a bound kept? | [`capped::Capped`], [`process`] |
//!
//! [`naive`] is the version that everybody writes first.

pub mod arena;
pub mod block;
pub mod budget;
#[cfg(not(loom))]
pub mod capped;
pub mod churn;
pub mod dropper;
pub mod growth;
pub mod hand_over;
pub mod naive;
pub mod page;
pub mod process;
pub mod tree;

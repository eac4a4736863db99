//! Allocating less, freeing elsewhere, and bounding memory: what takes the place of tuning a
//! garbage collector.
//!
//! | module | provides |
//! | --- | --- |
//! | [`growth`], [`page`] | buffers that are sized in advance or reused |
//! | [`arena`], [`tree`] | many small values, freed at once |
//! | [`dropper`] | a thread that drops large values |
//! | [`budget`], [`mod@capped`], [`process`] | limits on memory |
//! | [`naive`] | the version that everyone writes first |
//! | [`variants`] | the fates of a block that another thread used |
//! | [`experiment`] | remote frees, a mixed load, and experiments in processes of their own |
//!
//! The book's chapter: [allocation](../../../../memory/allocation.html).

pub mod arena;
pub mod budget;
#[cfg(not(loom))]
pub mod capped;
pub mod dropper;
pub mod experiment;
pub mod growth;
pub mod naive;
pub mod page;
pub mod process;
pub mod tree;
pub mod variants;

//! Part "Concurrency": work and data between threads, what they wait for, and what they may assume
//! of each other.
//!
//! The book's part: [concurrency](../../../concurrency/index.html).

pub mod ring_buffer;
pub mod sharing;
pub(crate) mod sync;
pub mod worker_pool;

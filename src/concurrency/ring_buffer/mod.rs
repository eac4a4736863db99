//! A bounded queue between threads, without a lock, built step by step: from the version that
//! everybody writes first to one that is sound and fast.
//!
//! | step | what it adds |
//! | --- | --- |
//! | [`naive::Ring`] | the ring for one thread; the compiler refuses to share it |
//! | [`naive::AtomicRing`] | shared, in safe code; loses items with two producers |
//! | [`shared::Shared`] | items of any type, release and acquire; a comment says which threads may call it |
//! | [`spsc`] | a producer and a consumer as types that cannot be misused, cached indices, batches |
//! | [`mpmc`] | any number of producers and consumers: each slot has a stamp |
//! | [`blocking`] | [`spsc`] whose threads sleep instead of spinning |
//! | [`blocking_mpmc`] | [`mpmc`] with any number of sleeping threads on either side |
//!
//! The indices of a ring are free-running counters: `tail` counts the items pushed, `head` the
//! items popped, both wrap around, and their difference is the number of items in the ring. So a
//! ring holds exactly as many items as its capacity says, from 1 on.
//!
//! [`variants`] and [`experiment`] are for the example, the bench and the tests.
//!
//! The book's chapter: [ring_buffer](../../../../concurrency/ring-buffer.html).

pub mod blocking;
pub mod blocking_mpmc;
mod capacity;
mod event_count;
pub mod experiment;
pub mod mpmc;
pub mod naive;
pub mod shared;
pub mod spsc;
pub mod variants;

pub use capacity::CapacityError;

//! The cost of sharing a word between threads, and what a thread may conclude from reading it: the
//! pieces that locks, counters and queues are made of, each small enough for a model.
//!
//! | piece | what it needs |
//! | --- | --- |
//! | [`counter::Counter`] | an addition that is one step |
//! | [`message_passing::Message`] | a thread that sees the flag sees what was written before it |
//! | [`store_buffering::Dekker`] | of two threads that announce themselves, one sees the other |
//! | [`spin::SpinLock`] | a holder of the lock sees what the previous one wrote |
//! | [`reference_count::ReferenceCount`] | the last owner sees what all the others did |
//! | [`naive`] | what everybody writes first |
//!
//! [`litmus`] asks the processor the same questions as the models. [`variants`] and [`experiment`]
//! are for the example and the tests.
//!
//! The book's chapter: [sharing](../../../../concurrency/sharing.html).

pub mod counter;
pub mod experiment;
pub mod litmus;
pub mod message_passing;
pub mod naive;
pub mod reference_count;
pub mod spin;
pub mod store_buffering;
pub mod variants;

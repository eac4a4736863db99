//! Part "I/O": many connections, many file operations, many small writes at a time, and writes that
//! last.
//!
//! The book's part: [io](../../../io/index.html).

pub mod async_io;
pub mod batching;
pub mod event_loop;
pub mod group_commit;
pub mod power_loss;

//! Part "I/O": many connections and many file operations at a time.

pub mod async_io;
pub mod event_loop;
pub mod power_loss;

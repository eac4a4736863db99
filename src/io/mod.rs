//! Part "I/O": waiting for many things at once.

pub mod event_loop;

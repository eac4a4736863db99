//! A static file server for HTTP/1.1 whose bodies leave by `sendfile`.
//!
//! [`Site`] serves one connection on the calling thread; [`FileServer`] listens and gives each
//! connection a thread. Every socket is non-blocking and every wait has a deadline, so a client can
//! hold its thread only for as long as [`Limits`] allows. In the kernel it can hold one socket
//! buffer; a client that misses a deadline is reset, which frees that too.
//!
//! One wait has no deadline: a read from a slow disk happens inside `sendfile` and cannot be
//! interrupted.
//!
//! | module | provides |
//! | --- | --- |
//! | [`limits`] | the limits, as a plain struct |
//! | [`response`] | the response to a request, without a socket |
//! | `connection` | the conversation on one connection |
//! | `listener` | accepting, and shutting down |
//! | `cancel` | a wait that shutting down interrupts |
//! | `log` | reports that cannot end the server |

mod cancel;
mod connection;
pub mod limits;
mod listener;
mod log;
pub mod response;
mod sigpipe;

pub use connection::Site;
pub use limits::Limits;
pub use listener::{Counts, FileServer};

//! A static file server for HTTP/1.1 whose bodies leave by `sendfile`.
//!
//! [`Conversation`](conversation::Conversation) is one connection without its socket. [`Site`]
//! serves one on the calling thread; [`FileServer`] listens and gives each connection a thread.
//! Every socket is non-blocking and every wait has a deadline, so a client can hold its thread only
//! for as long as [`Limits`] allows. In the kernel it can hold one socket buffer; a client that
//! misses a deadline is reset, which frees that too.
//!
//! One wait has no deadline: a read from a slow disk happens inside `sendfile` and cannot be
//! interrupted.
//!
//! | module | provides |
//! | --- | --- |
//! | [`limits`] | the limits, as a plain struct |
//! | [`response`] | the response to a request, without a socket |
//! | [`conversation`] | one connection as a state machine, without a socket |
//! | `service` | what all connections share: the root and the limits |
//! | `connection` | one connection on a thread that waits for it |
//! | `listener` | accepting, and shutting down |
//! | `cancel` | a wait that shutting down interrupts |
//! | `refusal` | the answer to a client for whom there is no room |
//! | `log` | reports that cannot end the server |

mod cancel;
mod connection;
pub mod conversation;
pub mod limits;
mod listener;
mod log;
mod refusal;
pub mod response;
mod service;
mod sigpipe;

pub use connection::Site;
pub use limits::Limits;
pub use listener::{Counts, FileServer};
pub use service::Service;

// For the servers of other chapters, which differ in how they wait and in nothing else.
pub(crate) use log::Log;
pub(crate) use refusal::turn_away;
pub(crate) use sigpipe::block_sigpipe;

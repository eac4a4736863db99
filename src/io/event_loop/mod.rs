//! An event loop: one thread that serves ten thousand connections.
//!
//! A thread per connection waits inside the call that it makes. A loop asks the kernel once which
//! of all its sockets are ready (`epoll(7)`), takes a bounded turn on each of them, and asks again.
//! Nothing on the loop may wait, so each connection is a state machine: the sendfile chapter's
//! [`Conversation`](crate::zero_copy::sendfile::server::conversation::Conversation), which its
//! server drives from a thread.
//!
//! - **Edge-triggered.** The kernel reports that a socket *becomes* ready, once. A connection is
//!   registered with one call and never again, whatever it waits for. In return, the loop has to go
//!   on until the kernel says that there is no more (`EAGAIN`, or a short read), or remember that
//!   it has not. It remembers: a connection whose turn ends early stands in the loop's ready queue,
//!   which fairness needs anyway. Level-triggered, the kernel would remember, and the loop would
//!   have to tell it by another call whenever a connection turns from reading to writing and back.
//!   Forget that call, and the loop spins on a socket that is always writable.
//! - **Fair.** A turn moves about [`Settings::budget`] bytes at most. Then the connection queues
//!   behind the others, even if its client reads as fast as the loop sends.
//! - **One accept queue.** All loops watch one listener with `EPOLLEXCLUSIVE`, so that an arrival
//!   need not wake every loop that sleeps, and the loop that accepts gives the connection to the one
//!   with the fewest. With a listener per loop (`SO_REUSEPORT`), the kernel would distribute
//!   them by a hash, evenly only on average. Clients in the queue of a loop that waits for a slow
//!   disk would wait with it, and those in the queue of a listener that closes are reset. A second server on the
//!   same address would get half of the clients instead of `EADDRINUSE`.
//! - **Backpressure.** A connection is read only when its last response has left, so a client that
//!   does not read its answers soon cannot send either. A client beyond the limit of connections
//!   gets a 503, and so does one whose descriptor is among the last quarter of those that the
//!   process may have: they are kept for files. Without descriptors the loop stops accepting for a
//!   moment, and the clients wait in the kernel's queue.
//!
//! One wait is left, for a slow disk: opening a file waits for it, and so does `sendfile` where the
//! page cache lacks a page. The loop and all its connections wait with it. With
//! [`Settings::readers`], a pool reads what `sendfile` would wait for.
//!
//! The same server runs on io_uring, too ([`Engine::Ring`]), which opens files, and reads small
//! ones, without the loop.
//!
//! | module | provides |
//! | --- | --- |
//! | [`server`] | several loops on one address, and shutting down |
//! | `reactor` | one loop: readiness, turns, deadlines |
//! | `connection` | a turn of one connection |
//! | `read_ahead` | a pool that reads what the page cache lacks |
//! | `ring` | one loop on io_uring |
//! | [`timers`] | deadlines that move, in a heap that hardly does |
//! | `shared` | the part of a loop that other threads reach |
//! | [`naive`] | four loops that everyone writes first |
//! | [`variants`], [`experiment`] | what the chapter compares, and how |
//!
//! The book's chapter: [event_loop](../../../../io/event-loop.html).

#[cfg(target_os = "linux")]
mod connection;
#[cfg(target_os = "linux")]
pub mod experiment;
#[cfg(target_os = "linux")]
pub mod naive;
#[cfg(target_os = "linux")]
mod reactor;
#[cfg(target_os = "linux")]
mod read_ahead;
#[cfg(target_os = "linux")]
mod ring;
#[cfg(target_os = "linux")]
pub mod server;
#[cfg(target_os = "linux")]
mod shared;
pub mod timers;
#[cfg(target_os = "linux")]
pub mod variants;

#[cfg(target_os = "linux")]
pub use server::{Engine, Server, Settings};

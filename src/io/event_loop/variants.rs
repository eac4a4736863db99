//! The servers that the chapter compares: the same requests, the same files, the same limits, and
//! different ways to wait for a socket.

use super::server::{Engine, Server, Settings};
use crate::harness::unknown;
use crate::zero_copy::sendfile::server::{Counts, FileServer};
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

/// A server that is running.
pub enum Variant {
    /// A thread for each connection, which waits in `ppoll(2)`.
    Threads(FileServer),
    /// Event loops, which wait in `epoll_wait(2)`.
    Epoll(Server),
    /// Event loops, which wait in `io_uring_enter(2)`.
    Ring(Server),
}

impl Variant {
    /// The names, in the order in which the chapter meets them.
    pub const NAMES: [&str; 3] = ["threads", "epoll", "io_uring"];

    /// Starts the variant called `name` on a free port of this machine. `report` is told of each
    /// error.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for any other name; the errors of [`FileServer::start`] and
    /// [`Server::start`].
    pub fn start(
        name: &str,
        root: &Path,
        settings: Settings,
        report: impl Fn(Option<SocketAddr>, &io::Error) + Send + Sync + 'static,
    ) -> io::Result<Self> {
        const ADDRESS: &str = "127.0.0.1:0";
        Ok(match name {
            "threads" => Self::Threads(FileServer::start(root, ADDRESS, settings.limits, report)?),
            "epoll" => {
                let settings = Settings { engine: Some(Engine::Epoll), ..settings };
                Self::Epoll(Server::start(root, ADDRESS, settings, report)?)
            }
            "io_uring" => {
                let settings = Settings { engine: Some(Engine::Ring), ..settings };
                Self::Ring(Server::start(root, ADDRESS, settings, report)?)
            }
            _ => return Err(unknown(name, &Self::NAMES)),
        })
    }

    /// Returns the address on which the server listens.
    pub fn address(&self) -> SocketAddr {
        match self {
            Self::Threads(server) => server.address(),
            Self::Epoll(server) | Self::Ring(server) => server.address(),
        }
    }

    /// Returns the counts so far.
    pub fn counts(&self) -> Counts {
        match self {
            Self::Threads(server) => server.counts(),
            Self::Epoll(server) | Self::Ring(server) => server.counts(),
        }
    }

    /// Shuts the server down, with up to `grace` for responses in flight.
    pub fn shutdown(self, grace: Duration) -> Counts {
        match self {
            Self::Threads(server) => server.shutdown(grace),
            Self::Epoll(server) | Self::Ring(server) => server.shutdown(grace),
        }
    }
}

//! A TCP proxy around [`relay()`]: it accepts, connects, and relays each connection on a thread of
//! its own.

use super::pool::PipePool;
use super::relay::{Moved, relay};
use crate::sys::socket::reset_on_close;
use crate::sys::trying;
use crate::zero_copy::sendfile::permits::Permits;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;
use std::{io, thread};

/// A proxy in front of one server, and the limits of its clients.
pub struct Proxy {
    server: SocketAddr,
    pipes: PipePool,
    permits: Permits,
    idle: Duration,
}

/// Pause before the next `accept` when the process or the machine is out of descriptors or memory.
const REST: Duration = Duration::from_millis(50);

impl Proxy {
    /// Makes a proxy that relays up to `connections` clients at a time to `server`, each through
    /// two pipes of `capacity` bytes, and resets those on which nothing moves for `idle`.
    pub fn new(server: SocketAddr, capacity: usize, connections: usize, idle: Duration) -> Self {
        Self {
            server,
            pipes: PipePool::new(capacity, 2 * connections),
            permits: Permits::new(connections),
            idle,
        }
    }

    /// Accepts from `listener` until that fails for good, and passes the client's address and the
    /// outcome of each connection to `report`. Returns the failure once the open connections have
    /// ended.
    ///
    /// A client sees its stream end only if the server has ended it. Everything else (the server
    /// refuses or resets the connection, nothing moves for too long, more clients than the limit)
    /// resets the client's connection, so that it cannot mistake a part of an answer for the whole.
    pub fn run(
        &self,
        listener: &TcpListener,
        report: impl Fn(SocketAddr, io::Result<Moved>) + Sync,
    ) -> io::Error {
        thread::scope(|scope| {
            let report = &report;
            loop {
                let (client, peer) = match listener.accept() {
                    Ok(accepted) => accepted,
                    Err(error) => match error.raw_os_error() {
                        Some(libc::ECONNABORTED | libc::EINTR) => continue, // that client has gone
                        Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM) => {
                            thread::sleep(REST); // the client stays in the queue
                            continue;
                        }
                        _ => return error,
                    },
                };
                // Until the relay has seen both streams end. A panic resets the connection too.
                let permit = reset_on_close(&client, true)
                    .and_then(|()| self.permits.try_acquire().map_err(io::Error::other));
                let permit = match permit {
                    Ok(permit) => permit,
                    Err(refused) => {
                        report(peer, Err(refused));
                        continue;
                    }
                };
                let connection = move || {
                    let _permit = permit; // returned after `client` is closed, even by a panic
                    let client = client;
                    report(peer, self.connect(&client));
                };
                if let Err(error) = thread::Builder::new().spawn_scoped(scope, connection) {
                    report(peer, trying("starting a thread", Err(error)));
                }
            }
        })
    }

    /// Relays one client to the end.
    fn connect(&self, client: &TcpStream) -> io::Result<Moved> {
        let pipe = || trying("making a pipe", self.pipes.take());
        let (mut forward, mut back) = (pipe()?, pipe()?);
        let server = trying(
            format_args!("connecting to {}", self.server),
            TcpStream::connect_timeout(&self.server, self.idle),
        )?;
        for (name, socket) in [("the client", client), ("the server", &server)] {
            trying(name, socket.set_nodelay(true))?; // the ends decide what belongs together
        }
        Ok(relay(client, &server, [&mut *forward, &mut *back], self.idle)?)
    }
}

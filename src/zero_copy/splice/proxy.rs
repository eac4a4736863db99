//! A TCP proxy around [`relay()`]: accepts, connects, and relays each connection on a thread of its
//! own.

use super::pool::PipePool;
use super::relay::{Moved, RelayError, relay};
use crate::zero_copy::sendfile::permits::Permits;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;
use std::{io, thread};

/// Where a proxy relays to, and what its clients may take.
pub struct Proxy {
    to: SocketAddr,
    pipes: PipePool,
    permits: Permits,
    idle: Duration,
}

/// How long to rest when the process or the machine is out of descriptors or memory.
const REST: Duration = Duration::from_millis(50);

impl Proxy {
    /// Relays up to `connections` clients at a time to `to`, each through two pipes of `capacity`
    /// bytes, and lets none of them be silent for longer than `idle`.
    pub fn new(to: SocketAddr, capacity: usize, connections: usize, idle: Duration) -> Self {
        Self {
            to,
            pipes: PipePool::new(capacity, 2 * connections),
            permits: Permits::new(connections),
            idle,
        }
    }

    /// Accepts from `listener` until that fails for good, and tells `report` how each connection
    /// ended. Returns the failure, once the connections that were open have ended.
    ///
    /// A client beyond the bound is closed at once.
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
                        Some(libc::ECONNABORTED | libc::EINTR) => continue, // gone before we came
                        Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM) => {
                            thread::sleep(REST); // the client stays in the queue
                            continue;
                        }
                        _ => return error,
                    },
                };
                let permit = match self.permits.try_acquire() {
                    Ok(permit) => permit,
                    Err(refused) => {
                        report(peer, Err(io::Error::other(refused)));
                        continue;
                    }
                };
                let connection = move || {
                    let _permit = permit; // returned once the connection is closed, even by a panic
                    report(peer, self.connect(&client));
                };
                if let Err(error) = thread::Builder::new().spawn_scoped(scope, connection) {
                    report(peer, Err(error));
                }
            }
        })
    }

    // ANCHOR: connect
    /// Relays one client to the end.
    ///
    /// # Errors
    ///
    /// What connecting to the other side or the pipes report; a [`RelayError`] of what followed.
    pub fn connect(&self, client: &TcpStream) -> io::Result<Moved> {
        let server = TcpStream::connect_timeout(&self.to, self.idle)?;
        for end in [client, &server] {
            end.set_nodelay(true)?; // the ends decide what belongs together
        }
        let (mut forward, mut back) = (self.pipes.take()?, self.pipes.take()?);
        relay(client, &server, [&mut forward, &mut back], self.idle).map_err(RelayError::into)
    }
    // ANCHOR_END: connect
}

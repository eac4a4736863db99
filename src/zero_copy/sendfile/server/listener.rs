//! Accepting connections, with a thread for each, and shutting down.

use super::cancel::is_cut_off;
use super::connection::Site;
use super::limits::{Limits, PIECE};
use super::log::Log;
use super::refusal::turn_away;
use super::sigpipe::block_sigpipe;
use crate::sys::trying;
use crate::zero_copy::sendfile::MAX_PER_CALL;
use crate::zero_copy::sendfile::permits::{Permits, Refused};
use std::fmt::Display;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// A [`Site`] on an address, with a thread for each connection.
///
/// ```
/// use perf_proved::zero_copy::sendfile::server::{FileServer, Limits};
/// use std::io::{Read, Write};
/// use std::time::Duration;
///
/// let server = FileServer::start("src".as_ref(), "127.0.0.1:0", Limits::default(), |_, _| {})?;
/// let mut client = std::net::TcpStream::connect(server.address())?;
/// client.write_all(b"GET /lib.rs HTTP/1.0\r\n\r\n")?;
/// let mut answer = String::new();
/// client.read_to_string(&mut answer)?;
/// assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"));
/// assert!(answer.ends_with(&std::fs::read_to_string("src/lib.rs")?));
/// assert_eq!(server.shutdown(Duration::from_secs(1)).responses, 1);
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct FileServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    /// `None` once it is joined.
    acceptor: Option<JoinHandle<()>>,
}

// ANCHOR: compiled
static_assertions::assert_impl_all!(FileServer: Send, Sync);
// A piece of a body fits into one call, so a deadline covers that much and not 2 GiB.
static_assertions::const_assert!(PIECE < MAX_PER_CALL as u64);
// ANCHOR_END: compiled

/// The state that the acceptor, the connections and the [`FileServer`] share.
struct Shared {
    site: Site,
    permits: Permits,
    log: Log,
    accepted: AtomicU64,
    refused: AtomicU64,
}

/// The work of a server so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Connections that were admitted.
    pub accepted: u64,
    /// Connections that were answered 503, because the server had reached its limit.
    pub refused: u64,
    /// Responses sent in full, of any status.
    pub responses: u64,
    /// Errors, each of which was reported.
    pub failed: u64,
    /// Connections that were still open when the grace period of the shutdown ended.
    pub cut_off: u64,
}

/// The pause after an error of `accept`: most likely, the process or the machine is out of
/// descriptors or memory.
const REST: Duration = Duration::from_millis(50);
/// The stack of a connection's thread in bytes, with room to spare.
const STACK: usize = 256 << 10;

impl FileServer {
    /// Listens on `address` and serves the files beneath `root`. Each error, of a connection or of
    /// accepting one, goes to `report`. If `report` panics, that error is lost and the server goes
    /// on; [`log::line`](crate::sys::log::line) writes to standard error without panicking.
    ///
    /// # Errors
    ///
    /// The errors of [`Root::open`](crate::zero_copy::sendfile::root::Root::open), of listening on
    /// `address`, and of starting a thread.
    pub fn start(
        root: &Path,
        address: impl ToSocketAddrs + Display,
        limits: Limits,
        report: impl Fn(Option<SocketAddr>, &io::Error) + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let permits = Permits::new(limits.connections);
        let site = Site::new(root, limits)?;
        let listener = trying(format_args!("listening on {address}"), TcpListener::bind(&address))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            site,
            permits,
            log: Log::new(Box::new(report)),
            accepted: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        });
        let acceptor = {
            let shared = Arc::clone(&shared);
            let thread = thread::Builder::new().name("acceptor".into());
            trying("starting the acceptor", thread.spawn(move || shared.accept_all(listener)))?
        };
        Ok(Self { address, shared, acceptor: Some(acceptor) })
    }

    /// Returns the address on which the server listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the counts so far.
    pub fn counts(&self) -> Counts {
        let Shared { site, log, accepted, refused, .. } = &*self.shared;
        Counts {
            accepted: accepted.load(Ordering::Relaxed), // counts only
            refused: refused.load(Ordering::Relaxed),
            responses: site.responses(),
            failed: log.failed(),
            cut_off: 0,
        }
    }

    /// Stops accepting, closes idle connections, lets responses in flight finish for up to `grace`,
    /// cuts off the rest, and returns once every thread has ended.
    pub fn shutdown(mut self, grace: Duration) -> Counts {
        let cut_off = self.stop(grace);
        Counts { cut_off, ..self.counts() }
    }

    fn stop(&mut self, grace: Duration) -> u64 {
        let Some(acceptor) = self.acceptor.take() else { return 0 };
        let Shared { site, permits, log, .. } = &*self.shared;
        permits.close(); // first, so that a 0 below is final
        site.finish.cancel();
        let cut_off = permits.drain(Some(Instant::now() + grace));
        site.abort.cancel();
        if acceptor.join().is_err() {
            log.error(None, &io::Error::other("the accepting thread panicked"));
        }
        cut_off as u64
    }
}

impl Drop for FileServer {
    fn drop(&mut self) {
        self.stop(Duration::ZERO);
    }
}

impl Shared {
    fn accept_all(&self, listener: TcpListener) {
        // The threads of the scope inherit this, and the scope joins them all.
        block_sigpipe().unwrap_or_else(|error| self.log.error(None, &error));
        thread::scope(move |scope| {
            let finish = &self.site.finish;
            while !finish.is_cancelled() {
                match listener.accept() {
                    Ok((stream, peer)) => self.admit(scope, stream, peer),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        let hour = Instant::now() + Duration::from_secs(3600);
                        match finish.wait(&listener, libc::POLLIN, hour) {
                            Err(error) if !is_cut_off(&error) => self.rest(&error),
                            _ => {} // a client, or the shutdown that the loop's condition sees
                        }
                    }
                    // The client went away before it was accepted.
                    Err(error) if error.raw_os_error() == Some(libc::ECONNABORTED) => {}
                    Err(error) => self.rest(&error), // the client stays in the queue
                }
            }
        });
    }

    fn admit<'scope>(
        &'scope self,
        scope: &'scope thread::Scope<'scope, '_>,
        stream: TcpStream,
        peer: SocketAddr,
    ) {
        let fail = move |error: io::Error| self.log.error(Some(peer), &error);
        let permit = match self.permits.try_acquire() {
            Ok(permit) => permit,
            Err(Refused::Closed) => return,
            Err(Refused::Full) => {
                self.refused.fetch_add(1, Ordering::Relaxed); // a count, which publishes nothing
                return turn_away(&stream).unwrap_or_else(fail);
            }
        };
        let connection = move || {
            let _permit = permit; // returned once the connection is closed, even by a panic
            let served = catch_unwind(AssertUnwindSafe(|| self.site.serve(stream)));
            served
                .unwrap_or_else(|_| Err(io::Error::other("serving the connection panicked")))
                .unwrap_or_else(fail);
        };
        let thread = thread::Builder::new().name("connection".into()).stack_size(STACK);
        match thread.spawn_scoped(scope, connection) {
            Ok(_) => {
                self.accepted.fetch_add(1, Ordering::Relaxed); // a count, which publishes nothing
            }
            // The closure took stream and permit with it.
            Err(error) => fail(error),
        }
    }

    /// Reports `error` and pauses: to retry at once would burn the core.
    fn rest(&self, error: &io::Error) {
        self.log.error(None, error);
        thread::sleep(REST);
    }
}

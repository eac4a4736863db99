//! Several loops on one address, and shutting down.

use super::reactor::Reactor;
use super::read_ahead::{self, Part};
use super::shared::{Phase, Remote, Shared};
use crate::concurrency::worker_pool::WorkerPool;
use crate::sys::socket::{set_backlog, set_nodelay};
use crate::sys::trying;
use crate::zero_copy::sendfile::permits::Permits;
use crate::zero_copy::sendfile::server::{Counts, Limits, Log, Service, block_sigpipe};
use std::fmt::Display;
use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// The settings of a [`Server`].
#[derive(Clone, Debug)]
pub struct Settings {
    /// The bounds on what one client may take, and on the number of clients. A quarter of the
    /// descriptors that the process may have open is kept for files, so `RLIMIT_NOFILE` bounds the
    /// number of clients, too. It is read when the server starts: raise it before that.
    pub limits: Limits,
    /// The number of loops, each with a thread; at least one.
    pub loops: usize,
    /// The approximate number of bytes that a connection may move before the others of its loop
    /// have their turn. A small budget costs calls, a large one makes others wait.
    pub budget: usize,
    /// The number of threads that read the parts of files that the page cache lacks, so that no
    /// loop waits for them in `sendfile`. Without one, a loop reads them itself. Each part of a
    /// file that is sent then costs the loop a further call (`cachestat(2)`), and each that has to
    /// be read a hand-over. Opening a file waits for the disk all the same.
    pub readers: usize,
}

impl Default for Settings {
    /// A loop for each core, 256 KiB a turn, up to 16,384 connections, and no readers.
    fn default() -> Self {
        let limits = Limits { connections: 16 << 10, ..Limits::default() };
        let loops = thread::available_parallelism().map_or(1, usize::from);
        Self { limits, loops, budget: 256 << 10, readers: 0 }
    }
}

/// The connections that may wait to be accepted; the kernel's own limit is 4,096 by default.
const BACKLOG: libc::c_int = 4096;

/// A static file server for HTTP/1.1 on event loops.
///
/// It answers as [`FileServer`](crate::zero_copy::sendfile::server::FileServer) does, whose parser,
/// responses, limits and state machine it has.
///
/// ```
/// use perf_proved::io::event_loop::{Server, Settings};
/// use std::io::{Read, Write};
/// use std::time::Duration;
///
/// let server = Server::start("src".as_ref(), "127.0.0.1:0", Settings::default(), |_, _| {})?;
/// let mut client = std::net::TcpStream::connect(server.address())?;
/// client.write_all(b"GET /lib.rs HTTP/1.0\r\n\r\n")?;
/// let mut answer = String::new();
/// client.read_to_string(&mut answer)?;
/// assert!(answer.ends_with(&std::fs::read_to_string("src/lib.rs")?));
/// assert_eq!(server.shutdown(Duration::from_secs(1)).responses, 1);
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    /// Empty once they are joined.
    threads: Vec<JoinHandle<()>>,
    pool: Option<Arc<WorkerPool<Part>>>,
}

static_assertions::assert_impl_all!(Server: Send, Sync);

impl Server {
    /// Listens on `address` and serves the files beneath `root`. Each error, of a connection or of
    /// accepting one, goes to `report`, on the loop: a report that waits holds up every connection
    /// of that loop. If it panics, that error is lost and the server goes on.
    ///
    /// # Errors
    ///
    /// The errors of [`Root::open`](crate::zero_copy::sendfile::root::Root::open), of listening on
    /// `address`, of `epoll_create1(2)` and `eventfd(2)`, and of starting a thread; with readers,
    /// those of `cachestat(2)` on `root`.
    pub fn start(
        root: &Path,
        address: impl ToSocketAddrs + Display,
        settings: Settings,
        report: impl Fn(Option<SocketAddr>, &io::Error) + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let Settings { limits, loops, budget, readers } = settings;
        let permits = Permits::new(limits.connections);
        let service = Service::new(root, limits)?;
        let listener = trying(format_args!("listening on {address}"), TcpListener::bind(&address))?;
        listener.set_nonblocking(true)?;
        set_backlog(&listener, BACKLOG)?;
        // MSG_MORE already keeps a head back until its body follows. Its connections inherit this.
        set_nodelay(&listener, true)?;
        let address = listener.local_addr()?;
        let log = Log::new(Box::new(report));
        let shared = Shared::new(service, permits, log, budget.max(1), loops.max(1))?;
        let shared = Arc::new(shared);
        let pool = (readers > 0).then(|| read_ahead::start(&shared, readers, root)).transpose()?;
        let mut server = Self { address, shared, threads: vec![], pool: pool.map(Arc::new) };
        let listener = Arc::new(listener);
        for index in 0..server.shared.loops.len() {
            let (shared, pool) = (Arc::clone(&server.shared), server.pool.clone());
            let reactor = Reactor::new(Arc::clone(&shared), index, Arc::clone(&listener), pool)?;
            let run = move || {
                block_sigpipe().unwrap_or_else(|error| shared.log.error(None, &error));
                reactor.run();
            };
            let thread = thread::Builder::new().name(format!("loop {index}"));
            // An error drops the server, which ends the loops that run already.
            server.threads.push(trying("starting a loop", thread.spawn(run))?);
        }
        Ok(server)
    }

    /// Returns the address on which the server listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the counts so far.
    pub fn counts(&self) -> Counts {
        let Shared { service, log, accepted, refused, .. } = &*self.shared;
        Counts {
            accepted: accepted.load(Ordering::Relaxed), // counts only
            refused: refused.load(Ordering::Relaxed),
            responses: service.responses(),
            failed: log.failed(),
            cut_off: 0,
        }
    }

    /// Returns the number of open connections of each loop.
    pub fn connections(&self) -> Vec<usize> {
        self.shared.loops.iter().map(Remote::connections).collect()
    }

    /// Stops accepting, closes idle connections, lets responses in flight finish for up to `grace`,
    /// cuts off the rest, and returns once every loop has ended.
    pub fn shutdown(mut self, grace: Duration) -> Counts {
        let cut_off = self.stop(grace);
        Counts { cut_off, ..self.counts() }
    }

    fn stop(&mut self, grace: Duration) -> u64 {
        if self.threads.is_empty() {
            return 0;
        }
        let Shared { permits, log, .. } = &*self.shared;
        permits.close(); // first, so that a 0 below is final
        self.shared.enter(Phase::Finishing);
        let cut_off = permits.drain(Some(Instant::now() + grace));
        self.shared.enter(Phase::Aborting);
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                log.error(None, &io::Error::other("a loop panicked"));
            }
        }
        // Nothing waits for the parts that are still to be read.
        drop(self.pool.take().map(|pool| pool.cancel()));
        cut_off as u64
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop(Duration::ZERO);
    }
}

//! Several loops on one address, and shutting down.

use super::reactor::Reactor;
use super::read_ahead::{self, Part};
use super::ring::RingReactor;
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
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// The facility of the kernel by which the loops wait for their clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// Readiness: `epoll` says which sockets are ready, and the loop makes the calls.
    Epoll,
    /// Completion: io_uring carries out the operations, and says which have ended (Linux 6.1).
    Ring,
}

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
    /// loop on `epoll` waits for them in `sendfile`. Without one, a loop reads them itself. Each
    /// part of a file that is sent then costs the loop a further call (`cachestat(2)`), and each
    /// that has to be read a hand-over. Opening a file waits for the disk all the same. Loops on
    /// io_uring start none of them.
    pub readers: usize,
    /// The engine. `None` takes a ring if one serves here, and `epoll` if not.
    pub engine: Option<Engine>,
}

impl Default for Settings {
    /// A loop for each core on `epoll`, 256 KiB a turn, up to 16,384 connections, and no readers.
    fn default() -> Self {
        let limits = Limits { connections: 16 << 10, ..Limits::default() };
        let loops = thread::available_parallelism().map_or(1, usize::from);
        let engine = Some(Engine::Epoll);
        Self { limits, loops, budget: 256 << 10, readers: 0, engine }
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
    engine: Engine,
    no_ring: Option<io::Error>,
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
    /// those of `cachestat(2)` on `root`; the reason why there is no ring, or none that serves, if
    /// the settings insist on one.
    pub fn start(
        root: &Path,
        address: impl ToSocketAddrs + Display,
        settings: Settings,
        report: impl Fn(Option<SocketAddr>, &io::Error) + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let Settings { limits, loops, budget, readers, engine } = settings;
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
        let mut server = Self {
            address,
            shared: Arc::new(shared),
            engine: Engine::Ring,
            no_ring: None,
            threads: vec![],
            pool: None,
        };
        let listener = Arc::new(listener);
        let reason = match engine {
            Some(Engine::Epoll) => None,
            Some(Engine::Ring) => return server.on_rings(&listener).map(|()| server),
            None => match server.on_rings(&listener) {
                Ok(()) => return Ok(server),
                Err(reason) => Some(reason),
            },
        };
        (server.engine, server.no_ring) = (Engine::Epoll, reason);
        if readers > 0 {
            server.pool = Some(Arc::new(read_ahead::start(&server.shared, readers, root)?));
        }
        server.on_epoll(&listener)?;
        Ok(server)
    }

    fn on_epoll(&mut self, listener: &Arc<TcpListener>) -> io::Result<()> {
        for index in 0..self.shared.loops.len() {
            let (shared, pool) = (Arc::clone(&self.shared), self.pool.clone());
            let reactor = Reactor::new(shared, index, Arc::clone(listener), pool)?;
            // An error drops the server, which ends the loops that run already.
            self.threads.push(self.spawn(index, move || reactor.run())?);
        }
        Ok(())
    }

    /// Starts a ring for each loop, on its thread, or none: they run once all of them have served
    /// a client of their own.
    fn on_rings(&mut self, listener: &Arc<TcpListener>) -> io::Result<()> {
        let (mut threads, mut starters) = (vec![], vec![]);
        let mut start = |index| {
            let (shared, listener) = (Arc::clone(&self.shared), Arc::clone(listener));
            let (tell, hear) = mpsc::channel();
            let (start, started) = mpsc::channel();
            let run = move || ring(RingReactor::new(shared, index, listener), &tell, &started);
            threads.push(self.spawn(index, run)?);
            starters.push(start);
            let gone = |_| Err(io::Error::other("the loop panicked"));
            hear.recv().unwrap_or_else(gone)
        };
        let result = (0..self.shared.loops.len()).try_for_each(&mut start);
        if result.is_ok() {
            for start in starters {
                let _ = start.send(()); // a loop that is gone is reported when it is joined
            }
            self.threads = threads;
        } else {
            drop(starters); // which ends those that wait
            threads.into_iter().for_each(|thread| drop(thread.join()));
        }
        result
    }

    fn spawn(
        &self,
        index: usize,
        run: impl FnOnce() + Send + 'static,
    ) -> io::Result<JoinHandle<()>> {
        let shared = Arc::clone(&self.shared);
        let run = move || {
            block_sigpipe().unwrap_or_else(|error| shared.log.error(None, &error));
            run();
        };
        let thread = thread::Builder::new().name(format!("loop {index}"));
        trying("starting a loop", thread.spawn(run))
    }

    /// Returns the engine that runs.
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// Returns the reason why `epoll` runs, if the settings left the choice.
    pub fn no_ring(&self) -> Option<&io::Error> {
        self.no_ring.as_ref()
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

/// Says if there is a ring, and serves by it once all others are there, too.
fn ring(made: io::Result<RingReactor>, tell: &Sender<io::Result<()>>, started: &Receiver<()>) {
    let (reactor, said) = match made {
        Ok(reactor) => (Some(reactor), Ok(())),
        Err(error) => (None, Err(error)),
    };
    let _ = tell.send(said); // `on_rings` waits for it
    if let Some(reactor) = reactor
        && started.recv().is_ok()
    {
        reactor.run();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop(Duration::ZERO);
    }
}

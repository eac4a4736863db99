//! A static file server for HTTP/1.1 whose bodies leave by `sendfile`.
//!
//! [`Site`] serves one connection on the calling thread; [`FileServer`] listens and gives each
//! connection a thread. Every socket is non-blocking, and every wait has a deadline, so a client
//! can hold its thread only for as long as [`Limits`] says. What it can hold in the kernel is one
//! socket's buffer; a client that misses a deadline is reset, which frees that too.
//!
//! A read from a slow disk is the one wait that has no deadline: it happens inside `sendfile` and
//! cannot be interrupted.

use super::gate::{Gate, Refused};
use super::head::{self, Parsed, Part, Request, Version};
use super::path::Root;
use super::{SendError, send_range_with, wait};
use std::fmt::Display;
use std::fs::File;
use std::io::{self, PipeReader, PipeWriter, Read};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::ops::Range;
use std::os::fd::{AsRawFd, RawFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

// ANCHOR: limits
/// What one client may take from the others.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections at a time, each with a thread. One more is answered 503 and closed at once.
    pub connections: usize,
    /// Bytes in the head of a request. More are answered 414 or 431.
    pub head_bytes: usize,
    /// From a request's first byte to its last. A byte now and then does not extend it: 408.
    pub head: Duration,
    /// From one response to the first byte of the next request; then the connection is closed.
    pub idle: Duration,
    /// For each MiB of a body, and for what is left of it. A body of `n` MiB holds its thread no
    /// longer than `n` (rounded up) times this, and a reader that takes a byte a second is reset
    /// after the first.
    pub body_per_mib: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        let ten = Duration::from_secs(10);
        Self { connections: 512, head_bytes: 8 << 10, head: ten, idle: ten, body_per_mib: ten }
    }
}
// ANCHOR_END: limits

/// The piece of a body that must leave within [`Limits::body_per_mib`].
const PIECE: u64 = 1 << 20;
/// How long, and for how many bytes, the client's last words are read after ours, so that closing
/// does not reset the connection and take our answer along.
const LINGER: (Duration, usize) = (Duration::from_secs(1), 64 << 10);

/// A root and the limits under which it is served.
pub struct Site {
    root: Root,
    limits: Limits,
    /// Shutdown has begun: no further request is read.
    finish: Switch,
    /// The grace period is over: everything ends.
    abort: Switch,
    /// Responses sent in full.
    responses: AtomicU64,
}

static_assertions::assert_impl_all!(Site: Send, Sync);

/// Bytes that go before a body, and the body.
struct Response {
    status: u16,
    fields: Vec<(&'static str, String)>,
    body: Body,
}

enum Body {
    None,
    /// The status in words.
    Words,
    File(File, Range<u64>),
}

impl Response {
    fn words(status: u16) -> Self {
        let fields = if status == 405 { vec![("Allow", "GET, HEAD".to_owned())] } else { vec![] };
        Self { status, fields, body: Body::Words }
    }

    fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.fields.push((name, value.to_string()));
        self
    }
}

impl Site {
    /// Opens the root.
    ///
    /// # Errors
    ///
    /// As [`Root::open`].
    pub fn new(root: &Path, limits: Limits) -> io::Result<Self> {
        let responses = AtomicU64::new(0);
        Ok(Self {
            root: Root::open(root)?,
            limits,
            finish: Switch::new()?,
            abort: Switch::new()?,
            responses,
        })
    }

    /// Serves one connection until either side closes it.
    ///
    /// # Errors
    ///
    /// Whatever ended the connection other than its regular end: `TimedOut` for a missed deadline,
    /// `UnexpectedEof` for a file that became shorter while it was sent, `ConnectionReset` and
    /// `BrokenPipe` for a client that went away.
    pub fn serve(&self, stream: TcpStream) -> io::Result<()> {
        stream.set_nonblocking(true)?;
        // The head waits for the body by MSG_MORE, so nothing is gained by Nagle's wait for an
        // acknowledgement, and the last segment of each response would suffer it.
        stream.set_nodelay(true)?;
        let result = self.converse(&stream);
        if result.as_ref().is_err_and(is_cut_off) {
            reset_on_close(&stream)?;
        }
        result
    }

    /// Request, response, request, response.
    // ANCHOR: converse
    fn converse(&self, stream: &TcpStream) -> io::Result<()> {
        let mut received = Vec::with_capacity(self.limits.head_bytes);
        loop {
            let (keep_alive, head_only, found) = match self.receive(stream, &mut received)? {
                Heard::Nothing => return Ok(()),
                Heard::Refused(status) => (false, false, Ok(Response::words(status))),
                Heard::Request(request, length) => {
                    received.drain(..length); // what is left is the beginning of the next one
                    (
                        request.keep_alive && !self.finish.is_on(),
                        request.head_only,
                        self.find(&request),
                    )
                }
            };
            let (response, trouble) = match found {
                Ok(response) => (response, Ok(())),
                Err(error) if status_of(&error) < 500 => {
                    (Response::words(status_of(&error)), Ok(()))
                }
                Err(error) => (Response::words(status_of(&error)), Err(error)), // ours: reported, and the connection ends
            };
            let keep_alive = keep_alive && trouble.is_ok();
            let response =
                response.with("Connection", if keep_alive { "keep-alive" } else { "close" });
            self.send(stream, response, head_only)?;
            self.responses.fetch_add(1, Ordering::Relaxed); // a count, with which nothing is published, like all of `Counts`
            if !keep_alive {
                return self.part(stream).and(trouble);
            }
        }
    }
    // ANCHOR_END: converse

    /// Waits for the next request. `received` holds what arrived of it together with the one
    /// before.
    // ANCHOR: receive
    fn receive(&self, mut stream: &TcpStream, received: &mut Vec<u8>) -> io::Result<Heard> {
        let mut deadline =
            Instant::now() + if received.is_empty() { self.limits.idle } else { self.limits.head };
        let mut buffer = [0; 4096];
        loop {
            if let Some(heard) = Heard::parse(received, self.limits.head_bytes) {
                return Ok(heard);
            }
            let room = buffer.len().min(self.limits.head_bytes - received.len());
            match stream.read(&mut buffer[..room]) {
                Ok(0) => return Ok(Heard::Nothing),
                Ok(count) => {
                    // Set by the first byte; further ones do not move it.
                    deadline = if received.is_empty() {
                        Instant::now() + self.limits.head
                    } else {
                        deadline
                    };
                    received.extend_from_slice(&buffer[..count]);
                }
                Err(error) => {
                    if let Some(heard) =
                        self.await_more(stream, error, received.is_empty(), deadline)?
                    {
                        return Ok(heard);
                    }
                }
            }
        }
    }
    // ANCHOR_END: receive

    /// Waits after `error`, if it only says that nothing is there: `None` when there is more to
    /// read. Between two requests the beginning of a shutdown is a reason to leave, within one only
    /// its end is.
    fn await_more(
        &self,
        stream: &TcpStream,
        error: io::Error,
        between: bool,
        deadline: Instant,
    ) -> io::Result<Option<Heard>> {
        if !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) {
            return Err(error);
        }
        let leave = if between { &self.finish } else { &self.abort };
        match leave.wait(stream, libc::POLLIN, deadline) {
            Ok(()) => Ok(None),
            Err(error) if between && is_cut_off(&error) => Ok(Some(Heard::Nothing)),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => Ok(Some(Heard::Refused(408))),
            Err(error) => Err(error),
        }
    }

    /// What to answer to a request that was understood. An error stands for a status too:
    /// [`status_of`].
    // ANCHOR: find
    fn find(&self, request: &Request) -> io::Result<Response> {
        let Some(path) = head::percent_decode(&request.path) else {
            return Ok(Response::words(400));
        };
        let index = path.ends_with(b"/");
        // Without its first slash a path is relative to the root. A second slash makes it absolute,
        // and the kernel refuses it.
        let path = [&path[1..], if index { b"index.html" } else { b"" }].concat();
        let file = self.root.file(&path)?;
        let metadata = file.metadata()?;
        if metadata.is_dir() && !index {
            let location = format!("{}/{}", request.path, request.query);
            return Ok(Response::words(301).with("Location", location));
        }
        if !metadata.is_file() {
            return Ok(Response::words(404)); // a FIFO, a device
        }
        let version = Version { size: metadata.len(), modified: metadata.modified()? };
        let response = version.select(request, file);
        let content_type =
            matches!(response.body, Body::File(..)).then(|| head::content_type(&path));
        Ok(content_type
            .into_iter()
            .fold(response, |response, kind| response.with("Content-Type", kind)))
    }
    // ANCHOR_END: find

    /// Sends head and body. Only the head is ever copied.
    // ANCHOR: send
    fn send(&self, stream: &TcpStream, mut response: Response, head_only: bool) -> io::Result<()> {
        let mut words = format!("{} {}\n", response.status, head::reason(response.status));
        let length = match &response.body {
            Body::None => None,
            Body::Words => Some(words.len() as u64),
            Body::File(_, range) => Some(range.end - range.start),
        };
        if let Body::Words = response.body {
            response = response.with("Content-Type", "text/plain; charset=utf-8");
        }
        if let Some(length) = length {
            response =
                response.with("Content-Length", length).with("X-Content-Type-Options", "nosniff");
        }
        if !matches!(response.body, Body::Words) || head_only {
            words.clear();
        }
        let head = head::head(response.status, SystemTime::now(), &response.fields) + &words;
        match response.body {
            // MSG_MORE: the first bytes of the file share the head's segment.
            Body::File(file, range) if !head_only && !range.is_empty() => {
                self.send_bytes(stream, head.as_bytes(), libc::MSG_MORE)?;
                self.send_file(stream, &file, range)
            }
            _ => self.send_bytes(stream, head.as_bytes(), 0),
        }
    }
    // ANCHOR_END: send

    // ANCHOR: send_file
    fn send_file(&self, stream: &TcpStream, file: &File, range: Range<u64>) -> io::Result<()> {
        let mut at = range.start;
        while at < range.end {
            let end = range.end.min(at + PIECE);
            let deadline = Instant::now() + self.limits.body_per_mib;
            let wait = || self.abort.wait(stream, libc::POLLOUT, deadline);
            send_range_with(stream, file, at..end, wait).map_err(|error| {
                let sent = at - range.start + error.sent;
                SendError { sent, of: range.end - range.start, cause: error.cause }
            })?;
            self.abort.check()?; // a reader that is never waited for does not see the switch
            at = end;
        }
        Ok(())
    }
    // ANCHOR_END: send_file

    fn send_bytes(
        &self,
        stream: &TcpStream,
        mut bytes: &[u8],
        flags: libc::c_int,
    ) -> io::Result<()> {
        let deadline = Instant::now() + self.limits.body_per_mib;
        while !bytes.is_empty() {
            match send(stream, bytes, flags) {
                Ok(sent) => bytes = &bytes[sent..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.abort.wait(stream, libc::POLLOUT, deadline)?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Ends a conversation after our last word: says so, and reads what the client is still saying,
    /// within bounds. To close with bytes unread would reset the connection, and the client might
    /// lose our answer.
    fn part(&self, mut stream: &TcpStream) -> io::Result<()> {
        stream.shutdown(Shutdown::Write)?;
        let (deadline, mut most) = (Instant::now() + LINGER.0, LINGER.1);
        let mut buffer = [0; 4096];
        while most > 0 {
            match stream.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => most = most.saturating_sub(count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    match self.abort.wait(stream, libc::POLLIN, deadline) {
                        Err(error) if is_cut_off(&error) => break, // it had its second
                        other => other?,
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// What came next on a connection.
enum Heard {
    /// A request, in the first so many bytes.
    Request(Box<Request>, usize),
    /// Something to be answered with this status, and no further.
    Refused(u16),
    /// The end: closed, idle for too long, or shutting down.
    Nothing,
}

impl Heard {
    /// `None` while a head of at most `limit` bytes is incomplete.
    fn parse(received: &[u8], limit: usize) -> Option<Self> {
        match head::parse(received) {
            Parsed::Request(request, length) => Some(Self::Request(request, length)),
            Parsed::Refused(status) => Some(Self::Refused(status)),
            Parsed::Partial if received.len() < limit => None,
            Parsed::Partial if received.trim_ascii_start().contains(&b'\n') => {
                Some(Self::Refused(431))
            }
            Parsed::Partial => Some(Self::Refused(414)), // not even its first line fits
        }
    }
}

impl Version {
    /// All of the file, a part of it, or why neither.
    fn select(&self, request: &Request, file: File) -> Response {
        let size = self.size;
        if let Some(status) = self.precondition(request) {
            let body = if status == 304 { Body::None } else { Body::Words };
            return self.describe(Response { status, fields: vec![], body });
        }
        let whole =
            |status, range| Response { status, fields: vec![], body: Body::File(file, range) };
        let response = match self.part(request) {
            Part::Whole => whole(200, 0..size),
            Part::Range(range) => {
                let content_range = format!("bytes {}-{}/{size}", range.start, range.end - 1);
                whole(206, range).with("Content-Range", content_range)
            }
            Part::Unsatisfiable => {
                return Response::words(416).with("Content-Range", format_args!("bytes */{size}"));
            }
        };
        self.describe(response).with("Accept-Ranges", "bytes")
    }

    fn describe(&self, response: Response) -> Response {
        // A time in the future would outlive the change that makes it true.
        let modified = self.modified.min(SystemTime::now());
        response.with("Last-Modified", head::date(modified)).with("ETag", self.etag())
    }
}

/// Whether a wait ended by its deadline or by the server's end.
fn is_cut_off(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::ConnectionAborted)
}

/// The status for what the kernel said about a path. What leads outside or is no file is "not
/// found", like what is not there.
fn status_of(error: &io::Error) -> u16 {
    match error.raw_os_error() {
        Some(libc::EACCES | libc::EPERM) => 403,
        Some(
            libc::ENOENT
            | libc::ENOTDIR
            | libc::EXDEV
            | libc::ELOOP
            | libc::ENAMETOOLONG
            | libc::ENXIO
            | libc::ENODEV,
        ) => 404,
        Some(libc::EMFILE | libc::ENFILE | libc::ENOMEM | libc::EAGAIN | libc::EINTR) => 503,
        _ => 500,
    }
}

/// `send(2)`, without a signal when the peer is gone.
fn send(stream: &TcpStream, bytes: &[u8], flags: libc::c_int) -> io::Result<usize> {
    let flags = flags | libc::MSG_NOSIGNAL;
    // SAFETY: the socket is open, and `bytes` is live and as long as said.
    let sent = unsafe { libc::send(stream.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), flags) };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

/// Makes closing this socket throw away what its peer did not take.
fn reset_on_close(stream: &TcpStream) -> io::Result<()> {
    let linger = libc::linger { l_onoff: 1, l_linger: 0 };
    let size = size_of_val(&linger) as libc::socklen_t;
    // SAFETY: the socket is open, `linger` is live and its size true.
    let set = unsafe {
        libc::setsockopt(
            stream.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_LINGER,
            (&raw const linger).cast(),
            size,
        )
    };
    crate::sys::cvt(set).map(drop)
}

/// Goes on once and stays on, and wakes every thread that waits with it: a pipe whose writing end
/// is closed.
struct Switch {
    on: AtomicBool,
    writer: Mutex<Option<PipeWriter>>,
    reader: PipeReader,
}

impl Switch {
    fn new() -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        Ok(Self { on: AtomicBool::new(false), writer: Mutex::new(Some(writer)), reader })
    }

    fn turn_on(&self) {
        self.on.store(true, Ordering::Release); // pairs with `is_on`; before the pipe, so that who wakes sees it
        drop(self.writer.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    fn is_on(&self) -> bool {
        self.on.load(Ordering::Acquire)
    }

    fn check(&self) -> io::Result<()> {
        let aborted =
            || io::Error::new(io::ErrorKind::ConnectionAborted, "the server is shutting down");
        if self.is_on() { Err(aborted()) } else { Ok(()) }
    }

    /// Waits for `events` of `other`, or for the switch, which is an error.
    fn wait(
        &self,
        other: &impl AsRawFd,
        events: libc::c_short,
        deadline: Instant,
    ) -> io::Result<()> {
        let one = |fd: RawFd, events| libc::pollfd { fd, events, revents: 0 };
        wait(&mut [one(other.as_raw_fd(), events), one(self.reader.as_raw_fd(), 0)], deadline)?;
        self.check()
    }
}

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
    /// `None` once it was joined.
    acceptor: Option<JoinHandle<()>>,
}

// ANCHOR: compiled
static_assertions::assert_impl_all!(FileServer: Send, Sync);
static_assertions::const_assert!(PIECE < super::MAX_PER_CALL as u64); // so a deadline covers one call's worth, not 2 GiB
// ANCHOR_END: compiled

struct Shared {
    site: Site,
    gate: Gate,
    report: Box<Report>,
    accepted: AtomicU64,
    refused: AtomicU64,
    failed: AtomicU64,
}

/// What is told of every error: the client, if there is one yet, and the error. Must not panic.
type Report = dyn Fn(Option<SocketAddr>, &io::Error) + Send + Sync;

/// What a server has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Connections that got a thread.
    pub accepted: u64,
    /// Connections that were answered 503, because there were too many.
    pub refused: u64,
    /// Responses sent in full, of any status.
    pub responses: u64,
    /// Errors, each of which was reported.
    pub failed: u64,
    /// Connections that were still open when the grace period of [`FileServer::shutdown`] ended.
    pub cut_off: u64,
}

/// How long to rest when the process or the machine is out of descriptors or memory.
const REST: Duration = Duration::from_millis(50);
/// What a connection's thread needs, with room to spare.
const STACK: usize = 256 << 10;

impl FileServer {
    /// Listens on `address` and serves the files beneath `root`. Each error, of a connection or of
    /// accepting one, is handed to `report`.
    ///
    /// # Errors
    ///
    /// What the kernel says about the root (see [`Root::open`]), the address or the thread.
    pub fn start(
        root: &Path,
        address: impl ToSocketAddrs + Display,
        limits: Limits,
        report: impl Fn(Option<SocketAddr>, &io::Error) + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let gate = Gate::new(limits.connections);
        let site = Site::new(root, limits)?;
        let listener = TcpListener::bind(address)
            .map_err(|error| io::Error::new(error.kind(), format!("listening: {error}")))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let zero = AtomicU64::default;
        let shared = Shared {
            site,
            gate,
            report: Box::new(report),
            accepted: zero(),
            refused: zero(),
            failed: zero(),
        };
        let shared = Arc::new(shared);
        let theirs = Arc::clone(&shared);
        let acceptor = thread::Builder::new()
            .name("acceptor".into())
            .spawn(move || theirs.accept_all(listener))?;
        Ok(Self { address, shared, acceptor: Some(acceptor) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it has done so far.
    pub fn counts(&self) -> Counts {
        let get = |count: &AtomicU64| count.load(Ordering::Relaxed); // counts only
        let Shared { site, accepted, refused, failed, .. } = &*self.shared;
        let responses = get(&site.responses);
        Counts {
            accepted: get(accepted),
            refused: get(refused),
            responses,
            failed: get(failed),
            cut_off: 0,
        }
    }

    // ANCHOR: shutdown
    /// Stops accepting, closes idle connections, lets responses in flight finish for up to `grace`,
    /// cuts off the rest, and returns when every thread has ended.
    pub fn shutdown(mut self, grace: Duration) -> Counts {
        let cut_off = self.stop(grace);
        Counts { cut_off, ..self.counts() }
    }

    fn stop(&mut self, grace: Duration) -> u64 {
        let Some(acceptor) = self.acceptor.take() else { return 0 };
        let Shared { site, gate, .. } = &*self.shared;
        gate.close(); // first, so that a 0 below is final
        site.finish.turn_on();
        let cut_off = gate.wait_until_empty(Some(Instant::now() + grace));
        site.abort.turn_on();
        if acceptor.join().is_err() {
            (self.shared.report)(None, &io::Error::other("the accepting thread panicked"));
        }
        cut_off as u64
    }
    // ANCHOR_END: shutdown
}

impl Drop for FileServer {
    fn drop(&mut self) {
        self.stop(Duration::ZERO);
    }
}

impl Shared {
    // ANCHOR: accept
    fn accept_all(&self, listener: TcpListener) {
        // The threads of the scope inherit this, and the scope joins them all.
        block_sigpipe().unwrap_or_else(|error| self.fail(None, &error));
        thread::scope(move |scope| {
            let finish = &self.site.finish;
            while !finish.is_on() {
                match listener.accept() {
                    Ok((stream, peer)) => self.admit(scope, stream, peer),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        let hour = Instant::now() + Duration::from_secs(3600);
                        match finish.wait(&listener, libc::POLLIN, hour) {
                            Err(error) if !is_cut_off(&error) => self.rest(&error),
                            _ => {} // a client, or the switch, which the loop's condition sees
                        }
                    }
                    Err(error) if error.raw_os_error() == Some(libc::ECONNABORTED) => {} // gone before we came
                    Err(error) => self.rest(&error), // the client stays in the queue
                }
            }
        });
    }
    // ANCHOR_END: accept

    // ANCHOR: admit
    fn admit<'scope>(
        &'scope self,
        scope: &'scope thread::Scope<'scope, '_>,
        stream: TcpStream,
        peer: SocketAddr,
    ) {
        let pass = match self.gate.enter() {
            Ok(pass) => pass,
            Err(Refused::Closed) => return,
            Err(Refused::Full) => {
                self.refused.fetch_add(1, Ordering::Relaxed);
                return turn_away(&stream).unwrap_or_else(|error| self.fail(Some(peer), &error));
            }
        };
        let connection = move || {
            let _pass = pass; // left when the connection is closed, also by a panic
            let served = catch_unwind(AssertUnwindSafe(|| self.site.serve(stream)));
            served
                .unwrap_or_else(|_| Err(io::Error::other("serving the connection panicked")))
                .unwrap_or_else(|error| self.fail(Some(peer), &error));
        };
        let thread = thread::Builder::new().name("connection".into()).stack_size(STACK);
        match thread.spawn_scoped(scope, connection) {
            Ok(_) => {
                self.accepted.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => self.fail(Some(peer), &error), // stream and pass went with the closure
        }
    }
    // ANCHOR_END: admit

    /// Out of descriptors, most likely: asking again at once would only burn the core.
    fn rest(&self, error: &io::Error) {
        self.fail(None, error);
        thread::sleep(REST);
    }

    fn fail(&self, peer: Option<SocketAddr>, error: &io::Error) {
        self.failed.fetch_add(1, Ordering::Relaxed);
        (self.report)(peer, error);
    }
}

/// Says 503 and closes, without ever waiting: what the client has not sent yet may reset the
/// connection before it reads this.
fn turn_away(mut stream: &TcpStream) -> io::Result<()> {
    stream.set_nonblocking(true)?;
    let fields = [("Content-Length", "0"), ("Retry-After", "1"), ("Connection", "close")];
    let head =
        head::head(503, SystemTime::now(), &fields.map(|(name, value)| (name, value.to_owned())));
    send(stream, head.as_bytes(), 0)?;
    stream.shutdown(Shutdown::Write)?;
    match stream.read(&mut [0; 4096]) {
        Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
        _ => Ok(()),
    }
}

/// `sendfile` cannot be told not to raise SIGPIPE, and a library cannot know what the program does
/// with it.
fn block_sigpipe() -> io::Result<()> {
    // SAFETY: all-zero bytes are a valid `sigset_t`, and it is live and writable.
    let failed = unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, libc::SIGPIPE);
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut())
    };
    if failed == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(failed)) }
}

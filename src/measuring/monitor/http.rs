//! A server for scrapers, and pages beside it: one thread a connection, one request a connection.
//!
//! Each request has one deadline for all of it, from the first byte to the last of the answer, so
//! that a scraper that sends nothing or reads nothing holds a thread no longer than that.

use super::{Format, Registry};
use crate::sys::{log, trying};
use crate::zero_copy::sendfile::http::head::head;
use crate::zero_copy::sendfile::http::request::{self, Parsed, Request};
use crate::zero_copy::sendfile::permits::{OwnedPermit, Permits};
use std::fmt::{self, Display};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

/// The default address: this machine alone can reach it.
pub const LOOPBACK: &str = "127.0.0.1:9464";

/// The size of a request's head in bytes.
const HEAD: usize = 8 << 10;

/// The time and the number of bytes for which the server goes on reading after its answer. To close
/// with bytes unread would reset the connection, and the client might lose that answer.
const LINGER: (Duration, usize) = (Duration::from_secs(1), 64 << 10);

/// The pause after an error of `accept`: most likely, the process is out of descriptors.
const REST: Duration = Duration::from_millis(50);

/// Bounds on what scrapers may take.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The number of connections at a time. One more is answered 503 and closed at once.
    pub connections: usize,
    /// The time from the connection to the last byte of the answer.
    pub deadline: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connections: 8, deadline: Duration::from_secs(5) }
    }
}

/// A page beside `/metrics`.
pub struct Page {
    /// The path, such as `/`.
    pub path: &'static str,
    /// The content type.
    pub content_type: &'static str,
    /// The `Content-Security-Policy` of the page; none if it is empty.
    pub policy: &'static str,
    /// Returns the body, once for each request. If it panics, the answer is 500.
    pub body: Box<dyn Fn() -> Vec<u8> + Send + Sync>,
}

/// A server of `/metrics`, in the format that the scraper prefers.
///
/// ```
/// use perf_proved::measuring::monitor::{Registry, http};
/// use std::io::{Read, Write};
///
/// let registry = Registry::new();
/// let server = http::Server::start(&registry, "127.0.0.1:0", vec![], http::Limits::default())?;
/// let mut scraper = std::net::TcpStream::connect(server.address())?;
/// scraper.write_all(b"GET /metrics HTTP/1.0\r\n\r\n")?;
/// let mut answer = String::new();
/// scraper.read_to_string(&mut answer)?;
/// assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"));
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// Dropping it stops accepting and waits for the answers that are under way.
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    /// `None` once it is joined.
    acceptor: Option<JoinHandle<()>>,
}

struct Shared {
    registry: Registry,
    pages: Vec<Page>,
    permits: Arc<Permits>,
    deadline: Duration,
    /// Never becomes `false` again.
    stops: AtomicBool,
}

impl Server {
    /// Listens on `address`, such as [`LOOPBACK`], and serves `/metrics` and `pages`.
    ///
    /// # Errors
    ///
    /// The errors of listening, with the address, and of starting a thread.
    pub fn start(
        registry: &Registry,
        address: impl ToSocketAddrs + Display,
        pages: Vec<Page>,
        limits: Limits,
    ) -> io::Result<Self> {
        let listener = trying(format_args!("listening on {address}"), TcpListener::bind(&address))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            registry: registry.clone(),
            pages,
            permits: Arc::new(Permits::new(limits.connections)),
            deadline: limits.deadline,
            stops: AtomicBool::new(false),
        });
        let theirs = shared.clone();
        let thread = thread::Builder::new().name("metrics".to_owned());
        let thread = thread.spawn(move || Shared::accept_all(&theirs, &listener));
        let thread = trying("starting the server of metrics", thread)?;
        Ok(Self { address, shared, acceptor: Some(thread) })
    }

    /// Returns the address on which the server listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stops.store(true, Ordering::Release); // pairs with the load in `accept_all`
        self.shared.permits.close();
        // The acceptor waits in `accept`, until one more connection comes.
        let mut address = self.address;
        match address {
            SocketAddr::V4(ref mut v4) if v4.ip().is_unspecified() => {
                v4.set_ip(Ipv4Addr::LOCALHOST);
            }
            SocketAddr::V6(ref mut v6) if v6.ip().is_unspecified() => {
                v6.set_ip(Ipv6Addr::LOCALHOST);
            }
            _ => {}
        }
        let woken = TcpStream::connect_timeout(&address, Duration::from_secs(1));
        if let (Ok(_), Some(acceptor)) = (woken, self.acceptor.take()) {
            let _ = acceptor.join(); // it does not panic
        }
        self.shared.permits.drain(Some(Instant::now() + self.shared.deadline));
    }
}

impl Shared {
    fn accept_all(shared: &Arc<Self>, listener: &TcpListener) {
        loop {
            let accepted = listener.accept();
            // Acquire: pairs with the store in `drop`.
            if shared.stops.load(Ordering::Acquire) {
                return;
            }
            match accepted {
                Ok((stream, _)) => Self::admit(shared, stream),
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    log::line(format_args!("accepting a scraper: {error}"));
                    thread::sleep(REST);
                }
            }
        }
    }

    fn admit(shared: &Arc<Self>, stream: TcpStream) {
        let Ok(permit) = shared.permits.try_acquire_owned() else {
            return turn_away(&stream);
        };
        let shared = shared.clone();
        let connection = move || {
            let _permit: OwnedPermit = permit; // returned once the connection is closed
            // A scraper that goes away has its own log.
            let _ = shared.serve(&stream);
        };
        let thread = thread::Builder::new().name("scraper".to_owned()).stack_size(256 << 10);
        if let Err(error) = thread.spawn(connection) {
            log::line(format_args!("starting a scraper's thread: {error}"));
        }
    }

    /// Answers one request.
    fn serve(&self, stream: &TcpStream) -> io::Result<()> {
        let deadline = Instant::now() + self.deadline;
        stream.set_nodelay(true)?;
        let (answer, is_head) = match receive(stream, deadline)? {
            Ok(request) => (self.answer(&request), request.head_only),
            Err((status, is_head)) => (Answer::of(status), is_head),
        };
        send(stream, answer.head().as_bytes(), deadline)?;
        if !is_head {
            send(stream, &answer.body, deadline)?;
        }
        stream.shutdown(Shutdown::Write)?;
        let (time, mut bytes) = LINGER;
        let deadline = deadline.min(Instant::now() + time);
        let mut buffer = [0; 4096];
        while bytes > 0 {
            match read(stream, &mut buffer, deadline)? {
                0 => break,
                count => bytes = bytes.saturating_sub(count),
            }
        }
        Ok(())
    }

    fn answer(&self, request: &Request) -> Answer {
        if request.path == "/metrics" {
            let format = negotiate(request.accept.as_deref());
            let mut body = vec![];
            self.registry.render(format, &mut body);
            let content_type = format.content_type();
            return Answer { status: 200, content_type, policy: "", body };
        }
        match self.pages.iter().find(|page| page.path == request.path) {
            None => Answer::of(404),
            Some(page) => {
                let body = std::panic::catch_unwind(std::panic::AssertUnwindSafe(&page.body));
                let Ok(body) = body else { return Answer::of(500) };
                let Page { content_type, policy, .. } = *page;
                Answer { status: 200, content_type, policy, body }
            }
        }
    }
}

struct Answer {
    status: u16,
    content_type: &'static str,
    policy: &'static str,
    body: Vec<u8>,
}

impl Answer {
    /// Returns the answer that has only a status.
    fn of(status: u16) -> Self {
        let body = format!("{status}\n").into();
        Self { status, content_type: "text/plain; charset=utf-8", policy: "", body }
    }

    fn head(&self) -> String {
        let mut fields = vec![
            ("Content-Type", self.content_type.to_owned()),
            ("Content-Length", self.body.len().to_string()),
            ("Cache-Control", "no-store".to_owned()),
            ("X-Content-Type-Options", "nosniff".to_owned()),
            ("Connection", "close".to_owned()),
        ];
        if !self.policy.is_empty() {
            fields.push(("Content-Security-Policy", self.policy.to_owned()));
        }
        if self.status == 405 {
            fields.push(("Allow", "GET, HEAD".to_owned()));
        }
        head(self.status, SystemTime::now(), &fields)
    }
}

/// Reads the head of a request, or returns the status that refuses it and `true` if the answer may
/// have no body.
fn receive(stream: &TcpStream, deadline: Instant) -> io::Result<Result<Box<Request>, (u16, bool)>> {
    let mut bytes = vec![];
    let mut buffer = [0; 2048];
    loop {
        match request::parse(&bytes, HEAD) {
            Parsed::Request(request, _) => return Ok(Ok(request)),
            Parsed::Refused(status) => return Ok(Err((status, request::is_head(&bytes)))),
            Parsed::Partial => {}
        }
        let room = buffer.len().min(HEAD - bytes.len());
        match read(stream, &mut buffer[..room], deadline) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(count) => bytes.extend_from_slice(&buffer[..count]),
            // Half a head; the answer has a moment beyond the deadline, which one packet does not
            // need.
            Err(error) if error.kind() == ErrorKind::TimedOut && !bytes.is_empty() => {
                return Ok(Err((408, request::is_head(&bytes))));
            }
            Err(error) => return Err(error),
        }
    }
}

// ANCHOR: deadline
/// Returns the time that is left until `deadline`. A timeout of the socket would begin
/// again with each byte.
fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(ErrorKind::TimedOut.into()) } else { Ok(left) }
}

fn read(mut stream: &TcpStream, to: &mut [u8], deadline: Instant) -> io::Result<usize> {
    loop {
        stream.set_read_timeout(Some(left(deadline)?))?;
        match stream.read(to) {
            // `WouldBlock` on Unix, `TimedOut` on Windows.
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
// ANCHOR_END: deadline

fn send(mut stream: &TcpStream, mut bytes: &[u8], deadline: Instant) -> io::Result<()> {
    while !bytes.is_empty() {
        // One packet has room in the socket's buffer, even after the deadline.
        let left = left(deadline).unwrap_or(Duration::from_millis(1));
        stream.set_write_timeout(Some(left))?;
        match stream.write(bytes) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Answers 503 and closes, without ever waiting.
fn turn_away(mut stream: &TcpStream) {
    let answer = Answer::of(503);
    let text = [answer.head().into_bytes(), answer.body].concat();
    // A scraper that cannot be told sees a closed connection.
    let told = stream.set_nonblocking(true).and_then(|()| stream.write(&text));
    let _ = told.and_then(|_| stream.shutdown(Shutdown::Write));
    let _ = stream.read(&mut [0; 4096]);
}

// ANCHOR: negotiate
/// Returns the format that the field `Accept` asks for: the one with the larger quality, and the
/// text format of Prometheus if it prefers none.
fn negotiate(accept: Option<&str>) -> Format {
    let (mut open_metrics, mut prometheus) = (0.0, 0.0);
    for range in accept.unwrap_or_default().split(',') {
        let mut parts = range.split(';').map(str::trim);
        let media = parts.next().unwrap_or_default().to_ascii_lowercase();
        let (mut quality, mut version) = (1.0, None);
        for (name, value) in parts.filter_map(|part| part.split_once('=')) {
            match name.trim_end() {
                "q" | "Q" => quality = value.trim().parse().unwrap_or(0.0),
                "version" => version = Some(value.trim().trim_matches('"')),
                _ => {}
            }
        }
        match (media.as_str(), version) {
            ("application/openmetrics-text", None | Some("1.0.0")) => {
                open_metrics = f64::max(open_metrics, quality);
            }
            ("text/plain", None | Some("0.0.4")) => prometheus = f64::max(prometheus, quality),
            ("text/*" | "*/*", _) => prometheus = f64::max(prometheus, quality),
            _ => {} // the other versions
        }
    }
    if open_metrics > prometheus { Format::OpenMetrics } else { Format::Prometheus }
}
// ANCHOR_END: negotiate

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("address", &self.address).finish_non_exhaustive()
    }
}

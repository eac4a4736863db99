//! One connection without its socket: requests and responses in turns, as a state machine.
//!
//! A [`Conversation`] says what to do next, a [`Step`], and is told how that went. It makes no call
//! on a socket, opens no file and never waits. A thread that waits in `ppoll`, a loop that waits in
//! `epoll_wait` and a ring that completes operations can all drive it, and the rules are written
//! once: the deadlines, the end of keep-alive, the status of a request that comes too slowly.

use super::limits::{LINGER, PIECE};
use super::response::{Response, Target, respond};
use super::service::Service;
use crate::zero_copy::sendfile::SendError;
use crate::zero_copy::sendfile::http::request::{Parsed, Request, is_head, parse};
use std::fs::File;
use std::io;
use std::mem;
use std::ops::Range;
use std::time::{Instant, SystemTime};

// ANCHOR: step
/// The next operation of a connection.
#[derive(Debug)]
pub enum Step<'a> {
    /// Read up to this number of bytes, and pass them to [`Conversation::received`].
    Receive(usize),
    /// Open the file at this path beneath the root ([`Service::open`]), and pass the
    /// result to [`Conversation::opened`]. It may be on a slow disk.
    Open(&'a [u8]),
    /// Send bytes, and pass their number to [`Conversation::sent`]. Fewer than these will
    /// do.
    Send {
        /// The head of a response, and its text if it has one.
        bytes: &'a [u8],
        /// A part of a file follows, and may share the last segment (`MSG_MORE`).
        more: bool,
    },
    /// Send this part of a file, and pass the number of bytes to [`Conversation::sent`].
    /// Fewer will do.
    SendFile(&'a File, Range<u64>),
    /// Shut down the sending side, and call [`Conversation::shut_down`].
    ShutDown,
    /// Close the socket. [`Conversation::end`] has the result.
    Close,
}
// ANCHOR_END: step

/// The state of one connection.
///
/// ```
/// use perf_proved::zero_copy::sendfile::server::conversation::{Conversation, Step};
/// use perf_proved::zero_copy::sendfile::server::{Limits, Service};
/// use std::time::Instant;
///
/// let service = Service::new("src".as_ref(), Limits::default())?;
/// let mut conversation = Conversation::new(&service, Instant::now());
/// assert!(matches!(conversation.step(&service), Step::Receive(8192)));
/// conversation.received(&service, b"GET /lib.rs HTTP/1.0\r\n\r\n", Instant::now());
/// let Step::Open(path) = conversation.step(&service) else { panic!() };
/// let file = service.open(path);
/// conversation.opened(&service, file, Instant::now());
/// let Step::Send { bytes, more: true } = conversation.step(&service) else { panic!() };
/// assert!(bytes.starts_with(b"HTTP/1.1 200 OK\r\n"));
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Conversation {
    state: State,
    /// The bytes that have arrived and are not answered yet, at most [`Limits::head_bytes`] of
    /// them. Between two requests it holds no memory.
    ///
    /// [`Limits::head_bytes`]: super::limits::Limits::head_bytes
    received: Vec<u8>,
    /// The time by which the current state must have ended.
    deadline: Instant,
    /// Set when the server shuts down: the next response is the last.
    finishing: bool,
    /// The reason of a response of 500 or above, after which the connection closes.
    failure: Option<io::Error>,
}

enum State {
    /// Waiting for a request, or for the rest of one.
    Receiving,
    /// A request has arrived, and its file is being opened.
    Opening(Box<Request>, Target),
    /// Sending `head` from `sent` on, then `body`.
    Head {
        head: String,
        sent: usize,
        body: Option<Body>,
        keep_alive: bool,
    },
    Body {
        body: Body,
        keep_alive: bool,
    },
    /// The last response has been sent.
    HangingUp,
    /// Reading what the client is still sending, but no more than this number of bytes.
    Lingering(usize),
    Over,
}

/// A part of a file that is being sent.
struct Body {
    file: File,
    range: Range<u64>,
    /// The part of `range` to send before the deadline; its start is the first byte not yet sent.
    piece: Range<u64>,
}

impl Body {
    fn new(file: File, range: Range<u64>) -> Self {
        Self { file, piece: range.start..range.end.min(range.start + PIECE), range }
    }
}

impl Conversation {
    /// Returns the state of a connection that has just been accepted.
    pub fn new(service: &Service, now: Instant) -> Self {
        Self {
            state: State::Receiving,
            received: Vec::new(),
            deadline: now + service.limits.idle,
            finishing: false,
            failure: None,
        }
    }

    /// Returns what to do next on the socket. `Send` and `SendFile` are never empty, and `Receive`
    /// always has room.
    pub fn step(&self, service: &Service) -> Step<'_> {
        match &self.state {
            State::Receiving => Step::Receive(service.limits.head_bytes - self.received.len()),
            State::Opening(_, target) => Step::Open(target.path()),
            State::Head { head, sent, body, .. } => {
                Step::Send { bytes: &head.as_bytes()[*sent..], more: body.is_some() }
            }
            State::Body { body, .. } => Step::SendFile(&body.file, body.piece.clone()),
            State::HangingUp => Step::ShutDown,
            State::Lingering(left) => Step::Receive(*left),
            State::Over => Step::Close,
        }
    }

    /// Returns the part of a file that follows the bytes of [`Step::Send`], if one does. An engine
    /// that can may send both at once, and tells [`sent`](Self::sent) of the bytes first and of the
    /// part of the file then.
    pub fn following(&self) -> Option<(&File, Range<u64>)> {
        match &self.state {
            State::Head { body: Some(body), .. } => Some((&body.file, body.piece.clone())),
            _ => None,
        }
    }

    /// Returns the time by which the connection must have come further. If it passes, call
    /// [`cut_off`](Self::cut_off). A client that sends or reads a byte now and then does not move
    /// it.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Returns `true` between two requests: no byte of the next one has arrived.
    pub fn is_idle(&self) -> bool {
        matches!(self.state, State::Receiving) && self.received.is_empty()
    }

    /// Takes the bytes that were read, or the end of the stream if there are none.
    pub fn received(&mut self, service: &Service, bytes: &[u8], now: Instant) {
        match self.state {
            State::Lingering(left) if left > bytes.len() && !bytes.is_empty() => {
                self.state = State::Lingering(left - bytes.len());
            }
            State::Receiving if self.received.is_empty() && !bytes.is_empty() => {
                // The first byte sets the deadline; further ones do not move it.
                self.deadline = now + service.limits.head;
                // Most requests arrive whole, and are answered where they lie.
                let used = self.answer(service, bytes, now);
                self.received.extend_from_slice(&bytes[used..]);
            }
            State::Receiving if !bytes.is_empty() => {
                self.received.extend_from_slice(bytes);
                self.answer_received(service, now);
            }
            _ => self.state = State::Over,
        }
    }

    /// Takes the file that was asked for, or the reason why there is none.
    pub fn opened(&mut self, service: &Service, file: io::Result<File>, now: Instant) {
        match mem::replace(&mut self.state, State::Over) {
            State::Opening(request, target) => {
                let (response, failure) = respond(&request, &target, file);
                let keep_alive = request.keep_alive && !self.finishing && failure.is_none();
                self.failure = failure;
                self.begin(service, response, keep_alive, request.head_only, now);
            }
            other => self.state = other,
        }
    }

    /// Takes the number of bytes that were sent.
    ///
    /// # Panics
    ///
    /// If it is more than the last step asked for.
    pub fn sent(&mut self, service: &Service, count: usize, now: Instant) {
        let limit = service.limits.body_per_mib;
        match mem::replace(&mut self.state, State::Over) {
            State::Head { head, sent, body, keep_alive } => {
                let sent = sent + count;
                assert!(sent <= head.len(), "more was sent than there is");
                self.state = match body {
                    _ if sent < head.len() => State::Head { head, sent, body, keep_alive },
                    Some(body) => {
                        self.deadline = now + limit;
                        State::Body { body, keep_alive }
                    }
                    None => return self.responded(service, keep_alive, now),
                };
            }
            State::Body { mut body, keep_alive } => {
                body.piece.start += count as u64;
                assert!(body.piece.start <= body.piece.end, "more was sent than there is");
                if body.piece.start == body.range.end {
                    return self.responded(service, keep_alive, now);
                }
                if body.piece.is_empty() {
                    body.piece.end = body.range.end.min(body.piece.start + PIECE);
                    self.deadline = now + limit;
                }
                self.state = State::Body { body, keep_alive };
            }
            other => self.state = other,
        }
    }

    /// Notes that the sending side has been shut down.
    pub fn shut_down(&mut self, now: Instant) {
        self.state = State::Lingering(LINGER.1);
        self.deadline = now + LINGER.0;
    }

    /// Makes the next response the last. Requests that have arrived are still answered: call
    /// [`found_nothing`](Self::found_nothing) once there are none.
    pub fn finish(&mut self) {
        self.finishing = true;
    }

    /// Notes that the socket has nothing to read, or no room, for now. Returns `true` if that ends
    /// the connection: between two requests, while the server shuts down.
    pub fn found_nothing(&mut self) -> bool {
        if self.finishing && self.is_idle() {
            self.state = State::Over;
        }
        matches!(self.state, State::Over)
    }

    /// Ends what the connection is waiting for, because of `cause`: `TimedOut` if the deadline has
    /// passed, `ConnectionAborted` at the end of a shutdown's grace period. A late request is
    /// answered 408.
    ///
    /// # Errors
    ///
    /// The cause, if a request or a response is left incomplete. Reset the connection then.
    pub fn cut_off(&mut self, service: &Service, cause: io::Error, now: Instant) -> io::Result<()> {
        match self.state {
            State::Receiving if self.received.is_empty() => self.state = State::Over,
            State::Receiving if cause.kind() == io::ErrorKind::TimedOut => {
                let head_only = is_head(&self.received);
                self.begin(service, Response::text(408), false, head_only, now);
            }
            State::Lingering(_) => self.state = State::Over, // it had its time
            _ => return Err(self.failed(cause)),
        }
        Ok(())
    }

    /// Returns `cause`, with the number of bytes that have been sent if a file is being sent.
    pub fn failed(&self, cause: io::Error) -> io::Error {
        match &self.state {
            State::Body { body: Body { range, piece, .. }, .. } => {
                let (sent, of) = (piece.start - range.start, range.end - range.start);
                SendError { sent, of, cause }.into()
            }
            _ => cause,
        }
    }

    /// Returns the result of a connection that is over.
    ///
    /// # Errors
    ///
    /// The reason of a response of 500 or above.
    pub fn end(&mut self) -> io::Result<()> {
        self.failure.take().map_or(Ok(()), Err)
    }

    /// Goes on after a response that has been sent in full.
    fn responded(&mut self, service: &Service, keep_alive: bool, now: Instant) {
        service.responded();
        if !keep_alive {
            self.state = State::HangingUp;
            return;
        }
        self.state = State::Receiving;
        if self.received.is_empty() {
            self.deadline = now + service.limits.idle;
        } else {
            // The next request arrived together with the last one.
            self.deadline = now + service.limits.head;
            self.answer_received(service, now);
        }
    }

    /// Begins to answer the request at the beginning of `received`, if it is complete, and removes
    /// it.
    fn answer_received(&mut self, service: &Service, now: Instant) {
        let mut received = mem::take(&mut self.received);
        let used = self.answer(service, &received, now);
        received.drain(..used);
        if !received.is_empty() {
            self.received = received;
        }
    }

    /// Begins to answer the request at the beginning of `bytes`, and returns its length; 0 if it is
    /// not complete yet.
    fn answer(&mut self, service: &Service, bytes: &[u8], now: Instant) -> usize {
        match parse(bytes, service.limits.head_bytes) {
            Parsed::Partial => 0,
            Parsed::Refused(status) => {
                self.begin(service, Response::text(status), false, is_head(bytes), now);
                bytes.len()
            }
            Parsed::Request(request, length) => {
                match Target::of(&request) {
                    Some(target) => {
                        self.deadline = now + service.limits.body_per_mib;
                        self.state = State::Opening(request, target);
                    }
                    None => {
                        let keep_alive = request.keep_alive && !self.finishing;
                        let refusal = Response::text(400);
                        self.begin(service, refusal, keep_alive, request.head_only, now);
                    }
                }
                length
            }
        }
    }

    fn begin(
        &mut self,
        service: &Service,
        response: Response,
        keep_alive: bool,
        head_only: bool,
        now: Instant,
    ) {
        let connection = if keep_alive { "keep-alive" } else { "close" };
        let response = response.with("Connection", connection);
        let (head, file) = response.into_parts(head_only, SystemTime::now());
        let body = file.map(|(file, range)| Body::new(file, range));
        self.deadline = now + service.limits.body_per_mib;
        self.state = State::Head { head, sent: 0, body, keep_alive };
    }
}

//! One connection: requests and responses in turns, on the calling thread.

use super::cancel::{CancelToken, is_cut_off};
use super::limits::{LINGER, Limits, PIECE};
use super::response::{Response, respond};
use crate::sys::socket::{reset_on_close, send};
use crate::zero_copy::sendfile::http::request::{Parsed, Request, is_head, parse};
use crate::zero_copy::sendfile::root::Root;
use crate::zero_copy::sendfile::{SendError, send_range_with};
use std::fs::File;
use std::io::{self, Read};
use std::net::{Shutdown, TcpStream};
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Instant, SystemTime};

/// A root and the limits under which it is served.
pub struct Site {
    root: Root,
    limits: Limits,
    /// Cancelled when shutdown begins: no further request is read.
    pub(super) finish: CancelToken,
    /// Cancelled when the grace period is over: everything ends.
    pub(super) abort: CancelToken,
    /// The number of responses sent in full.
    responses: AtomicU64,
}

static_assertions::assert_impl_all!(Site: Send, Sync);

/// The next event on a connection.
enum Next {
    /// A request, and the length of its head in bytes.
    Request(Box<Request>, usize),
    /// A request to refuse with this status. The connection closes after it.
    Refused(u16),
    /// The end: closed by the client, idle for too long, or shutting down.
    End,
}

impl Site {
    /// Opens the root.
    ///
    /// # Errors
    ///
    /// The errors of [`Root::open`], and of making a pipe.
    pub fn new(root: &Path, limits: Limits) -> io::Result<Self> {
        let responses = AtomicU64::new(0);
        let root = Root::open(root)?;
        Ok(Self {
            root,
            limits,
            finish: CancelToken::new()?,
            abort: CancelToken::new()?,
            responses,
        })
    }

    /// Returns the number of responses sent in full.
    pub fn responses(&self) -> u64 {
        self.responses.load(Ordering::Relaxed) // a count only
    }

    /// Serves one connection until either side closes it.
    ///
    /// # Errors
    ///
    /// Any end of the connection but a regular one: `TimedOut` for a missed deadline,
    /// `UnexpectedEof` for a file that became shorter while it was sent, `ConnectionReset` and
    /// `BrokenPipe` for a client that went away.
    pub fn serve(&self, stream: TcpStream) -> io::Result<()> {
        stream.set_nonblocking(true)?;
        // MSG_MORE already keeps a head back until its body follows. Nagle's algorithm would add
        // nothing but a wait for an acknowledgement before each response's last segment.
        stream.set_nodelay(true)?;
        let result = self.converse(&stream);
        if result.as_ref().is_err_and(is_cut_off) {
            reset_on_close(&stream, true)?;
        }
        result
    }

    /// Alternates between requests and responses.
    fn converse(&self, stream: &TcpStream) -> io::Result<()> {
        let mut received = Vec::with_capacity(self.limits.head_bytes);
        loop {
            let next = self.receive(stream, &mut received)?;
            let (response, failure, keep_alive, head_only) = match next {
                Next::End => return Ok(()),
                Next::Refused(status) => (Response::text(status), None, false, is_head(&received)),
                Next::Request(request, length) => {
                    received.drain(..length); // the rest is the beginning of the next one
                    let keep_alive = request.keep_alive && !self.finish.is_cancelled();
                    let (response, failure) = respond(&self.root, &request);
                    (response, failure, keep_alive, request.head_only)
                }
            };
            let keep_alive = keep_alive && failure.is_none();
            let connection = if keep_alive { "keep-alive" } else { "close" };
            self.send(stream, response.with("Connection", connection), head_only)?;
            self.responses.fetch_add(1, Ordering::Relaxed); // a count, which publishes nothing
            if !keep_alive {
                return self.hang_up(stream).and(failure.map_or(Ok(()), Err));
            }
        }
    }

    /// Waits for the next request. `received` holds what arrived of it together with the request
    /// before.
    fn receive(&self, mut stream: &TcpStream, received: &mut Vec<u8>) -> io::Result<Next> {
        let limit = if received.is_empty() { self.limits.idle } else { self.limits.head };
        let mut deadline = Instant::now() + limit;
        let mut buffer = [0; 4096];
        loop {
            match parse(received, self.limits.head_bytes) {
                Parsed::Request(request, length) => return Ok(Next::Request(request, length)),
                Parsed::Refused(status) => return Ok(Next::Refused(status)),
                Parsed::Partial => {}
            }
            let room = buffer.len().min(self.limits.head_bytes - received.len());
            match stream.read(&mut buffer[..room]) {
                Ok(0) => return Ok(Next::End),
                Ok(count) => {
                    if received.is_empty() {
                        // The first byte sets the deadline; further ones do not move it.
                        deadline = Instant::now() + self.limits.head;
                    }
                    received.extend_from_slice(&buffer[..count]);
                }
                Err(error) => {
                    let between = received.is_empty();
                    if let Some(next) = self.await_more(stream, error, between, deadline)? {
                        return Ok(next);
                    }
                }
            }
        }
    }

    /// Waits after `error` if it only means that nothing has arrived yet: `None` once there is more
    /// to read. Between two requests the connection ends as soon as a shutdown begins; within one,
    /// only when its grace period is over.
    fn await_more(
        &self,
        stream: &TcpStream,
        error: io::Error,
        between: bool,
        deadline: Instant,
    ) -> io::Result<Option<Next>> {
        if !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) {
            return Err(error);
        }
        let cancel = if between { &self.finish } else { &self.abort };
        match cancel.wait(stream, libc::POLLIN, deadline) {
            Ok(()) => Ok(None),
            Err(error) if between && is_cut_off(&error) => Ok(Some(Next::End)),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => Ok(Some(Next::Refused(408))),
            Err(error) => Err(error),
        }
    }

    /// Sends head and body. Only the head is ever copied.
    fn send(&self, stream: &TcpStream, response: Response, head_only: bool) -> io::Result<()> {
        match response.into_parts(head_only, SystemTime::now()) {
            (head, None) => self.send_bytes(stream, head.as_bytes(), 0),
            (head, Some((file, range))) => {
                // MSG_MORE: the first bytes of the file share the head's segment.
                self.send_bytes(stream, head.as_bytes(), libc::MSG_MORE)?;
                self.send_file(stream, &file, range)
            }
        }
    }

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
            // A fast reader never makes the server wait, and otherwise only a wait checks this.
            self.abort.check()?;
            at = end;
        }
        Ok(())
    }

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

    /// Ends the connection after the last response: announces it, and reads what the client is
    /// still sending, within the bounds of [`LINGER`].
    fn hang_up(&self, mut stream: &TcpStream) -> io::Result<()> {
        stream.shutdown(Shutdown::Write)?;
        let (deadline, mut left) = (Instant::now() + LINGER.0, LINGER.1);
        let mut buffer = [0; 4096];
        while left > 0 {
            match stream.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => left = left.saturating_sub(count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    match self.abort.wait(stream, libc::POLLIN, deadline) {
                        Err(error) if is_cut_off(&error) => break, // it had its time
                        other => other?,
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

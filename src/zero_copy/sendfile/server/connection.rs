//! One connection on the calling thread, which waits for the socket wherever it has to.

use super::cancel::{CancelToken, is_cut_off};
use super::conversation::{Conversation, Step};
use super::limits::Limits;
use super::service::Service;
use crate::sys::socket::{reset_on_close, send};
use crate::zero_copy::sendfile::{SendError, send_range_with};
use std::fs::File;
use std::io::{self, Read};
use std::net::{Shutdown, TcpStream};
use std::ops::Range;
use std::path::Path;
use std::time::Instant;

/// A [`Service`] whose connections have a thread each.
pub struct Site {
    service: Service,
    /// Cancelled when shutdown begins: no further request is read.
    pub(super) finish: CancelToken,
    /// Cancelled when the grace period is over: everything ends.
    pub(super) abort: CancelToken,
}

static_assertions::assert_impl_all!(Site: Send, Sync);

impl Site {
    /// Opens the root.
    ///
    /// # Errors
    ///
    /// The errors of [`Service::new`], and of making a pipe.
    pub fn new(root: &Path, limits: Limits) -> io::Result<Self> {
        let service = Service::new(root, limits)?;
        Ok(Self { service, finish: CancelToken::new()?, abort: CancelToken::new()? })
    }

    /// Returns the number of responses sent in full.
    pub fn responses(&self) -> u64 {
        self.service.responses()
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

    /// Takes the steps of a conversation, one after another, to its end.
    fn converse(&self, mut stream: &TcpStream) -> io::Result<()> {
        let service = &self.service;
        let mut conversation = Conversation::new(service, Instant::now());
        let mut buffer = [0; 4096];
        loop {
            if self.finish.is_cancelled() {
                conversation.finish();
            }
            let deadline = conversation.deadline();
            match conversation.step(service) {
                Step::Receive(room) => {
                    let room = room.min(buffer.len());
                    match stream.read(&mut buffer[..room]) {
                        Ok(count) => {
                            conversation.received(service, &buffer[..count], Instant::now());
                        }
                        Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                            self.await_input(stream, &mut conversation)?;
                        }
                        Err(error) => return Err(error),
                    }
                }
                Step::Open(path) => {
                    let file = service.open(path);
                    conversation.opened(service, file, Instant::now());
                }
                Step::Send { bytes, more } => {
                    self.send_bytes(stream, bytes, more, deadline)?;
                    let count = bytes.len();
                    conversation.sent(service, count, Instant::now());
                }
                Step::SendFile(file, piece) => {
                    let size = piece.end - piece.start;
                    let result = self.send_file(stream, file, piece, deadline);
                    let sent = result.as_ref().map_or_else(|error| error.sent, |()| size);
                    conversation.sent(service, sent as usize, Instant::now());
                    // A fast reader never makes the server wait, and otherwise only a wait checks
                    // for the end of the grace period.
                    let result = result.map_err(|error| error.cause);
                    result
                        .and_then(|()| self.abort.check())
                        .map_err(|error| conversation.failed(error))?;
                }
                Step::ShutDown => {
                    stream.shutdown(Shutdown::Write)?;
                    conversation.shut_down(Instant::now());
                }
                Step::Close => return conversation.end(),
            }
        }
    }

    /// Waits until there is more to read. Between two requests a shutdown interrupts this as soon
    /// as it begins; within one, only when its grace period is over.
    fn await_input(&self, stream: &TcpStream, conversation: &mut Conversation) -> io::Result<()> {
        let is_idle = conversation.is_idle();
        let cancel = if is_idle { &self.finish } else { &self.abort };
        match cancel.wait(stream, libc::POLLIN, conversation.deadline()) {
            Err(error) if is_cut_off(&error) => {
                conversation.cut_off(&self.service, error, Instant::now())
            }
            other => other,
        }
    }

    fn send_file(
        &self,
        stream: &TcpStream,
        file: &File,
        piece: Range<u64>,
        deadline: Instant,
    ) -> Result<(), SendError> {
        let wait = || self.abort.wait(stream, libc::POLLOUT, deadline);
        send_range_with(stream, file, piece, wait)
    }

    fn send_bytes(
        &self,
        stream: &TcpStream,
        mut bytes: &[u8],
        more: bool,
        deadline: Instant,
    ) -> io::Result<()> {
        let flags = if more { libc::MSG_MORE } else { 0 };
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
}

//! One connection of a loop, which goes on until the kernel or its budget stops it.

use super::read_ahead::Ahead;
use super::shared::Accepted;
use crate::sys::socket::{reset_on_close, send};
use crate::zero_copy::sendfile::permits::OwnedPermit;
use crate::zero_copy::sendfile::sendfile;
use crate::zero_copy::sendfile::server::Service;
use crate::zero_copy::sendfile::server::conversation::{Conversation, Step};
use std::fs::File;
use std::io::{self, Read};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::ops::Range;
use std::time::Instant;

/// A socket and the state of its conversation. Its permit is returned when it is dropped, after the
/// socket is closed.
pub(super) struct Connection {
    stream: TcpStream,
    conversation: Conversation,
    pub(super) peer: SocketAddr,
    /// The last read was short, and nothing has been reported since: there is nothing to read.
    drained: bool,
    /// The client has closed its side, or the connection is broken. A short read may then hide the
    /// end of the stream, which is not reported again.
    hung_up: bool,
    /// `None` if the loop itself reads what the page cache lacks, inside `sendfile`.
    ahead: Option<Ahead>,
    _permit: OwnedPermit,
}

/// The end of a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// The kernel has nothing to read or no room to write, and reports when it has.
    Blocked,
    /// The budget is spent. The kernel reports nothing, so the loop has to come back by itself.
    Spent,
    /// The page cache lacks what comes next: [`Connection::part_to_read`].
    Cold,
    /// The conversation is over.
    Over,
}

/// The outcome of a step.
enum Moved {
    Bytes(usize),
    /// Nothing, because the page cache lacks it.
    Cold,
    /// The conversation is over.
    Over,
}

/// The events to watch a connection for. Registered once, for both directions.
pub(super) const EVENTS: u32 =
    (libc::EPOLLIN | libc::EPOLLOUT | libc::EPOLLRDHUP | libc::EPOLLET) as u32;
/// The events after which a read may return something new.
const READABLE: u32 = (libc::EPOLLIN | libc::EPOLLRDHUP | libc::EPOLLHUP | libc::EPOLLERR) as u32;
/// The events after which no further data comes.
const HUNG_UP: u32 = (libc::EPOLLRDHUP | libc::EPOLLHUP | libc::EPOLLERR) as u32;

/// The bytes of a budget that a system call costs at least: many small requests take a turn as one
/// large file does.
const CALL: usize = 4 << 10;

impl Connection {
    /// Returns a connection for which the loop or, if `reads_ahead`, a pool reads from the disk.
    pub(super) fn new(
        accepted: Accepted,
        service: &Service,
        reads_ahead: bool,
        now: Instant,
    ) -> Self {
        let Accepted { stream, peer, permit } = accepted;
        let conversation = Conversation::new(service, now);
        let ahead = reads_ahead.then(Ahead::default);
        Self { stream, conversation, peer, drained: false, hung_up: false, ahead, _permit: permit }
    }

    pub(super) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    pub(super) fn deadline(&self) -> Instant {
        self.conversation.deadline()
    }

    /// Notes what the kernel has reported. Returns `true` if the connection may go on: room to send
    /// is nothing new to one that waits for a request.
    pub(super) fn reported(&mut self, service: &Service, events: u32) -> bool {
        self.hung_up |= events & HUNG_UP != 0;
        let readable = events & READABLE != 0;
        self.drained &= !readable;
        readable || !matches!(self.conversation.step(service), Step::Receive(_))
    }

    /// Returns the part of a file that a pool has to read before the connection can go on.
    pub(super) fn part_to_read(&mut self) -> Option<(File, Range<u64>)> {
        self.ahead.as_mut()?.next.take()
    }

    /// Notes that a pool reads for this connection, or does no longer.
    pub(super) fn set_reading(&mut self, is_reading: bool) {
        if let Some(ahead) = &mut self.ahead {
            ahead.is_reading = is_reading;
        }
    }

    /// Returns `true` while a pool reads for this connection.
    pub(super) fn is_reading(&self) -> bool {
        self.ahead.as_ref().is_some_and(|ahead| ahead.is_reading)
    }

    /// Makes the next response the last, and answers what has arrived until now.
    pub(super) fn finish(&mut self) {
        self.conversation.finish();
        self.drained = false; // something may have arrived that is still to be reported
    }

    /// Ends what the connection is waiting for. If that leaves something incomplete, closing the
    /// connection resets it.
    ///
    /// # Errors
    ///
    /// As [`Conversation::cut_off`].
    pub(super) fn cut_off(
        &mut self,
        service: &Service,
        cause: io::Error,
        now: Instant,
    ) -> io::Result<()> {
        cut_off(&mut self.conversation, &self.stream, service, cause, now)
    }

    // ANCHOR: turn
    /// Takes steps until the kernel stops the connection (`EAGAIN`), until about `budget`
    /// bytes have moved, or to its end.
    pub(super) fn turn(
        &mut self,
        service: &Service,
        buffer: &mut [u8],
        mut budget: usize,
    ) -> io::Result<Turn> {
        while budget > 0 {
            let moved = match self.step(service, buffer, budget) {
                Ok(Moved::Bytes(moved)) => moved,
                Ok(Moved::Cold) => return Ok(Turn::Cold),
                Ok(Moved::Over) => return Ok(Turn::Over),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let over = self.conversation.found_nothing();
                    return Ok(if over { Turn::Over } else { Turn::Blocked });
                }
                Err(error) => return Err(self.conversation.failed(error)),
            };
            budget = budget.saturating_sub(moved.max(CALL));
        }
        Ok(Turn::Spent)
    }
    // ANCHOR_END: turn

    /// Takes one step, of at most about `budget` bytes.
    fn step(&mut self, service: &Service, buffer: &mut [u8], budget: usize) -> io::Result<Moved> {
        let Self { stream, conversation, drained, hung_up, ahead, .. } = self;
        Ok(Moved::Bytes(match conversation.step(service) {
            Step::Receive(room) => {
                let room = room.min(buffer.len());
                if *drained {
                    return Err(io::ErrorKind::WouldBlock.into());
                }
                let count = (&*stream).read(&mut buffer[..room])?;
                // epoll(7): a short read has emptied the socket. What arrives later is reported.
                *drained = count < room && !*hung_up;
                conversation.received(service, &buffer[..count], Instant::now());
                count
            }
            Step::Open(path) => {
                let file = service.open(path);
                conversation.opened(service, file, Instant::now());
                ahead.iter_mut().for_each(Ahead::begin);
                0
            }
            Step::Send { bytes, more } => {
                let count = send(&*stream, bytes, if more { libc::MSG_MORE } else { 0 })?;
                conversation.sent(service, count, Instant::now());
                count
            }
            Step::SendFile(file, mut piece) => {
                let count = budget.min((piece.end - piece.start) as usize);
                if let Some(ahead) = ahead {
                    if ahead.is_reading {
                        return Err(io::ErrorKind::WouldBlock.into()); // the pool reports its end
                    }
                    if !ahead.has_read(file, &piece, count as u64) {
                        return Ok(Moved::Cold);
                    }
                }
                let count = sendfile(&*stream, file, &mut piece.start, count)?;
                if count == 0 {
                    let eof = io::ErrorKind::UnexpectedEof;
                    return Err(io::Error::new(eof, "the file has become shorter"));
                }
                conversation.sent(service, count, Instant::now());
                count
            }
            Step::ShutDown => {
                stream.shutdown(Shutdown::Write)?;
                conversation.shut_down(Instant::now());
                0
            }
            Step::Close => return conversation.end().map(|()| Moved::Over),
        }))
    }
}

/// Ends what a conversation is waiting for. If that leaves something incomplete, closing `stream`
/// resets it.
///
/// # Errors
///
/// As [`Conversation::cut_off`].
pub(super) fn cut_off(
    conversation: &mut Conversation,
    stream: &TcpStream,
    service: &Service,
    cause: io::Error,
    now: Instant,
) -> io::Result<()> {
    conversation.cut_off(service, cause, now).inspect_err(|_| {
        // Without it, closing only takes longer: the kernel goes on sending what it holds.
        let _ = reset_on_close(stream, true);
    })
}

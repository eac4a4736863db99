//! One connection of a ring: at most one operation in flight, and the memory that it uses.

use super::buffers::{BUFFER, GROUP, HEAD, Pool, Provided, SMALL};
use super::queue::Completion;
use crate::io::event_loop::connection::cut_off;
use crate::io::event_loop::shared::Accepted;
use crate::zero_copy::sendfile::permits::OwnedPermit;
use crate::zero_copy::sendfile::sendfile;
use crate::zero_copy::sendfile::server::Service;
use crate::zero_copy::sendfile::server::conversation::{Conversation, Step};
use io_uring::types::{Fd, OpenHow};
use io_uring::{opcode, squeue};
use std::ffi::CString;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::mem;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::ops::Range;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::time::Instant;

/// A socket, the state of its conversation, and the operation that the kernel has.
pub(super) struct Connection {
    stream: TcpStream,
    conversation: Conversation,
    pub(super) peer: SocketAddr,
    operation: Operation,
    /// Bytes that have been read from a file or copied from a head, and not been sent.
    unsent: Option<Unsent>,
    /// The next operation on the socket must not wait: it was canceled, and what has arrived
    /// meanwhile still counts.
    last_look: bool,
    _permit: OwnedPermit,
}

/// An operation, and the memory that the kernel uses for it.
enum Operation {
    None,
    Receive,
    /// The path ends in NUL.
    Open(#[expect(dead_code, reason = "the kernel reads it")] CString),
    /// Reads a file behind a head of this length.
    Read(Vec<u8>, usize),
    Send(Unsent),
    /// Waits until there is room to send.
    Room,
}

/// The bytes `start..end` of a buffer, of which those before `head` belong to a head.
struct Unsent {
    buffer: Vec<u8>,
    head: usize,
    start: usize,
    end: usize,
    /// More follows soon, and may share the last segment.
    more: bool,
}

/// The memory that the operations of a ring's connections share.
pub(super) struct Means {
    pub(super) provided: Provided,
    pub(super) pool: Pool,
    /// The flags that a file is opened with. They stay where they are, for the kernel.
    pub(super) how: Box<OpenHow>,
    /// The bytes that a turn moves at most, on a large file.
    pub(super) budget: usize,
}

impl Connection {
    pub(super) fn new(accepted: Accepted, service: &Service, now: Instant) -> Self {
        let Accepted { stream, peer, permit } = accepted;
        Self {
            stream,
            conversation: Conversation::new(service, now),
            peer,
            operation: Operation::None,
            unsent: None,
            last_look: false,
            _permit: permit,
        }
    }

    pub(super) fn deadline(&self) -> Instant {
        self.conversation.deadline()
    }

    /// Returns `true` if the kernel has an operation of this connection.
    pub(super) fn is_busy(&self) -> bool {
        !matches!(self.operation, Operation::None)
    }

    /// Returns `true` if the connection waits for its client, and not for a disk or this loop.
    pub(super) fn waits_for_client(&self) -> bool {
        matches!(self.operation, Operation::Receive | Operation::Send(_) | Operation::Room)
    }

    /// Makes the next response the last. Returns `true` if the connection waits for a request, of
    /// which a canceled receive then tells if it has arrived.
    pub(super) fn finish(&mut self) -> bool {
        self.conversation.finish();
        self.conversation.is_idle() && matches!(self.operation, Operation::Receive)
    }

    /// Returns the error of something that has gone wrong on this connection.
    fn failed(&self, cause: io::Error) -> io::Error {
        self.conversation.failed(cause)
    }

    /// Forgets an operation that the kernel has not got.
    pub(super) fn withdraw(&mut self) {
        self.operation = Operation::None;
    }

    /// Takes the steps up to the next operation, and returns that; `None` at the end of the
    /// conversation. What the operation points to stays here until its result has been taken.
    ///
    /// # Errors
    ///
    /// Whatever ends the connection before its time.
    pub(super) fn next(
        &mut self,
        service: &Service,
        means: &mut Means,
        is_finishing: bool,
    ) -> io::Result<Option<squeue::Entry>> {
        let socket = Fd(self.stream.as_raw_fd());
        loop {
            if let Some(unsent) = self.unsent.take() {
                return Ok(Some(self.send(unsent)));
            }
            match self.conversation.step(service) {
                Step::Receive(room) => {
                    // The kernel takes a buffer when there is something to receive.
                    let (none, room) = (std::ptr::null_mut(), room.min(BUFFER) as u32);
                    let is_last = is_finishing && self.conversation.is_idle();
                    self.last_look |= is_last;
                    let receive = opcode::Recv::new(socket, none, room).buf_group(GROUP);
                    let receive = receive.flags(wait_or_not(self.last_look)).build();
                    self.operation = Operation::Receive;
                    return Ok(Some(receive.flags(squeue::Flags::BUFFER_SELECT)));
                }
                Step::Open(path) => match CString::new(path) {
                    Ok(path) => {
                        let root = Fd(service.root().as_fd().as_raw_fd());
                        let open = opcode::OpenAt2::new(root, path.as_ptr(), &raw const *means.how);
                        self.operation = Operation::Open(path);
                        return Ok(Some(open.build()));
                    }
                    Err(error) => {
                        self.conversation.opened(service, Err(error.into()), Instant::now());
                    }
                },
                Step::Send { bytes, more } => {
                    let mut buffer = means.pool.take();
                    let head = bytes.len().min(HEAD);
                    buffer[..head].copy_from_slice(&bytes[..head]);
                    let is_whole = head == bytes.len();
                    if let Some((file, piece)) = self.conversation.following()
                        && is_whole
                        && piece.end - piece.start <= SMALL as u64
                    {
                        let read = read(file, piece, &mut buffer[head..]);
                        self.operation = Operation::Read(buffer, head);
                        return Ok(Some(read));
                    }
                    self.unsent = Some(Unsent { buffer, head, start: 0, end: head, more });
                }
                Step::SendFile(file, piece) => {
                    let count = (piece.end - piece.start).min(means.budget as u64) as usize;
                    match sendfile(&self.stream, file, &mut { piece.start }, count) {
                        Ok(0) => return Err(self.failed(shorter())),
                        Ok(count) => {
                            self.last_look = false;
                            self.conversation.sent(service, count, Instant::now());
                            if !matches!(self.conversation.step(service), Step::SendFile(..)) {
                                continue;
                            }
                        }
                        Err(error) => self.not_done(service, error, Instant::now())?,
                    }
                    // If there is room already, the others still come first.
                    self.operation = Operation::Room;
                    return Ok(Some(opcode::PollAdd::new(socket, libc::POLLOUT as u32).build()));
                }
                Step::ShutDown => {
                    let shut_down = self.stream.shutdown(Shutdown::Write);
                    shut_down.map_err(|error| self.failed(error))?;
                    self.conversation.shut_down(Instant::now());
                }
                Step::Close => return self.conversation.end().map(|()| None),
            }
        }
    }

    fn send(&mut self, unsent: Unsent) -> squeue::Entry {
        let bytes = &unsent.buffer[unsent.start..unsent.end];
        let more = if unsent.more { libc::MSG_MORE } else { 0 };
        let flags = libc::MSG_NOSIGNAL | more | wait_or_not(self.last_look);
        let socket = Fd(self.stream.as_raw_fd());
        let send = opcode::Send::new(socket, bytes.as_ptr(), bytes.len() as u32).flags(flags);
        self.operation = Operation::Send(unsent);
        send.build()
    }

    /// Takes the result of the operation. A buffer that the kernel took for it is the caller's to
    /// give back, afterwards.
    ///
    /// # Errors
    ///
    /// Whatever ends the connection before its time.
    pub(super) fn completed(
        &mut self,
        service: &Service,
        means: &mut Means,
        completion: Completion,
        now: Instant,
    ) -> io::Result<()> {
        let result = completion.get();
        match mem::replace(&mut self.operation, Operation::None) {
            Operation::None => unreachable!("the kernel answers an operation once"),
            Operation::Receive => {
                let count = match result {
                    Ok(count) => count,
                    Err(error) => return self.not_done(service, error, now),
                };
                self.last_look = false;
                let filled = completion.buffer().map(|number| means.provided.filled(number, count));
                self.conversation.received(service, filled.unwrap_or_default(), now);
                Ok(())
            }
            Operation::Open(_) => {
                let file = match result {
                    // SAFETY: a new descriptor that nothing else owns.
                    Ok(fd) => Ok(File::from(unsafe { OwnedFd::from_raw_fd(fd as i32) })),
                    Err(error) if is_passing(&error) => match self.conversation.step(service) {
                        Step::Open(path) => service.open(path), // which tries again
                        _ => Err(error),
                    },
                    Err(error) => Err(error),
                };
                self.conversation.opened(service, file, now);
                Ok(())
            }
            Operation::Read(buffer, head) => self.read(buffer, head, result),
            Operation::Room => match result {
                Ok(_) => Ok(()),
                Err(error) => self.not_done(service, error, now),
            },
            Operation::Send(mut unsent) => match result {
                Ok(count) => {
                    self.last_look = false;
                    self.sent(service, &mut unsent, count, now);
                    if unsent.start < unsent.end {
                        self.unsent = Some(unsent);
                    } else {
                        means.pool.give_back(unsent.buffer);
                    }
                    Ok(())
                }
                Err(error) => {
                    self.unsent = Some(unsent);
                    self.not_done(service, error, now)
                }
            },
        }
    }

    /// Takes the result of reading a file behind a head of `head` bytes.
    fn read(
        &mut self,
        mut buffer: Vec<u8>,
        head: usize,
        result: io::Result<usize>,
    ) -> io::Result<()> {
        let count = match (result, self.conversation.following()) {
            // A file system that cannot be read without waiting: this thread waits, then.
            (Err(error), Some((file, piece))) if is_passing(&error) => {
                let size = (piece.end - piece.start).min((buffer.len() - head) as u64);
                file.read_at(&mut buffer[head..][..size as usize], piece.start)
            }
            (result, _) => result,
        };
        // If the file has become shorter, the head leaves, and the rest of the body does not.
        let count = count.map_err(|error| self.failed(error))?;
        self.unsent = Some(Unsent { buffer, head, start: 0, end: head + count, more: false });
        Ok(())
    }

    /// Tells the conversation of bytes that were sent, of its head first.
    fn sent(&mut self, service: &Service, unsent: &mut Unsent, count: usize, now: Instant) {
        let of_head = unsent.head.saturating_sub(unsent.start).min(count);
        for part in [of_head, count - of_head] {
            if part > 0 {
                self.conversation.sent(service, part, now);
            }
        }
        unsent.start += count;
    }

    /// Decides about an operation on the socket that has moved nothing.
    fn not_done(&mut self, service: &Service, error: io::Error, now: Instant) -> io::Result<()> {
        // ANCHOR: not_done
        match error.raw_os_error() {
            // Late, or the server shuts down. But what the client has done meanwhile
            // counts: perhaps it was this loop that was late.
            Some(libc::ECANCELED) => self.last_look = true,
            Some(libc::EAGAIN) if self.last_look => {
                self.last_look = false;
                if !self.conversation.found_nothing() && self.deadline() <= now {
                    return self.cut_off(service, late(), now);
                }
            }
            // Without a buffer to receive into, or interrupted: once more.
            Some(libc::EAGAIN | libc::EINTR | libc::ENOBUFS) => {}
            _ => return Err(self.failed(error)),
        }
        // ANCHOR_END: not_done
        Ok(())
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

    /// Takes a result that comes too late to be of use.
    pub(super) fn too_late(&mut self, completion: Completion) {
        if let (Operation::Open(_), Ok(fd)) =
            (mem::replace(&mut self.operation, Operation::None), completion.get())
        {
            // SAFETY: a new descriptor that nothing else owns.
            drop(unsafe { OwnedFd::from_raw_fd(fd as i32) });
        }
    }
}

/// Returns an operation that reads `piece`.
fn read(file: &File, piece: Range<u64>, into: &mut [u8]) -> squeue::Entry {
    let size = (piece.end - piece.start).min(into.len() as u64) as u32;
    let read = opcode::Read::new(Fd(file.as_raw_fd()), into.as_mut_ptr(), size);
    read.offset(piece.start).build()
}

fn shorter() -> io::Error {
    io::Error::new(ErrorKind::UnexpectedEof, "the file has become shorter")
}

fn late() -> io::Error {
    io::Error::new(ErrorKind::TimedOut, "the deadline has passed")
}

/// Returns the flag with which an operation on a socket does not wait.
fn wait_or_not(is_last_look: bool) -> i32 {
    if is_last_look { libc::MSG_DONTWAIT } else { 0 }
}

fn is_passing(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EINTR))
}

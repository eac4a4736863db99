//! A probe of a ring: it serves a client.

use super::buffers::{BUFFER, GROUP, Provided};
use super::queue::{Completion, Queue};
use crate::sys::trying;
use io_uring::types::{Fd, OpenHow};
use io_uring::{opcode, squeue};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::{Duration, Instant};

const ACCEPT: u64 = 0;
const OTHER: u64 = 1;
const CANCEL: u64 = 2;

/// Longer than any of it takes.
const PATIENCE: Duration = Duration::from_secs(5);

/// Accepts a connection through the ring, receives, opens a directory and sends, as serving does,
/// and compares the bytes. Leaves nothing in flight if all of it worked.
pub(super) fn probe(
    queue: &mut Queue,
    provided: &mut Provided,
    root: BorrowedFd<'_>,
    how: &OpenHow,
) -> io::Result<()> {
    const WORDS: &[u8] = b"a ring that serves";
    let listener = trying("listening", TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
    let address = listener.local_addr()?;
    let accept = opcode::AcceptMulti::new(fd(&listener));
    let accept = accept.flags(libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC).build();
    // SAFETY: points to nothing.
    trying("a multishot accept", unsafe { queue.push(accept, ACCEPT) })?;
    let mut client = trying("connecting", TcpStream::connect(address))?;
    client.set_read_timeout(Some(PATIENCE))?;
    let accepted = trying("a multishot accept", wait(queue, ACCEPT).and_then(|end| end.get()))?;
    // SAFETY: a new descriptor that nothing else owns.
    let stream = TcpStream::from(unsafe { OwnedFd::from_raw_fd(accepted as i32) });

    let receive = opcode::Recv::new(fd(&stream), std::ptr::null_mut(), BUFFER as u32);
    let receive = receive.buf_group(GROUP).build().flags(squeue::Flags::BUFFER_SELECT);
    // SAFETY: the kernel takes a buffer of the group.
    trying("a receive", unsafe { queue.push(receive, OTHER) })?;
    queue.enter(Some(Instant::now()))?; // it has to wait, although the socket does not block
    client.write_all(WORDS)?;
    let end = trying("a receive", wait(queue, OTHER))?;
    let count = trying("a receive", end.get())?;
    let number = end.buffer().ok_or_else(|| io::Error::other("a receive took no buffer"))?;
    let is_right = provided.filled(number, count) == WORDS;
    provided.give_back(number);

    let open = opcode::OpenAt2::new(Fd(root.as_raw_fd()), c".".as_ptr(), how).build();
    // SAFETY: the path is static, and the caller's `how` lives until the result is here: the kernel
    // has copied it by then.
    let opened = trying("an open", unsafe { run(queue, open) }.and_then(|end| end.get()))?;
    // SAFETY: a new descriptor that nothing else owns.
    drop(unsafe { OwnedFd::from_raw_fd(opened as i32) });

    let send = opcode::Send::new(fd(&stream), WORDS.as_ptr(), WORDS.len() as u32);
    // SAFETY: static memory.
    let sent = unsafe { run(queue, send.flags(libc::MSG_NOSIGNAL).build()) };
    let sent = trying("a send", sent.and_then(|end| end.get()))?;
    let mut answer = [0; WORDS.len()];
    trying("reading what was sent", client.read_exact(&mut answer[..sent.min(WORDS.len())]))?;

    // SAFETY: points to nothing.
    unsafe { queue.push(opcode::AsyncCancel::new(ACCEPT).build(), CANCEL) }?;
    wait(queue, CANCEL)?;
    while queue.in_flight() > 0 {
        queue.enter(None)?; // the end of what was canceled
        while queue.next().is_some() {}
    }
    if !is_right || answer != WORDS {
        return Err(io::Error::other("other bytes came than were sent"));
    }
    Ok(())
}

/// Hands an operation over, and returns its result.
///
/// # Safety
///
/// As [`Queue::push`].
unsafe fn run(queue: &mut Queue, entry: squeue::Entry) -> io::Result<Completion> {
    // SAFETY: the caller's promise.
    unsafe { queue.push(entry, OTHER) }?;
    wait(queue, OTHER)
}

/// Returns the next result of the operation with this token.
fn wait(queue: &mut Queue, token: u64) -> io::Result<Completion> {
    let until = Instant::now() + PATIENCE;
    loop {
        queue.enter(Some(until))?;
        while let Some(completion) = queue.next() {
            if completion.token == token {
                return Ok(completion);
            }
        }
        if Instant::now() >= until {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "no result has come"));
        }
    }
}

fn fd(socket: &impl AsRawFd) -> Fd {
    Fd(socket.as_raw_fd())
}

//! The experiments of the example, the bench and the tests.

use super::outstanding::Returned;
use super::ring::{self, Ring};
use super::sender::ZeroCopySender;
use super::variants::{BUFFERS, Counts, Variant};
use super::{dummy_device, limits, naive};
use crate::harness::loopback::{FNV_START, Loopback, fnv1a};
use crate::harness::scratch::{Scratch, pattern};
use crate::harness::unknown;
use crate::proof::cpu;
use crate::proof::syscalls::{Calls, trace};
use crate::sys::trying;
use crate::zero_copy::sendfile::send_range_with;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// A variant with a connection of its own, and a reader at the other end.
pub struct Experiment {
    variant: Variant,
    line: Loopback,
    bytes: Vec<u8>,
}

impl Experiment {
    /// Connects the variant `name` to a reader on `core`, or wherever the kernel puts it. The
    /// variant sends buffers of `size` bytes.
    ///
    /// # Errors
    ///
    /// The errors of the connection, and a sentence if the variant is not possible here.
    pub fn new(name: &str, size: usize, core: Option<usize>) -> io::Result<Self> {
        let mut line = Loopback::new(core)?;
        let bytes = pattern(size);
        let variant = line.transfer(0, |socket| Variant::new(name, socket, &bytes))?;
        Ok(Self { variant, line, bytes })
    }

    /// Sends `buffers` buffers, and waits until the reader has confirmed the last byte and the
    /// kernel has released every buffer.
    ///
    /// # Errors
    ///
    /// The errors of the variant and of the connection.
    pub fn send(&mut self, buffers: u64) -> io::Result<()> {
        let bytes = buffers * self.bytes.len() as u64;
        self.line.transfer(bytes, |_| send_all(&mut self.variant, buffers))
    }

    /// Sends as [`send`](Self::send) does, and returns `true` if every byte arrived unchanged.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn send_checked(&mut self, buffers: u64) -> io::Result<bool> {
        let bytes = buffers * self.bytes.len() as u64;
        let sent = self.line.transfer_checked(bytes, |_| send_all(&mut self.variant, buffers));
        let ((), checksum) = sent?;
        Ok(checksum == (0..buffers).fold(FNV_START, |hash, _| fnv1a(hash, &self.bytes)))
    }

    /// Sends as [`send`](Self::send) does, and returns the system calls that it took. The inner
    /// error says why they cannot be counted, or that the kernel refused some of them, so that they
    /// count something else.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn send_traced(&mut self, buffers: u64) -> io::Result<io::Result<Calls>> {
        if let Err(reason) = trace(|| ()) {
            return self.send(buffers).map(|()| Err(reason));
        }
        let bytes = buffers * self.bytes.len() as u64;
        let before = self.counts().refusals;
        let traced = self.line.transfer(bytes, |_| {
            let (result, calls) = trace(|| send_all(&mut self.variant, buffers))?;
            result.map(|()| calls)
        });
        let refused = self.counts().refusals > before;
        traced.map(|calls| if refused { Err(self.refusal()) } else { Ok(calls) })
    }

    /// Returns the outcomes of the sends so far.
    pub fn counts(&self) -> Counts {
        self.variant.counts()
    }

    /// Returns the outcomes of the sends so far, if none was made with a copy because the kernel
    /// refused to pin more pages.
    ///
    /// # Errors
    ///
    /// The limits, and what the variant needs of them.
    pub fn without_fallback(&self) -> io::Result<Counts> {
        let counts = self.counts();
        if counts.fell_back > 0 { Err(self.refusal()) } else { Ok(counts) }
    }

    fn refusal(&self) -> io::Error {
        let most = BUFFERS * (self.bytes.len() / 1024 + 8); // two pages more for each send
        let (size, limits) = (self.bytes.len(), limits());
        refusal(&format!("up to {most} KiB for {BUFFERS} buffers of {size} bytes; {limits}"))
    }

    /// Closes the connection.
    ///
    /// # Errors
    ///
    /// The errors of the reader.
    pub fn close(self) -> io::Result<()> {
        drop(self.variant); // it holds the connection too
        self.line.close()
    }
}

fn send_all(variant: &mut Variant, buffers: u64) -> io::Result<()> {
    let sent = (0..buffers).try_for_each(|_| variant.send()).and_then(|()| variant.finish());
    trying("sending", sent)
}

/// Returns the error of an experiment that the kernel's limits on pinned pages have spoiled.
fn refusal(what: &str) -> io::Error {
    let refused = Err::<(), _>(io::Error::from_raw_os_error(libc::ENOBUFS));
    trying(format!("pinning pages ({what})"), refused).expect_err("an error stays one")
}

/// Sends `buffer` by the naive version until the socket has no room, and returns the number of
/// bytes sent. Sends shorter pieces where the kernel cannot pin all of the rest.
///
/// # Errors
///
/// The errors of the naive version; `ENOBUFS` with the limits if not even a page can be pinned.
pub fn fill(socket: &TcpStream, buffer: &[u8]) -> io::Result<usize> {
    socket.set_nonblocking(true)?;
    let (mut sent, mut piece) = (0, buffer.len());
    while sent < buffer.len() {
        let rest = &buffer[sent..];
        match naive::send(socket, &rest[..rest.len().min(piece)]) {
            Ok(count) => sent += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) && piece > 4096 => piece /= 2,
            Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {
                return Err(refusal(&format!("{} bytes in all; {}", buffer.len(), limits())));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(sent)
}

/// Sends `count` datagrams to a device that discards them, and returns what came back.
///
/// # Errors
///
/// A sentence that says why there is no such device; `ENOBUFS` with the limits if one was sent with
/// a copy because the kernel refused to pin its pages.
pub fn discarded(count: usize) -> io::Result<Vec<Returned>> {
    let deadline = Instant::now() + Duration::from_secs(5);
    let mut sender = ZeroCopySender::new(dummy_device::socket()?)?;
    (0..count).try_for_each(|_| sender.send(vec![0; 1024], deadline))?;
    let mut back = vec![];
    while let Some(returned) = sender.wait(deadline)? {
        if returned.fell_back > 0 {
            return Err(refusal(&limits()));
        }
        back.push(returned);
    }
    Ok(back)
}

/// Sends `sends` single bytes without reading a completion, and returns the number of messages in
/// the error queue that report them all. The inner error says why that cannot be counted.
///
/// # Errors
///
/// The errors of the connection; `ENOBUFS` with the limits if the kernel refused a send, because
/// the sender then reads completions.
pub fn unread(sends: u64) -> io::Result<io::Result<u64>> {
    const BATCH: u64 = 100; // so that the reader keeps up, and few pages are pinned at a time
    let deadline = Instant::now() + Duration::from_secs(5);
    let mut line = Loopback::new(None)?;
    let mut sender = ZeroCopySender::new(line.transfer(0, TcpStream::try_clone)?)?;
    for first in (0..sends).step_by(BATCH as usize) {
        let batch = BATCH.min(sends - first);
        line.transfer(batch, |_| (0..batch).try_for_each(|_| sender.send(vec![7], deadline)))?;
    }
    if sender.refusals() > 0 {
        return Err(refusal(&limits()));
    }
    let messages = match trace(|| sender.take_back()) {
        Ok((back, calls)) => {
            back?;
            let read = calls.of("recvmsg");
            Ok(read.made - read.failed)
        }
        Err(reason) => Err(reason),
    };
    while sender.wait(deadline)?.is_some() {}
    drop(sender);
    line.close()?;
    Ok(messages)
}

/// A way of sending a file: `sendfile`, or `splice` through a ring.
pub enum FileSender {
    /// The system call.
    Sendfile,
    /// Requests to io_uring.
    Splice(Box<Ring>),
}

impl FileSender {
    /// The names of the two.
    pub const NAMES: [&str; 2] = ["sendfile", "io_uring_splice"];

    /// Prepares the one called `name`.
    ///
    /// # Errors
    ///
    /// A sentence that says why it is not possible here; `InvalidInput` for an unknown name.
    pub fn new(name: &str) -> io::Result<Self> {
        match name {
            "sendfile" => Ok(Self::Sendfile),
            "io_uring_splice" => Ok(Self::Splice(Box::new(Ring::new()?))),
            _ => Err(unknown(name, &Self::NAMES)),
        }
    }

    /// Sends the first `length` bytes of `file` over a blocking socket.
    ///
    /// # Errors
    ///
    /// The errors of `sendfile(2)` or `splice(2)`, with the name of the call.
    pub fn send(&mut self, socket: &TcpStream, file: &File, length: u64) -> io::Result<()> {
        match self {
            Self::Sendfile => {
                let no_room = || Err(ErrorKind::WouldBlock.into());
                let sent = send_range_with(socket, file, 0..length, no_room);
                trying("sendfile", sent.map_err(io::Error::from))
            }
            Self::Splice(ring) => trying("splice", ring.send_file(socket, file, length)),
        }
    }

    /// Sends a file of `length` bytes to a reader, and returns whose CPU time that took.
    ///
    /// # Errors
    ///
    /// The errors of the file, of the connection, and of [`send`](Self::send).
    pub fn cost_of_a_file(&mut self, length: u64) -> io::Result<FileCost> {
        let scratch = Scratch::new()?;
        let file = File::open(scratch.file("body", length as usize)?)?;
        let mut line = Loopback::new(None)?;
        let before = (cpu::thread()?, cpu::process()?);
        line.transfer(length, |socket| self.send(socket, &file, length))?;
        let (thread, process) = (cpu::thread()? - before.0, cpu::process()? - before.1);
        let workers = ring::workers()?;
        line.close()?;
        Ok(FileCost { thread, process, workers })
    }
}

/// The CPU time of sending a file.
#[derive(Clone, Copy, Debug)]
pub struct FileCost {
    /// The sending thread's.
    pub thread: Duration,
    /// The whole process's, the reader and the kernel's workers included.
    pub process: Duration,
    /// The number of threads that the kernel has added to the process.
    pub workers: u64,
}

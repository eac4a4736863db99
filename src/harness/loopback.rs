//! A TCP connection over loopback to a reader on a core of its own.
//!
//! The reader reads every byte into a buffer, as real clients do; `recv` with `MSG_TRUNC` would
//! discard the bytes in the kernel without a copy. On loopback, the reader's copy is part of the
//! wall time and often the slower end, so savings of the sender show only on the sender's CPU
//! clock.
//!
//! Both ends have `TCP_NODELAY` set, as servers do: each `write` may leave at once as a segment of
//! its own. With Nagle's algorithm, small writes wait for an acknowledgement and leave together.

use crate::sys::{cores, trying};
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// The size of the reader's buffer, in bytes. A buffer that fits the core's own caches makes a fast
/// reader. With a large one the reader is the slower end, and every variant takes the same wall
/// time.
const BUFFER: usize = 64 << 10;

/// The time to wait for a confirmation, so that a variant that sends too little does not hang the
/// experiment.
const PATIENCE: Duration = Duration::from_secs(60);

/// A connection: the sending end, and a thread that reads the other end until it is closed.
pub struct Loopback {
    sender: TcpStream,
    orders: Arc<Orders>,
    expected: u64,
    reader: Option<JoinHandle<io::Result<()>>>,
}

/// Instructions of the sender to the reader.
struct Orders {
    /// The total number of bytes at which to send a confirmation.
    confirm_at: AtomicU64,
    /// If set, compute a checksum of the bytes instead of only counting them.
    checksum: AtomicBool,
}

impl Loopback {
    /// Connects, sets `TCP_NODELAY` on both ends, and starts the reader on `core`, or on any core
    /// if `None`.
    ///
    /// # Errors
    ///
    /// The errors of the sockets and of pinning.
    pub fn new(core: Option<usize>) -> io::Result<Self> {
        let (sender, peer) = pair()?;
        for end in [&sender, &peer] {
            end.set_nodelay(true)?;
        }
        sender.set_read_timeout(Some(PATIENCE))?;
        let orders = Arc::new(Orders {
            confirm_at: AtomicU64::new(u64::MAX),
            checksum: AtomicBool::new(false),
        });
        let theirs = Arc::clone(&orders);
        let reader = thread::Builder::new().name("reader".into()).spawn(move || {
            if let Some(core) = core {
                cores::pin(core)?;
            }
            read_all(peer, &theirs)
        })?;
        Ok(Self { sender, orders, expected: 0, reader: Some(reader) })
    }

    /// Has `send` write `bytes` bytes to the connection, and waits until the reader has read all of
    /// them. The reader confirms with one answer, however many calls `send` makes. If `bytes` is 0,
    /// returns without an answer.
    ///
    /// # Errors
    ///
    /// The errors of `send` and of the connection.
    pub fn transfer<T>(
        &mut self,
        bytes: u64,
        send: impl FnOnce(&TcpStream) -> io::Result<T>,
    ) -> io::Result<T> {
        Ok(self.exchange(bytes, false, send)?.0)
    }

    /// Does the same as [`transfer`](Self::transfer), and returns the [`fnv1a`] checksum of the
    /// bytes that arrived.
    ///
    /// # Errors
    ///
    /// The errors of `send` and of the connection.
    pub fn transfer_checked<T>(
        &mut self,
        bytes: u64,
        send: impl FnOnce(&TcpStream) -> io::Result<T>,
    ) -> io::Result<(T, u64)> {
        self.exchange(bytes, true, send)
    }

    fn exchange<T>(
        &mut self,
        bytes: u64,
        checksum: bool,
        send: impl FnOnce(&TcpStream) -> io::Result<T>,
    ) -> io::Result<(T, u64)> {
        self.expected += bytes;
        // Published by the Release store below.
        self.orders.checksum.store(checksum, Ordering::Relaxed);
        // Release: pairs with the Acquire load in `read_all`. The instruction is in place before
        // the first byte can arrive.
        self.orders.confirm_at.store(self.expected, Ordering::Release);
        let result = send(&self.sender)?;
        if bytes == 0 {
            return Ok((result, FNV_START)); // nothing arrives, so the reader confirms nothing
        }
        let mut answer = [0; 8];
        match trying("waiting for the reader", (&self.sender).read_exact(&mut answer)) {
            Ok(()) => Ok((result, u64::from_ne_bytes(answer))),
            Err(error) => Err(self.readers_error().unwrap_or(error)),
        }
    }

    /// Ends the connection and returns the error that the reader has ended with, if there is one:
    /// it says more than the missing confirmation.
    fn readers_error(&mut self) -> Option<io::Error> {
        let _ = self.sender.shutdown(Shutdown::Both); // the reader may have ended it already
        self.reader.take()?.join().ok()?.err()
    }

    /// Closes the connection and waits for the reader to end.
    ///
    /// # Errors
    ///
    /// The errors of the reader, such as more bytes than announced.
    pub fn close(mut self) -> io::Result<()> {
        let reader = self.reader.take();
        drop(self);
        match reader.map(JoinHandle::join) {
            Some(Ok(result)) => result,
            _ => Err(io::Error::other("the reader's thread panicked")),
        }
    }
}

/// Sends over a connection of its own, and returns when all `bytes` bytes have arrived.
///
/// # Errors
///
/// The errors of `send`, of the connection and of its reader.
pub fn once<T>(bytes: u64, send: impl FnOnce(&TcpStream) -> io::Result<T>) -> io::Result<T> {
    let mut line = Loopback::new(None)?;
    let result = line.transfer(bytes, send)?;
    line.close()?;
    Ok(result)
}

/// Returns both ends of a TCP connection, the connecting one first.
///
/// # Errors
///
/// The errors of the sockets.
pub fn pair() -> io::Result<(TcpStream, TcpStream)> {
    let connected = TcpListener::bind("127.0.0.1:0").and_then(|listener| {
        let client = TcpStream::connect(listener.local_addr()?)?;
        Ok((client, listener.accept()?.0))
    });
    trying("connecting over 127.0.0.1", connected)
}

/// Sends `request` and shuts down the sending side, lets `server` answer and close on this thread,
/// and returns the answer, which another thread reads.
///
/// # Errors
///
/// The errors of the sockets and of `server`.
pub fn ask(request: &str, server: impl FnOnce(TcpStream) -> io::Result<()>) -> io::Result<Vec<u8>> {
    let (mut client, socket) = pair()?;
    trying("sending a request (send)", client.write_all(request.as_bytes()))?;
    client.shutdown(Shutdown::Write)?;
    let reader = thread::spawn(move || hear(client));
    server(socket)?;
    reader.join().map_err(|_| io::Error::other("the client panicked"))?
}

/// Reads until end of file.
///
/// # Errors
///
/// The errors of reading.
pub fn hear(mut end: impl Read) -> io::Result<Vec<u8>> {
    let mut all = Vec::new();
    end.read_to_end(&mut all).map(|_| all)
}

/// Runs a client that sends `question` and a server that answers with `answer`, each on a thread of
/// its own, while `relay` runs on this thread with a connection to each. Returns its result, and
/// `true` if the client and the server received exactly what the other one sent.
///
/// # Errors
///
/// The errors of the sockets and of `relay`.
pub fn through<T>(
    question: &[u8],
    answer: &[u8],
    relay: impl FnOnce(&TcpStream, &TcpStream) -> io::Result<T>,
) -> io::Result<(T, bool)> {
    let ((mut client, first), (mut server, second)) = (pair()?, pair()?);
    thread::scope(|scope| {
        let asking = scope.spawn(move || {
            client.write_all(question)?;
            client.shutdown(Shutdown::Write)?;
            hear(client)
        });
        let answering = scope.spawn(move || {
            let heard = hear(&server)?;
            server.write_all(answer).map(|()| heard)
        });
        let result = relay(&first, &second);
        drop((first, second)); // even after an error, so that no thread waits for the relay
        let [to_client, to_server] = [asking, answering].map(cores::joined);
        Ok((result?, to_client? == answer && to_server? == question))
    })
}

fn read_all(mut peer: TcpStream, orders: &Orders) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    let (mut arrived, mut hash) = (0, FNV_START);
    loop {
        let count = match peer.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return trying("reading (recv)", Err(error)),
        };
        arrived += count as u64;
        // Pairs with the Release store in `exchange`.
        let confirm_at = orders.confirm_at.load(Ordering::Acquire);
        if arrived > confirm_at {
            return Err(io::Error::other(format!(
                "{arrived} bytes arrived where {confirm_at} were announced"
            )));
        }
        if orders.checksum.load(Ordering::Relaxed) {
            hash = fnv1a(hash, &buffer[..count]);
        }
        if arrived == confirm_at {
            trying("confirming (send)", peer.write_all(&hash.to_ne_bytes()))?;
            hash = FNV_START;
        }
    }
}

/// The initial value of a checksum.
pub const FNV_START: u64 = 0xcbf2_9ce4_8422_2325;

/// Continues the FNV-1a checksum `hash` with `bytes`.
pub fn fnv1a(hash: u64, bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(hash, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

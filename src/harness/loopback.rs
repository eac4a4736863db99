//! A TCP connection to a reader on a core of its own: what the variants of a technique send over.
//!
//! The reader reads every byte into a buffer, as a real one does. `recv` with `MSG_TRUNC` would
//! throw the bytes away inside the kernel, without a copy; no client does that, so this one does
//! not either. On loopback its copying is part of the wall time, and it is often the slower end:
//! what the sender saved then shows on the sender's CPU clock only.

use crate::sys::cores;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// The reader's buffer, in bytes. One that stays in the core's own cache makes a quick reader. With
/// a large one the reader is the slower end, and the wall clock then shows the same for every way
/// of sending.
const BUFFER: usize = 64 << 10;

/// How long to wait for a confirmation. A variant that sends too little must not hang the
/// experiment.
const PATIENCE: Duration = Duration::from_secs(60);

/// A connected pair: the end that sends, and a thread that reads the other end until it is closed.
pub struct Loopback {
    sender: TcpStream,
    orders: Arc<Orders>,
    expected: u64,
    reader: Option<JoinHandle<io::Result<()>>>,
}

/// What the sender wants of the reader.
struct Orders {
    /// Confirm when so many bytes have arrived in all.
    confirm_at: AtomicU64,
    /// Whether to look at the bytes or to count them only.
    checksum: AtomicBool,
}

impl Loopback {
    /// Connects, and starts the reader on `core`, or wherever the kernel puts it.
    ///
    /// # Errors
    ///
    /// What the sockets or the pinning report.
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

    /// Has `send` write `bytes` bytes into the connection, and waits until all of them were read at
    /// the other end. Returns once the reader has confirmed it: one answer, however many calls
    /// `send` makes; at once, if `bytes` is 0.
    ///
    /// # Errors
    ///
    /// What `send` or the connection reports.
    pub fn transfer<T>(
        &mut self,
        bytes: u64,
        send: impl FnOnce(&TcpStream) -> io::Result<T>,
    ) -> io::Result<T> {
        Ok(self.exchange(bytes, false, send)?.0)
    }

    /// As [`transfer`](Self::transfer), and returns a checksum of what arrived, that of [`fnv1a`].
    ///
    /// # Errors
    ///
    /// What `send` or the connection reports.
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
        self.orders.checksum.store(checksum, Ordering::Relaxed); // published with the order below
        // Release: pairs with the load in `read_all`. The order stands before the first byte can
        // arrive.
        self.orders.confirm_at.store(self.expected, Ordering::Release);
        let result = send(&self.sender)?;
        if bytes == 0 {
            return Ok((result, FNV_START)); // nothing arrives, so nobody confirms it
        }
        let mut answer = [0; 8];
        (&self.sender).read_exact(&mut answer)?;
        Ok((result, u64::from_ne_bytes(answer)))
    }

    /// Closes the connection and waits for the reader to end.
    ///
    /// # Errors
    ///
    /// What the reader met, such as bytes that nobody announced.
    pub fn close(mut self) -> io::Result<()> {
        let reader = self.reader.take();
        drop(self);
        match reader.map(JoinHandle::join) {
            Some(Ok(result)) => result,
            _ => Err(io::Error::other("the reader's thread panicked")),
        }
    }
}

/// Sends over a connection of its own, and returns when all `bytes` have arrived.
///
/// # Errors
///
/// What `send`, the connection or its reader reports.
pub fn once<T>(bytes: u64, send: impl FnOnce(&TcpStream) -> io::Result<T>) -> io::Result<T> {
    let mut line = Loopback::new(None)?;
    let result = line.transfer(bytes, send)?;
    line.close()?;
    Ok(result)
}

/// Both ends of a TCP connection, first the one that connected.
///
/// # Errors
///
/// What the sockets report.
pub fn pair() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let client = TcpStream::connect(listener.local_addr()?)?;
    Ok((client, listener.accept()?.0))
}

/// Sends `request` and says that nothing follows, lets `server` answer and close on this thread,
/// and returns the answer, read on another.
///
/// # Errors
///
/// What the sockets or `server` report.
pub fn ask(request: &str, server: impl FnOnce(TcpStream) -> io::Result<()>) -> io::Result<Vec<u8>> {
    let (mut client, socket) = pair()?;
    client.write_all(request.as_bytes())?;
    client.shutdown(Shutdown::Write)?;
    let reader = thread::spawn(move || hear(client));
    server(socket)?;
    reader.join().map_err(|_| io::Error::other("the client panicked"))?
}

/// All that comes until the other end says that nothing follows.
///
/// # Errors
///
/// What reading reports.
pub fn hear(mut end: impl Read) -> io::Result<Vec<u8>> {
    let mut all = Vec::new();
    end.read_to_end(&mut all).map(|_| all)
}

/// A client asks and a server answers, each on a thread of its own, while `relay` passes on between
/// them on this thread, with a connection to each. Returns its result, and whether client and
/// server heard what the other said and no more.
///
/// # Errors
///
/// What the sockets or `relay` report.
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
        drop((first, second)); // also when it has failed: nobody waits for it then
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
            Err(error) => return Err(error),
        };
        arrived += count as u64;
        let confirm_at = orders.confirm_at.load(Ordering::Acquire); // pairs with the store in `exchange`
        if arrived > confirm_at {
            return Err(io::Error::other(format!(
                "{arrived} bytes arrived where {confirm_at} were announced"
            )));
        }
        if orders.checksum.load(Ordering::Relaxed) {
            hash = fnv1a(hash, &buffer[..count]);
        }
        if arrived == confirm_at {
            peer.write_all(&hash.to_ne_bytes())?;
            hash = FNV_START;
        }
    }
}

/// Where a checksum begins.
pub const FNV_START: u64 = 0xcbf2_9ce4_8422_2325;

/// The FNV-1a checksum of `bytes`, continuing `hash`.
pub fn fnv1a(hash: u64, bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(hash, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

//! TCP connections within the machine.

use super::threads::ping_pong;
use crate::sys::{cores, trying};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

/// Returns both ends of a connection.
fn connection() -> io::Result<(TcpStream, TcpStream)> {
    let listener = trying("listening on 127.0.0.1", TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
    let here = trying("connecting to 127.0.0.1", TcpStream::connect(listener.local_addr()?))?;
    let (there, _) = trying("accepting on 127.0.0.1", listener.accept())?;
    Ok((here, there))
}

/// Sends a byte to another thread and back over one connection, `trips` times. Unit: one round
/// trip, which is two sends, two receives, and two wake-ups; the wake-ups are most of it.
///
/// `TCP_NODELAY` is set, although Nagle's algorithm would delay nothing here: each side waits for
/// the other.
///
/// # Errors
///
/// `Unsupported` outside Linux, where threads are not pinned; the errors of the socket calls.
pub fn round_trips(cores: [usize; 2], trips: u64) -> io::Result<Duration> {
    let (mut here, mut there) = connection()?;
    here.set_nodelay(true)?;
    there.set_nodelay(true)?;
    let ping = move || {
        here.write_all(&[1])?;
        here.read_exact(&mut [0])
    };
    let pong = move || {
        there.read_exact(&mut [0])?;
        there.write_all(&[1])
    };
    Ok(trying("passing a byte over a connection", ping_pong(cores, trips, ping, pong))?.time)
}

/// The number of bytes in one piece of [`stream`].
pub const PIECE: usize = 1 << 20;

/// Sends `pieces` pieces of 1 MiB to a thread on the other core, through a buffer of `buffer` bytes
/// at each end. Unit: one piece, from the first write until the receiver confirms that it has all
/// bytes.
///
/// The bytes are copied into the kernel and out of it, as over any socket, but there is no network
/// card, no wire and no packet loss. The receiver checks only their number. This is no upper limit:
/// a sender that leaves out its copy is faster, and so are buffers that stay in the caches.
///
/// # Errors
///
/// `Unsupported` outside Linux, where threads are not pinned; the errors of the socket calls;
/// `UnexpectedEof` if bytes are missing.
///
/// # Panics
///
/// If [`PIECE`] is no multiple of `buffer`.
pub fn stream([here, there]: [usize; 2], buffer: usize, pieces: u64) -> io::Result<Duration> {
    assert!(PIECE.is_multiple_of(buffer), "pieces of {PIECE} bytes, a buffer of {buffer}");
    let calls = pieces * (PIECE / buffer) as u64;
    let (mut to, mut from) = connection()?;
    // ANCHOR: stream
    let send = move || {
        cores::pin(here)?;
        let buffer = vec![1_u8; buffer];
        let start = Instant::now();
        (0..calls).try_for_each(|_| to.write_all(&buffer))?;
        to.read_exact(&mut [0])?; // only the receiver knows when the last byte arrived
        Ok(start.elapsed())
    };
    let receive = move || {
        cores::pin(there)?;
        let mut buffer = vec![0_u8; buffer];
        (0..calls).try_for_each(|_| from.read_exact(&mut buffer))?;
        from.write_all(&[1])
    };
    // ANCHOR_END: stream
    thread::scope(|scope| {
        // A side that fails drops its end of the connection, and then the other one fails too.
        let (sender, receiver) = (scope.spawn(send), scope.spawn(receive));
        let joined = (sender.join(), receiver.join());
        match joined {
            (Ok(sent), Ok(received)) => trying("streaming over a connection", received.and(sent)),
            (Err(panic), _) | (_, Err(panic)) => std::panic::resume_unwind(panic),
        }
    })
}

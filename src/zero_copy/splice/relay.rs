//! The loop of a TCP proxy: it passes each side's bytes on to the other, through a [`RelayBuffer`]
//! for each direction.

use super::relay_buffer::RelayBuffer;
use crate::sys::poll::wait;
use crate::sys::socket::reset_on_close;
use crate::sys::trying;
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};
use std::{error, fmt, io};

/// Bytes in each direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// From the client to the server.
    pub forward: u64,
    /// From the server to the client.
    pub back: u64,
}

/// A relay that ended before both sides had ended their streams.
#[derive(Debug)]
pub struct RelayError {
    /// Bytes that the kernel had accepted for the other side.
    pub moved: Moved,
    /// Bytes that were read from one side and not yet accepted for the other. They are lost with
    /// the buffers.
    pub held: Moved,
    /// The failed call and its side. `TimedOut`: nothing has moved for as long as was allowed.
    pub cause: io::Error,
}

impl fmt::Display for RelayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { moved, held, cause } = self;
        write!(
            f,
            "relayed {} bytes forward and {} back, {} and {} more were under way: {cause}",
            moved.forward, moved.back, held.forward, held.back
        )
    }
}

impl error::Error for RelayError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        Some(&self.cause)
    }
}

impl From<RelayError> for io::Error {
    fn from(error: RelayError) -> Self {
        Self::new(error.cause.kind(), error)
    }
}

/// One end of the relay.
#[derive(Clone, Copy)]
struct Side<'a> {
    name: &'static str,
    socket: &'a TcpStream,
}

impl Side<'_> {
    /// Returns what to poll for until the socket is ready for `events`, or broken.
    fn ready(&self, events: libc::c_short) -> Option<libc::pollfd> {
        Some(libc::pollfd { fd: self.socket.as_raw_fd(), events, revents: 0 })
    }

    /// Returns the error that broke the connection.
    fn broken<T>(&self) -> io::Result<T> {
        let pending = self.socket.take_error()?;
        trying(self.name, Err(pending.unwrap_or_else(|| io::ErrorKind::ConnectionReset.into())))
    }
}

/// One direction and its state.
struct Direction<'a, B> {
    from: Side<'a>,
    to: Side<'a>,
    buffer: &'a mut B,
    moved: u64,
    /// `from` has ended its stream, and `to` was told so.
    done: bool,
}

/// The number of times that a direction may fill its buffer before it is the other one's turn.
const TURN: usize = 16;

impl<B: RelayBuffer> Direction<'_, B> {
    /// Moves what can be moved now. Returns what to wait for, or `None` at the end of its turn.
    // ANCHOR: step
    fn step(&mut self) -> io::Result<Option<libc::pollfd>> {
        if self.done {
            return Ok(self.watch());
        }
        for _ in 0..TURN {
            while self.buffer.held() > 0 {
                match self.buffer.drain_to(self.to.socket) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        return Ok(self.to.ready(libc::POLLOUT));
                    }
                    drained => self.moved += self.writing(drained)? as u64,
                }
            }
            // The buffer is empty, so "would block" can only mean: nothing to read.
            match self.buffer.fill_from(self.from.socket) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(self.from.ready(libc::POLLIN));
                }
                Ok(0) => return self.pass_on_the_end(),
                filled => drop(self.reading(filled)?),
            }
        }
        Ok(None)
    }
    // ANCHOR_END: step

    /// Ends the stream of the other side, after its last byte.
    fn pass_on_the_end(&mut self) -> io::Result<Option<libc::pollfd>> {
        self.done = true;
        match self.to.socket.shutdown(Shutdown::Write) {
            // It was connected once, and has been reset since.
            Err(error) if error.kind() == io::ErrorKind::NotConnected => self.to.broken(),
            result => trying(self.to.name, result).map(|()| self.watch()),
        }
    }

    /// Returns what to poll for once `from` has nothing more to send: a reset.
    fn watch(&self) -> Option<libc::pollfd> {
        self.from.ready(0) // errors are reported whatever the events
    }

    fn reading(&self, result: io::Result<usize>) -> io::Result<usize> {
        trying(format_args!("{} from {}", self.buffer.calls()[0], self.from.name), result)
    }

    fn writing(&self, result: io::Result<usize>) -> io::Result<usize> {
        trying(format_args!("{} to {}", self.buffer.calls()[1], self.to.name), result)
    }
}

/// Relays between the connection to a client and the one to a server until both sides have ended
/// their streams. When one side ends its stream, so does the relay toward the other; the opposite
/// direction goes on.
///
/// Makes both sockets non-blocking. If it returns an error, closing them resets both connections:
/// neither side can mistake a part of a stream for the whole.
///
/// The buffers are empty before, and afterward unless it returns an error.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use perf_proved::harness::loopback::pair;
/// use perf_proved::zero_copy::splice::Pipe;
/// use perf_proved::zero_copy::splice::relay::relay;
/// use std::io::{Read, Write};
/// use std::net::Shutdown;
/// use std::time::Duration;
///
/// let ((mut client, first), (mut server, second)) = (pair()?, pair()?);
/// client.write_all(b"hello")?;
/// client.shutdown(Shutdown::Write)?;
/// server.shutdown(Shutdown::Write)?; // has nothing to send
/// let (mut forward, mut back) = (Pipe::new()?, Pipe::new()?);
/// let moved = relay(&first, &second, [&mut forward, &mut back], Duration::from_secs(1))?;
/// assert_eq!((moved.forward, moved.back), (5, 0));
/// let mut received = String::new();
/// server.read_to_string(&mut received)?;
/// assert_eq!(received, "hello");
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// [`RelayError`], with what had moved by then: a side has reset its connection, or nothing has
/// moved for `idle`.
pub fn relay<B: RelayBuffer>(
    client: &TcpStream,
    server: &TcpStream,
    buffers: [&mut B; 2],
    idle: Duration,
) -> Result<Moved, RelayError> {
    let client = Side { name: "the client", socket: client };
    let server = Side { name: "the server", socket: server };
    let [forward, back] = buffers;
    let mut directions = [
        Direction { from: client, to: server, buffer: forward, moved: 0, done: false },
        Direction { from: server, to: client, buffer: back, moved: 0, done: false },
    ];
    let outcome = run(&mut directions, idle);
    let [forward, back] = &directions;
    let moved = Moved { forward: forward.moved, back: back.moved };
    let held = Moved { forward: forward.buffer.held() as u64, back: back.buffer.held() as u64 };
    outcome.map(|()| moved).map_err(|cause| RelayError { moved, held, cause })
}

fn run<B: RelayBuffer>(directions: &mut [Direction<'_, B>; 2], idle: Duration) -> io::Result<()> {
    for Direction { from, .. } in directions.iter() {
        trying(from.name, from.socket.set_nonblocking(true))?;
        trying(from.name, reset_on_close(from.socket, true))?; // until both streams have ended
    }
    run_to_the_end(directions, idle)?;
    for Direction { from, .. } in directions.iter() {
        trying(from.name, reset_on_close(from.socket, false))?;
    }
    Ok(())
}

fn run_to_the_end<B: RelayBuffer>(
    directions: &mut [Direction<'_, B>; 2],
    idle: Duration,
) -> io::Result<()> {
    let mut deadline = Instant::now() + idle;
    // ANCHOR: run
    loop {
        let before = [directions[0].moved, directions[1].moved];
        let mut waits = [libc::pollfd { fd: -1, events: 0, revents: 0 }; 2];
        let mut busy = false;
        for (direction, wait) in directions.iter_mut().zip(&mut waits) {
            match direction.step()? {
                Some(wanted) => *wait = wanted,
                None => busy = true,
            }
        }
        if directions.iter().all(|direction| direction.done) {
            return Ok(());
        }
        if before != [directions[0].moved, directions[1].moved] {
            deadline = Instant::now() + idle;
        }
        if !busy {
            wait(&mut waits, deadline)?;
        }
        for (direction, wait) in directions.iter().zip(&waits) {
            if direction.done && wait.revents != 0 {
                return direction.from.broken(); // reset after the end of its stream
            }
        }
    }
    // ANCHOR_END: run
}
